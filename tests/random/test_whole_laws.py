"""Laws of a tensor's draws as a whole, and repeated filters: any shard, exact properties, any layout."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.core.errors import FillError, LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.whole import WHOLE, Repeat
from initwise.random import fill_array, fill_arrays, positive, sparse, whole

DTYPES = ["float64", "float32", "float16", "bfloat16"]
LAYOUTS = ("oi", "io", "boi", "oik", "kio", "iok", "oihw", "hwio", "iohw", "bbio", "ooi", None)
INNER = (
    Fill.normal(0.0, 0.1),
    Fill.uniform(-1.0, 1.0),
    Fill.truncated_normal(0.0, 1.0),
    Fill.matrix("orthogonal", 2.0),
    Fill.sparse(0.1, "zero", 0.3, "input"),
    Fill.whole("unit_outputs"),
    Fill.constant(0.5),
)


def filled(size, fill, name="w", dtype="float64", **where):
    kind = np.uint16 if dtype == "bfloat16" else dtype
    return fill_array(np.full(size, 7, kind), fill, name=name, dtype=dtype, **where)


def numbers(curve):
    return (0.05,) * WHOLE[curve].arity


@st.composite
def tensors(draw, square=False, groups=(1, 2, 3)):
    axes = draw(st.sampled_from(["oi", "io", "boi", "bbio"] if square else LAYOUTS))
    if axes is None:
        return None, (draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 4)))
    number = draw(st.sampled_from(groups)) if axes in ("oik", "iok", "oihw", "iohw") else 1
    layout, side = Layout(axes, groups=number), draw(st.integers(1, 7))
    shape = [side if square and axis in "oi" else draw(st.integers(1, 6)) for axis in axes]
    shape[axes.index("i" if layout.transposed else "o")] *= number
    return layout, tuple(shape)


def shard_is_slice(fill, shape, dtype, data):
    whole_ = filled(shape, fill, dtype=dtype)
    begin = [data.draw(st.integers(0, n)) for n in shape]
    cut = tuple(slice(b, data.draw(st.integers(b, n))) for b, n in zip(begin, shape, strict=True))
    part = filled(whole_[cut].shape, fill, dtype=dtype, shape=shape, offset=begin)
    np.testing.assert_array_equal(part, whole_[cut])


def by_matrix(values, layout):
    """(batch·groups, out, in, taps)."""
    layout = layout or Layout("oik")
    order = [k for letters in ("b", "o", "iv") for k, a in enumerate(layout.axes) if a in letters]
    sizes = [
        math.prod(values.shape[k] for k, a in enumerate(layout.axes) if a in ls) for ls in ("b", "o", "iv")
    ]
    flat = values.transpose(*order, *layout.spatial).reshape(*sizes, -1)
    axis = 2 if layout.transposed else 1
    return np.concatenate([np.stack(np.split(one, layout.groups, axis - 1)) for one in flat])


class TestUnitOutputs:
    @given(tensors(), st.sampled_from([1.0, -0.01]))
    @settings(max_examples=100, deadline=None)
    def test_each_output_s_weights_have_the_length(self, tensor, gain):
        layout, shape = tensor
        values = filled(shape, Fill.whole("unit_outputs", gain=gain, layout=layout))
        lengths = np.sqrt(np.square(by_matrix(values, layout)).sum(axis=(2, 3)))
        np.testing.assert_allclose(lengths, abs(gain), rtol=1e-14)

    def test_the_direction_is_that_of_the_normal_draws(self):
        draws = filled((6, 5), Fill.normal())
        np.testing.assert_allclose(
            filled((6, 5), Fill.whole("unit_outputs", gain=2.0)),
            2 * draws / np.linalg.norm(draws, axis=1, keepdims=True),
            rtol=1e-14,
        )

    @given(tensors(), st.sampled_from(DTYPES), st.data())
    @settings(max_examples=150, deadline=None)
    def test_any_shard_is_the_slice_of_the_whole(self, tensor, dtype, data):
        layout, shape = tensor
        shard_is_slice(Fill.whole("unit_outputs", gain=0.3, layout=layout), shape, dtype, data)

    def test_the_same_weights_in_any_layout(self):
        torch, keras = (
            filled(shape, Fill.whole("unit_outputs", layout=Layout(axes)))
            for shape, axes in (((8, 5, 3, 2), "oihw"), ((3, 2, 5, 8), "hwio"))
        )
        np.testing.assert_array_equal(torch, keras.transpose(3, 2, 0, 1))

    @pytest.mark.parametrize("piece", [1, 37])
    def test_pieces_and_threads_give_the_same_bits(self, piece, monkeypatch):
        fill = Fill.whole("unit_outputs", layout=Layout("oik"))
        once = filled((40, 9, 3), fill)
        monkeypatch.setattr(sparse, "PIECE", piece)
        monkeypatch.setenv("INITWISE_THREADS", "4")
        np.testing.assert_array_equal(filled((40, 9, 3), fill), once)

    def test_sums_run_over_halves(self):
        for v in np.random.default_rng(4).standard_normal((50, 7)):
            expected = ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + v[3])
            assert whole.total(v[None].copy())[0] == expected


class TestConvolutionAware:
    @pytest.mark.parametrize("kernel", [(3,), (4,), (3, 3), (5, 4), (2, 3, 3)])
    def test_the_taps_are_the_inverse_transform_of_a_real_spectrum(self, kernel):
        waves = whole._waves(kernel)
        halves = (*kernel[:-1], kernel[-1] // 2 + 1)
        for row, wave in enumerate(waves):
            spectrum = np.zeros(math.prod(halves))
            spectrum[row] = 1
            expected = np.fft.irfftn(spectrum.reshape(halves), kernel, axes=range(len(kernel)))
            np.testing.assert_allclose(wave, expected.ravel(), atol=1e-15)

    @pytest.mark.parametrize(("size", "count"), [(5, 3), (6, 4)])
    def test_without_noise_spectra_of_one_filter_are_orthonormal_in_turns(self, size, count):
        values = filled((4, 2 * count + 1, size), Fill.whole("convolution_aware", 0.0))
        for kernels in values:
            spectra = np.fft.rfft(kernels)
            np.testing.assert_allclose(spectra.imag, 0, atol=1e-12)
            for begin in (0, count):
                some = spectra.real[begin : begin + count]
                gram = some @ some.T
                np.testing.assert_allclose(gram / gram[0, 0], np.eye(count), atol=1e-12)

    @given(tensors(groups=(1, 2)), st.sampled_from([0.0, 0.05, 3.0]))
    @settings(max_examples=60, deadline=None)
    def test_each_entry_of_a_batch_has_the_std(self, tensor, eps):
        layout, shape = tensor
        entries = math.prod(n for n, a in zip(shape, (layout or Layout("oik")).axes, strict=True) if a != "b")
        if entries < 8:
            return
        fill = Fill.whole("convolution_aware", eps, gain=0.3, shape=shape, layout=layout)
        values = filled(shape, fill)
        batches = (layout or Layout("oik")).axes.count("b")
        entries = values.reshape(math.prod(shape[:batches]), -1)
        np.testing.assert_allclose(entries.std(axis=1), fill.std, rtol=1e-12)

    def test_noise_is_added_in_the_units_of_the_unscaled_filters(self):
        shape = (8, 6, 3, 3)
        plain, noisy = (filled(shape, Fill.whole("convolution_aware", eps)) for eps in (0.0, 0.05))
        noise = filled(shape, Fill.normal(), name="w#noise")
        basis = np.stack([plain.ravel(), noise.ravel()], axis=1)
        (a, b), residue, *_ = np.linalg.lstsq(basis, noisy.ravel())
        assert residue[0] < 1e-24
        # a filter's six spectra are the rows of an orthogonal matrix: the mean square is that of the waves
        power = (whole._waves((3, 3)) ** 2).sum() / 6 / 9
        unscaled = math.sqrt(power / (plain**2).mean())  # std of the filters, of which `plain` has 1
        assert (b / a) == pytest.approx(0.05 / unscaled, rel=1e-9)

    @given(tensors(), st.sampled_from(DTYPES), st.data())
    @settings(max_examples=60, deadline=None)
    def test_any_shard_is_the_slice_of_the_whole(self, tensor, dtype, data):
        layout, shape = tensor
        shape = tuple(n + 2 for n in shape) if layout is None else shape
        if math.prod(shape) < 4 or "b" in (layout.axes if layout else ""):
            return
        shard_is_slice(Fill.whole("convolution_aware", 0.05, layout=layout), shape, dtype, data)

    def test_pieces_give_the_same_bits(self, monkeypatch):
        fill = Fill.whole("convolution_aware", 0.05)
        once = filled((20, 7, 3, 3), fill)
        monkeypatch.setattr(whole, "PIECE", 100)
        np.testing.assert_array_equal(filled((20, 7, 3, 3), fill), once)

    def test_negative_noise_is_refused(self):
        with pytest.raises(FillError, match=r"convolution_aware: numbers \(-0.1,\); expected noise ≥ 0"):
            Fill.whole("convolution_aware", -0.1)


TRACY_WIDOM_MEAN, TRACY_WIDOM_STD = -1.2065335745820, math.sqrt(1.607781034581)
"""Of β = 1: Bornemann 2010, On the numerical evaluation of distributions in random matrix theory."""


def johnstone(n):
    """Centre and spread of a square Wishart matrix's largest eigenvalue: Johnstone 2001, theorem 1.1."""
    one, other = math.sqrt(n - 1), math.sqrt(n)
    return (one + other) ** 2, (one + other) * (1 / one + 1 / other) ** (1 / 3)


class TestNormalizedPositive:
    @pytest.mark.parametrize("n", [1, 2, 3, 17, 128])
    def test_it_is_the_papers_matrix(self, n):
        draws = filled((n, n), Fill.normal())
        matrix = np.eye(n) + draws.T @ draws / n
        expected = 0.5 * matrix / np.linalg.eigvalsh(matrix)[-1]
        values = filled((n, n), Fill.whole("normalized_positive", gain=0.5))
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-14)
        assert np.array_equal(values, values.T)

    @given(tensors(square=True), st.sampled_from(DTYPES), st.data())
    @settings(max_examples=40, deadline=None)
    def test_any_shard_is_the_slice_of_the_whole(self, tensor, dtype, data):
        layout, shape = tensor
        shard_is_slice(Fill.whole("normalized_positive", layout=layout), shape, dtype, data)

    def test_products_are_exact_so_their_order_does_not_matter(self, monkeypatch):
        draws = filled((150, 90), Fill.normal())
        once = positive.gram(draws)
        shuffled = np.random.default_rng(1).permutation(150)
        np.testing.assert_array_equal(positive.gram(draws[shuffled]), once)
        np.testing.assert_allclose(once, draws.T @ draws, rtol=0, atol=1e-9)

    def test_its_moments_are_those_of_the_numbers(self):
        count, n = 60, 100
        fill = Fill.whole("normalized_positive", shape=(count, n, n), layout=Layout("boi"))
        values = filled((count, n, n), fill)
        # the moments divide by λ's mean: E[1/λ] is larger by the square of its relative spread
        bias = (TRACY_WIDOM_STD * johnstone(n)[1] / n / (1 + johnstone(n)[0] / n)) ** 2
        for found, declared in (
            (values.mean(axis=(1, 2)), fill.mean),
            (values.std(axis=(1, 2)), fill.std),
        ):
            assert abs(found.mean() - declared) <= 5 * found.std() / math.sqrt(count) + bias * declared

    @pytest.mark.parametrize(("n", "slack"), [(2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0.01)])
    def test_the_moments_of_a_small_matrix_are_the_integrals(self, n, slack):
        count = 100_000
        draws = np.random.default_rng(n).standard_normal((count, n, n))
        eigenvalues = 1 + np.linalg.eigvalsh(draws.transpose(0, 2, 1) @ draws / n)
        ours = eigenvalues / eigenvalues[:, -1:]
        fill = Fill.whole("normalized_positive", shape=(n, n))
        # the law turns with the coordinates: an entry's moments are the trace's
        first, second = ours.sum(axis=1) / n**2, (ours**2).sum(axis=1) / n**2
        for found, declared in ((first, fill.mean), (second, fill.std**2 + fill.mean**2)):
            assert abs(found.mean() - declared) <= 5 * found.std() / math.sqrt(count) + 2 * slack * declared

    @pytest.mark.parametrize("n", [30, 100, 300])
    def test_its_largest_eigenvalue_is_johnstones(self, n):
        centre, spread = johnstone(n)
        largest = 1 + (centre + TRACY_WIDOM_MEAN * spread) / n
        fill = Fill.whole("normalized_positive", shape=(n, n))
        # his centre is (√(n−1) + √n)²; 4n − 2 differs from it by 1/4n
        assert fill.mean == pytest.approx(2 / n / largest, rel=1 / n**2)

    @pytest.mark.parametrize(("shape", "layout"), [((4, 6), "oi"), ((4, 4, 3), "oik")])
    def test_what_is_not_square_is_refused(self, shape, layout):
        with pytest.raises(LayoutError, match="expected square matrices"):
            filled(shape, Fill.whole("normalized_positive", layout=Layout(layout)))


class TestRepeated:
    @pytest.mark.parametrize("inner", INNER, ids=lambda fill: fill.law)
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize(("layout", "axis"), [("oihw", 0), ("hwio", 3), ("io", 1), (None, 0)])
    def test_each_filter_is_that_of_the_smaller_tensor(self, inner, dtype, layout, axis):
        axes = Layout(layout) if layout else None
        small = [3] * (len(layout) if layout else 2)
        small[axis] = 5
        large = tuple(20 if k == axis else n for k, n in enumerate(small))
        one = filled(small, replace(inner, layout=axes), dtype=dtype)
        for order, expected in (
            ("neighbours", np.repeat(one, 4, axis=axis)),
            ("tiles", np.concatenate([one] * 4, axis=axis)),
        ):
            fill = Fill.repeated(replace(inner, layout=axes), 4, order)
            np.testing.assert_array_equal(filled(large, fill, dtype=dtype), expected)

    @given(tensors(groups=(1,)), st.sampled_from(INNER), st.sampled_from(DTYPES), st.data())
    @settings(max_examples=200, deadline=None)
    def test_any_shard_is_the_slice_of_the_whole(self, tensor, inner, dtype, data):
        layout, shape = tensor
        times, axis = data.draw(st.integers(1, 4)), (layout.part_axis if layout else 0)
        shape = tuple(n * times if k == axis else n for k, n in enumerate(shape))
        order = data.draw(st.sampled_from(["neighbours", "tiles"]))
        shard_is_slice(Fill.repeated(replace(inner, layout=layout), times, order), shape, dtype, data)

    def test_pixel_shuffle_gives_equal_pixels(self):
        torch = pytest.importorskip("torch")
        weight = torch.from_numpy(filled((12, 2, 3, 3), Fill.repeated(Fill.normal(), 4)))
        image = torch.nn.functional.conv2d(torch.ones(1, 2, 5, 5, dtype=torch.float64), weight)
        shuffled = torch.nn.functional.pixel_shuffle(image, 2)[0]
        blocks = shuffled.reshape(3, 3, 2, 3, 2)
        assert (blocks == blocks[:, :, :1, :, :1]).all()

    def test_in_a_packed_tensor_and_beside_others(self):
        layout = Layout("oi", parts=(("up", 8), ("rest", 3)))
        fill = Fill.packed(
            [("up", 8, Fill.repeated(Fill.normal(), 4)), ("rest", 3, Fill.normal())], layout=layout
        )
        values = filled((11, 5), fill)
        up = filled((2, 5), Fill.normal(), name="w#up")
        np.testing.assert_array_equal(values[:8], np.repeat(up, 4, axis=0))
        again = np.empty((11, 5))
        fill_arrays([("w", again, fill), ("x", np.empty(3), Fill.normal())])
        np.testing.assert_array_equal(again, values)

    def test_a_zero_row_is_zero_in_its_own_place_only(self):
        fill = Fill.repeated(Fill.normal(), 2)
        plain = filled((6, 3), fill)
        padded = filled((6, 3), Fill.repeated(Fill.normal(), 2, zero_row=3))
        assert not padded[3].any()
        np.testing.assert_array_equal(np.delete(padded, 3, 0), np.delete(plain, 3, 0))

    def test_outputs_that_do_not_divide_are_refused(self):
        with pytest.raises(LayoutError, match="expected an output axis that divides by 4") as caught:
            filled((6, 3), Fill.repeated(Fill.normal(), 4))
        assert "the layer feeds no pixel shuffle" in str(caught.value)

    @pytest.mark.parametrize("times", [0, -1, 2.0, True])
    def test_times_is_a_count(self, times):
        with pytest.raises(FillError, match="expected a whole number > 0"):
            Repeat(times)

    def test_an_order_that_is_none_is_refused(self):
        with pytest.raises(FillError, match="Did you mean 'tiles'"):
            Fill.repeated(Fill.normal(), 4, "tile")

    def test_survives_json_scales_and_knows_its_moments(self):
        known = Fill.repeated(Fill.matrix("orthogonal"), 4).of_shape((16, 9)).scaled(2)
        assert Fill.from_json(known.to_json()) == known
        assert known.std == 2 / 3  # of a (4, 9) orthogonal matrix
        assert known.parts[0][2].gain == 2
        assert known.formula == "orthogonal × 2, each filter 4 times"


@pytest.mark.parametrize("curve", sorted(WHOLE))
def test_a_whole_law_survives_json_and_scales(curve):
    fill = Fill.whole(curve, *numbers(curve), shape=(8, 8))
    assert Fill.from_json(fill.to_json()) == fill
    assert fill.scaled(3).std == pytest.approx(3 * fill.std)
    assert fill.scaled(3).gain == 3


@pytest.mark.parametrize("curve", sorted(WHOLE))
def test_vectors_are_refused(curve):
    with pytest.raises(LayoutError, match="expected a matrix"):
        filled((8,), Fill.whole(curve, *numbers(curve)))
