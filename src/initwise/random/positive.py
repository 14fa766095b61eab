"""(I + RᵀR/n)/λ, λ its largest eigenvalue: the start of an np-RNN's recurrent matrix.

The same bits everywhere, though BLAS takes part: R is cut into whole numbers of at most 20 bits, whose
products and sums are exact in float64, in any order (Ozaki, Ogita, Oishi and Rump 2012). λ comes from
Lanczos' steps with sums over halves, and from bisection. docs/notes/whole-laws.md has the details.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
ROWS = 1 << 13
"""Rows of a product: sums of so many products of 40 bits stay below 2⁵³."""
STEPS, LOOK = 400, 8
"""Most of Lanczos' steps, and after how many it is seen whether λ still moves."""
STILL = 1e-15


def normalized_positive(draws: F64) -> F64:
    """(I + RᵀR/n)/λ of a square matrix R of normal variates, symmetric, eigenvalues in (0, 1]."""
    n = len(draws)
    matrix = gram(draws) / n
    matrix[np.diag_indices(n)] += 1.0
    scaled: F64 = matrix * (1 / largest_eigenvalue(matrix))
    return scaled


def gram(draws: F64) -> F64:
    """RᵀR, R rounded to multiples of 2⁻³⁷ (|R| < 8)."""
    high = np.rint(np.ldexp(draws, 17))
    low = np.rint(np.ldexp(np.ldexp(draws, 17) - high, 20))
    found = np.zeros((draws.shape[1], draws.shape[1]))
    for begin in range(0, len(draws), ROWS):
        a, b = high[begin : begin + ROWS], low[begin : begin + ROWS]
        mixed = a.T @ b
        found += a.T @ a + (np.ldexp(mixed + mixed.T, -20) + np.ldexp(b.T @ b, -40))
    return np.ldexp(found, -34)


def largest_eigenvalue(matrix: F64) -> float:
    """Of a symmetric matrix, to about 1e-14 of itself, by Lanczos from the vector of ones."""
    n = len(matrix)
    vector, before = np.full(n, 1 / math.sqrt(n)), np.zeros(n)
    diagonal: list[float] = []
    beside: list[float] = []
    last, found = -math.inf, -math.inf
    for step in range(1, STEPS + 1):
        image = _sum(matrix * vector[:, None])
        diagonal.append(float(_sum(image * vector)))
        image -= diagonal[-1] * vector + (beside[-1] if beside else 0.0) * before
        length = math.sqrt(float(_sum(image * image)))
        done = length <= STILL * abs(diagonal[0])
        if done or step % LOOK == 0:
            last, found = found, _top(diagonal, beside)
            if done or abs(found - last) <= STILL * found:
                break
        beside.append(length)
        before, vector = vector, image / length
    return found


def _sum(values: F64) -> F64:
    """The sum over the first axis, which it overwrites: the second half is added to the first, again and
    again."""
    while len(values) > 1:
        half = (len(values) + 1) // 2
        values[: len(values) - half] += values[half:]
        values = values[:half]
    found: F64 = values[0]
    return found


def _top(diagonal: list[float], beside: list[float]) -> float:
    """The largest eigenvalue of a symmetric tridiagonal matrix, by bisection."""
    low = max(diagonal)
    high = low + 2 * max(beside, default=0.0)
    squares = [0.0, *(b * b for b in beside[: len(diagonal) - 1])]
    for _ in range(120):
        middle = low + (high - low) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if _all_below(middle, diagonal, squares) else (middle, high)
    return high


def _all_below(x: float, diagonal: list[float], squares: list[float]) -> bool:
    """Are all eigenvalues less than x? By the signs of the pivots of T − x."""
    pivot = 1.0
    for d, square in zip(diagonal, squares, strict=True):
        pivot = d - x - (square / pivot if square else 0.0)
        if pivot >= 0:
            return False
    return True
