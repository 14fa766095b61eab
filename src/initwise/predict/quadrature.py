"""Quadrature: what a function does to a Gaussian, at one point and between two.

A function of z ~ N(0, 1) is its values on a fixed grid. Between two points whose z correlate by ρ,
E[f(z)g(z′)] = Σ_k a_k·b_k·ρ^k with the coefficients of normalized Hermite polynomials (Mehler).
What the series has not resolved at its end lies in kinks and steps, and counts as ρ^TAIL.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from .axes import Array

POINTS = 2048
"""An even number: no node at 0, where most activations have their kink, so that E[step²] is exactly ½."""
REACH = 8.5
TERMS = 40
TAIL = 60
NEGLIGIBLE = 1e-7
"""Share of a series below which its last terms are left out."""

GRID: Array = np.linspace(-REACH, REACH, POINTS)
WEIGHTS: Array = np.exp(-GRID * GRID / 2)
WEIGHTS /= WEIGHTS.sum()


def hermite(order: int, points: Array) -> Array:
    """The first `order` normalized Hermite polynomials at `points`, (order, points)."""
    found = np.zeros((order, len(points)))
    found[0], found[1] = 1.0, points
    for k in range(2, order):
        found[k] = (points * found[k - 1] - math.sqrt(k - 1) * found[k - 2]) / math.sqrt(k)
    return found


PROJECT: Array = (hermite(TERMS, GRID) * WEIGHTS).T
"""Values on the grid @ PROJECT = Hermite coefficients."""
QUANTILES: Array = np.cumsum(WEIGHTS) - WEIGHTS / 2
"""Φ at the grid's points."""


def mean(values: Array) -> Array:
    """E[f(z)]; `values` has the grid as its last axis."""
    return values @ WEIGHTS


def coefficients(values: Array) -> Array:
    """Hermite coefficients along the last axis."""
    return values @ PROJECT


def correlated(left: Array, right: Array, ends: Array, rho: Array) -> Array:
    """Σ_k left_k·right_k·ρ^k, and `ends` (what is left of E[f·g] at ρ = 1) as ρ^TAIL.

    Args:
        left, right: coefficients along the last axis, broadcast against `rho`.
        ends: E[f(z)g(z)] minus the sum of the series at ρ = 1.
        rho: correlations, within [−1, 1].
    """
    products = _shortened(left * right)
    total = np.zeros(np.broadcast_shapes(products.shape[:-1], rho.shape))
    for k in reversed(range(products.shape[-1])):
        total *= rho
        total += products[..., k]
    if np.any(ends):
        total += ends * np.sign(rho) * np.abs(rho) ** TAIL
    return total


def _shortened(products: Array) -> Array:
    """A series without its last terms, where they sum to nothing: most functions are smooth."""
    sizes = np.abs(products.reshape(-1, products.shape[-1])).max(0)
    rest = np.cumsum(sizes[::-1])[::-1]
    # "not at most": what is not a number stays
    return products[..., : int(np.count_nonzero(~(rest <= NEGLIGIBLE * rest[0])))]


# laws that are not Gaussian

STRATA = 4096
"""Points of a stratified sample of a sum of independent parts."""


@lru_cache(maxsize=64)
def _strata(number: int) -> Array:
    """Stratified standard normals in an order of their own: places on the grid's axis of Φ."""
    order = np.random.default_rng(number).permutation(STRATA)
    return (order + 0.5) / STRATA


def sampled(values: Array, number: int) -> Array:
    """A stratified sample of f(z), shuffled by `number`: for independent parts, different numbers."""
    return np.interp(_strata(number), QUANTILES, values)


def standardized(sample: Array) -> Array | None:
    """The quantiles of a sample on the grid, with mean 0 and variance 1; None if it does not vary."""
    law = np.interp(QUANTILES, (np.arange(STRATA) + 0.5) / STRATA, np.sort(sample))
    law = law - mean(law)
    deviation = math.sqrt(float(mean(law**2)))
    return law / deviation if deviation > 1e-12 * max(float(np.abs(sample).max()), 1e-300) else None


def underlying(law: Array, rho: Array) -> Array:
    """Correlations of Gaussians under which a monotone `law` of them has the correlations `rho`."""
    squares = coefficients(law) ** 2
    grid = np.linspace(-1.0, 1.0, 401)
    rest = max(float(mean(law**2) - squares.sum()), 0.0)
    made = np.polynomial.polynomial.polyval(grid, squares) + rest * np.sign(grid) * np.abs(grid) ** TAIL
    return np.where(rho >= 1.0, 1.0, np.interp(rho, np.maximum.accumulate(made), grid))


BINS = 64


def conditional(squares: Array, sample: Array, number: int) -> Array:
    """E[h(s)²|z]/E[h(s)²] on the grid of z.

    Args:
        squares: h² on the grid of s.
        sample: a stratified sample of s.
        number: that by which z is shuffled in it.
    """
    ranks = np.argsort(np.argsort(sample))
    at_sample = np.interp((ranks + 0.5) / STRATA, QUANTILES, squares)
    place = _strata(number)
    bins = np.minimum((place * BINS).astype(int), BINS - 1)
    means = np.bincount(bins, at_sample, BINS) / np.bincount(bins, minlength=BINS)
    found = np.interp(QUANTILES, (np.arange(BINS) + 0.5) / BINS, means)
    size = float(mean(found))
    return found / size if size > 0 else np.ones_like(found)
