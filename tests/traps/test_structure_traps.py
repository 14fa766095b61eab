"""Traps of structure (matrices, wrappers, devices), each by its number in the survey behind initwise."""

import copy
import math
import warnings

import jax
import numpy as np
import pytest
import torch
import transformers
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from initwise.core.errors import FillError, ModelError
from initwise.core.fill import Fill
from initwise.core.layout import fans
from initwise.frameworks.initialize import init_, plan_for
from initwise.random import fill_array
from initwise.schemes import scheme
from initwise.torch import init


def decoder():
    """Two blocks by nanoGPT's names."""

    def block():
        attn = nn.ModuleDict({"c_attn": nn.Linear(8, 24), "c_proj": nn.Linear(8, 8)})
        return nn.ModuleDict(
            {"attn": attn, "mlp": nn.ModuleDict({"c_fc": nn.Linear(8, 32), "c_proj": nn.Linear(32, 8)})}
        )

    return nn.ModuleDict({"wte": nn.Embedding(9, 8), "h": nn.ModuleList([block(), block()])})


def encoder():
    """A stack by fairseq's names."""

    def block():
        attn = nn.ModuleDict({f"{part}_proj": nn.Linear(8, 8) for part in ("q", "k", "v", "out")})
        return nn.ModuleDict({"self_attn": attn, "fc1": nn.Linear(8, 32), "fc2": nn.Linear(32, 8)})

    return nn.ModuleDict({"encoder": nn.ModuleDict({"layers": nn.ModuleList([block(), block()])})})


def state_space():
    """One block by Mamba's names."""
    mixer = nn.Module()
    mixer.A_log, mixer.D = nn.Parameter(torch.zeros(8, 4)), nn.Parameter(torch.zeros(8))
    sizes = {"in_proj": (4, 16), "x_proj": (8, 9), "dt_proj": (1, 8), "out_proj": (8, 4)}
    for name, (inputs, outputs) in sizes.items():
        mixer.add_module(name, nn.Linear(inputs, outputs, bias=name == "dt_proj"))
    layers = nn.ModuleList([nn.ModuleDict({"mixer": mixer})])
    return nn.ModuleDict({"embedding": nn.Embedding(9, 4), "layers": layers})


class TestT23:
    """A matrix that is not square keeps the norm of what it is given, not the size of a unit."""

    @staticmethod
    def unit(name, out, inputs):
        """Mean square of an output for inputs of mean square 1, none of them in a null space."""
        weight = fill_array(
            np.empty((out, inputs)), scheme(name).fill(fans((out, inputs), "oi")), name="w", seed=1
        )
        return float(np.square(weight).sum()) / out

    def test_t23_orthogonal_loses_what_it_spreads_over_more_units(self):
        assert self.unit("orthogonal", 64, 256) == pytest.approx(1)
        assert self.unit("orthogonal", 256, 64) == pytest.approx(1 / 4)

    def test_t23_the_std_declared_is_the_one_of_the_entries(self):
        for shape in ((256, 64), (64, 256)):
            fill = scheme("orthogonal").fill(fans(shape, "oi"))
            assert fill.std == pytest.approx(1 / 16)
            assert fill_array(np.empty(shape), fill, name="w").std() == pytest.approx(1 / 16, rel=1e-3)

    def test_t23_the_scaled_laws_make_up_for_it(self):
        assert self.unit("scaled_uniform_orthogonal", 256, 64) == pytest.approx(1)
        assert self.unit("scaled_uniform_orthogonal", 64, 256) == pytest.approx(1)
        spectral = scheme("spectral_orthogonal").fill(fans((64, 256), "oi"))
        assert spectral.gain == pytest.approx(math.sqrt(64 / 256))


def singular_values(kernel):
    """Of the circular convolution, over all its frequencies."""
    waves = np.fft.fft2(kernel, (8, 8), axes=(2, 3))
    return np.linalg.svd(np.moveaxis(waves, (0, 1), (2, 3)), compute_uv=False)


class TestT24:
    """A flattened orthogonal kernel is no orthogonal convolution."""

    KERNEL = fans((16, 16, 3, 3), "oihw")

    def test_t24_delta_orthogonal_is_orthogonal_at_every_frequency(self):
        law = scheme("delta_orthogonal").fill(self.KERNEL)
        found = singular_values(fill_array(np.empty((16, 16, 3, 3)), law, name="w", seed=1))
        assert found == pytest.approx(np.ones_like(found), abs=1e-12)

    def test_t24_orthogonal_is_not_and_its_row_says_so(self):
        law = scheme("orthogonal").fill(self.KERNEL)
        found = singular_values(fill_array(np.empty((16, 16, 3, 3)), law, name="w", seed=1))
        assert found.max() > 1.5
        assert found.min() < 0.1
        assert "delta_orthogonal" in scheme("orthogonal").row.avoid

    def test_t24_which_axis_is_flattened_matters_for_a_transposed_convolution(self):
        kernel = fans((64, 32, 4, 4), "iohw")
        longer = {None: 64 * 16, "torch": 32 * 16, "keras": 32 * 16, "jax": 64 * 16, "lasagne": 32 * 16}
        for flavor, side in longer.items():
            assert scheme("orthogonal", flavor=flavor).fill(kernel).std == pytest.approx(1 / math.sqrt(side))
        theirs = nn.init.orthogonal_(torch.empty(64, 32, 4, 4))
        assert float(theirs.square().mean()) == pytest.approx(1 / 512, rel=1e-5)


class TestT25:
    """Delta-orthogonal needs no fewer outputs than inputs, and a centre."""

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (nn.Conv2d(8, 4, 3), "8 input and 4 output channels; expected no more inputs than outputs"),
            (nn.Conv2d(4, 8, 4), "kernel size 4 has no centre; expected odd kernel sizes"),
        ],
        ids=["shrinks", "even"],
    )
    def test_t25_what_has_none_is_refused_before_anything_is_written(self, layer, message):
        model = nn.Sequential(nn.Conv2d(4, layer.in_channels, 3), layer)
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(FillError, match=message) as caught:
            init_(model, "delta_orthogonal")
        assert str(caught.value).startswith("1.weight: delta_orthogonal")
        assert 'Use "orthogonal" for this layer' in str(caught.value)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    def test_t25_jax_refuses_it_too(self):
        with pytest.raises(ValueError, match="must be less or equal"):
            jax.nn.initializers.delta_orthogonal()(jax.random.key(0), (3, 3, 8, 4))


class TestT26:
    """Dirac kernels: one identity to each group; an even kernel has no middle."""

    def test_t26_dirac_passes_the_signal_through_each_group(self):
        layer = nn.Conv1d(8, 8, 3, padding=1, groups=4, bias=False)
        init_(layer, "dirac")
        x = torch.arange(16.0).view(1, 8, 2)
        assert torch.equal(layer(x), x)

    @pytest.mark.parametrize("groups", [1, 2])
    @pytest.mark.parametrize("size", [2, 3, 4])
    def test_t26_the_centre_is_torch_s(self, groups, size):
        layer = nn.Conv2d(4, 4, size, groups=groups)
        init_(layer, "dirac")
        assert torch.equal(layer.weight, nn.init.dirac_(torch.empty_like(layer.weight), groups))
        assert bool((layer.weight[:, :, size // 2, size // 2].sum(1) == 1).all())
        assert "k//2 in torch and here" in " ".join(scheme("dirac").row.differences)


class TestT27:
    """A weight under weight_norm is computed: writing to it writes to a temporary."""

    def test_t27_writing_to_a_weight_under_weight_norm_is_no_silent_no_op(self):
        layer = parametrizations.weight_norm(nn.Linear(16, 16))
        ledger = init_(layer, {"weight": Fill.uniform(0.5, 1.0)})
        assert float(layer.weight.min()) >= 0.5 - 1e-6
        assert ledger.entries[0].measured_mean == pytest.approx(float(layer.weight.mean()), rel=1e-5)

    def test_t27_torch_s_own_functions_do_nothing_there(self):
        layer = parametrizations.weight_norm(nn.Linear(16, 16))
        before = layer.weight.clone()
        nn.init.ones_(layer.weight)
        assert torch.equal(layer.weight, before)
        init_(layer, {"weight": "ones"})
        assert torch.allclose(layer.weight, torch.ones(16, 16))

    def test_t27_the_old_weight_norm_does_not_take_the_weight_back_in_its_forward_pass(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer = nn.utils.weight_norm(nn.Linear(64, 64))
        init_(layer, "he_normal")
        layer(torch.ones(2, 64))
        assert float(layer.weight.detach().std()) == pytest.approx(
            math.sqrt(2 / 64), rel=5 / math.sqrt(2 * 64 * 64)
        )
        init_(layer, {"weight": "ones"})
        layer(torch.ones(2, 64))
        assert torch.allclose(layer.weight, torch.ones(64, 64))


class TestT28:
    """Spectral norm keeps singular vectors of the weight it was made with."""

    def test_t28_spectral_norms_vectors_belong_to_the_new_weight(self):
        layer = parametrizations.spectral_norm(nn.Linear(32, 16))
        init_(layer, "he_normal")
        raw = layer.parametrizations.weight.original.detach()
        norm = layer.parametrizations.weight[0]
        sigma = float(torch.linalg.matrix_norm(raw, 2))
        assert float(norm._u @ raw @ norm._v) == pytest.approx(sigma, rel=0.02)

    def test_t28_what_the_layer_computes_with_has_norm_one_at_once(self):
        layer = parametrizations.spectral_norm(nn.Linear(32, 16)).eval()
        init_(layer, scheme("normal", std=3.0))
        assert float(torch.linalg.matrix_norm(layer.weight.detach(), 2)) == pytest.approx(1, rel=0.02)
        raw = layer.parametrizations.weight.original
        with torch.no_grad():
            raw.copy_(torch.randn(16, 32, generator=torch.Generator().manual_seed(1)))
        stale = float(torch.linalg.matrix_norm(layer.weight.detach(), 2))
        assert stale > 1.2  # vectors that were not renewed


class TestT29:
    """Where the forward pass divides by √fan_in, the weights must not."""

    def test_t29_a_runtime_factor_is_not_counted_twice(self):
        class Equalised(nn.Module):
            """The weight is stored with variance 1 and multiplied by 1/√fan_in when used."""

            def forward(self, weight):
                return weight / math.sqrt(weight.shape[1])

            def right_inverse(self, weight):
                return weight * math.sqrt(weight.shape[1])

        layer = nn.Linear(64, 256)
        parametrize.register_parametrization(layer, "weight", Equalised())
        init_(layer, "lecun_normal")
        raw, error = layer.parametrizations.weight.original.detach(), 5 / math.sqrt(2 * 256 * 64)
        assert float(layer.weight.detach().std()) == pytest.approx(1 / 8, rel=error)
        assert float(raw.std()) == pytest.approx(1.0, rel=error)

    @pytest.mark.parametrize("name", ["equalized_learning_rate", "ntk", "unit_scaling"])
    def test_t29_parametrisations_with_a_runtime_factor_have_std_1_whatever_the_fans(self, name):
        stds = {scheme(name).fill(fans((n, n), "oi")).std for n in (4, 64, 4096)}
        assert stds == {1.0}

    def test_t29_stylegan_s_recipe_does_not_count_the_fans(self):
        plan = plan_for(nn.ModuleDict({"synthesis": nn.Conv2d(64, 32, 3)}), "stylegan2")
        assert plan["synthesis.weight"].std == 1.0


class TestT30:
    """A lazy layer has no shape yet, and draws torch's default at its first forward pass."""

    def test_t30_a_lazy_layer_is_ready_once_it_has_run(self):
        model = nn.Sequential(nn.LazyLinear(4), nn.ReLU())
        x = torch.ones(2, 3)
        model(x)
        init_(model, "he_normal")
        before = model[0].weight.clone()
        model(x)
        assert torch.equal(model[0].weight, before)

    def test_t30_before_that_it_is_refused_with_what_to_do(self):
        model = nn.Sequential(nn.LazyLinear(4), nn.ReLU())
        with pytest.raises(ModelError, match=r"0\.weight, 0\.bias are lazy: no shape before") as caught:
            init_(model, "he_normal")
        assert "the first forward would overwrite whatever was written" in str(caught.value)


class TestT31:
    """Buffers are no parameters."""

    def test_t31_buffers_are_left_alone(self):
        model = nn.Sequential(nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2))
        model.register_buffer("inv_freq", torch.arange(3.0))
        model[1].running_mean.fill_(5.0)
        init_(model, "zeros")
        assert torch.equal(model.inv_freq, torch.arange(3.0))
        assert bool((model[1].running_mean == 5).all())
        assert model[1].num_batches_tracked == 0

    def test_t31_after_to_empty_buffers_are_said_to_need_their_values_too(self):
        with torch.device("meta"):
            model = nn.Sequential(nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2))
        with pytest.raises(ModelError, match="buffers need their values too"):
            init_(model, "he_normal")


class TestT32:
    """On the meta device torch's functions return as if they had written."""

    def test_t32_a_model_without_memory_is_refused(self):
        model = nn.Linear(4, 4, device="meta")
        with pytest.raises(
            ModelError, match="weight, bias are on the meta device and have no memory"
        ) as caught:
            init_(model, "he_normal")
        assert 'Call model.to_empty(device="cpu") first' in str(caught.value)

    def test_t32_one_meta_tensor_is_enough_and_nothing_is_written(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, device="meta"))
        before = model[0].weight.clone()
        with pytest.raises(ModelError, match=r"1\.weight, 1\.bias are on the meta device"):
            init_(model, "he_normal")
        assert torch.equal(model[0].weight, before)

    @pytest.mark.parametrize("name", ["trunc_normal_", "orthogonal_", "normal_", "kaiming_uniform_"])
    def test_t32_the_drop_ins_draw_nothing_there_and_the_model_is_known_to_be_unfilled(self, name):
        model, state = nn.Linear(4, 4, device="meta"), torch.get_rng_state()
        assert getattr(init, name)(model.weight) is model.weight
        assert torch.equal(torch.get_rng_state(), state)
        assert init.unfilled(model) == ("weight", "bias")
        with pytest.raises(Exception, match="have no memory"):
            init.assert_filled(model)


class TestT33:
    """apply() visits children before parents: a parent's rule overwrites a child's."""

    def test_t33_the_order_of_rules_decides_not_the_nesting_of_modules(self):
        def model():
            return nn.Sequential(nn.Sequential(nn.Linear(4, 4)))

        outer_last = {"0.0.w*": "ones", "0.*": "zeros"}
        inner_last = {"0.*": "zeros", "0.0.w*": "ones"}
        assert plan_for(model(), outer_last)["0.0.weight"].mean == 0
        assert plan_for(model(), inner_last)["0.0.weight"].mean == 1

    def test_t33_a_parameter_s_own_name_wins_wherever_it_stands(self):
        def model():
            return nn.Sequential(nn.Sequential(nn.Linear(4, 4)))

        for rules in ({"0.0.weight": "ones", "0.*": "zeros"}, {"0.*": "zeros", "0.0.weight": "ones"}):
            assert plan_for(model(), rules)["0.0.weight"].mean == 1

    def test_t33_a_recipe_s_particular_rule_wins_wherever_it_stands(self):
        config = transformers.GPT2Config(n_embd=64, n_layer=2, n_head=2, vocab_size=64, n_positions=8)
        model = transformers.GPT2LMHeadModel(config)
        entries = {entry.name: entry for entry in init_(model, "gpt2").entries}
        output = entries["transformer.h.0.attn.c_proj.weight"]
        assert output.measured_std == pytest.approx(0.01, rel=5 / math.sqrt(2 * 64 * 64))
        assert entries["transformer.h.0.attn.c_attn.weight"].declared_std == 0.02


class TestT34:
    """A rule that divides what is there divides again when it is run again."""

    @pytest.mark.parametrize(
        "wrap", [nn.Identity(), parametrizations.weight_norm, parametrizations.spectral_norm]
    )
    def test_t34_initializing_twice_is_initializing_once(self, wrap):
        model = nn.Sequential(wrap(nn.Linear(8, 8)), nn.Linear(8, 8))
        assert init_(model, "he_normal").digest == init_(model, "he_normal").digest

    @pytest.mark.parametrize("name", ["gpt2", "mamba", "t_fixup", "depth_index"])
    def test_t34_rules_that_scale_by_depth_do_it_once(self, name):
        model = state_space() if name == "mamba" else decoder() if name != "t_fixup" else encoder()
        first = init_(model, name, seed=2)
        again = init_(model, name, seed=2)
        assert first.digest == again.digest
        assert [entry.measured_std for entry in first.entries] == pytest.approx(
            [entry.measured_std for entry in again.entries], nan_ok=True
        )
