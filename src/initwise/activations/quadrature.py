"""Expectations of a function of a normal variable, adaptively, kinks or not.

Gauss–Legendre panels in x = √q·z; a panel is halved until its integrals agree with those of its
halves and the polynomial through its nodes meets the function at its ends (else a kink between the
last node and the end would go unseen). Derivatives come from that polynomial, so no step size has
to be chosen. What is left in a sliver around a kink, a jump or a pole is judged by `breaks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..core.errors import OptionError
from .breaks import depth_for, inside

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

NODES = 16
TOLERANCE = 1e-13
"""Relative error at which a panel is done, for a function of full float64 precision."""
REACHES = (12.0, 24.0, 37.0)
"""How far out to integrate, in sigmas: the density is 3e-32 at 12 and at the edge of float64 at 37."""
EPSILON = 2.0**-52
MOST_PANELS = 4_000
ROUNDS = 60


@dataclass(frozen=True)
class Expectations:
    """Expectations over x = √q·z, z ~ N(0, 1), of a function f.

    Attributes:
        value: E[f]. square: E[f²].
        slope: E[f′], f′ taken almost everywhere: a jump adds nothing; NaN if it does not exist.
        slope_square: E[f′²], likewise; inf if it diverges.
        growth: dE[f²]/dq = E[f²·(z² − 1)]/2q, also for functions that jump.
        errors: bounds on the absolute errors of these five.
        evaluations: how many values of f it took.
    """

    value: float
    square: float
    slope: float
    slope_square: float
    growth: float
    errors: tuple[float, ...]
    evaluations: int


def expectations(
    function: Function,
    q: float,
    kinks: tuple[float, ...] = (),
    tolerance: float = TOLERANCE,
    scout: bool = False,
) -> Expectations:
    """The expectations of `function` over N(0, √q).

    Args:
        function: float64 array → float64 array of the same shape, elementwise.
        q: variance of x, > 0.
        kinks: where the function or a low derivative of it jumps, if known.
        tolerance: relative error at which a panel is done; above the function's own noise.
        scout: look sixteen times closer within 4 σ, for spikes in a function nobody knows.

    Raises:
        OptionError: the function raises, gives NaN or infinity, has a pole, or grows so fast
            that E[f²] is infinite.
    """
    tally = Tally(function)
    if scout:
        kinks = (*kinks, *(float(edge) for edge in np.arange(-64, 65) / 16 * math.sqrt(q)))
    for reach in REACHES:
        with np.errstate(all="ignore"):
            totals, errors, tail = _integrate(tally, q, kinks, reach, tolerance)
        if not np.isfinite([*totals[:2], tail]).all():
            _refuse_huge(tally, q)
            break
        if tail <= 1e-13 * max(totals[1], totals[3]):
            return _result(totals, errors, q, tally.evaluations)
    raise OptionError(
        f"E[f²] over N(0, {math.sqrt(q):g}) does not converge within {REACHES[-1]:g} σ",
        expected="a function that grows clearly slower than exp(x²/4q): exp(0.22·x²/q) does",
    )


def _refuse_huge(function: Tally, q: float) -> None:
    """Raise OptionError if f² overflows within one sigma: its size is at fault, and not how it grows."""
    largest = float(np.abs(function(np.linspace(-1.0, 1.0, 65) * math.sqrt(q))).max())
    if largest > 1e150:
        raise OptionError(
            f"values up to {largest:.3g} within one sigma: their squares are too large for floating point",
            expected="values below 1e150",
            fix="Divide the function by a constant: the gain is multiplied by it.",
        )


def _result(totals: Array, errors: Array, q: float, evaluations: int) -> Expectations:
    if totals[3] * q <= 1e-28 * totals[1]:
        totals[2:4] = 0.0  # rounding of a constant
    value, square, slope, slope_square, growth = (float(total) for total in totals)
    # a gap is what the last halving changed; at an undeclared cusp the next ones may change as much again
    bounds = tuple(2 * float(error) for error in errors)
    return Expectations(value, square, slope, slope_square, growth, bounds, evaluations)


@dataclass
class Tally:
    """A function that is checked and counted."""

    function: Function
    evaluations: int = field(default=0)

    def __call__(self, x: Array) -> Array:
        """Values of the same shape. Raises OptionError where it raises or is not finite."""
        flat = x.ravel()
        self.evaluations += flat.size
        try:
            value = np.asarray(self.function(flat), dtype=np.float64).reshape(x.shape)
        except OptionError:
            raise
        except Exception as error:
            raise OptionError(
                f"the function raised {type(error).__name__}: {error}",
                expected="a value for every real number",
                cause=f"it was called between x = {flat.min():g} and x = {flat.max():g}",
            ) from error
        bad = ~np.isfinite(value)
        if bad.any():
            nearest = int(np.abs(x[bad]).argmin())
            raise OptionError(
                f"the function gives {value[bad][nearest]} at x = {x[bad][nearest]:g}",
                expected="finite values",
                cause="it is not defined for every real number, or overflows",
            )
        return value


def _integrate(
    function: Tally, q: float, kinks: tuple[float, ...], reach: float, tolerance: float
) -> tuple[Array, Array, float]:
    """Totals and errors of the five integrals, and how much of the squares lies in the outer sigma."""
    edges = _edges(q, kinks, reach)
    low, high = edges[:-1], edges[1:]
    whole, _, _ = _panels(function, q, low, high)
    scale = np.maximum(np.abs(whole).sum(axis=1), 1e-300)
    outer = np.maximum(np.abs(low), np.abs(high)) > (reach - 1) * math.sqrt(q)
    tail = float((whole[1] + whole[3])[outer].sum())
    thinnest = depth_for(tolerance).thin
    total, error, slivers = np.zeros(5), 1e-15 * scale, []
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        left, right = np.column_stack([low, middle]).ravel(), np.column_stack([middle, high]).ravel()
        halves, missed, rounding = _panels(function, q, left, right)
        sums = halves.reshape(5, -1, 2).sum(axis=2)
        gap = np.abs(sums - whole)
        allowed = tolerance * scale[:, None] + rounding.reshape(5, -1, 2).sum(axis=2)
        fine = (gap <= allowed).all(axis=0)
        fine &= (missed.reshape(-1, 2) <= 10 * tolerance * math.sqrt(scale[1])).all(axis=1)
        thin = ~fine & (high - low <= thinnest * np.maximum(np.abs(middle), math.sqrt(q)))
        slivers.append(np.stack([low[thin], high[thin]]))
        rest = ~fine & ~thin
        if int(rest.sum()) > MOST_PANELS:
            # noise or endless structure: take what there is, and say how good it is
            fine, rest = ~thin, rest & False
        # a panel too light to matter may hide a jump, whose slope grows with every halving
        gap = np.where(gap > 0.05 * np.abs(sums), np.maximum(gap, np.abs(sums)), gap)
        # nor is a gap that is only rounding's a measure of what rounding does
        gap = np.where(gap > tolerance * scale[:, None], np.maximum(gap, allowed), gap)
        total += sums[:, fine].sum(axis=1)
        error += gap[:, fine].sum(axis=1)
        again = np.repeat(rest, 2)
        low, high, whole = left[again], right[again], halves[:, again]
        if not low.size:
            break
    within, doubt = inside(function, q, np.concatenate(slivers, axis=1), scale, tolerance)
    return total + within, error + doubt, tail


def _edges(q: float, kinks: tuple[float, ...], reach: float) -> Array:
    """Panel edges: every sigma, every power of two (functions live on the scale of 1), every kink."""
    root = math.sqrt(q)
    end = reach * root
    powers = 2.0 ** np.arange(-2, max(math.ceil(math.log2(end)), -1) + 1)
    edges = np.concatenate([np.arange(-reach, reach + 1) * root, powers, -powers, np.array(kinks)])
    return np.unique(edges[np.abs(edges) <= end])


def _panels(function: Tally, q: float, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """The five integrals (rows) over each panel (columns), by how much its ends are missed, and rounding.

    The miss is weighted by the density; rounding is not counted in it.
    """
    half = (high - low)[:, None] / 2
    x = (low + high)[:, None] / 2 + half * _POINTS
    # a few ulp inside, so that a jump exactly at an edge belongs to one side and none hides beyond the probe
    hair = np.minimum(4 * EPSILON * np.maximum(np.abs(low), np.abs(high)), 1e-9 * half.ravel())
    x[:, NODES], x[:, NODES + 1] = low + hair, high - hair
    value = function(x)
    # the square root of the density, so that squares of huge values do not overflow before they are weighed
    root = np.exp(-x * x / (4 * q)) / (2 * math.pi * q) ** 0.25
    ends = np.abs(value[:, NODES:] - value[:, :NODES] @ _TO_ENDS.T) * root[:, NODES:]
    x, value, root = x[:, :NODES], value[:, :NODES], root[:, :NODES]
    value, slope = value * root, _slope(value, half, x) * root
    noise = _noise(x, value, half.ravel())
    missed = np.where(ends <= 32 * noise[:, None], 0.0, ends).max(axis=1) * root.max(axis=1)
    growth = value**2 * (x * x / q - 1) / (2 * q)
    items = (value * root, value**2, slope * root, slope**2, growth)
    integrals = np.stack([(half * _WEIGHTS * item).sum(axis=1) for item in items])
    return integrals, missed, _rounding(half.ravel(), noise, value, slope, root, q)


def _noise(x: Array, value: Array, half: Array) -> Array:
    """By how much rounding of x and of f(x) moves a value, in each panel."""
    steep = np.ptp(value, axis=1) / np.maximum(half, 1e-300)
    found: Array = EPSILON * (np.abs(value).max(axis=1) + np.abs(x).max(axis=1) * steep)
    return found


def _rounding(half: Array, noise: Array, value: Array, slope: Array, root: Array, q: float) -> Array:
    """By how much it moves each of the five integrals over each panel."""
    size, steep, most = np.abs(value).max(axis=1), np.sqrt((slope**2).mean(axis=1)), root.max(axis=1)
    slope_noise = _AMPLIFY * noise / np.maximum(half, 1e-300)
    square = (2 * size + noise) * noise
    slope_square = (2 * steep + slope_noise) * slope_noise
    items = (noise * most, square, slope_noise * most, slope_square, square / (2 * q))
    return np.stack([2 * half * item for item in items])


def _slope(value: Array, half: Array, x: Array) -> Array:
    """The derivative at the nodes; across a panel too narrow for a polynomial, its secant."""
    # a constant's rounding has no slope
    flat = np.ptp(value, axis=1) <= 4e-16 * np.abs(value).max(axis=1)
    slope: Array = value @ _DERIVE.T / np.where(half > 0, half, 1.0)
    slope[flat] = 0.0
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
_AMPLIFY = math.sqrt(float((_WEIGHTS * (_DERIVE**2).sum(axis=1)).sum() / 2))
_ENDS = np.array([-1.0, 1.0])
_TO_ENDS = _interpolation(_NODES, _ENDS)
_POINTS = np.concatenate([_NODES, _ENDS])
