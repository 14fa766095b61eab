"""What lies in the slivers that quadrature could not resolve: kinks, jumps, poles.

Around such a place x₀ the function is looked at on shells x₀ ± w·2ʲ. The integral over a shell
falls by a factor r from each shell to the next inner one: r = ½ where the integrand is bounded, on
both sides of a kink or a jump; r = 2^(s−1) for |x − x₀|^−s; r ≥ 1 where the integral diverges. The
part within the innermost shell is then r/(1 − r) times the shell. A jump itself lies between the
shells of its two sides, so it never counts as slope.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.errors import OptionError

if TYPE_CHECKING:
    from .quadrature import Array, Tally

DIVERGES = 0.93
"""The smallest r that is refused: for powers s > 0.9 what lies within the shells is not told well enough."""
ENDLESS = 0.999
"""The smallest r that is called infinite."""


class Depth(NamedTuple):
    """How close to look: sliver width over max(|x|, √q), and the shells, in powers of two of it."""

    thin: float
    inner: int
    outer: int


def depth_for(tolerance: float) -> Depth:
    """As close as the function's own precision (float64 or float32) lets a secant mean something."""
    return Depth(2.0**-36, 4, 20) if tolerance < 1e-8 else Depth(2.0**-14, 2, 8)


def inside(function: Tally, q: float, slivers: Array, scale: Array, tolerance: float) -> tuple[Array, Array]:
    """The five integrals over all slivers together, and their errors.

    Args:
        function: the function. q: variance of x.
        slivers: (2, n) lower and upper ends. scale: size of the five integrals.
        tolerance: the function's precision.

    Raises:
        OptionError: E[f²] is infinite.
    """
    if not slivers.size:
        return np.zeros(5), np.zeros(5)
    depth = depth_for(tolerance)
    low, high = _merged(slivers)
    centre, width = (low + high) / 2, (high - low) / 2
    shells = _shells(function, q, centre, width, depth)
    innermost, outermost = shells[:, :, 0], shells[:, :, -1]
    ratio = (innermost / np.maximum(outermost, 1e-300)) ** (1 / (shells.shape[2] - 1))
    matters = innermost > 1e-14 * scale[:, None]
    endless = matters & (ratio >= DIVERGES)
    _refuse_poles(endless, ratio, centre)
    bounded = np.minimum(np.where(matters, ratio, 0.5), DIVERGES)
    within = innermost * bounded ** (depth.inner + 1) / (1 - bounded)
    # E[f] and E[f′] have a sign that the shells do not: they are covered by the error alone
    doubt = within.sum(axis=1)
    parts = np.where(np.arange(5) % 2 == 1, doubt, 0.0)
    if endless[2:4].any():
        parts[2], parts[3] = math.nan, math.inf
        doubt[2:4] = math.inf
    return parts, doubt


def _merged(slivers: Array) -> tuple[Array, Array]:
    """Slivers that touch are one: the break may lie on their common end."""
    order = np.argsort(slivers[0])
    low, high = slivers[0][order], slivers[1][order]
    width = high - low
    first = np.concatenate([[True], low[1:] > high[:-1] + width[1:]])
    start = np.flatnonzero(first)
    return low[start], np.maximum.reduceat(high, start)


def _shells(function: Tally, q: float, centre: Array, width: Array, depth: Depth) -> Array:
    """(5, breaks, shells): the sizes of the five integrands over each shell, both sides, inner first."""
    steps = np.concatenate([[0.0], 2.0 ** np.arange(depth.inner, depth.outer + 2)])[1:]
    away = width[:, None] * steps
    totals = np.zeros((5, centre.size, steps.size - 1))
    for side in (-1, 1):
        x = centre[:, None] + side * away
        value = function(x)
        run, rise = np.diff(away, axis=1), np.diff(value, axis=1)
        mean = (np.abs(value[:, 1:]) + np.abs(value[:, :-1])) / 2
        rise = np.where(np.abs(rise) <= 4e-16 * mean, 0.0, rise)
        density = np.exp(-centre * centre / (2 * q))[:, None] / math.sqrt(2 * math.pi * q)
        far = np.maximum(1.0, np.abs(centre * centre / q - 1))[:, None]
        items = (mean, mean**2, np.abs(rise) / run, (rise / run) ** 2, far * mean**2 / (2 * q))
        totals += np.stack([density * run * item for item in items])
    return totals


def _refuse_poles(endless: Array, ratio: Array, centre: Array) -> None:
    poles = endless[0] | endless[1]
    if not poles.any():
        return
    place, power = float(centre[poles][0]), 1 + math.log2(max(float(ratio[1][poles][0]), 1e-9))
    if power < 1 + math.log2(ENDLESS):
        raise OptionError(
            f"E[f²] cannot be told: f² grows like |x − {place:.3g}|^−{power:.3f} at x = {place:.6g}",
            expected="a function whose square can be integrated",
            cause="it is finite, but nearly all of it lies closer to the pole than floats reach",
        )
    raise OptionError(
        f"E[f²] is infinite: the function has a pole at x = {place:.6g}",
        expected="a function whose square can be integrated",
    )
