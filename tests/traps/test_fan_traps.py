"""Traps of fans, each by the number it has in the literature survey behind initwise."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from initwise.core.errors import LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import Layout, fans
from initwise.frameworks.initialize import init_, plan_for
from initwise.frameworks.numpy import ArrayTree
from initwise.frameworks.torch.walk import parameters
from initwise.random import fill_array
from initwise.schemes import scheme
from initwise.torch import init

QKV = (("q", 768), ("k", 768), ("v", 768))


def std(model, scheme, name="weight"):
    return plan_for(model, scheme)[name].std


def bound(model, scheme, name="weight"):
    fill = plan_for(model, scheme)[name]
    return fill.parts[0][2].high if fill.parts else fill.high


def seeded():
    return torch.Generator().manual_seed(1)


def pair(found):
    return found.fan_in, found.fan_out


def squared(layer):
    """It with its weights' squares: what it makes of ones is the variance of what it made of white noise."""
    with torch.no_grad():
        layer.weight.square_()
    return layer


class TestT13:
    """torch's fan_out of a grouped convolution is that of an ungrouped one."""

    def test_t13_a_grouped_convolution_has_the_fan_out_of_its_group(self):
        layer = nn.Conv2d(32, 128, 3, groups=4)
        assert std(layer, "he_fan_out") == pytest.approx(0.0833333333, rel=1e-9)
        depthwise = nn.Conv2d(96, 96, 7, groups=96)
        assert std(depthwise, "he_fan_out") == pytest.approx(0.2020305089, rel=1e-9)

    def test_t13_torch_s_flavor_is_the_root_of_the_groups_too_small_as_torch_is(self):
        layer = nn.Conv2d(96, 96, 7, groups=96)
        torchs = std(layer, scheme("he_fan_out", flavor="torch"))
        assert torchs == pytest.approx(0.0206196525, rel=1e-8)
        assert std(layer, "he_fan_out") / torchs == pytest.approx(math.sqrt(96))
        drawn = nn.init.kaiming_normal_(
            layer.weight, mode="fan_out", nonlinearity="relu", generator=seeded()
        ).detach()
        assert float(drawn.std()) == pytest.approx(torchs, rel=5 / math.sqrt(2 * drawn.numel()))
        assert pair(fans(drawn.shape, "oihw", groups=96, compat="torch")) == (
            nn.init._calculate_fan_in_and_fan_out(drawn)
        )

    def test_t13_timm_divides_as_we_do(self):
        assert std(nn.Conv2d(96, 96, 7, groups=96), scheme("he_fan_out", flavor="timm")) == pytest.approx(
            0.2020305089, rel=1e-9
        )


class TestT14:
    """Keras' fan_in of a depthwise kernel (h, w, channels, multiplier) counts all channels."""

    def test_t14_a_depthwise_kernel_sums_over_its_field_alone(self):
        kernel = fans((7, 7, 96, 1), "hwbo")
        assert pair(kernel) == (49, 49)
        assert scheme("xavier_uniform").fill(kernel).high == pytest.approx(0.2474, abs=5e-5)
        assert bound(nn.Conv2d(96, 96, 7, groups=96), "xavier_uniform") == pytest.approx(math.sqrt(6 / 98))

    def test_t14_keras_flavor_has_keras_small_bound(self):
        kernel = fans((7, 7, 96, 1), "hwbo")
        keras = scheme("xavier_uniform", flavor="keras").fill(kernel)
        # Keras' formula: shape[-2]·∏shape[:-2] and shape[-1]·∏shape[:-2]
        assert keras.high == pytest.approx(math.sqrt(6 / (96 * 49 + 1 * 49)), rel=1e-14)
        assert keras.high == pytest.approx(0.0355, abs=5e-5)
        he = [scheme("he_normal", **options).fill(kernel).std for options in ({}, {"flavor": "keras"})]
        assert he[0] / he[1] == pytest.approx(math.sqrt(96))


class TestT15:
    """torch, Keras and Lasagne exchange the fans of a transposed convolution."""

    def test_t15_a_transposed_convolution_counts_its_inputs_and_its_stride(self):
        layer = nn.ConvTranspose2d(64, 32, 4, stride=2)
        assert std(layer, "he_normal") == pytest.approx(0.0883883476, rel=1e-9)

    def test_t15_the_fan_of_a_transposed_convolution_keeps_the_variance(self):
        """White inputs of variance 1, He weights: outputs of variance 2, on average over positions."""
        layer = nn.ConvTranspose2d(64, 64, 4, stride=2, bias=False)
        init_(layer, "he_normal")
        variance = squared(layer)(torch.ones(1, 64, 16, 16)).detach()[:, :, 4:-4, 4:-4]
        assert float(variance.mean()) == pytest.approx(2.0, rel=5 * math.sqrt(2 / layer.weight.numel()))

    @pytest.mark.parametrize("flavor", ["torch", "keras", "lasagne"])
    def test_t15_their_flavors_exchange_them(self, flavor):
        kernel = fans((64, 32, 4, 4), "iohw", stride=2)
        law = scheme("lecun_normal", flavor=flavor).fill(kernel)
        assert law.std == pytest.approx(1 / math.sqrt(32 * 16), rel=1e-14)
        assert pair(fans((4, 4, 32, 64), Layout("hwoi", transposed=True), compat=flavor)) == (512, 1024)

    def test_t15_torch_itself_does_not_see_the_inputs(self):
        for inputs in (8, 64):
            with torch.random.fork_rng():
                torch.manual_seed(1)
                layer = nn.ConvTranspose2d(inputs, 32, 4, stride=2)
            law = plan_for(layer, "torch_default")["weight"]
            assert law.high == pytest.approx(1 / math.sqrt(512))
            assert float(layer.weight.detach().abs().max()) == pytest.approx(law.high, rel=14 / 4096)


class TestT16:
    """No framework divides a strided convolution's fan_out by its strides."""

    def test_t16_a_strided_convolution_feeds_fewer_outputs(self):
        [weight, _] = parameters(nn.Conv2d(32, 128, 3, stride=2))
        assert weight.fans.fan_out == 1152 / 4

    def test_t16_the_gradient_keeps_its_variance_by_the_true_fan_out(self):
        layer = nn.Conv2d(32, 32, 4, stride=2, bias=False)
        init_(layer, "variance_scaling", rules={"weight": scheme("variance_scaling", mode="fan_out")})
        x = torch.zeros(1, 32, 32, 32, requires_grad=True)
        squared(layer)(x).sum().backward()
        variance = x.grad[:, :, 4:-4, 4:-4]
        assert float(variance.mean()) == pytest.approx(1.0, rel=5 * math.sqrt(2 / layer.weight.numel()))

    @pytest.mark.parametrize("compat", ["torch", "keras", "jax", "flax", "haiku", "lasagne"])
    def test_t16_every_framework_s_count_ignores_the_stride(self, compat):
        strided, plain = (fans((128, 32, 4, 4), "oihw", stride=s, compat=compat) for s in (2, 1))
        assert pair(strided) == pair(plain) == (512, 2048)


class TestT17:
    """Fused matrices have the fans of their parts."""

    def test_t17_a_fused_projection_has_the_bound_of_each_of_its_parts(self):
        layer = nn.MultiheadAttention(768, 12)
        assert bound(layer, "xavier_uniform", "in_proj_weight") == pytest.approx(0.0625, rel=1e-9)
        lstm = plan_for(nn.LSTM(64, 256), "xavier_uniform")["weight_ih_l0"]
        assert [part.high for _, _, part in lstm.parts] == pytest.approx([math.sqrt(6 / 320)] * 4)

    def test_t17_a_fused_matrix_holds_independent_parts(self):
        layer = nn.MultiheadAttention(16, 2)
        init_(layer, "orthogonal")
        query, key, value = layer.in_proj_weight.split(16)
        for part in (query, key, value):
            assert torch.allclose(part @ part.T, torch.eye(16), atol=1e-5)
        assert not torch.equal(query, key)
        assert not torch.equal(key, value)

    @pytest.mark.parametrize("name", ["xavier_uniform", "he_normal", "orthogonal"])
    def test_t17_a_part_is_bit_for_bit_the_matrix_that_is_stored_alone(self, name):
        fused, parts = np.empty((48, 16), np.float32), tuple((part, 16) for part in "qkv")
        init_(ArrayTree({"attn": fused}, {"attn": Layout("oi", parts=parts)}), name, seed=5)
        for index, part in enumerate("qkv"):
            alone = np.empty((16, 16), np.float32)
            init_(ArrayTree({f"attn#{part}": alone}, {f"attn#{part}": "oi"}), name, seed=5)
            assert np.array_equal(fused[16 * index : 16 * (index + 1)], alone)

    def test_t17_torch_s_flavor_takes_the_fused_matrix_as_one(self):
        law = scheme("xavier_uniform", flavor="torch").fill(fans((2304, 768), "oi", parts=QKV))
        assert law.high == pytest.approx(0.0441941738, abs=5e-11)
        assert law.high == pytest.approx(0.0625 / math.sqrt(2))


class TestT18:
    """Matrices stored (in, out) and given to functions that take them for (out, in)."""

    def test_t18_a_matrix_stored_input_first_is_not_swapped(self):
        tree = ArrayTree({"kernel": np.empty((64, 256), np.float32)}, {"kernel": "io"})
        assert plan_for(tree, "he_normal")["kernel"].std == pytest.approx(0.1767766953, rel=1e-9)

    def test_t18_transformers_conv1d_is_known_for_what_it_is(self):
        layer = Conv1D(256, 64)
        assert layer.weight.shape == (64, 256)
        assert std(layer, "he_normal") == pytest.approx(0.1767766953, rel=1e-9)
        swapped = std(layer, scheme("he_normal", flavor="torch"))
        assert swapped == pytest.approx(math.sqrt(2 / 256))
        drawn = nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=seeded()).detach()
        assert float(drawn.std()) == pytest.approx(swapped, rel=5 / math.sqrt(2 * drawn.numel()))

    def test_t18_both_storages_hold_the_same_numbers(self):
        first, last = np.empty((256, 64), np.float32), np.empty((64, 256), np.float32)
        init_(ArrayTree({"w": first}, {"w": "oi"}), "he_normal")
        init_(ArrayTree({"w": last}, {"w": "io"}), "he_normal")
        assert np.array_equal(first, last.T)


class TestT19:
    """A table (V, d): torch counts fan_in d, Keras V."""

    def test_t19_a_table_is_not_a_matrix_and_tying_fills_it_once(self):
        model = nn.Sequential(nn.Embedding(1000, 16), nn.Linear(16, 1000, bias=False))
        model[1].weight = model[0].weight
        ledger = init_(model, "he_normal")
        assert [entry.status for entry in ledger.entries] == ["filled", "tied"]
        assert model[1].weight is model[0].weight
        # He over the vocabulary would give √(2/1000) or over the width √(2/16)
        assert ledger.entries[0].declared_std == pytest.approx(1 / 4)

    def test_t19_a_row_is_one_active_input(self):
        assert pair(fans((1000, 16), "vo")) == (1, 16)
        assert std(nn.Embedding(1000, 16), "he_normal") == 1.0

    @pytest.mark.parametrize(("flavor", "fan_in"), [("torch", 16), ("keras", 1000), ("jax", 1000)])
    def test_t19_frameworks_count_as_they_do(self, flavor, fan_in):
        law = scheme("lecun_normal", flavor=flavor).fill(fans((1000, 16), "vo"))
        assert law.std == pytest.approx(1 / math.sqrt(fan_in), rel=1e-14)


class TestT20:
    """Vectors and scalars: torch raises, Keras and Haiku count (n, n) and (1, 1)."""

    def test_t20_vectors_and_scalars_never_meet_a_fan_rule(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.vector = nn.Parameter(torch.full((3,), 7.0))
                self.scalar = nn.Parameter(torch.tensor(7.0))
                self.linear = nn.Linear(3, 3)

        model = Net()
        init_(model, "xavier_normal")
        assert bool((model.vector == 7).all())
        assert model.scalar == 7
        init_(model, {"scalar": "zeros", "vector": Fill.uniform(0, 1)})
        assert model.scalar == 0

    def test_t20_a_fan_rule_for_a_vector_is_refused_with_the_way_out(self):
        with pytest.raises(LayoutError, match="Give vectors a rule of their own: zeros, ones"):
            fans((64,), "o")
        with pytest.raises(ValueError, match="has no fan in and fan out"):
            init.xavier_uniform_(torch.empty(64))
        with pytest.raises(ValueError, match="fewer than 2 dimensions"):
            nn.init.xavier_uniform_(torch.empty(64))

    def test_t20_keras_count_of_a_vector_is_there_when_asked_for(self):
        law = scheme("xavier_uniform", flavor="keras").fill(fans((64,), "o", compat="keras"))
        assert law.high == pytest.approx(math.sqrt(6 / 128))


class TestT21:
    """Weights of three axes that are no kernels: bilinear, einsum, stacked experts."""

    def test_t21_bilinear_and_experts_have_true_fans(self):
        assert std(nn.Bilinear(20, 30, 8), "lecun_normal") == pytest.approx(math.sqrt(1 / 600))
        tree = ArrayTree({"experts": np.empty((4, 16, 32), np.float32)}, {"experts": "boi"})
        assert plan_for(tree, "lecun_normal")["experts"].std == pytest.approx(math.sqrt(1 / 32))

    def test_t21_orthogonal_experts_are_orthogonal_one_by_one(self):
        experts = np.empty((4, 16, 16), np.float32)
        init_(ArrayTree({"experts": experts}, {"experts": "boi"}), "orthogonal")
        for expert in experts:
            np.testing.assert_allclose(expert @ expert.T, np.eye(16), atol=1e-5)
        assert not np.array_equal(experts[0], experts[1])

    def test_t21_einsum_axes_are_declared(self):
        assert pair(fans((768, 12, 64), "ioo")) == pair(fans((12, 64, 768), "iio")) == (768, 768)
        assert pair(fans((768, 12, 64), "ioo", compat="jax")) == (12 * 768, 64 * 768)

    def test_t21_torch_s_count_of_experts_is_there_when_asked_for(self):
        layer = torch.empty(4, 16, 32)
        assert pair(fans((4, 16, 32), "boi", compat="torch")) == (
            nn.init._calculate_fan_in_and_fan_out(layer)
        )
        layer = nn.Bilinear(20, 30, 8)
        for name, tensor in layer.named_parameters():
            law = plan_for(layer, "torch_default")[name]
            assert law.high == pytest.approx(1 / math.sqrt(20))
            assert float(tensor.detach().abs().max()) < law.high


class TestT22:
    """Tensors without elements."""

    def test_t22_tensors_without_elements_are_no_ops_without_a_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = nn.Sequential(nn.Linear(0, 4), nn.Linear(4, 0))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            statuses = {entry.name: entry.status for entry in init_(model, "he_normal").entries}
        assert statuses == {
            "0.weight": "empty",
            "0.bias": "filled",
            "1.weight": "empty",
            "1.bias": "empty",
        }

    @pytest.mark.parametrize("name", ["he_normal", "he_fan_out", "xavier_uniform", "orthogonal", "sparse"])
    @pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
    def test_t22_no_law_divides_by_zero(self, name, shape):
        fill = scheme(name).fill(fans(shape, "oi"))
        assert fill_array(np.empty(shape), fill, name="w").shape == shape

    @pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
    def test_t22_the_drop_ins_return_them(self, shape):
        drawing = (
            init.xavier_uniform_,
            init.xavier_normal_,
            init.orthogonal_,
            init.normal_,
            init.trunc_normal_,
        )
        for draw in drawing:
            tensor = torch.empty(shape)
            assert draw(tensor) is tensor
        for draw in (init.kaiming_uniform_, init.kaiming_normal_):
            with pytest.warns(UserWarning, match="nothing to initialize"):
                draw(torch.empty(shape))
