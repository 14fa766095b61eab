"""Expectations of a function of a normal variable, adaptively, kinks or not.

Gauss–Legendre panels in x = √q·z; a panel is halved until its integrals agree with those of its
halves and the polynomial through its nodes meets the function at its ends (else a kink between the
last node and the end would go unseen). Derivatives come from that polynomial, so no step size has
to be chosen; around a kink nobody declared the panels shrink until what is inside is negligible.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import OptionError

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

NODES = 16
TOLERANCE = 1e-13
"""Relative error at which a panel is done, for a function of full float64 precision."""
REACHES = (12.0, 24.0, 37.0)
"""How far out to integrate, in sigmas: the density is 3e-32 at 12 and at the edge of float64 at 37."""


@dataclass(frozen=True)
class Expectations:
    """Expectations over x = √q·z, z ~ N(0, 1), of a function f.

    Attributes:
        value: E[f]. square: E[f²]. slope: E[f′]. slope_square: E[f′²].
        growth: dE[f²]/dq = E[f²·(z² − 1)]/2q, also for functions that jump.
        error: estimate of the largest absolute error among them.
    """

    value: float
    square: float
    slope: float
    slope_square: float
    growth: float
    error: float


def expectations(
    function: Function, q: float, kinks: tuple[float, ...] = (), tolerance: float = TOLERANCE
) -> Expectations:
    """The expectations of `function` over N(0, √q).

    Args:
        function: float64 array → float64 array of the same shape, elementwise.
        q: variance of x, > 0.
        kinks: where the function or a low derivative of it jumps, if known.
        tolerance: relative error at which a panel is done; above the function's own noise.

    Raises:
        OptionError: the function gives NaN or infinity, or grows so fast that E[f²] is infinite.
    """
    for reach in REACHES:
        with np.errstate(all="ignore"):
            totals, error, tail = _integrate(function, q, kinks, reach, tolerance)
        if not np.isfinite(totals).all():
            break
        if tail <= 1e-13 * max(totals[1], totals[3]):
            if totals[3] * q <= 1e-20 * totals[1]:
                totals[2:4] = 0.0  # rounding of a piecewise constant function
            return Expectations(*(float(number) for number in (*totals, error.max())))
    raise OptionError(
        f"E[f²] over N(0, {math.sqrt(q):g}) does not converge",
        expected="a function that grows slower than exp(x²/4q)",
    )


def _integrate(
    function: Function, q: float, kinks: tuple[float, ...], reach: float, tolerance: float
) -> tuple[Array, Array, float]:
    """Totals and errors of the five integrals, and how much of the squares lies in the outer sigma."""
    edges = _edges(q, kinks, reach)
    low, high = edges[:-1], edges[1:]
    whole, _ = _panels(function, q, low, high)
    scale = np.maximum(np.abs(whole).sum(axis=1), 1e-300)
    outer = np.maximum(np.abs(low), np.abs(high)) > (reach - 1) * math.sqrt(q)
    tail = float((whole[1] + whole[3])[outer].sum())
    total, error = np.zeros(5), np.zeros(5)
    for _ in range(80):
        middle = (low + high) / 2
        left, right = np.column_stack([low, middle]).ravel(), np.column_stack([middle, high]).ravel()
        halves, missed = _panels(function, q, left, right)
        sums = halves.reshape(5, -1, 2).sum(axis=2)
        gap = np.abs(sums - whole)
        fine = (gap <= tolerance * scale[:, None]).all(axis=0)
        fine &= (missed.reshape(-1, 2) <= 10 * tolerance * math.sqrt(scale[1])).all(axis=1)
        fine |= (middle <= low) | (middle >= high)
        total += sums[:, fine].sum(axis=1)
        error += gap[:, fine].sum(axis=1)
        if fine.all():
            break
        again = np.repeat(~fine, 2)
        low, high, whole = left[again], right[again], halves[:, again]
        if low.size > 20_000:
            # noise (a float32 function) or endless structure: take what there is, and say how good it is
            total += sums[:, ~fine].sum(axis=1)
            error += gap[:, ~fine].sum(axis=1)
            break
    return total, error, tail


def _edges(q: float, kinks: tuple[float, ...], reach: float) -> Array:
    """Panel edges: every sigma, every power of two (functions live on the scale of 1), every kink."""
    root = math.sqrt(q)
    end = reach * root
    powers = 2.0 ** np.arange(-2, max(math.ceil(math.log2(end)), -1) + 1)
    edges = np.concatenate([np.arange(-reach, reach + 1) * root, powers, -powers, np.array(kinks)])
    return np.unique(edges[np.abs(edges) <= end])


def _panels(function: Function, q: float, low: Array, high: Array) -> tuple[Array, Array]:
    """The five integrals (rows) over each panel (columns), and by how much its ends are missed.

    The miss is weighted by the density; rounding is not counted.
    """
    half = (high - low)[:, None] / 2
    x = (low + high)[:, None] / 2 + half * _POINTS
    value = _values(function, x)
    slope = _slope(value[:, :NODES], half, x[:, :NODES])
    density = np.exp(-x * x / (2 * q)) / math.sqrt(2 * math.pi * q)
    ends = np.abs(value[:, NODES:] - value[:, :NODES] @ _TO_ENDS.T)
    ends = np.where(ends <= 1e-14 * np.abs(value).max(axis=1, keepdims=True), 0.0, ends)
    missed = (ends * density[:, NODES:]).max(axis=1)
    x, value, weight = x[:, :NODES], value[:, :NODES], density[:, :NODES] * half * _WEIGHTS
    growth = value**2 * (x * x / q - 1) / (2 * q)
    items = (value, value**2, slope, slope**2, growth)
    return np.stack([(weight * item).sum(axis=1) for item in items]), missed


def _values(function: Function, x: Array) -> Array:
    value = np.asarray(function(x.ravel()), dtype=np.float64).reshape(x.shape)
    bad = ~np.isfinite(value)
    if bad.any():
        raise OptionError(
            f"the function gives {value[bad][0]} at x = {x[bad][0]:g}",
            expected="finite values",
            cause="it is not defined for every real number, or overflows",
        )
    return value


def _slope(value: Array, half: Array, x: Array) -> Array:
    """The derivative at the nodes; across a panel too narrow for a polynomial, its secant."""
    slope: Array = value @ _DERIVE.T / np.where(half > 0, half, 1.0)
    narrow = (half <= 1e-12 * np.maximum(1.0, np.abs(x[:, :1]))).ravel()
    if narrow.any():
        run = x[narrow, -1:] - x[narrow, :1]
        rise = value[narrow, -1:] - value[narrow, :1]
        slope[narrow] = np.divide(rise, run, out=np.zeros_like(rise), where=run > 0)
    return slope


def _differentiation(points: Array) -> Array:
    """Matrix that takes a polynomial's values at `points` to its derivative there (barycentric form)."""
    apart = points[:, None] - points[None, :]
    np.fill_diagonal(apart, 1.0)
    bary = 1 / apart.prod(axis=1)
    matrix: Array = bary[None, :] / bary[:, None] / apart
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def _interpolation(points: Array, targets: Array) -> Array:
    """Matrix that takes a polynomial's values at `points` to those at `targets` (Lagrange form)."""
    apart = points[:, None] - points[None, :]
    np.fill_diagonal(apart, 1.0)
    rows = [
        [np.prod(np.delete(t - points, k)) / apart[k].prod() for k in range(points.size)] for t in targets
    ]
    return np.array(rows)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)
_DERIVE = _differentiation(_NODES)
# a hair inside, so that a jump exactly at an edge belongs to one side
_ENDS = np.array([-1.0, 1.0]) * (1 - 1e-9)
_TO_ENDS = _interpolation(_NODES, _ENDS)
_POINTS = np.concatenate([_NODES, _ENDS])
