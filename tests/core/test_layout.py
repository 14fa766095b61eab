"""Layout + shape → true fans. Numbers from the published definitions, not from this code."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initwise.core.errors import LayoutError
from initwise.core.layout import Fans, Layout, fans

TRUE_FANS = [
    ("Linear", (256, 64), Layout("oi"), 64, 256),
    ("Keras Dense", (64, 256), Layout("io"), 64, 256),
    ("Conv2d", (128, 32, 3, 3), Layout("oihw"), 288, 1152),
    ("Keras Conv2D", (3, 3, 32, 128), Layout("hwio"), 288, 1152),
    ("grouped Conv2d, 64 to 64, 4 groups", (64, 16, 3, 3), Layout("oihw", groups=4), 144, 144),
    ("grouped Conv2d", (128, 8, 3, 3), Layout("oihw", groups=4), 72, 288),
    ("depthwise Conv2d", (96, 1, 7, 7), Layout("oihw", groups=96), 49, 49),
    ("strided Conv2d", (128, 32, 4, 4), Layout("oihw", stride=(2, 2)), 512, 512),
    ("ConvTranspose2d stride 2", (64, 32, 4, 4), Layout("iohw", stride=(2, 2)), 256, 512),
    ("grouped ConvTranspose1d", (64, 8, 3), Layout("iok", groups=4), 48, 24),
    ("Keras transposed Conv2D", (4, 4, 32, 64), Layout("hwoi", transposed=True), 1024, 512),
    ("Bilinear", (10, 4, 6), Layout("oii"), 24, 10),
    ("Embedding: one row is active", (50257, 768), Layout("vo"), 1, 768),
    ("experts", (8, 256, 64), Layout("boi"), 64, 256),
    ("dense-general heads", (64, 4, 16), Layout("ioo"), 64, 64),
]


@pytest.mark.parametrize(("name", "shape", "layout", "fan_in", "fan_out"), TRUE_FANS)
def test_true_fans(name, shape, layout, fan_in, fan_out):
    got = fans(shape, layout)
    assert (got.fan_in, got.fan_out) == (fan_in, fan_out)


def test_string_and_options_are_the_same_as_a_layout():
    assert fans((64, 16, 3, 3), "oihw", groups=4, stride=2) == fans(
        (64, 16, 3, 3), Layout("oihw", groups=4, stride=(2, 2))
    )


def test_packed_parts_have_their_own_fans():
    qkv = fans((2304, 768), "oi", parts=(("q", 768), ("k", 768), ("v", 768)))
    assert [(name, part.fan_in, part.fan_out) for name, part in qkv.parts] == [
        ("q", 768, 768),
        ("k", 768, 768),
        ("v", 768, 768),
    ]
    assert (qkv.fan_in, qkv.fan_out) == (768, 768)
    # Glorot's bound on one of the three square matrices, not on the fused one (0.0441941738)
    assert math.sqrt(6 / (qkv.fan_in + qkv.fan_out)) == pytest.approx(0.0625, abs=1e-12)


def test_grouped_query_parts_of_different_sizes():
    got = fans((12 * 64 + 2 * 4 * 64, 768), "oi", parts=(("q", 768), ("k", 256), ("v", 256)))
    assert [part.fan_out for _, part in got.parts] == [768, 256, 256]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.integers(1, 5))
def test_transposing_the_storage_does_not_change_the_fans(out, inp, h, w):
    torch_fans = fans((out, inp, h, w), "oihw")
    keras_fans = fans((h, w, inp, out), "hwio")
    assert (torch_fans.fan_in, torch_fans.fan_out) == (keras_fans.fan_in, keras_fans.fan_out)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_a_convolution_has_as_many_connections_seen_from_either_side(groups, out, inp, k):
    # fan_in · outputs = fan_out · inputs: both count the products of one output position
    got = fans((groups * out, inp, k), Layout("oik", groups=groups))
    assert got.fan_in * groups * out == pytest.approx(got.fan_out * groups * inp)


def test_canonical_order_lines_up_torch_and_keras():
    assert Layout("oihw").canonical == (0, 1, 2, 3)
    assert Layout("hwio").canonical == (3, 2, 0, 1)
    assert Layout("iohw").canonical == (1, 0, 2, 3)
    assert Layout("boi").canonical == (0, 1, 2)


def test_torch_stores_a_transposed_convolution_io_first():
    assert Layout("iohw").transposed
    assert not Layout("io").transposed
    assert not Layout("hwio").transposed
    assert not Layout("iohw", transposed=False).transposed


def test_json_round_trip():
    got = fans((2304, 768), "oi", parts=(("q", 768), ("k", 768), ("v", 768)))
    assert Fans.from_json(got.to_json()) == got


@pytest.mark.parametrize(
    ("shape", "layout", "options", "text"),
    [
        (
            (64, 3, 3),
            "oihw",
            {"where": "encoder.up1.weight"},
            'encoder.up1.weight: layout "oihw" needs 4 axes, shape is (64, 3, 3).\n'
            "  Likely cause: the layout belongs to a layer of another kind\n"
            '  Known layouts with 3 axes: "oik", "kio", "iok" (transposed), "boi", "oii". '
            "Pass the one that fits.",
        ),
        (
            (3,),
            "o",
            {"where": "fc.bias"},
            'fc.bias: shape (3,) with layout "o" has no input axis, so it has no fans',
        ),
        ((3, 4), "oz", {}, "layout 'oz' has unknown axes z"),
        ((3, 4), "", {}, "layout ''"),
        ((10, 4, 3), "oik", {"groups": 4}, "axis o of shape (10, 4, 3) does not divide into groups=4"),
        ((10, 4), "oi", {"parts": [("q", 4), ("k", 4)]}, "parts {'q': 4, 'k': 4} sum to 8, axis o has 10"),
        ((10, 4, 3), "oik", {"groups": 0}, "groups 0; expected a whole number ≥ 1"),
        ((10, 4, 3), "oik", {"groups": 2.5}, "groups 2.5; expected a whole number ≥ 1"),
        ((10, 4, 3), "oik", {"groups": "2"}, "groups '2'; expected a whole number ≥ 1"),
        ((10, 4, 3), "oik", {"stride": (0,)}, "stride 0; expected a whole number ≥ 1"),
        ((10, 4), 5, {}, "layout 5 is a int; expected a string of axes"),
        ((10, 4), "oi", {"parts": [("q", -2), ("k", 12)]}, "part 'q', size -2; expected a whole number ≥ 0"),
        ((8, 4), "oi", {"parts": [("q", 4), ("q", 4)]}, "expected a name of its own for each part"),
        ((3, 4), None, {}, "layout None is a NoneType; expected a string of axes"),
        ((3.7, 2), "oi", {"where": "w"}, "w: axis size 3.7; expected a whole number ≥ 0"),
        ((-3, 4), "oi", {}, "axis size -3; expected a whole number ≥ 0"),
        ((True, 4), "oi", {}, "axis size True"),
        ("ab", "oi", {}, "shape 'ab'; expected a tuple of axis sizes"),
        (7, "o", {}, "shape 7; expected a tuple of axis sizes"),
        ((10, 4, 3, 3), "oihw", {"stride": (2,)}, "stride (2,) for 2 spatial axes"),
        ((), "oi", {}, 'layout "oi" needs 2 axes, shape is ()'),
    ],
)
def test_what_does_not_fit_is_said(shape, layout, options, text):
    with pytest.raises(LayoutError) as caught:
        fans(shape, layout, **options)
    assert text in str(caught.value)


def test_zero_size_axes_give_zero_fans_and_no_error():
    got = fans((0, 5), "oi")
    assert (got.fan_in, got.fan_out) == (5, 0)
