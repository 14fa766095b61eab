"""Laws of the whole matrix: orthogonal, delta-orthogonal, identity, dirac.

A tensor is taken apart into independent matrices: one per batch entry (`b`) and group; packed parts
come apart before. Each is out × (in·spatial). A shard is computed from the whole tensor and cut out,
which costs the memory of the whole tensor in float64.

Haar's law by Stewart (1980, "The efficient generation of random orthogonal matrices"): for a matrix
whose longer side is L and shorter side S, reflector k = 1 … S comes from L − k + 1 standard normals x:
v = x + sign(x₁)‖x‖e₁, H = I − 2vvᵀ/vᵀv, and Q = H₁ … H_S·diag(−sign(x₁)). It equals the Q of a QR
factorisation of an L × S matrix of normals with R's diagonal positive, without a factorisation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import LayoutError
from ..core.fill import Fill, default_layout
from ..core.layout import Layout
from ..core.stream import Stream
from .output import Region

F64 = NDArray[np.float64]
PANEL, STRIP = 256, 256
SMALL = 256**3
"""rows · columns² up to which reflectors are applied one by one."""
_STANDARD = Fill.normal()


def check(fill: Fill, shape: tuple[int, ...], where: str) -> None:
    """Raise unless `shape` is made of matrices.

    Raises:
        LayoutError: a 0-d or 1-d tensor, or a layout without an output or input axis.
    """
    layout = fill.layout
    if len(shape) < 2 or (layout is not None and not ("o" in layout.axes and set("iv") & set(layout.axes))):
        raise LayoutError(
            f"{fill.law} of shape {shape}" + (f" with layout {layout}" if layout is not None else ""),
            where=where,
            expected="a matrix: an o axis and an i (or v) axis",
            cause="a law of matrices was asked for a bias, a norm's gain or another vector",
            fix="Give vectors a law of their own: zeros, ones, constant(value), uniform(low, high).",
        )
    (layout or default_layout(len(shape))).check(shape, where)


def values(stream: Stream, fill: Fill, region: Region) -> F64:
    """The block `region` of the tensor, in float64, axes in storage order."""
    layout = replace(fill.layout or default_layout(len(region.shape)), parts=())
    whole = np.zeros(region.shape)
    for index, piece in enumerate(_matrices(whole, layout)):
        sizes = _sizes(piece.shape, layout)
        piece[...] = _MAKERS[fill.law](sizes, stream, index).reshape(piece.shape)
    whole *= fill.gain
    return whole[tuple(slice(o, o + n) for o, n in zip(region.offset, region.size, strict=True))]


def _matrices(whole: F64, layout: Layout) -> Iterator[F64]:
    """A view of each independent matrix, its axes in the order o…, i… (or v), spatial…"""
    order = [k for letters in ("b", "o", "iv") for k, axis in enumerate(layout.axes) if axis in letters]
    tensor = whole.transpose(*order, *layout.spatial)
    batch, outs = layout.axes.count("b"), layout.axes.count("o")
    divided = outs if layout.transposed else 0
    for entry in itertools.product(*(range(size) for size in tensor.shape[:batch])):
        width = tensor[entry].shape[divided] // layout.groups
        for group in range(layout.groups):
            cut = slice(group * width, (group + 1) * width)
            yield np.moveaxis(np.moveaxis(tensor[entry], divided, 0)[cut], 0, divided)


def _sizes(shape: tuple[int, ...], layout: Layout) -> tuple[int, int, tuple[int, ...]]:
    """(out, in, spatial sizes) of one matrix."""
    outs, ins = layout.axes.count("o"), layout.axes.count("i") + layout.axes.count("v")
    return math.prod(shape[:outs]), math.prod(shape[outs : outs + ins]), shape[outs + ins :]


def _orthogonal(sizes: tuple[int, int, tuple[int, ...]], stream: Stream, index: int) -> F64:
    out, into, field = sizes
    return haar(out, into * math.prod(field), stream, index)


def _delta_orthogonal(sizes: tuple[int, int, tuple[int, ...]], stream: Stream, index: int) -> F64:
    return _at_centre(haar(sizes[0], sizes[1], stream, index), sizes[2])


def _identity(sizes: tuple[int, int, tuple[int, ...]], stream: Stream, index: int) -> F64:
    return _at_centre(np.eye(sizes[0], sizes[1]), sizes[2])


def _at_centre(matrix: F64, field: tuple[int, ...]) -> F64:
    """The matrix at the kernel's centre tap, index size // 2 of each spatial axis; zero elsewhere."""
    kernel = np.zeros((*matrix.shape, *field))
    centre: tuple[Any, ...] = (..., *(size // 2 for size in field))
    kernel[centre] = matrix
    return kernel


_MAKERS = {
    "orthogonal": _orthogonal,
    "delta_orthogonal": _delta_orthogonal,
    "identity": _identity,
    "dirac": _identity,
}


def haar(rows: int, columns: int, stream: Stream, index: int = 0) -> F64:
    """A rows × columns matrix with orthonormal columns (rows ≥ columns) or rows, by Haar's law.

    Matrix `index` of the stream draws from elements index·rows·columns on, as if an L × S matrix of
    normals lay there row by row, of which column k is used from row k down.
    """
    if rows < columns:
        return haar(columns, rows, stream, index).T
    matrix = np.zeros((rows, columns))
    np.fill_diagonal(matrix, 1.0)
    signs = np.ones(columns)
    for begin in range((columns - 1) // PANEL * PANEL, -1, -PANEL):
        end = min(begin + PANEL, columns)
        vectors = _reflectors(rows, columns, begin, end, stream, index, signs)
        (_reflect_singly if rows * columns**2 <= SMALL else _reflect)(matrix[begin:, begin:], vectors)
    matrix *= signs
    return matrix


def _reflectors(rows: int, columns: int, begin: int, end: int, stream: Stream, index: int, signs: F64) -> F64:
    """Columns v of length √2, so that H = I − vvᵀ, for reflectors begin … end, from row `begin` down."""
    from .engine import fill_array

    panel = np.empty((rows - begin, end - begin))
    fill_array(
        panel,
        _STANDARD,
        name=stream.name,
        seed=stream.seed,
        shape=((index + 1) * rows, columns),
        offset=(index * rows + begin, begin),
    )
    panel = np.tril(panel)
    for k in range(end - begin):
        x = panel[k:, k]
        length, first = math.sqrt(float(np.square(x).sum())), float(x[0])
        signs[begin + k] = -math.copysign(1.0, first)
        x[0] += math.copysign(length, first)
        x /= math.sqrt(length * (length + abs(first)))
    return panel


def _reflect_singly(matrix: F64, vectors: F64) -> None:
    """matrix ← H₁ … H_b·matrix, one reflector after the other, without BLAS.

    A small product does not repay waking BLAS's threads: on a busy machine they wait for each other
    many times longer than they work.
    """
    for k in range(vectors.shape[1] - 1, -1, -1):
        v, rest = vectors[k:, k].copy(), matrix[k:, k:]
        rest -= v[:, None] * np.einsum("i,ij->j", v, rest)


def _reflect(matrix: F64, vectors: F64) -> None:
    """matrix ← H₁ … H_b·matrix, as I − V·T·Vᵀ; with vᵀv = 2, T⁻¹ = I + the strict upper part of VᵀV."""
    inverse = np.triu(vectors.T @ vectors, 1) + np.eye(vectors.shape[1])
    mixed = np.linalg.inv(inverse) @ (vectors.T @ matrix)
    # strips of rows, so that the product stays small
    for begin in range(0, matrix.shape[0], STRIP):
        matrix[begin : begin + STRIP] -= vectors[begin : begin + STRIP] @ mixed
