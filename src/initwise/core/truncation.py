"""Moments of a truncated normal."""

from __future__ import annotations

import functools
import math

import numpy as np

FARTHEST = 38.5
"""Sigmas beyond which a normal's tail holds less than 5e-324: no probability, to any float."""


@functools.lru_cache(maxsize=4096)
def truncated_moments(a: float, b: float) -> tuple[float, float] | None:
    """Mean and std of z ~ N(0,1) given a < z < b (in sigmas), or None if that holds no probability.

    By Gauss–Legendre quadrature of the density relative to its maximum on [a, b], so that far
    tails ([6, 7]) and slivers ([-0.001, 0.001]) keep full accuracy.
    """
    mode = min(max(0.0, a), b)
    if abs(mode) > FARTHEST:
        return None
    # beyond these the density is below 1e-20 of its maximum on the interval
    reach = 10.0 if mode == 0 else min(10.0, 50.0 / abs(mode))
    low, high = max(a, mode - reach), min(b, mode + reach)
    if not low < high:
        return None
    nodes, weights = np.polynomial.legendre.leggauss(80)
    edges = np.linspace(low, high, 17)
    half = (edges[1:] - edges[:-1])[:, None] / 2
    # t is the distance from the mode: differences stay exact however far out the mode is
    t = (edges[:-1][:, None] - mode) + half * (1 + nodes)
    density = np.exp(-t * (mode + t / 2)) * weights * half
    total = density.sum()
    if not total > 0:
        return None
    mean = float((t * density).sum() / total)
    variance = float(((t - mean) ** 2 * density).sum() / total)
    return mode + mean, math.sqrt(variance)
