"""Exact figures of published laws and recipes, line by line, to the ten digits the survey gives."""

import math

import pytest
from torch import nn

from initwise.core.layout import Layout, fans
from initwise.core.parameter import ParameterInfo
from initwise.frameworks.torch.walk import parameters
from initwise.recipes import recipe
from initwise.schemes import Site, scheme
from initwise.schemes.post_norm import admin_constant, deepnorm_constants

QKV = (("q", 768), ("k", 768), ("v", 768))
LINEAR = fans((256, 64), "oi")
CONV = fans((128, 32, 3, 3), "oihw")
GROUPED = fans((128, 8, 3, 3), "oihw", groups=4)
DEPTHWISE = fans((96, 1, 7, 7), "oihw", groups=96)
TRANSPOSED = fans((64, 32, 4, 4), "iohw", stride=2)
FUSED = fans((2304, 768), "oi", parts=QKV)


def exactly(expected):
    """Equal to all ten decimals that are given."""
    return pytest.approx(expected, abs=5.1e-11)


def law(name, weight, **options):
    return scheme(name, **options).fill(weight)


WEIGHTS = [
    ("Linear", "xavier_uniform", {}, LINEAR, "high", 0.1369306394),
    ("Linear", "xavier_normal", {}, LINEAR, "std", 0.0790569415),
    ("Linear", "he_normal", {}, LINEAR, "std", 0.1767766953),
    ("Linear", "he_uniform", {}, LINEAR, "high", 0.3061862178),
    ("Linear", "lecun_normal", {}, LINEAR, "std", 0.125),
    ("Linear", "lecun_uniform", {}, LINEAR, "high", 0.2165063509),
    ("Linear", "torch_default", {}, LINEAR, "high", 0.125),
    ("Linear", "he_normal", {"flavor": "keras"}, LINEAR, "scale", 0.2009680971),
    ("Linear", "he_normal", {"flavor": "keras"}, LINEAR, "high", 0.4019361943),
    ("Linear", "he_normal", {"flavor": "keras"}, LINEAR, "std", 0.1767766953),
    ("Linear", "he_normal", {"flavor": "jax"}, LINEAR, "scale", 0.2009680971),
    ("Linear", "he_normal", {"flavor": "jax"}, LINEAR, "low", -0.4019361943),
    ("Linear", "he_normal", {"flavor": "jax"}, LINEAR, "std", 0.1767766953),
    ("Linear", "haiku_default", {}, LINEAR, "std", 0.1099532076),
    ("Conv", "he_normal", {}, CONV, "std", 0.0833333333),
    ("Conv", "he_fan_out", {}, CONV, "std", 0.0416666667),
    ("Conv", "xavier_uniform", {}, CONV, "high", 0.0645497224),
    ("Conv", "lasagne_glorot_normal", {}, CONV, "std", 0.0372677996),
    ("grouped Conv", "he_fan_out", {"flavor": "torch"}, GROUPED, "std", 0.0416666667),
    ("grouped Conv", "he_fan_out", {}, GROUPED, "std", 0.0833333333),
    ("depthwise Conv", "he_fan_out", {"flavor": "torch"}, DEPTHWISE, "std", 0.0206196525),
    ("depthwise Conv", "he_fan_out", {"flavor": "timm"}, DEPTHWISE, "std", 0.2020305089),
    ("depthwise Conv", "he_fan_out", {}, DEPTHWISE, "std", 0.2020305089),
    ("ConvTranspose", "he_normal", {"flavor": "torch"}, TRANSPOSED, "std", 0.0625),
    ("ConvTranspose", "he_normal", {}, TRANSPOSED, "std", 0.0883883476),
    ("fused qkv", "xavier_uniform", {"flavor": "torch"}, FUSED, "high", 0.0441941738),
    ("fused qkv", "xavier_uniform", {}, FUSED, "high", 0.0625),
    ("SIREN", "siren_first", {}, fans((256, 2), "oi"), "high", 0.5),
    ("SIREN", "siren_hidden", {}, fans((256, 256), "oi"), "high", 0.0051031036),
    ("Mamba", "mamba_dt", {}, fans((1536, 48), "oi"), "high", 0.1443375673),
    ("Mamba", "mamba_dt_bias", {}, None, "low", -6.9072552373),
    # ln(e^0.1 − 1) = −2.25216846104
    ("Mamba", "mamba_dt_bias", {}, None, "high", math.log(math.expm1(0.1))),
]


@pytest.mark.parametrize(
    ("name", "options", "weight", "what", "expected"),
    [case[1:] for case in WEIGHTS],
    ids=[f"{case[0]}-{case[1]}-{case[2].get('flavor', 'ours')}-{case[4]}" for case in WEIGHTS],
)
def test_one_weight(name, options, weight, what, expected):
    assert getattr(law(name, weight, **options), what) == exactly(expected)


@pytest.mark.parametrize(
    ("weight", "compat", "expected"),
    [(CONV, None, (288, 1152)), (GROUPED, "torch", (72, 1152)), (GROUPED, None, (72, 288))],
)
def test_fans(weight, compat, expected):
    found = fans(weight.shape, weight.layout, compat=compat)
    assert (found.fan_in, found.fan_out) == expected


LAYERS = [
    (nn.Linear(64, 256), (64, 256)),
    (nn.Conv1d(32, 128, 3), (96, 384)),
    (nn.Conv2d(32, 128, 3), (288, 1152)),
    (nn.Conv2d(32, 128, 3, groups=4), (72, 288)),
    (nn.Conv2d(32, 128, 4, stride=2), (512, 512)),
    (nn.Conv2d(96, 192, 7, groups=96), (49, 98)),
    (nn.Conv3d(4, 8, 3, stride=(1, 2, 2), groups=2), (54, 27)),
    (nn.ConvTranspose1d(64, 32, 3, groups=4), (48, 24)),
    (nn.ConvTranspose2d(64, 32, 4, stride=2), (256, 512)),
    (nn.ConvTranspose3d(8, 4, 2, stride=2), (8, 32)),
    (nn.Bilinear(4, 6, 10), (24, 10)),
    (nn.Embedding(1000, 16), (1, 16)),
    (nn.EmbeddingBag(1000, 16), (1, 16)),
    (nn.MultiheadAttention(64, 4), (64, 64)),
    (nn.LSTM(64, 128), (64, 128)),
    (nn.GRU(64, 128), (64, 128)),
    (nn.RNN(64, 128), (64, 128)),
    (nn.LSTMCell(64, 128), (64, 128)),
    (nn.GRUCell(64, 128), (64, 128)),
]


@pytest.mark.parametrize(("layer", "expected"), LAYERS, ids=lambda value: type(value).__name__)
def test_every_kind_of_torch_layer_has_its_true_fans(layer, expected):
    found = parameters(layer)[0].fans
    assert (found.fan_in, found.fan_out) == expected
    assert {(part.fan_in, part.fan_out) for _, part in found.parts} <= {expected}


def test_the_ratio_of_torch_s_depthwise_std_to_the_true_one():
    ratio = law("he_fan_out", DEPTHWISE).std / law("he_fan_out", DEPTHWISE, flavor="torch").std
    assert ratio == pytest.approx(math.sqrt(96), rel=1e-14)


def test_torch_s_square_root_of_five_is_one_over_the_root_of_the_fan_in_exactly():
    assert law("he_normal", fans((3, 1), "oi"), negative_slope=math.sqrt(5)).std == exactly(0.5773502692)
    he = law("he_uniform", LINEAR, negative_slope=math.sqrt(5))
    assert he.high == pytest.approx(law("torch_default", LINEAR).high, rel=1e-15) == 0.125


SITES = [
    ("gpt2_residual", {"part": "mlp.down", "depth": 12}, (768, 768), "std", 0.0040824829),
    ("gpt2_residual", {"part": "attention.output", "depth": 48}, (1600, 1600), "std", 0.0020412415),
    (
        "mitchell",
        {"part": "attention.output", "block": 0, "width": 4096},
        (4096, 4096),
        "scale",
        0.0110485435,
    ),
    (
        "mitchell",
        {"part": "attention.output", "block": 31, "width": 4096},
        (4096, 4096),
        "scale",
        0.001953125,
    ),
    ("mitchell", {"part": "mlp.down", "block": 0, "width": 4096}, (4096, 11008), "scale", 0.0067395483),
    ("depth_index", {"part": "mlp.down", "block": 0}, (4096, 4096), "std", 0.0141421356),
    ("depth_index", {"part": "mlp.down", "block": 31}, (4096, 4096), "std", 0.0025),
    ("small_init", {"width": 2048}, (2048, 2048), "std", 0.0139754249),
    ("wang_init", {"part": "mlp.down", "depth": 24, "width": 2048}, (2048, 8192), "std", 0.0018414239),
]


@pytest.mark.parametrize(("name", "place", "shape", "what", "expected"), SITES)
def test_a_weight_at_its_place(name, place, shape, what, expected):
    found = scheme(name).fill(fans(shape, "oi"), at=Site(**place))
    assert getattr(found, what) == exactly(expected)


def matrix(name, out, inputs):
    return ParameterInfo(name, (out, inputs), "float32", "weight", "Linear", fans=fans((out, inputs), "oi"))


def table(name, rows, width):
    weight = fans((rows, width), "vo")
    return ParameterInfo(name, (rows, width), "float32", "embedding", layout=Layout("vo"), fans=weight)


def test_t5_base():
    """d 768, d_kv 64, 12 heads, d_ff 3072."""
    attention = [matrix(f"block.0.layer.0.SelfAttention.{part}.weight", 768, 768) for part in "qkvo"]
    mlp = [
        matrix("block.0.layer.1.DenseReluDense.wi.weight", 3072, 768),
        matrix("block.0.layer.1.DenseReluDense.wo.weight", 768, 3072),
    ]
    plan = recipe("t5", heads=12).plan([table("shared.weight", 100, 768), *attention, *mlp])
    stds = {name.split(".")[-2]: fill.std for name, fill in plan.items()}
    assert stds == {
        "shared": 1.0,
        "q": exactly(0.0045105490),
        "k": exactly(0.0360843918),
        "v": exactly(0.0360843918),
        "o": exactly(0.0360843918),
        "wi": exactly(0.0360843918),
        "wo": exactly(0.0180421959),
    }


def test_torchtitan_s_llama_3():
    """Width 4096, 32 blocks."""
    infos = [table("tok_embeddings.weight", 100, 4096), matrix("output.weight", 100, 4096)]
    for block in range(32):
        parts = [f"attention.{name}" for name in ("wq", "wk", "wv", "wo")]
        parts += [f"feed_forward.{name}" for name in ("w1", "w2", "w3")]
        infos += [matrix(f"layers.{block}.{part}.weight", 4096, 4096) for part in parts]
    plan = recipe("llama", flavor="torchtitan").plan(infos)
    assert plan["layers.0.attention.wo.weight"].std == exactly(0.0141421356)
    assert plan["layers.31.feed_forward.w2.weight"].std == exactly(0.0025)
    head = plan["output.weight"]
    assert (head.scale, head.low, head.high) == (0.015625, -0.046875, 0.046875)


def test_gpt_2_by_its_recipe():
    for depth, expected in ((12, 0.0040824829), (48, 0.0020412415)):
        parts = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
        infos = [matrix(f"h.{block}.{part}.weight", 8, 8) for block in range(depth) for part in parts]
        assert recipe("gpt2").plan(infos)["h.0.mlp.c_proj.weight"].std == exactly(expected)


def test_deepnorm_of_six_and_six():
    both = deepnorm_constants(encoder=6, decoder=6)
    assert both["encoder"] == (exactly(1.4179381407), exactly(0.4969892408))
    assert both["decoder"] == (exactly(2.0597671439), exactly(0.3432945240))


@pytest.mark.parametrize(("stack", "factor"), [("encoder", 0.4280918798), ("decoder", 0.3688939732)])
def test_t_fixup_of_six_and_six(stack, factor):
    stacks = (("encoder", 6), ("decoder", 6))
    at = Site(part="mlp.up", depth=6, stack=stack, stacks=stacks)
    found = scheme("t_fixup_scaling").fill(fans((64, 64), "oi"), at=at)
    assert found.high / law("xavier_uniform", fans((64, 64), "oi")).high == exactly(factor)


def test_admin_of_twelve_branches():
    assert admin_constant(12) == exactly(2.0170092187)


@pytest.mark.parametrize(("layers", "factor"), [(2, 0.25), (3, 0.5)])
def test_fixup_of_sixteen_blocks(layers, factor):
    at = Site(part="conv", block=0, depth=16, layer=0, layers=layers)
    found = scheme("fixup_scaling").fill(CONV, at=at)
    assert found.std / law("he_fan_out", CONV).std == pytest.approx(factor, rel=1e-14)


def test_the_focal_prior_of_one_percent():
    head = ParameterInfo("head.bias", (9,), "float32", "bias")
    assert scheme("prior_bias", pi=0.01).fill_parameter(head, at=Site(part="head")).mean == exactly(
        -4.5951198501
    )
