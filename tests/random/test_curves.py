"""Laws that are functions, of the uniform variate or of the place: any shard alone, moments exact."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.core.curves import INDEXED, MAPPED, Curve
from initwise.core.errors import FillError, LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array, fill_arrays, mapped

NUMBERS = {
    "log_uniform": (0.001, 0.1),
    "log_of_uniform": (1.0, 99.0),
    "inverse_softplus_log_uniform": (0.001, 0.1, 0.01),
    "log_of_inverse_root_uniform": (0.81, 0.998),
    "arcsine": (),
    "linear": (1.0, 1.0),
    "log_linear": (1.0, 1.0),
    "power": (-7.0, -2.0, 0.85),
    "zigzag": (-5.5, 0.5, 1.3, 2.5, 16.0, 1.0),
    "s4d_inverse": (),
    "s4d_quadratic": (),
    "root_odd": (),
    "hippo_legs": (),
    "sinusoidal": (10000.0, 1.0),
    "bilinear": (),
}
every_mapped = pytest.mark.parametrize("name", sorted(MAPPED))
every_indexed = pytest.mark.parametrize("name", sorted(INDEXED))


def law(name, **why):
    make = Fill.mapped if name in MAPPED else Fill.indexed
    return make(name, *NUMBERS[name], **why)


def filled(size, fill, name="w", dtype=np.float64, **where):
    return fill_array(np.full(size, 7, dtype), fill, name=name, **where)


def uniforms(size, layout=None, name="w"):
    return (filled(size, Fill.uniform(-1, 1, layout=layout), name, np.float32).astype(np.float64) + 1) / 2


def test_the_square_of_griffin_s_decay_is_uniform():
    low, high = 0.9**2, 1 - 1e-12
    values = filled((200, 20), Fill.mapped("log_of_inverse_root_uniform", low, high))
    square = np.exp(-2 * np.logaddexp(0, values))
    np.testing.assert_allclose(square, low + uniforms((200, 20)) * (high - low), rtol=1e-14)
    with pytest.raises(FillError, match="expected 0 < low < high < 1"):
        Fill.mapped("log_of_inverse_root_uniform", 0.5, 1.0)


def test_every_curve_is_tested():
    assert set(NUMBERS) == set(MAPPED) | set(INDEXED)


@every_mapped
def test_a_mapped_value_is_the_function_of_its_own_uniform_variate(name):
    u = uniforms((40, 30))
    expected = -0.5 * MAPPED[name].function(u, *NUMBERS[name])
    np.testing.assert_allclose(filled((40, 30), law(name, gain=-0.5)), expected, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", sorted(NUMBERS))
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_shard_is_the_slice_of_the_whole(name, dtype, data):
    layout = data.draw(st.sampled_from([Layout("oi"), Layout("io"), Layout("oik"), Layout("iok"), None]))
    rank = 3 if layout is None else len(layout.axes)
    shape = tuple(data.draw(st.integers(1, 6)) for _ in range(rank))
    fill, kind = law(name, layout=layout), np.uint16 if dtype == "bfloat16" else dtype
    whole = fill_array(np.full(shape, 7, kind), fill, name="w", dtype=dtype)
    begin = [data.draw(st.integers(0, n)) for n in shape]
    cut = tuple(slice(b, data.draw(st.integers(b, n))) for b, n in zip(begin, shape, strict=True))
    part = np.full(whole[cut].shape, 7, kind)
    fill_array(part, fill, name="w", dtype=dtype, shape=shape, offset=begin)
    np.testing.assert_array_equal(part, whole[cut])


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_a_large_tensor_is_made_in_pieces_that_fit_together(name, monkeypatch):
    whole = filled((3, 14, 15), law(name))
    monkeypatch.setattr(mapped, "PIECE", 16)
    np.testing.assert_array_equal(filled((3, 14, 15), law(name)), whole)


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_layouts_hold_the_same_numbers_transposed(name):
    torch_like = filled((12, 7, 3, 3), law(name, layout=Layout("oihw")))
    keras_like = filled((3, 3, 7, 12), law(name, layout=Layout("hwio")))
    np.testing.assert_array_equal(keras_like.transpose(3, 2, 0, 1), torch_like)


@every_mapped
def test_moments_of_a_mapped_law(name):
    fill = law(name)
    # a midpoint sum over the uniform's own grid, far finer than the tolerance
    value = MAPPED[name].function((np.arange(2**20) + 0.5) / 2**20, *NUMBERS[name])
    assert fill.mean == pytest.approx(value.mean(), rel=1e-9, abs=1e-12)
    assert fill.std == pytest.approx(value.std(), rel=1e-9)
    found = filled(200_000, fill)
    assert found.mean() == pytest.approx(fill.mean, abs=6 * fill.std / math.sqrt(found.size))
    assert fill.low <= found.min()
    assert found.max() <= fill.high


def test_moments_in_closed_form():
    ratio = math.log(100)
    fill = Fill.mapped("log_uniform", 0.001, 0.1)
    mean = (0.1 - 0.001) / ratio
    assert fill.mean == pytest.approx(mean, rel=1e-14)
    assert fill.std == pytest.approx(math.sqrt((0.1**2 - 0.001**2) / (2 * ratio) - mean**2), rel=1e-13)
    chrono = Fill.mapped("log_of_uniform", 1, 1000)
    assert chrono.mean == pytest.approx((1000 * math.log(1000) - 999) / 999, rel=1e-14)
    arcsine = Fill.mapped("arcsine", gain=3.0)
    assert (arcsine.mean, arcsine.std) == (pytest.approx(0, abs=1e-15), pytest.approx(3 / math.sqrt(2)))


@every_indexed
@pytest.mark.parametrize("shape", [(5, 8), (3, 4, 4), (600, 700)])
def test_moments_of_an_indexed_law_are_those_of_its_values(name, shape):
    fill = law(name, gain=-2.0, shape=shape)
    values = filled(shape, law(name, gain=-2.0))
    scale = np.abs(values).max()
    assert fill.mean == pytest.approx(values.mean(), abs=1e-12 * scale)
    assert fill.std == pytest.approx(values.std(), abs=1e-12 * scale)
    assert (fill.low, fill.high) == (values.min(), values.max())
    assert law(name, gain=-2.0).of_shape(shape) == fill


class TestPublishedValues:
    def test_mambas_a_log(self):
        np.testing.assert_array_equal(
            filled((3, 16), law("log_linear")), np.log(np.tile(np.arange(1.0, 17), (3, 1)))
        )

    def test_mambas_time_step_bias_ranges(self):
        fill = Fill.mapped("inverse_softplus_log_uniform", 0.001, 0.1, 1e-4)
        assert fill.low == pytest.approx(-6.9072552373, abs=5e-11)
        assert fill.high == pytest.approx(math.log(math.expm1(0.1)), rel=1e-14)
        steps = np.log1p(np.exp(filled(10_000, fill)))
        assert steps.min() * (1 + 1e-12) >= 0.001
        np.testing.assert_allclose(np.log(steps).mean(), np.log(0.01), atol=6 * np.log(100) / np.sqrt(12e4))

    def test_the_floor_of_the_time_step_holds(self):
        fill = Fill.mapped("inverse_softplus_log_uniform", 1e-5, 0.1, 1e-3)
        assert fill.low == pytest.approx(-6.9072552373, abs=5e-11)
        share = float(np.mean(filled(20_000, fill) == fill.low))
        assert share == pytest.approx(0.5, abs=6 * 0.5 / math.sqrt(20_000))

    def test_rwkv_7s_decay(self):
        width, head, power = 192, 64, 1.5
        n = np.arange(width)
        zigzag = ((n % head) - (head - 1) / 2) / ((head - 1) / 2)
        decay = -6 + 6 * (n / (width - 1)) ** power + 0.5 + 2.5 * zigzag * np.abs(zigzag)
        fill = Fill.indexed("zigzag", -5.5, 0.5, power, 2.5, head, 0)
        np.testing.assert_allclose(filled((1, 1, width), fill).ravel(), decay, atol=1e-13)

    def test_rwkv_4s_bonus(self):
        fill = Fill.indexed("zigzag", math.log(0.3), math.log(0.3), 1.0, 0.5, 3, 1)
        expected = [math.log(0.3) + 0.5 * ((i + 1) % 3 - 1) for i in range(11)]
        np.testing.assert_allclose(filled(11, fill), expected, rtol=1e-15)

    def test_a_sawtooth_of_period_one_is_flat(self):
        assert np.unique(filled(9, Fill.indexed("zigzag", 2.0, 2.0, 1.0, 5.0, 1, 0))).tolist() == [2.0]

    @pytest.mark.parametrize("numbers", [(0, 1, 0, 1, 3, 0), (0, 1, 1, 1, 2.5, 0), (0, 1, 1, 1, 3, -1)])
    def test_a_sawtooth_of_odd_numbers_is_refused(self, numbers):
        with pytest.raises(FillError, match="period a whole number ≥ 1"):
            Fill.indexed("zigzag", *numbers)

    def test_s4d(self):
        half = 32
        n, state = np.arange(half), 2 * half
        inverse = (state / np.pi) * (state / (1 + 2 * n) - 1)
        np.testing.assert_allclose(filled(half, law("s4d_inverse")), inverse, rtol=1e-14)
        np.testing.assert_allclose(
            filled(half, law("s4d_quadratic")), (1 / np.pi) * (1 + 2 * n) ** 2, rtol=1e-14
        )
        np.testing.assert_allclose(filled(half, Fill.indexed("linear", 0, math.pi)), np.pi * n, rtol=1e-15)

    def test_hippo_as_the_repository_builds_it(self):
        # T·M·T⁻¹ with T = diag(√(2n+1)), M = −(2k+1) below the diagonal, −(n+1) on it
        n = np.arange(8.0)
        t = np.diag(np.sqrt(2 * n + 1))
        m = np.tril(np.tile(-(2 * n + 1), (8, 1)), -1) - np.diag(n + 1)
        np.testing.assert_allclose(filled((8, 8), law("hippo_legs")), t @ m @ np.linalg.inv(t), atol=1e-12)
        np.testing.assert_allclose(filled(8, law("root_odd")), np.sqrt(2 * n + 1))

    def test_sinusoids(self):
        position, width = np.arange(10.0)[:, None], 8
        angle = position / 10000 ** (np.arange(0, width, 2) / width)
        inter = filled((10, width), law("sinusoidal"))
        np.testing.assert_allclose(inter[:, 0::2], np.sin(angle), atol=1e-14)
        np.testing.assert_allclose(inter[:, 1::2], np.cos(angle), atol=1e-14)
        halves = filled((10, width), Fill.indexed("sinusoidal", 10000, 0))
        np.testing.assert_allclose(halves, np.hstack([np.sin(angle), np.cos(angle)]), atol=1e-14)

    def test_bilinear_interpolation_doubles_an_image_smoothly(self):
        torch = pytest.importorskip("torch")
        weight = filled((2, 2, 4, 4), law("bilinear", layout=Layout("iohw")), dtype=np.float32)
        image = torch.arange(2 * 36, dtype=torch.float32).reshape(1, 2, 6, 6)
        ours = torch.nn.functional.conv_transpose2d(image, torch.from_numpy(weight), stride=2, padding=1)
        theirs = torch.nn.functional.interpolate(image, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(ours[..., 2:-2, 2:-2], theirs[..., 2:-2, 2:-2])

    def test_a_grouped_kernel_has_its_diagonal_in_each_group(self):
        each = filled((6, 1, 4, 4), law("bilinear", layout=Layout("iohw", groups=6)))
        assert np.array_equal(each[0], each[5])
        assert each.sum() == pytest.approx(6 * 4)


def test_a_part_can_draw_the_numbers_of_another():
    forget = law("log_of_uniform")
    layout = Layout("o", parts=(("i", 50), ("f", 50)))
    both = Fill.packed(
        (("i", 50, replace(law("log_of_uniform", gain=-1.0), draw="f")), ("f", 50, forget)), layout=layout
    )
    values = filled(100, both)
    np.testing.assert_array_equal(values[:50], -values[50:])
    np.testing.assert_array_equal(values[50:], filled(50, forget, "w#f"))
    assert both.mean == pytest.approx(0, abs=1e-15)
    assert Fill.from_json(both.to_json()) == both
    with pytest.raises(FillError, match="part 'i' of 50 draws the numbers of 'g'"):
        Fill.packed((("i", 50, replace(forget, draw="g")),), layout=layout)


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_json_formula_and_scaling(name):
    fill = law(name, **({} if name in MAPPED else {"shape": (6, 6)}))
    assert Fill.from_json(fill.to_json()) == fill
    assert fill.formula
    twice = filled((6, 6), fill.scaled(2.0))
    np.testing.assert_array_equal(twice, 2 * filled((6, 6), fill))
    assert fill.scaled(2.0).formula.endswith("× 2")
    assert fill.scaled(0).law == "constant"


def test_many_at_once_and_a_zero_row():
    fills = [law("log_uniform"), replace(law("linear"), zero_row=1), Fill.normal()]
    arrays = [np.full((4, 3), 7.0) for _ in fills]
    fill_arrays([(f"w{i}", a, f) for i, (a, f) in enumerate(zip(arrays, fills, strict=True))])
    for i, (array, fill) in enumerate(zip(arrays, fills, strict=True)):
        np.testing.assert_array_equal(array, filled((4, 3), fill, f"w{i}"))
    np.testing.assert_array_equal(arrays[1], [[1, 2, 3], [0, 0, 0], [1, 2, 3], [1, 2, 3]])


def test_nothing_is_drawn_by_an_indexed_law():
    np.testing.assert_array_equal(
        filled((4, 4), law("hippo_legs"), "a"), filled((4, 4), law("hippo_legs"), "b")
    )


def test_on_a_device_it_is_made_on_the_cpu_and_copied():
    torch = pytest.importorskip("torch")
    from initwise.frameworks.device import Target, fill_there

    layout = Layout("oi", parts=(("a", 2), ("b", 3)))
    both = Fill.packed((("a", 2, law("log_uniform")), ("b", 3, law("hippo_legs"))), layout=layout)
    tensor = torch.full((5, 3), 7.0)
    fill_there(torch, [Target(tensor, both, "w", 0)])
    np.testing.assert_array_equal(tensor.numpy(), filled((5, 3), both, dtype=np.float32))


class TestErrors:
    @pytest.mark.parametrize(
        ("make", "text"),
        [
            (lambda: Fill.mapped("log_unifrom", 1, 2), "curve 'log_unifrom'.\n  Did you mean 'log_uniform'?"),
            (
                lambda: Fill.mapped("log_uniform", 0, 1),
                "log_uniform: numbers (0.0, 1.0); expected 0 < low < high.",
            ),
            (lambda: Fill.mapped("log_uniform", 1), "log_uniform: numbers (1.0,); expected 0 < low < high."),
            (
                lambda: Fill.mapped("log_uniform", 1, math.inf),
                "log_uniform: numbers (1.0, inf); expected finite numbers.",
            ),
            (lambda: Fill.mapped("linear", 1, 2), "curve 'linear'."),
            (
                lambda: Fill.indexed("log_linear", 0, 1),
                "log_linear: numbers (0.0, 1.0); expected start > 0, step ≥ 0.",
            ),
            (lambda: Fill.indexed("linear", "a", 1), "linear: numbers ('a', 1); expected numbers."),
            (lambda: Fill("mapped", 0, 1), "law 'mapped' with curve None; expected a Curve"),
            (
                lambda: Fill("normal", 0, 1, curve=Curve("arcsine")),
                "law 'normal' with curve Curve(name='arcsine', numbers=()); expected a Curve",
            ),
        ],
    )
    def test_what_is_no_law_is_refused(self, make, text):
        with pytest.raises(FillError) as caught:
            make()
        assert str(caught.value).startswith(text)

    def test_a_law_along_axes_the_tensor_does_not_have(self):
        with pytest.raises(LayoutError, match="HiPPO-LegS of shape \\(4,\\); expected at least 2 axes"):
            filled(4, law("hippo_legs"))
        with pytest.raises(LayoutError, match="expected at least one axis"):
            filled((), law("linear"))

    def test_a_type_that_cannot_hold_it(self):
        with pytest.raises(FillError, match="float16 holds numbers up to 65504"):
            filled(70_000, law("linear"), dtype=np.float16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "fill",
    [
        Fill.normal(0, 0.005),
        Fill.uniform(-1, 1),
        Fill.packed([("a", 3, Fill.normal()), ("b", 4, Fill.normal())], layout=Layout("oi")),
    ],
)
def test_a_tensor_may_draw_another_ones_numbers(fill, dtype):
    head = filled((7, 5), fill, "head", dtype)
    copy = filled((7, 5), replace(fill, draw="head"), "table", dtype)
    assert np.array_equal(head, copy)
    assert not np.array_equal(filled((7, 5), fill, "table", dtype), copy)
    # stored the other way round it is the transpose
    turned = filled((5, 7), replace(Fill.normal(0, 1), draw="head", layout=Layout("io")), "table", dtype)
    assert np.array_equal(turned.T, filled((7, 5), Fill.normal(0, 1), "head", dtype))
