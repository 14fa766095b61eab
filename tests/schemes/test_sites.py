"""Schemes that need a place in a model: what they get, what they refuse, the published numbers."""

import dataclasses
import math

import numpy as np
import pytest

import initwise
from initwise import fans, scheme
from initwise.core.errors import FillError, ModelError, OptionError, UnsupportedError
from initwise.core.parameter import ParameterInfo
from initwise.schemes import NEEDS, SchemeRow, Site, schemes
from initwise.schemes.parametrisations import mup_kind, mup_learning_rate
from initwise.schemes.post_norm import admin_constant, deepnorm_constants

torch = pytest.importorskip("torch")
nn = torch.nn

WEIGHT = fans((768, 768), "oi")


class Attention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.out_proj = nn.Linear(d, d)


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.attn, self.norm = Attention(d), nn.LayerNorm(d)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, 4 * d), "fc2": nn.Linear(4 * d, d)})
        self.resweight = nn.Parameter(torch.ones(1))


class Decoder(nn.Module):
    def __init__(self, d=16, depth=4):
        super().__init__()
        self.emb = nn.Embedding(50, d)
        self.h = nn.ModuleList([Block(d) for _ in range(depth)])
        self.lm_head = nn.Linear(d, 50, bias=False)


class Fused(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(8, 24), "c_proj": nn.Linear(8, 8)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(8, 8), "fc2": nn.Linear(8, 8)})


class BasicBlock(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(d, d, 3, bias=False), nn.BatchNorm2d(d)
        self.conv2, self.bn2 = nn.Conv2d(d, d, 3, bias=False), nn.BatchNorm2d(d)
        self.scale = nn.Parameter(torch.zeros(1))
        self.bias1a = nn.Parameter(torch.ones(1))


class ResNet(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.conv1 = nn.Conv2d(3, d, 3)
        self.layer1 = nn.Sequential(BasicBlock(d), BasicBlock(d))
        self.layer2 = nn.Sequential(BasicBlock(d), BasicBlock(d))
        self.fc = nn.Linear(d, 10)


def fills(model, plan, **more):
    return {entry.name: entry.fill for entry in initwise.init_(model, plan, **more).entries}


class TestPublishedNumbers:
    """The catalogue's oracles, as equalities to their ten decimals."""

    @pytest.mark.parametrize(("depth", "std"), [(12, 0.0040824829), (48, 0.0020412415)])
    def test_gpt2(self, depth, std):
        at = Site(part="mlp.down", depth=depth)
        assert scheme("gpt2_residual").fill(WEIGHT, at=at).std == pytest.approx(std, abs=6e-11)

    @pytest.mark.parametrize(
        ("part", "block", "fan_in", "std"),
        [
            ("attention.output", 0, 4096, 0.0110485435),
            ("attention.output", 31, 4096, 0.001953125),
            ("mlp.down", 0, 11008, 0.0067395483),
        ],
    )
    def test_mitchell(self, part, block, fan_in, std):
        fill = scheme("mitchell").fill(
            fans((4096, fan_in), "oi"), at=Site(part=part, block=block, width=4096)
        )
        assert (fill.scale, fill.high / fill.scale) == (pytest.approx(std, abs=6e-11), pytest.approx(3))
        assert fill.std / fill.scale == pytest.approx(0.98658, abs=5e-6)

    def test_small_and_wang(self):
        at = Site(part="attention.output", depth=24, width=2048)
        assert scheme("small_init").fill(WEIGHT, at=at).std == pytest.approx(0.0139754249, abs=6e-11)
        assert scheme("wang_init").fill(WEIGHT, at=at).std == pytest.approx(0.0018414239, abs=6e-11)

    def test_deepnorm(self):
        both = deepnorm_constants(encoder=6, decoder=6)
        assert both["encoder"] == pytest.approx((1.4179381407, 0.4969892408), abs=6e-11)
        assert both["decoder"] == pytest.approx((2.0597671439, 0.3432945240), abs=6e-11)
        assert deepnorm_constants(8)["stack"] == (2.0, 64**-0.25)

    def test_admin(self):
        assert admin_constant(12) == pytest.approx(2.0170092187, abs=6e-11)
        assert (admin_constant(12, "constant"), admin_constant(16, "root")) == (1, 4)

    @pytest.mark.parametrize(("stack", "factor"), [("encoder", 0.4280918798), ("decoder", 0.3688939732)])
    def test_t_fixup(self, stack, factor):
        at = Site(
            part="attention.value", depth=6, stack=f"{stack}.layers", stacks=(("decoder", 6), ("encoder", 6))
        )
        fill = scheme("t_fixup_scaling").fill(WEIGHT, at=at)
        assert fill.high / scheme("xavier_uniform").fill(WEIGHT).high == pytest.approx(factor, abs=6e-11)
        query = dataclasses.replace(at, part="attention.query")
        assert scheme("t_fixup_scaling").fill(WEIGHT, at=query).high == pytest.approx(math.sqrt(6 / 1536))

    @pytest.mark.parametrize(("layers", "factor"), [(2, 0.25), (3, 0.5)])
    def test_fixup(self, layers, factor):
        at = Site(part="conv", block=3, depth=16, layer=0, layers=layers)
        kernel = fans((64, 64, 3, 3), "oihw")
        std = scheme("fixup_scaling").fill(kernel, at=at).std
        assert std == pytest.approx(factor * math.sqrt(2 / 576), rel=1e-14)

    def test_focal_prior(self):
        head = ParameterInfo("head.bias", (9,), "float32", "bias")
        fill = scheme("prior_bias").fill_parameter(head, at=Site(part="head"))
        assert fill.mean == pytest.approx(-4.5951198501, abs=6e-11)

    def test_edge_of_chaos(self):
        assert scheme("edge_of_chaos").fill(fans((9, 64), "oi")).std == pytest.approx(0.125, rel=1e-6)
        gelu = scheme("edge_of_chaos", activation="gelu").fill(fans((9, 64), "oi"))
        assert gelu.std**2 * 64 == pytest.approx(1.983058, abs=5e-7)
        held = scheme("edge_of_chaos", q=1.0)
        bias = held.fill_parameter(ParameterInfo("b", (9,), "float32", "bias"))
        from initwise.activations.critical import critical_point

        assert bias.std**2 == pytest.approx(critical_point("tanh", q=1.0).bias_variance, rel=1e-12)


class TestInAModel:
    def test_branch_ends_of_a_decoder_are_found_by_name(self):
        got = fills(Decoder(), "gpt2_residual")
        ends = {name for name, fill in got.items() if fill and fill.std == pytest.approx(0.02 / math.sqrt(8))}
        assert ends == {f"h.{i}.{end}.weight" for i in range(4) for end in ("attn.out_proj", "mlp.fc2")}
        assert got["h.0.norm.weight"].mean == 1
        assert got["h.0.attn.out_proj.bias"].mean == 0
        assert got["h.0.resweight"] is None

    def test_depth_can_be_said_where_names_do_not_tell_it(self):
        got = fills(Decoder(), scheme("gpt2_residual", depth=16))
        assert got["h.0.mlp.fc2.weight"].std == pytest.approx(0.02 / math.sqrt(32))

    def test_parts_can_be_said(self):
        model = nn.ModuleDict({"up": nn.Linear(8, 8), "x": nn.Linear(8, 8)})
        got = fills(model, scheme("gpt2_residual", assign="mlp.down=x.weight", depth=2))
        assert (got["up.weight"].std, got["x.weight"].std) == (0.02, 0.01)

    def test_the_block_counts(self):
        got = fills(Decoder(), "depth_index")
        assert [got[f"h.{i}.mlp.fc2.weight"].std for i in range(4)] == pytest.approx(
            [0.02 / math.sqrt(2 * (i + 1)) for i in range(4)]
        )

    def test_a_base_scheme_that_has_needs_itself(self):
        got = fills(Decoder(), scheme("zero_query", base="gpt2_residual"))
        assert got["h.1.attn.q_proj.weight"].formula == "0"
        assert got["h.1.attn.out_proj.weight"].std == pytest.approx(0.02 / math.sqrt(8))

    def test_packed_queries_are_zero_and_keys_are_not(self):
        model = nn.ModuleDict({"self_attn": nn.MultiheadAttention(8, 2)})
        packed = fills(model, "zero_query")["self_attn.in_proj_weight"]
        laws = {name: fill.formula for name, _, fill in packed.parts}
        assert laws["q"] == "0"
        assert laws["k"] == laws["v"] == scheme("xavier_uniform").fill(fans((8, 8), "oi")).formula

    def test_an_encoder_beside_a_decoder(self):
        model = nn.Transformer(16, 2, 2, 3, 32)
        both = deepnorm_constants(encoder=2, decoder=3)
        plain = scheme("xavier_normal").fill(fans((16, 16), "oi")).std
        got = fills(model, "deepnorm_scaling")
        for side in ("encoder", "decoder"):
            packed = got[f"{side}.layers.1.self_attn.in_proj_weight"]
            q, k, v = (fill.std for _, _, fill in packed.parts)
            assert (q, k) == (plain, plain)
            assert v == pytest.approx(plain * both[side][1])
            assert "v: " in packed.reason
        fixed = fills(model, "t_fixup_scaling")
        ratio = fixed["decoder.layers.0.linear1.weight"].std / fixed["encoder.layers.0.linear1.weight"].std
        assert ratio == pytest.approx((27**-0.25) / (0.67 * 2**-0.25))

    def test_a_table_that_both_share_takes_the_encoders_depth(self):
        model = nn.ModuleDict({"shared": nn.Embedding(9, 16), "t": nn.Transformer(16, 2, 2, 3, 32)})
        got = fills(model, "t_fixup_scaling")
        assert got["shared.weight"].std == pytest.approx(0.25 * 18**-0.25)

    def test_factors_on_branches(self):
        assert fills(Decoder(), "rezero")["h.2.resweight"].mean == 0
        assert fills(Decoder(), "layer_scale")["h.2.resweight"].mean == 0.1
        assert fills(Decoder(), scheme("layer_scale", depth=36))["h.2.resweight"].mean == 1e-6
        assert fills(Decoder(), "admin")["h.2.resweight"].mean == pytest.approx(admin_constant(8))

    def test_fixup_in_a_residual_network(self):
        got = fills(ResNet(), "fixup_scaling")
        assert got["layer2.1.conv1.weight"].std == pytest.approx(math.sqrt(2 / 72) * 4**-0.5)
        zero = [name for name, fill in got.items() if fill and fill.formula == "0" and "bn" not in name]
        assert sorted(zero) == sorted(
            ["fc.weight", "fc.bias"]
            + [f"layer{s}.{b}.{w}" for s in (1, 2) for b in (0, 1) for w in ("conv2.weight", "bias1a")]
        )
        assert got["layer1.0.scale"].mean == 1
        assert got["conv1.weight"].formula == scheme("torch_default").fill(fans((8, 3, 3, 3), "oihw")).formula

    def test_the_last_norm_of_a_branch(self):
        got = fills(ResNet(), "zero_gamma")
        assert (got["layer1.0.bn2.weight"].mean, got["layer1.0.bn1.weight"].mean) == (0, 1)

    def test_ends_of_convolutional_branches_by_their_order(self):
        got = fills(ResNet(), "zero_branch")
        assert got["layer1.1.conv2.weight"].formula == "0"
        assert got["layer1.1.conv1.weight"].std > 0
        assert got["conv1.weight"].std > 0

    def test_as_a_rule_for_some_parameters(self):
        got = fills(Decoder(), "he_normal", rules={"*.out_proj.weight": "gpt2_residual"})
        assert got["h.0.attn.out_proj.weight"].std == pytest.approx(0.02 / math.sqrt(8))
        assert got["h.0.mlp.fc2.weight"].std == pytest.approx(math.sqrt(2 / 64))

    def test_mup_states_learning_rates(self):
        got = fills(Decoder(d=64), scheme("mup_scaling", base_width=16, std=0.02))
        assert got["h.0.mlp.fc1.weight"].std == pytest.approx(0.01)
        assert "learning rate × 0.25" in got["h.0.mlp.fc1.weight"].reason
        assert (got["emb.weight"].std, got["lm_head.weight"].std) == (0.02, 0)
        assert "learning rate × 1" in got["h.0.norm.weight"].reason

    def test_scales_of_the_weights_written(self):
        model = Decoder(d=64)
        initwise.init_(model, "gpt2_residual", seed=3)
        end = model.h[0].mlp.fc2.weight
        assert end.std().item() == pytest.approx(0.02 / math.sqrt(8), rel=5 / math.sqrt(2 * end.numel()))


class TestChrono:
    def test_input_gates_are_minus_forget_gates_and_torchs_second_bias_is_zero(self):
        model = nn.LSTM(8, 50)
        initwise.init_(model, scheme("chrono", t_max=1000.0))
        i, f, g, o = model.bias_ih_l0.detach().chunk(4)
        assert torch.equal(i, -f)
        assert not g.any()
        assert not o.any()
        assert not model.bias_hh_l0.any()
        assert 0 <= f.min() <= f.max() <= math.log(999)

    def test_gru_keeps_by_its_update_gate(self):
        model = nn.GRU(8, 50)
        initwise.init_(model, "chrono")
        r, z, n = model.bias_ih_l0.detach().chunk(3)
        assert not r.any()
        assert not n.any()
        assert (z > 0).all()

    def test_one_forget_gate_not_two(self):
        model = nn.LSTM(8, 5)
        initwise.init_(model, "forget_gate_bias")
        total = (model.bias_ih_l0 + model.bias_hh_l0).detach().chunk(4)
        assert [part.unique().tolist() for part in total] == [[0], [1], [0], [0]]

    def test_irnn(self):
        model = nn.RNN(8, 5, nonlinearity="relu")
        initwise.init_(model, scheme("irnn", alpha=0.5))
        assert torch.equal(model.weight_hh_l0, 0.5 * torch.eye(5))

    def test_a_horizon_that_is_none(self):
        with pytest.raises(FillError, match="log_of_uniform: numbers"):
            scheme("chrono", t_max=2.0)


class TestGatesByName:
    def test_xlstm(self):
        model = nn.ModuleDict(
            {"igate_preact": nn.Linear(8, 4), "fgate_preact": nn.Linear(8, 4), "q": nn.Linear(8, 8)}
        )
        initwise.init_(model, "xlstm_gates")
        assert not model.igate_preact.weight.any()
        assert not model.fgate_preact.weight.any()
        assert model.igate_preact.bias.unique().tolist() == [-10]
        assert model.fgate_preact.bias.tolist() == [3, 4, 5, 6]
        assert model.q.weight.any()

    def test_highway(self):
        model = nn.ModuleDict({"transform_gate": nn.Linear(8, 8), "plain": nn.Linear(8, 8)})
        initwise.init_(model, scheme("highway_gate_bias", bias=-3.0))
        assert model.transform_gate.bias.unique().tolist() == [-3]
        assert model.plain.bias.unique().tolist() == [0]
        with pytest.raises(OptionError, match="part of a layer's name"):
            scheme("highway_gate_bias", gate="")


class TestMup:
    def test_the_table(self):
        adam = [mup_learning_rate(kind, 4) for kind in ("input", "hidden", "output", "vector")]
        sgd = [mup_learning_rate(kind, 4, "sgd") for kind in ("input", "hidden", "output", "vector")]
        assert (adam, sgd) == ([1, 0.25, 1, 1], [4, 1, 4, 4])
        with pytest.raises(OptionError, match="optimizer 'adamm'"):
            mup_learning_rate("hidden", 4, "adamm")

    @pytest.mark.parametrize(
        ("optimizer", "step"), [("adam", torch.sign), ("sgd", lambda gradient: gradient)]
    )
    def test_a_step_of_the_head_changes_the_output_alike_at_every_width(self, optimizer, step):
        """y = (1/m)·w·h, as the scheme says: the head starts at 0, so one step is all of it."""
        changes = []
        for m in (1, 4, 16):
            h = torch.ones(64 * m, dtype=torch.float64)
            gradient = h / m  # of y with respect to w
            rate = mup_learning_rate("output", m, optimizer)
            changes.append(float((rate * step(gradient)) @ h) / m)
        assert changes == pytest.approx([changes[0]] * 3)

    def test_kinds_without_parts_go_by_position(self):
        kinds = [mup_kind(Site(position=where)) for where in ("first", "middle", "last")]
        assert kinds == ["input", "hidden", "output"]

    def test_the_head_at_the_base_widths_scale(self):
        head = Site(part="head", width=1024)
        fill = scheme("mup_scaling", readout="scaled").fill(fans((50, 1024), "oi"), at=head)
        assert fill.std == pytest.approx(1 / 16)


class TestRefusals:
    @pytest.mark.parametrize("row", [row for row in schemes() if row.needs], ids=lambda row: row.name)
    def test_fans_alone_are_refused_with_what_is_missing(self, row):
        with pytest.raises(OptionError, match="without a place in a model") as caught:
            scheme(row.name).fill(WEIGHT)
        assert f'initwise.init_(model, "{row.name}")' in str(caught.value)

    def test_what_is_not_known_of_the_place_is_named(self):
        with pytest.raises(FillError) as caught:
            scheme("gpt2_residual").fill(WEIGHT, at=Site(part="mlp.down"))
        assert str(caught.value) == (
            "depth is unknown; expected the number L of blocks, from the names.\n"
            "  Likely cause: the name has no block number, and nothing says it\n"
            "  Say it: scheme(…, depth=12)."
        )
        with pytest.raises(FillError, match="width is unknown"):
            scheme("small_init").fill(WEIGHT, at=Site())

    @pytest.mark.parametrize("name", ["rezero", "zero_gamma", "gpt2_residual", "prior_bias", "zero_query"])
    def test_a_model_without_what_the_scheme_is_about_is_refused_and_left_as_it_was(self, name):
        model = nn.Sequential(nn.Linear(4, 4))
        before = model[0].weight.clone()
        with pytest.raises(ModelError, match="it cannot add them"):
            initwise.init_(model, name)
        assert torch.equal(model[0].weight, before)

    def test_admin_by_measurement_has_no_door_yet(self):
        with pytest.raises(OptionError, match="without the variances of its branches"):
            initwise.init_(Decoder(), scheme("admin", output="profiled"))

    @pytest.mark.parametrize("name", ["zero_query", "deepnorm_scaling", "t_fixup_scaling", "sub_ln"])
    def test_fused_queries_that_nobody_told_apart(self, name):
        model = nn.ModuleDict({"h": nn.ModuleList([Fused() for _ in range(2)])})
        with pytest.raises(
            FillError, match=r"h\.0\.attn\.c_attn\.weight: queries, keys and values are one matrix"
        ):
            initwise.init_(model, name)
        packed = fills(model, scheme(name, fused="thirds"))["h.1.attn.c_attn.weight"]
        q, k, v = (fill for _, _, fill in packed.parts)
        own = scheme("xavier_normal" if name == "deepnorm_scaling" else "xavier_uniform").fill(
            fans((8, 8), "oi")
        )
        assert k.std == own.std
        assert (q.std == 0) if name == "zero_query" else (v.std != own.std and q.std == own.std)
        with pytest.raises(FillError, match="a multiple of 3"):
            scheme(name, fused="thirds").fill_parameter(
                ParameterInfo("w", (8, 8), "float32", "weight", fans=fans((8, 8), "oi")),
                at=Site(part="attention.qkv"),
            )

    @pytest.mark.parametrize("name", [row.name for row in schemes() if {"values", "data"} & set(row.needs)])
    def test_what_starts_from_values_is_refused_with_what_to_call(self, name):
        model = Decoder()
        before = [parameter.clone() for parameter in model.parameters()]
        with pytest.raises(UnsupportedError, match="it starts from values, and a Fill is a law"):
            initwise.init_(model, {"*": name})
        with pytest.raises((UnsupportedError, ModelError), match="no adapter"):
            initwise.init_(model, name)
        assert all(map(torch.equal, before, model.parameters()))

    def test_a_need_nobody_knows(self):
        row = scheme("rezero").row
        with pytest.raises(OptionError, match="needs 'dept'"):
            SchemeRow(
                **{**{f.name: getattr(row, f.name) for f in dataclasses.fields(row)}, "needs": ("dept",)}
            )

    @pytest.mark.parametrize("pi", [0.0, 1.0, -1.0])
    def test_a_prior_that_is_no_probability(self, pi):
        with pytest.raises(OptionError, match="a probability between 0 and 1"):
            fills(Decoder(), scheme("prior_bias", pi=pi))


def test_explain_tells_needs_and_evidence():
    told = initwise.explain("mup_scaling")
    assert ("needs width", NEEDS["width"]) in told.facts
    assert told.evidence == "recalled"


def test_a_scheme_with_needs_survives_json():
    chosen = scheme("gpt2_residual", depth=12)
    assert type(chosen).from_json(chosen.to_json()) == chosen
    assert str(chosen) == "gpt2_residual(depth=12)"


class TestAlgebra:
    rng = np.random.default_rng(0)

    def test_pissa_and_olora_keep_the_weight_and_take_its_leading_part(self):
        from initwise.schemes.adapters import mica, olora, pissa

        weight = self.rng.normal(size=(20, 12))
        for made in (pissa(weight, 4, scale=2.0), olora(weight, 4, scale=2.0)):
            np.testing.assert_allclose(made.base + 2.0 * made.b @ made.a, weight, atol=1e-13)
            assert (made.a.shape, made.b.shape) == ((4, 12), (20, 4))
        best = pissa(weight, 4, scale=2.0)
        sigma = np.linalg.svd(weight, compute_uv=False)
        assert np.linalg.norm(best.base) == pytest.approx(math.sqrt((sigma[4:] ** 2).sum()))
        last = mica(weight, 4)
        assert not last.a.any()
        np.testing.assert_allclose(np.linalg.norm(weight.T @ last.b), np.linalg.norm(sigma[8:]), rtol=1e-12)

    def test_an_orthogonal_pair_is_nothing_together(self):
        from initwise.schemes.adapters import orthogonal_pair

        a, b = orthogonal_pair(
            self.rng.normal(size=(6, 6)), self.rng.normal(size=(9, 3)), self.rng.normal(size=(7, 3))
        )
        assert (a.shape, b.shape) == ((6, 9), (7, 6))
        np.testing.assert_allclose(b @ a, 0, atol=1e-15)
        assert a.any()
        assert b.any()

    def test_ranks_and_shapes_that_are_none(self):
        from initwise.schemes.adapters import orthogonal_pair, pissa

        with pytest.raises(FillError, match="1 ≤ rank ≤ 3"):
            pissa(np.ones((3, 4)), 4)
        with pytest.raises(FillError, match="finite"):
            pissa(np.full((3, 4), np.nan), 1)
        with pytest.raises(FillError, match="r even"):
            orthogonal_pair(np.ones((3, 3)), np.ones((4, 1)), np.ones((4, 1)))

    def test_mimetic_products_as_torch_stores_them(self):
        from initwise.schemes.mimetic import mimetic_attention

        d, h = 12, 3
        heads, joint = self.rng.normal(size=(h, d, d)), self.rng.normal(size=(d, d))
        made = mimetic_attention(heads, joint)
        # row vectors: x·W_V·W_proj, and torch's matrices are the transposes
        np.testing.assert_allclose(
            made.value.T @ made.output.T, 0.4 * joint / d**0.5 - 0.4 * np.eye(d), atol=1e-13
        )
        for head in range(h):
            rows = slice(head * 4, head * 4 + 4)
            target = 0.7 * heads[head] / d**0.5 + 0.7 * np.eye(d)
            product = made.query.T[:, rows] @ made.key[rows]
            sigma = np.linalg.svd(target, compute_uv=False)
            assert np.linalg.norm(target - product) == pytest.approx(math.sqrt((sigma[4:] ** 2).sum()))
        with pytest.raises(FillError, match="h dividing d"):
            mimetic_attention(np.ones((5, 12, 12)), joint)
