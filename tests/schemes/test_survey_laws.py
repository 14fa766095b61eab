"""Unit columns, sub-pixel convolutions, np-RNNs, NF-Nets, published attention: on weights and models."""

import math

import numpy as np
import pytest

import initwise
from initwise import fans, scheme
from initwise.core.errors import FillError, LayoutError, ModelError, OptionError
from initwise.core.layout import Layout
from initwise.frameworks.initialize import plan_for
from initwise.random import fill_array
from initwise.schemes import Site
from initwise.schemes.weight_standardization import nfnet_signal

torch = pytest.importorskip("torch")
nn = torch.nn


def drawn(name, shape, layout, **options):
    fill = scheme(name, **options).fill(fans(shape, layout))
    return fill, fill_array(np.empty(shape), fill, name="weight", seed=2)


class TestNormc:
    @pytest.mark.parametrize(("shape", "layout"), [((64, 6), "io"), ((6, 64), "oi"), ((8, 4, 3, 3), "oihw")])
    def test_every_output_gives_the_same_mean_square_for_white_inputs(self, shape, layout):
        # E[(w·x)²] = ‖w‖² for inputs of unit variance
        _, weight = drawn("normc", shape, layout, std=0.01)
        outputs = np.moveaxis(weight, layout.index("o"), 0).reshape(shape[layout.index("o")], -1)
        np.testing.assert_allclose(np.linalg.norm(outputs, axis=1), 0.01, rtol=1e-13)

    def test_packed_gates_have_unit_columns_each(self):
        layout = Layout("oi", parts=(("i", 8), ("f", 8)))
        _, weight = drawn("normc", (16, 5), layout)
        np.testing.assert_allclose(np.linalg.norm(weight, axis=1), 1, rtol=1e-13)

    def test_length_zero_is_zero_and_a_negative_one_is_refused(self):
        assert scheme("normc", std=0).fill(fans((4, 3), "oi")).formula == "0"
        with pytest.raises(OptionError, match=r"normc.*std=-1.0; expected a length ≥ 0"):
            scheme("normc", std=-1)


class TestIcnr:
    @pytest.mark.parametrize("upscale", [2, 3])
    def test_a_pixel_shuffle_after_it_is_nearest_neighbour_upsampling(self, upscale):
        conv = nn.Conv2d(3, 4 * upscale**2, 3, padding=1)
        model = nn.Sequential(conv, nn.PixelShuffle(upscale))
        initwise.init_(model, "zeros", rules={"0.weight": scheme("icnr", upscale=upscale)})
        image = torch.randn(2, 3, 6, 5)
        small = nn.functional.conv2d(image, conv.weight[:: upscale**2], padding=1)
        expected = nn.functional.interpolate(small, scale_factor=upscale, mode="nearest")
        torch.testing.assert_close(model(image), expected)

    def test_tensorflow_s_order_is_the_whole_set_again_and_again(self):
        _, weight = drawn("icnr", (3, 3, 2, 12), "hwio", order="tiles")
        sets = weight.reshape(3, 3, 2, 4, 3)
        assert (sets == sets[:, :, :, :1]).all()
        assert len(np.unique(sets[:, :, :, 0])) == 3 * 3 * 2 * 3

    def test_the_same_filters_in_torch_s_and_in_keras_layout(self):
        torch_, keras = (
            drawn("icnr", *case)[1] for case in (((16, 3, 3, 3), "oihw"), ((3, 3, 3, 16), "hwio"))
        )
        np.testing.assert_array_equal(torch_, keras.transpose(3, 2, 0, 1))

    @pytest.mark.parametrize(
        ("shape", "layout", "times"),
        [((8, 4, 3), "oik", 2), ((16, 2, 3, 3, 3), "oikkk", 8), ((8, 4), "oi", 4)],
    )
    def test_each_spatial_axis_multiplies_the_copies(self, shape, layout, times):
        fill, weight = drawn("icnr", shape, layout)
        assert fill.repeat.times == times
        flat = weight.reshape(shape[0] // times, times, -1)
        assert (flat == flat[:, :1]).all()

    def test_fan_out_laws_see_the_small_layer(self):
        fill = scheme("icnr", base="he_fan_out").fill(fans((64, 32, 3, 3), "oihw"))
        assert fill.std == pytest.approx(math.sqrt(2 / (16 * 9)))
        assert "Aitken" in fill.citation
        assert "He, Zhang" in fill.citation

    def test_orthogonal_filters_are_so_before_they_are_repeated(self):
        _, weight = drawn("icnr", (16, 9, 3, 3), "oihw", base="orthogonal")
        one = weight[::4].reshape(4, -1)
        np.testing.assert_allclose(one @ one.T, np.eye(4), atol=1e-12)

    def test_groups_keep_their_filters(self):
        weight = fans((16, 2, 3, 3), "oihw", groups=2)
        fill = scheme("icnr").fill(weight)
        values = fill_array(np.empty((16, 2, 3, 3)), fill, name="w")
        assert (values.reshape(4, 4, -1) == values.reshape(4, 4, -1)[:, :1]).all()
        with pytest.raises(OptionError, match="expected one group, or order='neighbours'"):
            scheme("icnr", order="tiles").fill(weight)

    def test_a_layer_that_feeds_no_shuffle_is_refused_by_name(self):
        with pytest.raises(LayoutError, match=r"0\.weight: .*; expected an output axis that divides by 4"):
            initwise.init_(nn.Sequential(nn.Conv2d(3, 6, 3)), "zeros", rules={"0.weight": "icnr"})

    @pytest.mark.parametrize("upscale", [0, 1.5, -2])
    def test_a_factor_that_is_none_is_refused(self, upscale):
        with pytest.raises(OptionError, match="expected a whole number ≥ 1"):
            scheme("icnr", upscale=upscale)

    def test_proof_of_writing_allows_for_the_copies(self):
        # the mean of 64 filters, each 16 times, is as uncertain as that of 64: no false alarm in many seeds
        model = nn.Sequential(nn.Conv2d(1, 64, 1, bias=False))
        for seed in range(60):
            initwise.init_(model, {"0.weight": scheme("icnr", upscale=4)}, seed=seed)


class TestNpRnn:
    def test_the_state_of_a_plain_relu_network_neither_grows_nor_dies(self):
        rnn = nn.RNN(4, 64, nonlinearity="relu")
        initwise.init_(rnn, "np_rnn")
        values = np.linalg.eigvalsh(rnn.weight_hh_l0.detach().double().numpy())
        assert values[-1] == pytest.approx(1, abs=1e-6)
        assert values[0] > 0
        declared = plan_for(rnn, "np_rnn")["weight_ih_l0"]
        assert (declared.law, declared.std) == ("normal", pytest.approx(math.sqrt(2 / 68), rel=1e-14))
        n = rnn.weight_ih_l0.numel()
        assert rnn.weight_ih_l0.std().item() == pytest.approx(declared.std, rel=5 / math.sqrt(2 * n))
        assert not rnn.bias_hh_l0.any()

    def test_each_gate_has_a_matrix_of_its_own(self):
        gru = nn.GRU(4, 16)
        initwise.init_(gru, scheme("np_rnn", gain=0.5))
        gates = gru.weight_hh_l0.detach().double().numpy().reshape(3, 16, 16)
        for gate in gates:
            np.testing.assert_array_equal(gate, gate.T)
            assert np.linalg.eigvalsh(gate)[-1] == pytest.approx(0.5, abs=1e-6)
        assert not np.array_equal(gates[0], gates[1])


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.moe = nn.ModuleDict({"gate": nn.Linear(8, 4, bias=False), "fc": nn.Linear(8, 8)})


class Attention(nn.Module):
    def __init__(self, d=16, key=16):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(d, d), nn.Linear(key, d), nn.Linear(key, d)
        self.out_proj = nn.Linear(d, d)


class Layer(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        self.self_attn = Attention(**sizes)
        self.fc1 = nn.Linear(16, 32)


class TestAttention:
    def test_fairseq_s_laws_are_those_of_the_fused_matrix(self):
        layer = Layer()
        ledger = initwise.init_(layer, "fairseq_attention")
        laws = {entry.name: entry.fill.formula for entry in ledger.entries}
        fused = scheme("xavier_uniform", flavor="torch").fill(fans((48, 16), "oi")).formula
        assert laws["self_attn.q_proj.weight"] == laws["self_attn.v_proj.weight"] == fused
        assert (
            laws["self_attn.out_proj.weight"] == scheme("xavier_uniform").fill(fans((16, 16), "oi")).formula
        )
        assert laws["self_attn.out_proj.bias"] == "0"
        assert laws["fc1.weight"] == "U(±0.25)"  # torch's default

    def test_keys_of_their_own_width_have_no_factor(self):
        ledger = initwise.init_(Layer(key=8), "fairseq_attention")
        laws = {entry.name: entry.fill for entry in ledger.entries}
        assert laws["self_attn.k_proj.weight"].high == pytest.approx(math.sqrt(6 / 24))
        every = initwise.init_(Layer(key=8), scheme("fairseq_attention", gain=1))
        laws = {entry.name: entry.fill for entry in every.entries}
        assert laws["self_attn.q_proj.weight"].high == pytest.approx(math.sqrt(6 / 32))

    def test_moco_takes_a_fused_matrix_as_three_told_or_not(self):
        law = scheme("moco_attention")
        plain = law.fill(fans((48, 16), "oi"), at=Site(part="attention.qkv"))
        parts = (("q", 16), ("k", 16), ("v", 16))
        told = law.fill(fans((48, 16), Layout("oi", parts=parts)), at=Site(part="attention.qkv"))
        assert {part.high for _, _, part in told.parts} == {plain.high} == {math.sqrt(6 / 32)}

    def test_a_model_without_attention_is_refused(self):
        with pytest.raises(ModelError, match=r"the model has none of attention\.query"):
            initwise.init_(nn.Sequential(nn.Linear(4, 4)), "fairseq_attention")

    def test_a_cosine_router_is_orthogonal(self):
        model = Gated()
        initwise.init_(model, "xmoe_router")
        router = model.moe["gate"].weight.detach().double().numpy()
        np.testing.assert_allclose(router @ router.T, 0.32**2 * np.eye(4), atol=1e-7)


class TestNfNets:
    def test_the_variance_starts_anew_at_each_stage(self):
        # V ← V + α² in a stage, 1 + α² after its first block
        found = nfnet_signal((1, 2, 6, 3))
        stds = [std for std, _ in found]
        a = 0.04
        expected = [
            1,
            1 + a,
            1 + a,
            1 + 2 * a,
            1 + a,
            *(1 + k * a for k in range(2, 6)),
            1 + 6 * a,
            1 + a,
            1 + 2 * a,
        ]
        np.testing.assert_allclose(np.square(stds), expected)
        assert all(std * beta == pytest.approx(1) for std, beta in found)

    def test_the_model_behaves_so(self):
        # branches of unit variance, independent of the shortcut: out = x + α·f, the first of a stage on x/std
        rng, x = np.random.default_rng(3), None
        x = rng.standard_normal(200_000)
        for depth in (3, 2):
            for block in range(depth):
                std = x.std()
                x = (x / std if block == 0 else x) + 0.2 * rng.standard_normal(x.size)
                known = nfnet_signal((3, 2))[block if depth == 3 else 3 + block][0]
                assert std == pytest.approx(known, rel=0.01)

    def test_reasons_tell_each_block_s_numbers(self):
        at = Site(part="conv", block=2, depth=4)
        weight = fans((64, 32, 3, 3), "oihw")
        told = scheme("nfnet_blocks", stages="4").fill(weight, at=at).reason
        assert told.endswith("block 2: expected std 1.03923, β = 0.96225, α = 0.2")
        assert "β" not in scheme("nfnet_blocks").fill(weight, at=at).reason

    def test_stages_that_are_none_are_refused(self):
        with pytest.raises(OptionError, match="expected numbers of blocks"):
            scheme("nfnet_blocks", stages="1, two").fill(fans((4, 3), "oi"), at=Site())

    def test_a_standardised_layer_s_gain_is_1_and_its_reason_warns(self):
        class Conv(nn.Conv2d):
            def __init__(self):
                super().__init__(4, 8, 3)
                self.gain = nn.Parameter(torch.zeros(8, 1, 1, 1))

        layer = nn.Sequential(Conv())
        ledger = initwise.init_(layer, "scaled_weight_standardization")
        assert (layer[0].gain == 1).all()
        weight = next(entry for entry in ledger.entries if entry.name == "0.weight")
        assert "a gain here would have no effect" in weight.fill.reason


def test_an_activation_that_siren_s_authors_do_not_compare_with_is_refused():
    with pytest.raises(OptionError, match="activation='gelu'"):
        scheme("siren_companion", activation="gelu")


def test_lasagne_s_uniform_of_a_std_has_it():
    fill = scheme("uniform", flavor="lasagne", std=0.3, mean=-1).fill()
    assert (fill.mean, fill.std) == (pytest.approx(-1), pytest.approx(0.3))
    with pytest.raises(FillError, match=r"uniform: std -0.3; expected std ≥ 0"):
        scheme("uniform", std=-0.3)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_the_centre_of_an_identity_kernel_can_be_the_lower_one(size):
    for centre, index in (("upper", size // 2), ("lower", (size - 1) // 2)):
        _, weight = drawn("dirac", (3, 3, size), "oik", centre=centre)
        np.testing.assert_array_equal(weight[:, :, index], np.eye(3))
        assert weight.sum() == 3
