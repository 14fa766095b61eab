"""Flavors: each framework's law of a name. By formula for all, by real draws for torch and JAX."""

import math
from pathlib import Path

import jax
import numpy as np
import pytest
import torch
import transformers.initialization as hub

from initwise.core.errors import FillError, LayoutError, OptionError
from initwise.core.fill import Fill
from initwise.core.layout import Layout, fans
from initwise.explain import explain
from initwise.random import fill_array
from initwise.schemes import Scheme, scheme, schemes
from initwise.schemes.base import EVIDENCE

FLAVORED = [row for row in schemes() if row.flavors]
PAIRS = [
    pytest.param(row.name, flavor, id=f"{row.name}-{flavor.name}")
    for row in FLAVORED
    for flavor in row.flavors
]

# variance as a function of the framework's own fans: NORMAL, TRUNCATED and UNIFORM say the shape of the law
NORMAL, TRUNCATED, UNIFORM = "normal", "truncated_normal", "uniform"
HE = {name: lambda i, o: 2 / i for name in ("torch", "keras", "jax", "flax", "haiku")}
LECUN = {name: lambda i, o: 1 / i for name in ("torch", "keras", "jax", "flax", "haiku", "lasagne")}
GLOROT = {
    name: lambda i, o: 2 / (i + o) for name in ("torch", "keras", "jax", "flax", "haiku", "lasagne", "edm")
}
CUT = dict.fromkeys(("keras", "jax", "flax", "haiku", "timm"), TRUNCATED)
LAWS = {
    "he_normal": ({**HE, "lasagne": lambda i, o: 1 / i, "edm": lambda i, o: 1 / i}, CUT, NORMAL),
    "he_uniform": ({**HE, "lasagne": lambda i, o: 1 / i, "edm": lambda i, o: 1 / i}, {}, UNIFORM),
    "he_fan_out": ({name: lambda i, o: 2 / o for name in ("torch", "detectron2", "timm")}, {}, NORMAL),
    "lecun_normal": ({**LECUN, "timm": lambda i, o: 1 / i}, CUT, NORMAL),
    "lecun_uniform": ({**LECUN, "caffe2": lambda i, o: 1 / i}, {}, UNIFORM),
    "xavier_normal": (GLOROT, CUT, NORMAL),
    "xavier_uniform": ({**GLOROT, "caffe2": lambda i, o: 1 / i}, {}, UNIFORM),
    "uniform_scaling": ({name: lambda i, o: 1 / i for name in ("haiku", "tensorflow")}, {}, UNIFORM),
    "lasagne_glorot_uniform": ({"lasagne": lambda i, o: 2 / (i + o)}, {}, UNIFORM),
    "lasagne_glorot_normal": ({"lasagne": lambda i, o: 2 / (i + o)}, {}, NORMAL),
    "lasagne_he_uniform": ({"lasagne": lambda i, o: 1 / i}, {}, UNIFORM),
    "lasagne_he_normal": ({"lasagne": lambda i, o: 1 / i}, {}, NORMAL),
}
COUNTS = {"edm": "torch", "caffe2": "torch", "detectron2": "torch", "tensorflow": "haiku"}
# what the defaults of laws without fans are: scheme -> flavor -> the Fill
PLAIN = {
    "uniform": {
        "torch": Fill.uniform(0, 1),
        "haiku": Fill.uniform(0, 1),
        "sonnet": Fill.uniform(0, 1),
        "keras": Fill.uniform(-0.05, 0.05),
        "jax": Fill.uniform(0, 0.01),
        "flax": Fill.uniform(0, 0.01),
        "lasagne": Fill.uniform(-0.01, 0.01),
    },
    "normal": {
        **dict.fromkeys(("torch", "haiku", "sonnet"), Fill.normal(0, 1)),
        **dict.fromkeys(("jax", "flax", "lasagne"), Fill.normal(0, 0.01)),
        **dict.fromkeys(("huggingface", "megatron"), Fill.normal(0, 0.02)),
        "keras": Fill.normal(0, 0.05),
    },
    "truncated_normal": {
        **dict.fromkeys(("torch", "timm", "haiku", "sonnet"), Fill.truncated_normal(0, 1, -2, 2)),
        **dict.fromkeys(("jax", "flax"), Fill.truncated_normal(0, 0.01, -0.02, 0.02)),
        "keras": Fill.truncated_normal(0, 0.05, -0.1, 0.1),
    },
    "constant": dict.fromkeys(("keras", "lasagne"), Fill.constant(0)),
}
NEEDED = {
    "constant": {"value": 0.5},
    "variance_scaling": {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"},
}
WEIGHTS = {
    "linear": ((256, 64), Layout("oi")),
    "dense": ((64, 256), Layout("io")),
    "grouped": ((128, 8, 3, 3), Layout("oihw", groups=4)),
    "strided": ((128, 32, 4, 4), Layout("oihw", stride=(2, 2))),
    "depthwise": ((192, 1, 7, 7), Layout("oihw", groups=96)),
    "transposed": ((64, 32, 4, 4), Layout("iohw", stride=(2, 2))),
    "experts": ((8, 256, 64), Layout("boi")),
    "table": ((1000, 64), Layout("vo")),
}


def _options(name, flavor):
    return NEEDED[name] if flavor.required else {}


@pytest.mark.parametrize(("name", "flavor"), PAIRS)
def test_every_flavor_is_a_scheme_that_says_what_it_is(name, flavor):
    made = scheme(name, flavor=flavor.name, **_options(name, flavor))
    assert made.flavor == flavor
    assert Scheme.from_json(made.to_json()) == made
    assert f'flavor="{flavor.name}"' in str(made)
    weight = fans((96, 64, 3, 3), "oihw") if flavor.flattens == "kernel" else fans((96, 64), "oi")
    fill = made.fill(weight)
    assert fill.reason.endswith(f"; as {flavor.spelled}")
    assert fill.citation
    assert flavor.evidence in EVIDENCE
    assert flavor.to_dict()["spelled"] == flavor.spelled
    told = dict(explain(name).facts)[f"flavor {flavor.name}"]
    assert flavor.spelled in told
    assert (flavor.evidence in told) == (flavor.evidence != "verified in source")


@pytest.mark.parametrize(("name", "flavor"), PAIRS)
def test_every_flavor_has_an_expectation_here_or_known_answers_in_its_row(name, flavor):
    row = scheme(name).row
    known = {dict(known.options).get("flavor") for known in row.known}
    here = {*LAWS.get(name, ({},))[0], *PLAIN.get(name, {})}
    families = {"orthogonal", "variance_scaling"}  # tested below
    assert flavor.name in here | known or name in families or flavor.required


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("kind", WEIGHTS)
def test_variance_and_support_by_the_framework_s_own_fans(name, kind):
    variances, shapes, plain = LAWS[name]
    shape, layout = WEIGHTS[kind]
    for flavor, variance in variances.items():
        count = COUNTS.get(flavor, flavor)
        count = "torch" if flavor == "timm" and name != "he_fan_out" else count
        counted = fans(shape, layout, compat=count)
        std = math.sqrt(variance(counted.fan_in, counted.fan_out))
        fill = scheme(name, flavor=flavor).fill(fans(shape, layout))
        law = shapes.get(flavor, plain)
        assert fill.law == law, flavor
        assert fill.mean == 0
        assert fill.std == pytest.approx(std, rel=1e-14), flavor
        bound = {NORMAL: math.inf, TRUNCATED: 2 / 0.8796256610342398 * std, UNIFORM: math.sqrt(3) * std}[law]
        assert fill.high == -fill.low == pytest.approx(bound, rel=1e-14), flavor


@pytest.mark.parametrize("name", PLAIN)
def test_defaults_of_laws_without_fans(name):
    for flavor, expected in PLAIN[name].items():
        fill = scheme(name, flavor=flavor).fill(fans((96, 64), "oi"))
        found = (fill.law, fill.mean, fill.std, fill.low, fill.high)
        assert found == (expected.law, expected.mean, expected.std, expected.low, expected.high), flavor
        assert scheme(name, flavor=flavor).fill().formula == expected.formula


def test_the_docs_have_the_row_of_every_flavor():
    page = (Path(__file__).parents[2] / "docs" / "names.md").read_text(encoding="utf-8")
    for row in FLAVORED:
        lines = [line for line in page.splitlines() if line.startswith(f"| `{row.name}` |")]
        for flavor in row.flavors:
            assert any(f"`{flavor.name}`" in line and f"`{flavor.spelled}`" in line for line in lines)


def test_given_options_win_over_a_flavor_s():
    assert scheme("normal", flavor="torch", std=0.3).fill().std == 0.3
    plain = scheme("he_normal", flavor="keras", distribution="normal").fill(fans((256, 64), "oi"))
    assert (plain.law, plain.std) == ("normal", math.sqrt(2 / 64))
    fan_out = scheme("he_normal", flavor="keras", mode="fan_out").fill(fans((256, 64), "oi"))
    assert (fan_out.law, fan_out.std) == ("truncated_normal", pytest.approx(math.sqrt(2 / 256), rel=1e-14))


def test_a_flavor_s_options_are_in_the_scheme_but_not_in_its_name():
    made = scheme("normal", flavor="torch")
    assert dict(made.options)["std"] == 1.0
    assert str(made) == 'normal(flavor="torch")'
    assert str(scheme("normal", flavor="torch", std=0.3)) == 'normal(std=0.3, flavor="torch")'


def test_without_a_flavor_it_is_the_law_stated_with_true_fans():
    for name in LAWS:
        made = scheme(name)
        assert made.flavor is None
        assert dict(made.options)["flavor"] is None
    weight = fans((192, 1, 7, 7), "oihw", groups=96, stride=2)
    assert scheme("he_fan_out").fill(weight).std == pytest.approx(math.sqrt(2 / (2 * 49 / 4)))


def test_to_torch_a_packed_matrix_is_one_and_to_flax_its_parts_are_apart():
    qkv = fans((2304, 768), "oi", parts=(("q", 768), ("k", 768), ("v", 768)))
    one = scheme("xavier_uniform", flavor="torch").fill(qkv)
    assert (one.law, one.layout.parts) == ("uniform", ())
    assert one.high == pytest.approx(0.0441941738, abs=5e-11)
    apart = scheme("xavier_uniform", flavor="flax").fill(qkv)
    assert [(name, part.high) for name, _, part in apart.parts] == [
        (name, pytest.approx(0.0625)) for name in "qkv"
    ]


class TestErrors:
    def test_an_unknown_flavor_is_refused_with_the_legal_ones(self):
        with pytest.raises(OptionError) as caught:
            scheme("he_normal", flavor="kears")
        assert str(caught.value) == (
            "scheme 'he_normal': flavor='kears'.\n"
            "  Did you mean 'keras'?\n"
            "  Known: edm, flax, haiku, jax, keras, lasagne, torch.\n"
            "  flavor: whose law of this name, its count of the fans included; None is the law stated, "
            "true fans."
        )

    def test_a_law_that_all_frameworks_share_has_none(self):
        with pytest.raises(OptionError, match="it has no option 'flavor'"):
            scheme("zeros", flavor="torch")

    def test_what_a_framework_demands_is_demanded(self):
        with pytest.raises(OptionError) as caught:
            scheme("constant", flavor="torch")
        assert str(caught.value) == (
            "scheme 'constant': flavor=\"torch\" without value; expected value=….\n"
            "  Likely cause: torch.nn.init.constant_(tensor, val) has no default for it"
        )
        with pytest.raises(OptionError, match="without mode"):
            scheme("variance_scaling", flavor="jax", scale=2.0, distribution="normal")


# real draws ------------------------------------------------------------------------------------------


def _same_law(theirs, ours):
    """Two samples of one law: Kolmogorov's distance below what one pair in 10 000 exceeds."""
    theirs, ours = np.sort(np.asarray(theirs, np.float64).ravel()), np.sort(ours.ravel())
    together = np.concatenate([theirs, ours])
    below = [np.searchsorted(sample, together, side="right") / sample.size for sample in (theirs, ours)]
    distance = np.abs(below[0] - below[1]).max()
    allowed = math.sqrt(math.log(2e4) / 2 * (1 / theirs.size + 1 / ours.size))
    return distance, allowed


def _holds(theirs, name, flavor, shape, layout, **options):
    fill = scheme(name, flavor=flavor, **options).fill(fans(shape, layout))
    ours = fill_array(np.empty(shape, np.float64), fill, name="weight", seed=11)
    theirs = np.asarray(theirs, np.float64)
    distance, allowed = _same_law(theirs, ours)
    assert distance < allowed
    # five standard errors: no law here has a heavier tail than the normal
    assert theirs.std() == pytest.approx(fill.std, abs=5 * fill.std / math.sqrt(2 * theirs.size))
    edge = max(abs(fill.low), fill.high)
    assert np.abs(theirs).max() <= edge * (1 + 1e-6)
    if fill.law == "uniform":
        # the largest of n is within 14/n of the edge but for one in a million
        assert theirs.max() >= fill.high - 14 * (fill.high - fill.low) / theirs.size


TORCH = {
    "he_normal": lambda init, w: init.kaiming_normal_(w, nonlinearity="relu"),
    "he_uniform": lambda init, w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "he_fan_out": lambda init, w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
    "lecun_normal": lambda init, w: init.kaiming_normal_(w, nonlinearity="linear"),
    "lecun_uniform": lambda init, w: init.kaiming_uniform_(w, nonlinearity="linear"),
    "xavier_normal": lambda init, w: init.xavier_normal_(w),
    "xavier_uniform": lambda init, w: init.xavier_uniform_(w),
    "uniform": lambda init, w: init.uniform_(w),
    "normal": lambda init, w: init.normal_(w),
    "truncated_normal": lambda init, w: init.trunc_normal_(w),
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("kind", WEIGHTS)
def test_torch_itself_draws_this_law(name, kind):
    shape, layout = WEIGHTS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        drawn = TORCH[name](torch.nn.init, torch.empty(shape)).numpy()
    _holds(drawn, name, "torch", shape, layout)


def test_torch_truncates_nothing_when_only_the_std_is_given():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        drawn = torch.nn.init.trunc_normal_(torch.empty(400, 400), std=0.02).numpy()
    _holds(drawn, "truncated_normal", "torch", (400, 400), Layout("oi"), std=0.02)
    assert np.abs(drawn).max() > 4 * 0.02


@pytest.mark.parametrize("kind", ["linear", "grouped", "transposed"])
def test_transformers_widens_for_a_truncation_that_it_does_not_make(kind):
    shape, layout = WEIGHTS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        tensor = torch.empty(shape)
        hub.lecun_normal_(tensor)
    _holds(tensor.numpy(), "lecun_normal", "huggingface", shape, layout)
    meant = scheme("lecun_normal", flavor="timm").fill(fans(shape, layout))
    assert tensor.std().item() == pytest.approx(
        meant.std / 0.8796256610342398, rel=5 / math.sqrt(2 * tensor.numel())
    )
    assert tensor.abs().max() > meant.high


def test_every_torch_flavor_is_drawn_or_is_a_constant_or_a_rotation():
    found = {row.name for row in FLAVORED if row.flavor("torch")}
    assert found == {*TORCH, "constant", "orthogonal"}


JAX = {
    "he_normal": ("he_normal", ()),
    "he_uniform": ("he_uniform", ()),
    "lecun_normal": ("lecun_normal", ()),
    "lecun_uniform": ("lecun_uniform", ()),
    "xavier_normal": ("glorot_normal", ()),
    "xavier_uniform": ("glorot_uniform", ()),
    "variance_scaling": ("variance_scaling", (2.0, "fan_out", "uniform")),
    "uniform": ("uniform", ()),
    "normal": ("normal", ()),
    "truncated_normal": ("truncated_normal", ()),
}
JAX_WEIGHTS = {
    "dense": ((64, 256), Layout("io")),
    "grouped": ((3, 3, 8, 128), Layout("hwio", groups=4)),
    "transposed": ((4, 4, 64, 32), Layout("hwio", transposed=True, stride=(2, 2))),
    "transposed kernel": ((4, 4, 32, 64), Layout("hwoi", transposed=True, stride=(2, 2))),
    "experts": ((4, 16, 256), Layout("bio")),
    "heads": ((64, 8, 32), Layout("ioo")),
    "table": ((1000, 64), Layout("vo")),
}


# laws without fans need one shape only: each new one is a compilation
JAX_CASES = [
    (name, kind)
    for name in JAX
    for kind in JAX_WEIGHTS
    if not scheme(name).row.elementwise or kind == "dense"
]


@pytest.mark.parametrize(("name", "kind"), JAX_CASES)
def test_jax_itself_draws_this_law(name, kind):
    shape, layout = JAX_WEIGHTS[kind]
    function, arguments = JAX[name]
    draw = getattr(jax.nn.initializers, function)(*arguments)
    options = dict(zip(("scale", "mode", "distribution"), arguments, strict=False))
    drawn = np.asarray(draw(jax.random.key(5), shape))
    _holds(drawn, name, "jax", shape, layout, **options)
    if layout.spatial:
        _holds(drawn, name, "flax", shape, layout, **options)


@pytest.mark.parametrize("name", [name for name in JAX if not scheme(name).row.elementwise])
@pytest.mark.parametrize("kind", ["experts", "heads"])
def test_flax_flattens_to_a_matrix_before_it_calls_the_same_function(name, kind):
    shape, layout = JAX_WEIGHTS[kind]
    function, arguments = JAX[name]
    draw = getattr(jax.nn.initializers, function)(*arguments)
    options = dict(zip(("scale", "mode", "distribution"), arguments, strict=False))
    flat = layout.size(shape, "bi"), layout.size(shape, "o")
    _holds(draw(jax.random.key(6), flat).reshape(shape), name, "flax", shape, layout, **options)


def test_every_jax_flavor_is_drawn_or_is_a_constant_or_a_rotation():
    found = {row.name for row in FLAVORED if row.flavor("jax")}
    assert found == {*JAX, "constant", "orthogonal", "delta_orthogonal"}


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_delta_orthogonal_stands_where_jax_puts_it(size):
    shape = (size, size + 1, 3, 5)
    drawn = np.asarray(jax.nn.initializers.delta_orthogonal()(jax.random.key(2), shape))
    fill = scheme("delta_orthogonal", flavor="jax").fill(fans(shape, "hwio"))
    ours = fill_array(np.empty(shape), fill, name="w")
    taps = [np.argwhere(np.abs(weight).max(axis=(2, 3)) > 0).tolist() for weight in (drawn, ours)]
    assert taps[0] == taps[1] == [[(size - 1) // 2, size // 2]]


@pytest.mark.parametrize(
    ("shape", "axes", "groups"),
    [
        ((7, 7, 1, 96), "hwio", 96),
        ((3, 3, 8, 32), "hwio", 4),
        ((3, 3, 16, 16), "hwio", 1),
        ((5, 1, 24), "hio", 24),
        ((3, 2, 3, 4, 8), "dhwio", 2),
    ],
)
def test_delta_orthogonal_of_jax_knows_no_groups(shape, axes, groups):
    theirs = np.asarray(jax.nn.initializers.delta_orthogonal(2.0)(jax.random.key(2), shape))
    fill = scheme("delta_orthogonal", flavor="jax", gain=2.0).fill(fans(shape, axes, groups=groups))
    ours = fill_array(np.empty(shape), fill, name="w")
    taps = [np.abs(weight).max(axis=(-2, -1)) > 0 for weight in (theirs, ours)]
    assert taps[0].sum() == 1
    assert (taps[0] == taps[1]).all()
    singular = [np.linalg.svd(weight[taps[0]][0], compute_uv=False) for weight in (theirs, ours)]
    assert np.allclose(singular[0], 2, atol=1e-5)
    assert np.allclose(singular[1], 2, atol=1e-12)
    assert np.sqrt((theirs**2).mean()) == pytest.approx(fill.std, rel=1e-5)
    assert np.sqrt((ours**2).mean()) == pytest.approx(fill.std, rel=1e-12)


def test_delta_orthogonal_of_jax_stands_so_in_torch_s_order_too():
    fill = scheme("delta_orthogonal", flavor="jax").fill(fans((32, 8, 3, 3), "oihw", groups=4))
    ours = fill_array(np.empty((32, 8, 3, 3)), fill, name="w")
    assert np.allclose(np.linalg.svd(ours[:, :, 1, 1], compute_uv=False), 1)
    assert fill.std == pytest.approx(1 / np.sqrt(32 * 9))


@pytest.mark.parametrize(("shape", "axes"), [((64, 256), "io"), ((8, 64, 256), "bio"), ((64, 4, 32), "ioo")])
def test_delta_orthogonal_of_jax_takes_kernels_only(shape, axes):
    law = scheme("delta_orthogonal", flavor="jax")
    with pytest.raises(FillError, match="expected a kernel of 3, 4 or 5 axes"):
        law.fill(fans(shape, axes))
    if len(shape) == 2:
        with pytest.raises(ValueError, match="3D, 4D or 5D"):
            jax.nn.initializers.delta_orthogonal()(jax.random.key(2), shape)


def _rows_are_orthonormal(matrix):
    small = min(matrix.shape)
    gram = matrix @ matrix.T if matrix.shape[0] == small else matrix.T @ matrix
    return np.allclose(gram, np.eye(small), atol=1e-5)


@pytest.mark.parametrize("kind", ["linear", "grouped", "transposed", "experts", "table"])
def test_torch_makes_rows_of_the_first_axis(kind):
    shape, layout = WEIGHTS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        theirs = torch.nn.init.orthogonal_(torch.empty(shape)).numpy()
    fill = scheme("orthogonal", flavor="torch").fill(fans(shape, layout))
    ours = fill_array(np.empty(shape, np.float64), fill, name="weight", seed=11)
    assert _rows_are_orthonormal(theirs.reshape(shape[0], -1))
    assert _rows_are_orthonormal(ours.reshape(shape[0], -1))
    assert np.sqrt((theirs**2).mean()) == pytest.approx(fill.std, rel=1e-5)


@pytest.mark.parametrize("kind", ["dense", "grouped", "transposed", "transposed kernel", "experts", "heads"])
def test_jax_makes_columns_of_the_last_axis(kind):
    shape, layout = JAX_WEIGHTS[kind]
    theirs = np.asarray(jax.nn.initializers.orthogonal()(jax.random.key(5), shape))
    if layout.axes == "hwoi":
        pytest.skip("a kernel stored (out, in) is Keras' and Haiku's")
    fill = scheme("orthogonal", flavor="jax").fill(fans(shape, layout))
    ours = fill_array(np.empty(shape, np.float64), fill, name="weight", seed=11)
    assert _rows_are_orthonormal(theirs.reshape(-1, shape[-1]))
    assert _rows_are_orthonormal(ours.reshape(-1, shape[-1]))


def test_keras_flattens_a_depthwise_kernel_with_its_channels():
    made = scheme("orthogonal", flavor="keras")
    keras = made.fill(fans((7, 7, 96, 1), "hwbo"))
    torch = made.fill(fans((96, 1, 7, 7), "oihw", groups=96))
    assert keras.std == torch.std == pytest.approx(1 / math.sqrt(7 * 7 * 96))
    with pytest.raises(LayoutError, match="2 filters to a channel"):
        made.fill(fans((192, 1, 7, 7), "oihw", groups=96))


@pytest.mark.parametrize("flavor", ["keras", "haiku"])
def test_keras_and_haiku_make_columns_of_a_transposed_convolution_s_inputs(flavor):
    shape, layout = JAX_WEIGHTS["transposed kernel"]
    fill = scheme("orthogonal", flavor=flavor).fill(fans(shape, layout))
    ours = fill_array(np.empty(shape, np.float64), fill, name="weight", seed=11)
    assert _rows_are_orthonormal(ours.reshape(-1, shape[-1]))


def test_a_flavor_that_refuses_a_shape_does_not_keep_the_law_from_being_explained():
    weight = {"shape": (256, 128), "layout": "oi"}
    told = dict(explain("delta_orthogonal", **weight).facts)["flavor jax"]
    assert told.startswith("refused for this shape: jax.nn.initializers.delta_orthogonal")
