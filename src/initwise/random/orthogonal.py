"""Orthogonal matrices by Haar's law.

By Stewart (1980, "The efficient generation of random orthogonal matrices"): for a matrix
whose longer side is L and shorter side S, reflector k = 1 … S comes from L − k + 1 standard normals x:
v = x + sign(x₁)‖x‖e₁, H = I − 2vvᵀ/vᵀv, and Q = H₁ … H_S·diag(−sign(x₁)). It equals the Q of a QR
factorisation of an L × S matrix of normals with R's diagonal positive, without a factorisation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..core.fill import Fill
from ..core.stream import Stream

F64 = NDArray[np.float64]
PANEL, STRIP = 256, 256
SMALL = 256**3
"""rows · columns² up to which reflectors are applied one by one."""
_STANDARD = Fill.normal()


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
