"""Orthogonal, delta-orthogonal, identity, dirac; packed parts and zero rows."""

import math

import numpy as np
import pytest
from scipy import stats

from initwise.core.errors import LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array


def filled(size, fill, name="w", dtype=np.float64, **where):
    array = np.full(size, np.nan, dtype)
    return fill_array(array, fill, name=name, **where)


def assert_orthonormal(matrix, tolerance=1e-13):
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    assert np.abs(small @ small.T - np.eye(len(small))).max() < tolerance


@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 5), (200, 130), (130, 200), (1, 9), (9, 1), (64, 64), (65, 65)]
)
def test_orthogonal_to_machine_precision(shape):
    matrix = filled(shape, Fill.matrix("orthogonal"))
    assert_orthonormal(matrix)
    assert_orthonormal(filled(shape, Fill.matrix("orthogonal"), dtype=np.float32), 3e-7 * max(shape) ** 0.5)


def test_orthogonal_is_what_qr_of_the_same_normals_gives():
    """Stewart's first column is x/‖x‖ with x the first column of normals: sign-correct."""
    normals = filled((40, 30), Fill.normal())
    matrix = filled((40, 30), Fill.matrix("orthogonal"))
    np.testing.assert_allclose(matrix[:, 0], normals[:, 0] / np.linalg.norm(normals[:, 0]), atol=1e-14)


def test_orthogonal_follows_haar():
    """Entries, trace and determinant over many draws; a QR without the sign fix fails the trace."""
    n, draws = 3, 3000
    stack = filled((draws, n, n), Fill.matrix("orthogonal", layout=Layout("boi")))
    # one entry of a Haar matrix of order 3 is uniform on [-1, 1] (Archimedes)
    for i in range(n):
        for j in range(n):
            assert stats.kstest(stack[:, i, j], "uniform", (-1, 2)).pvalue > 1e-6
    trace = np.trace(stack, axis1=1, axis2=2)
    assert abs(trace.mean()) < 4.9 / math.sqrt(draws)
    assert abs((trace**2).mean() - 1) < 4.9 * math.sqrt(2 / draws)
    determinant = np.linalg.det(stack)
    np.testing.assert_allclose(np.abs(determinant), 1, atol=1e-12)
    assert abs(determinant.mean()) < 4.9 / math.sqrt(draws)


def test_gain_and_declared_std():
    fill = Fill.matrix("orthogonal", math.sqrt(2), shape=(300, 100))
    matrix = filled((300, 100), fill)
    assert_orthonormal(matrix / math.sqrt(2))
    assert matrix.std() == pytest.approx(fill.std, rel=0.01)


def test_layouts_hold_the_same_numbers_transposed():
    torch_like = filled((12, 7, 3, 3), Fill.matrix("orthogonal", layout=Layout("oihw")))
    keras_like = filled((3, 3, 7, 12), Fill.matrix("orthogonal", layout=Layout("hwio")))
    transposed = filled((7, 12, 3, 3), Fill.matrix("orthogonal", layout=Layout("iohw")))
    np.testing.assert_array_equal(keras_like.transpose(3, 2, 0, 1), torch_like)
    np.testing.assert_array_equal(transposed.transpose(1, 0, 2, 3), torch_like)
    assert_orthonormal(torch_like.reshape(12, -1))


def test_every_batch_entry_and_group_is_a_matrix_of_its_own():
    experts = filled((4, 6, 5), Fill.matrix("orthogonal", layout=Layout("boi")))
    grouped = filled((24, 5, 1), Fill.matrix("orthogonal", layout=Layout("oik", groups=4)))
    backward = filled((20, 6, 1), Fill.matrix("orthogonal", layout=Layout("iok", groups=4)))
    for k in range(4):
        assert_orthonormal(experts[k])
        assert_orthonormal(grouped[6 * k : 6 * k + 6, :, 0])
        assert_orthonormal(backward[5 * k : 5 * k + 5, :, 0])
    assert np.abs(experts[0] - experts[1]).max() > 0.1
    np.testing.assert_array_equal(grouped.reshape(4, 6, 5), experts)


def test_delta_orthogonal_lives_at_the_centre():
    kernel = filled((8, 6, 3, 4), Fill.matrix("delta_orthogonal", 2.0))
    assert_orthonormal(kernel[:, :, 1, 2] / 2)
    kernel[:, :, 1, 2] = 0
    assert not kernel.any()
    # preserves every input's norm exactly: a convolution with it is the matrix at each pixel
    same = filled((8, 6), Fill.matrix("orthogonal"))
    np.testing.assert_array_equal(
        same * 2, filled((8, 6, 3, 4), Fill.matrix("delta_orthogonal", 2.0))[:, :, 1, 2]
    )


def test_identity_and_dirac():
    np.testing.assert_array_equal(filled((3, 5), Fill.matrix("identity", 2.0)), 2 * np.eye(3, 5))
    torch = pytest.importorskip("torch")
    for shape, groups in (((6, 4, 3), 1), ((6, 2, 3, 3), 3), ((4, 6, 2, 3, 5), 2)):
        axes = "oi" + "k" * (len(shape) - 2)
        mine = filled(shape, Fill.matrix("dirac", layout=Layout(axes, groups=groups)))
        np.testing.assert_array_equal(mine, torch.nn.init.dirac_(torch.empty(shape), groups).numpy())


@pytest.mark.parametrize("law", ["orthogonal", "delta_orthogonal", "dirac", "hadamard"])
def test_a_shard_is_the_slice_of_the_whole(law):
    fill = Fill.matrix(law, layout=Layout("oihw"))
    whole = filled((12, 7, 3, 3), fill)
    cut = (slice(3, 9), slice(0, 5), slice(1, 3), slice(0, 3))
    part = filled(whole[cut].shape, fill, shape=whole.shape, offset=[s.start for s in cut])
    np.testing.assert_array_equal(part, whole[cut])


@pytest.mark.parametrize("shape", [(), (5,)])
@pytest.mark.parametrize("law", ["orthogonal", "delta_orthogonal", "identity", "dirac", "hadamard"])
def test_vectors_are_refused(law, shape):
    array = np.full(shape, 7.0)
    with pytest.raises(LayoutError, match="expected a matrix: an o axis and an i"):
        fill_array(array, Fill.matrix(law), name="bias")
    assert np.all(array == 7)


def test_packed_parts_equal_the_same_parts_alone():
    layout = Layout("oi", parts=(("q", 4), ("k", 4), ("v", 6)))
    laws = (Fill.normal(0, 0.1), Fill.matrix("orthogonal"), Fill.uniform(-1, 1))
    packed = Fill.packed(
        [(name, size, law) for (name, size), law in zip(layout.parts, laws, strict=True)], layout=layout
    )
    whole = filled((14, 8), packed, name="attn.in_proj_weight")
    begin = 0
    for (name, size), law in zip(layout.parts, laws, strict=True):
        alone = filled((size, 8), law, name=f"attn.in_proj_weight#{name}")
        np.testing.assert_array_equal(whole[begin : begin + size], alone)
        begin += size
    for cut in (slice(2, 9), slice(5, 7), slice(13, 14), slice(4, 4)):
        part = filled(
            (cut.stop - cut.start, 8), packed, "attn.in_proj_weight", shape=(14, 8), offset=(cut.start, 0)
        )
        np.testing.assert_array_equal(part, whole[cut])


def test_packed_along_the_other_storage_axis():
    """A Keras kernel (in, out) packs along its last axis."""
    io = Layout("io", parts=(("a", 3), ("b", 5)))
    oi = Layout("oi", parts=(("a", 3), ("b", 5)))
    law = Fill.normal()
    one = filled((7, 8), Fill.packed([("a", 3, law), ("b", 5, law)], layout=io))
    two = filled((8, 7), Fill.packed([("a", 3, law), ("b", 5, law)], layout=oi))
    np.testing.assert_array_equal(one, two.T)


def test_parts_must_fill_the_axis():
    array = np.full((9, 8), 7.0)
    layout = Layout("oi", parts=(("q", 4), ("k", 4)))
    packed = Fill.packed([("q", 4, Fill.normal()), ("k", 4, Fill.normal())], layout=layout)
    with pytest.raises(LayoutError, match="sum to 8, axis o has 9"):
        fill_array(array, packed, name="w")
    assert np.all(array == 7)


def test_zero_row():
    from dataclasses import replace

    plain = filled((10, 4), Fill.normal())
    padded = replace(Fill.normal(), zero_row=3)
    table = filled((10, 4), padded)
    assert not table[3].any()
    table[3] = plain[3]
    np.testing.assert_array_equal(table, plain)
    shard = filled((3, 4), padded, shape=(10, 4), offset=(2, 0))
    assert not shard[1].any()
    np.testing.assert_array_equal(shard[0], plain[2])
