"""Identity, dirac and Hadamard: exact entries, written shard by shard without the whole tensor."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard

from initwise.core.errors import FillError, LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.shaped import hadamard_entry, sign_sum
from initwise.random import fill_array

LAYOUTS = ("oi", "io", "boi", "oik", "kio", "iok", "oihw", "iohw", "vo", "oii", "ioo", "bbio", "ooi", "hiwo")


def filled(size, fill, name="w", dtype=np.float64, **where):
    return fill_array(np.full(size, 7, dtype), fill, name=name, **where)


@st.composite
def tensors(draw):
    axes = draw(st.sampled_from(LAYOUTS))
    groups = draw(st.sampled_from([1, 2, 3])) if axes in ("oik", "iok", "oihw", "iohw") else 1
    layout = Layout(axes, groups=groups)
    shape = [draw(st.integers(1, 9 if axis in "oiv" else 4)) for axis in axes]
    shape[axes.index("i" if layout.transposed else "o")] *= groups
    return layout, tuple(shape)


def matrices(values, layout):
    """The (out, in) matrix at the kernel's centre of every batch entry and group."""
    axes = layout.axes
    order = [k for letters in ("b", "o", "iv") for k, axis in enumerate(axes) if axis in letters]
    at = tuple(values.shape[k] // 2 for k in layout.spatial)
    tensor = values.transpose(*order, *layout.spatial)[(..., *at)]
    rows = math.prod(n for n, axis in zip(values.shape, axes, strict=True) if axis == "o")
    columns = math.prod(n for n, axis in zip(values.shape, axes, strict=True) if axis in "iv")
    for matrix in tensor.reshape(-1, rows, columns):
        yield from np.split(matrix, layout.groups, 1 if layout.transposed else 0)


def zero(rows, columns):
    """The authors' own steps: identity, or c·I·H·I."""
    if rows <= columns:
        return np.eye(rows, columns)
    m = math.ceil(math.log2(rows))
    return np.eye(rows, 2**m) @ (hadamard(2**m) * 2 ** (-m / 2)) @ np.eye(2**m, columns)


@given(tensors(), st.sampled_from([1.0, -2.0, 0.25]))
@settings(max_examples=100, deadline=None)
def test_zero_is_the_authors_matrix_at_the_centre_and_nothing_else(tensor, gain):
    layout, shape = tensor
    values = filled(shape, Fill.matrix("hadamard", gain, layout=layout))
    found = list(matrices(values, layout))
    for matrix in found:
        np.testing.assert_allclose(matrix, gain * zero(*matrix.shape), rtol=3e-16, atol=0)
    assert np.count_nonzero(values) == sum(np.count_nonzero(matrix) for matrix in found)


@given(tensors(), st.sampled_from([1.0, -2.0, 0.1]), st.sampled_from(["identity", "dirac"]))
@settings(max_examples=100, deadline=None)
def test_identity_is_eye_at_the_centre_and_nothing_else(tensor, gain, law):
    layout, shape = tensor
    values = filled(shape, Fill.matrix(law, gain, layout=layout))
    found = list(matrices(values, layout))
    for matrix in found:
        np.testing.assert_array_equal(matrix, gain * np.eye(*matrix.shape))
    assert np.count_nonzero(values) == sum(min(matrix.shape) for matrix in found)


@given(
    tensors(),
    st.sampled_from(["identity", "dirac", "hadamard"]),
    st.sampled_from(["float64", "float32", "float16", "bfloat16"]),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_any_shard_is_the_slice_of_the_whole(tensor, law, dtype, data):
    layout, shape = tensor
    fill, kind = Fill.matrix(law, 0.1, layout=layout), np.uint16 if dtype == "bfloat16" else dtype
    whole = fill_array(np.full(shape, 7, kind), fill, name="w", dtype=dtype)
    begin = [data.draw(st.integers(0, n)) for n in shape]
    cut = tuple(slice(b, data.draw(st.integers(b, n))) for b, n in zip(begin, shape, strict=True))
    part = np.full(whole[cut].shape, 7, kind)
    fill_array(part, fill, name="w", dtype=dtype, shape=shape, offset=begin)
    np.testing.assert_array_equal(part, whole[cut])


@pytest.mark.parametrize("m", range(1, 11))
def test_hadamard_is_orthogonal_in_integers(m):
    """HᵀH = 2^m·I, exactly; and with the factor the columns have length 1."""
    order = 2**m
    values = filled((order, order - 1), Fill.matrix("hadamard"))
    signs = np.sign(values)  # whole numbers: doubles add them exactly, and faster than integers
    np.testing.assert_array_equal(signs.T @ signs, order * np.eye(order - 1))
    np.testing.assert_array_equal(signs, hadamard(order)[:, :-1])
    assert set(np.abs(values).ravel()) == {hadamard_entry(order)}
    assert hadamard_entry(order) ** 2 * order == pytest.approx(1, rel=3e-16)


def test_the_entry_is_a_power_of_two_or_times_root_half():
    assert [hadamard_entry(n) for n in (1, 2, 3, 4, 5, 1024, 1025)] == [
        1.0, 0.5**0.5, 0.5, 0.5, 0.5**0.5 / 2, 1 / 32, 0.5**0.5 / 32,
    ]  # fmt: skip


@given(st.integers(0, 70), st.integers(0, 70))
def test_the_sum_of_a_corner_of_signs(rows, columns):
    assert sign_sum(rows, columns) == hadamard(128)[:rows, :columns].sum()


@given(tensors(), st.sampled_from(["identity", "dirac", "hadamard"]), st.sampled_from([1.0, -2.0, 0.3]))
@settings(max_examples=200, deadline=None)
def test_declared_mean_and_std_are_those_found(tensor, law, gain):
    layout, shape = tensor
    fill = Fill.matrix(law, gain, shape=shape, layout=layout)
    values = filled(shape, fill)
    assert values.mean() == pytest.approx(fill.mean, rel=1e-12, abs=1e-16)
    assert values.std() == pytest.approx(fill.std, rel=1e-12, abs=1e-15)


def test_equal_entries_have_std_zero_and_not_a_rounding_error():
    fill = Fill.matrix("hadamard", 0.1, shape=(7, 1))
    assert fill.std == 0
    assert len(set(filled((7, 1), fill, dtype=np.float16).ravel())) == 1


def test_many_pieces_and_threads_give_the_same_bits(monkeypatch):
    from initwise.random import structured

    for axes, shape in (("oik", (200, 90, 3)), ("ooi", (20, 10, 90))):
        fill = Fill.matrix("hadamard", layout=Layout(axes))
        once = filled(shape, fill)
        for piece, threads in ((1000, "4"), (1, "1")):
            monkeypatch.setattr(structured, "PIECE", piece)
            monkeypatch.setenv("INITWISE_THREADS", threads)
            np.testing.assert_array_equal(filled(shape, fill), once)
        monkeypatch.undo()


@pytest.mark.parametrize("law", ["identity", "hadamard"])
def test_a_shard_of_a_tensor_too_large_for_any_memory(law):
    begin, fill = (2**30 - 5, 2**30 - 2), Fill.matrix(law)
    tracemalloc.start()
    part = filled((1000, 1000), fill, dtype=np.float32, shape=(2**31, 2**31 - 1), offset=begin)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    row, column = (np.arange(first, first + 1000) for first in begin)
    if law == "identity":
        np.testing.assert_array_equal(part, row[:, None] == column)
        assert peak < part.nbytes + 200_000
    else:
        odd = np.array([[bin(r & c).count("1") % 2 for c in column.tolist()] for r in row.tolist()])
        np.testing.assert_array_equal(part, np.where(odd, -1, 1) * np.float32(0.5**0.5 * 2.0**-15))
        # beside the shard: one piece of signs
        assert peak < part.nbytes + 20 * 2**18


def test_a_dtype_that_cannot_hold_the_gain_is_refused_untouched():
    array = np.full((4, 2), 7, np.float16)
    with pytest.raises(
        FillError, match=r"^w: float16 holds numbers up to 65504, identity or Hadamard × 1e\+06"
    ):
        fill_array(array, Fill.matrix("hadamard", 1e6), name="w")
    with pytest.raises(FillError, match="hadamard: gain is NaN"):
        Fill.matrix("hadamard", math.nan)
    assert np.all(array == 7)


def test_json_and_scaling_of_hadamard():
    fill = Fill.matrix("hadamard", 2.0, shape=(8, 4), layout=Layout("oi"))
    assert Fill.from_json(fill.to_json()) == fill
    assert fill.scaled(3) == Fill.matrix("hadamard", 6.0, shape=(8, 4), layout=Layout("oi"))
    assert fill.formula == "identity or Hadamard × 2"


def test_groups_that_do_not_divide_the_first_of_several_axes_are_refused():
    with pytest.raises(LayoutError, match=r"^w: axis 0 of shape .* does not divide into groups"):
        filled((3, 4, 5), Fill.matrix("identity", layout=Layout("ooi", groups=2)))
