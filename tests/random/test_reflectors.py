"""Orthogonal matrices: small ones in one call, large ones in panels by all threads, to the same bits."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.core.stream import Stream
from initwise.random import fill_array, orthogonal
from initwise.random import matrix as room

STREAM = Stream(0, "w")
SHAPES = [(1, 1), (2, 2), (7, 3), (3, 7), (64, 64), (65, 65), (300, 100), (260, 258), (1000, 9), (400, 580)]
EPSILON = np.finfo(np.float64).eps


def one_by_one(rows, columns, index=0):
    """Stewart's product, straight from stream-v1.md."""
    if rows < columns:
        return one_by_one_tall(columns, rows, index).T
    return one_by_one_tall(rows, columns, index)


def one_by_one_tall(rows, columns, index):
    normals = np.empty((index + 1, rows, columns))
    normals = fill_array(normals, Fill.normal(), name=STREAM.name)[index]
    matrix, signs = np.eye(rows, columns), np.empty(columns)
    for k in reversed(range(columns)):
        v = normals[k:, k].copy()
        signs[k] = -np.copysign(1, v[0])
        v[0] -= signs[k] * np.linalg.norm(v)
        matrix[k:] -= np.outer(v, v @ matrix[k:]) * (2 / (v @ v))
    return matrix * signs


def residual(matrix):
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    tall = tall.astype(np.float64)
    return np.abs(tall.T @ tall - np.eye(tall.shape[1])).max()


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
@pytest.mark.parametrize("index", [0, 2])
def test_it_is_the_streams_matrix(rows, columns, index):
    matrix = orthogonal.haar(rows, columns, STREAM, index)
    # the stream promises 1e-12; sums of L terms are good to some √L units in the last place
    assert np.abs(matrix - one_by_one(rows, columns, index)).max() < 4 * EPSILON * max(rows, columns) ** 0.5
    assert residual(matrix) < 4 * EPSILON * max(rows, columns) ** 0.5


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (64, 64), (300, 100), (260, 258), (400, 580)])
def test_one_call_and_shared_panels_make_the_same_bits(rows, columns, monkeypatch):
    whole = orthogonal.haar(rows, columns, STREAM)
    monkeypatch.setattr(orthogonal, "SMALL", 0)
    for threads in ("1", "2", "3", "7"):
        monkeypatch.setenv("INITWISE_THREADS", threads)
        np.testing.assert_array_equal(orthogonal.haar(rows, columns, STREAM), whole)


@pytest.mark.parametrize("threads", ["1", "3", "8"])
def test_a_batchs_bits_do_not_depend_on_threads(threads, monkeypatch):
    heads = np.empty((29, 24, 16), np.float32)
    orthogonal.fill_haar(heads, STREAM)
    monkeypatch.setenv("INITWISE_THREADS", threads)
    again = np.empty_like(heads)
    orthogonal.fill_haar(again, STREAM)
    np.testing.assert_array_equal(again, heads)
    for k in (0, 13, 28):
        np.testing.assert_array_equal(
            heads[k], orthogonal.haar(24, 16, STREAM, k).astype(np.float32), strict=True
        )


def test_two_calls_give_the_same_bits():
    first = orthogonal.haar(700, 600, STREAM)
    np.testing.assert_array_equal(orthogonal.haar(700, 600, STREAM), first)


def test_the_height_of_a_tile_does_not_change_the_bits(monkeypatch):
    """Processors with wider registers sum twelve rows at a time."""
    made = []
    for tile in (6, 12):
        code = orthogonal.compiled(tile)
        monkeypatch.setattr(orthogonal, "_code", lambda code=code: code)
        made.append(orthogonal.haar(300, 100, STREAM))
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(3, 40, 30), (3, 30, 40)])
def test_any_strides_and_rounded_once(dtype, size):
    room = np.full((size[0], 2 * size[1], 3 * size[2]), 7.0, dtype)
    view = room[:, ::2, 1::3]
    orthogonal.fill_haar(view, STREAM, gain=1.5, first=4)
    for k in range(size[0]):
        exact = orthogonal.haar(*size[1:], STREAM, 4 + k) * 1.5
        np.testing.assert_array_equal(view[k], exact.astype(dtype))
    room[:, ::2, 1::3] = 7
    assert np.all(room == 7)


@pytest.mark.parametrize("rows", [30, 700])
def test_strides_of_a_large_one(rows, monkeypatch):
    monkeypatch.setattr(orthogonal, "SMALL", 0)
    plain, turned = np.empty((1, rows, 29), np.float32), np.empty((1, 29, rows), np.float32)
    orthogonal.fill_haar(plain, STREAM)
    orthogonal.fill_haar(turned.transpose(0, 2, 1), STREAM)
    np.testing.assert_array_equal(turned[0].T, plain[0])


@pytest.mark.parametrize("n", [2, 5, 20])
def test_haars_law(n):
    """An entry's square is Beta(½, (n−1)/2), its sign even; determinants are ±1, evenly; the eigenvalues'
    mean Σλ² has E tr Q² = 1 for the orthogonal group (Diaconis and Shahshahani 1994)."""
    draws = 4000
    stack = np.empty((draws, n, n))
    orthogonal.fill_haar(stack, STREAM)
    for i, k in ((0, 0), (0, n - 1), (n - 1, 0), (n - 1, n - 1)):
        entry = stack[:, i, k]
        assert stats.kstest(entry**2, "beta", (0.5, (n - 1) / 2)).pvalue > 1e-6
        assert abs(np.sign(entry).mean()) < 4.9 / draws**0.5
    determinants = np.linalg.det(stack)
    np.testing.assert_allclose(np.abs(determinants), 1, atol=1e-12)
    assert abs(determinants.mean()) < 4.9 / draws**0.5
    squares = np.einsum("aij,aji->a", stack, stack)
    assert abs(squares.mean() - 1) < 4.9 * squares.std() / draws**0.5


BATCHED = {
    "a batch": ((5, 12, 7), Fill.matrix("orthogonal", layout=Layout("boi")), lambda w: w),
    "two batch axes": (
        (2, 3, 7, 12),
        Fill.matrix("orthogonal", layout=Layout("bboi")),
        lambda w: w.reshape(6, 7, 12),
    ),
    "batch last": (
        (7, 12, 5),
        Fill.matrix("orthogonal", layout=Layout("iob")),
        lambda w: w.transpose(2, 0, 1),
    ),
    "groups": (
        (24, 5, 3),
        Fill.matrix("orthogonal", layout=Layout("oik", groups=4)),
        lambda w: w.reshape(4, 6, 15),
    ),
    "gates": (
        (4 * 9, 9),
        Fill.packed(
            [(gate, 9, Fill.matrix("orthogonal")) for gate in "ifgo"],
            layout=Layout("oi", parts=tuple((gate, 9) for gate in "ifgo")),
        ),
        lambda w: w.reshape(4, 9, 9),
    ),
}


@pytest.mark.parametrize("form", BATCHED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_matrix_of_a_batch_is_orthogonal(form, dtype):
    shape, fill, apart = BATCHED[form]
    matrices = apart(fill_array(np.empty(shape, dtype), fill, name="w"))
    for k, matrix in enumerate(matrices):
        assert residual(matrix) < 4 * np.finfo(dtype).eps * max(matrix.shape) ** 0.5
        assert all(np.abs(matrix - other).max() > 0.1 for other in matrices[:k])


@pytest.mark.parametrize("layout", ["boi", "bboi", "obi"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_shard_of_a_batch_makes_only_its_own_matrices(layout, dtype, monkeypatch):
    shape = (4, 3, 6, 5)[-len(layout) :] if layout != "obi" else (6, 4, 5)
    fill = Fill.matrix("orthogonal", 2.0, layout=Layout(layout))
    whole = fill_array(np.empty(shape, dtype), fill, name="w")
    made = []
    known = room.fill_haar
    monkeypatch.setattr(
        room, "fill_haar", lambda out, *rest: (made.append(math.prod(out.shape)), known(out, *rest))
    )
    axis = layout.index("b")
    cut = [slice(0, size) for size in shape]
    cut[axis], cut[-1] = slice(1, 3), slice(1, 4)
    part = np.empty(whole[tuple(cut)].shape, dtype)
    fill_array(part, fill, name="w", shape=shape, offset=[c.start for c in cut])
    np.testing.assert_array_equal(part, whole[tuple(cut)])
    assert made == [math.prod(shape) // shape[axis] * 2]


PEAK = """
import resource, sys, numpy as np
from initwise.core.fill import Fill
from initwise.random import fill_array
rows, columns = (int(x) for x in sys.argv[1:])
array = np.ones((rows, columns), np.float32)
law = Fill.matrix("orthogonal")
fill_array(array[:1], law, name="w"), fill_array(np.ones((700, 700), np.float32), law, name="w")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fill_array(array, law, name="w")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("shape", [(200_000, 64), (64, 200_000)])
def test_memory_grows_with_the_matrix_only(shape):
    """The matrix and a panel in float64, and no rows × rows."""
    pytest.importorskip("resource")
    asked = [sys.executable, "-c", PEAK, *(str(size) for size in shape)]
    extra = 1024 * int(subprocess.check_output(asked, text=True))
    itself = 8 * shape[0] * shape[1]
    assert extra < 1.6 * itself
