"""What a softmax of n independent Gaussian scores of variance v gives to its keys, and ln of its sum.

With w = exp(√v·z) and Z the sum of n of them, 1/Zᵏ = ∫ tᵏ⁻¹ e^(−tZ) dt/Γ(k) takes the sum apart: with
φ(t) = E[e^(−tw)] and a_k(t) = E[(tw)ᵏ e^(−tw)], over u = ln t,

    E[pᵏ] = ∫ a_k φⁿ⁻¹ du / Γ(k),   E[p²p′²] = ∫ a₂² φⁿ⁻² du / 6,   E[ln Z] = ∫ (exp(−eᵘ) − φⁿ) du.

Kept are Σ E[p²], the share that is chosen; Σ E[p²(1 − 2p + Σ p²)], what the gradient's squares are
multiplied by; and E[ln Z].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ..axes import Array

DEVIATIONS: Array = np.concatenate(
    [np.linspace(0.0, 2.0, 41), np.linspace(2.125, 7.0, 40), np.linspace(7.25, 12.0, 20)]
)
VARIANCES: Array = DEVIATIONS**2
STEP = 0.5
"""Of u and of ln(tw): what is integrated is analytic in a strip of π/2, so the sum errs by e^(−π²/STEP)."""
REACH, DEEP = 7.5, 40.0
"""Deviations of z, and how far below 0 u begins: e^(−DEEP) times the largest n is nothing."""


@lru_cache(maxsize=1)
def _transforms() -> tuple[tuple[Array, Array, Array], ...]:
    """For each of DEVIATIONS: u, (a_1 … a_4 over u), 1 − φ."""
    return tuple(_transform(deviation) for deviation in DEVIATIONS)


def _transform(deviation: float) -> tuple[Array, Array, Array]:
    u = np.arange(-REACH * deviation - DEEP, REACH * deviation + 6.0, STEP)
    z = np.arange(-REACH, REACH, min(0.5, STEP / max(deviation, 1e-9)))
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    x = u[:, None] + deviation * z
    tw = np.exp(np.minimum(x, 50.0))
    term, powers = np.exp(-tw), []
    for _ in range(4):
        term = term * tw
        powers.append(term @ weights)
    return u, np.array(powers), -np.expm1(-tw) @ weights


@lru_cache(maxsize=4096)
def _tables(keys: float) -> tuple[Array, Array, Array]:
    """(Σ E[p²], Σ E[p²(1 − 2p + Σ p²)], E[ln Z]) over VARIANCES."""
    if keys <= 1 + 1e-9:
        return np.ones_like(VARIANCES), np.zeros_like(VARIANCES), np.zeros_like(VARIANCES)
    found = np.array([_integrals(keys, *transform) for transform in _transforms()])
    return found[:, 0], found[:, 1], found[:, 2]


def _integrals(keys: float, u: Array, powers: Array, missing: Array) -> tuple[float, float, float]:
    log_phi = np.log1p(-np.minimum(missing, 1 - 1e-16))
    others = np.exp((keys - 1) * log_phi)
    second, third, fourth = STEP * (powers[1:] @ others) / np.array([1.0, 2.0, 6.0])
    both = STEP * float(powers[1] ** 2 @ np.exp((keys - 2) * log_phi)) / 6
    level = STEP * float((np.exp(-np.exp(np.minimum(u, 50.0))) - np.exp(keys * log_phi)).sum())
    return keys * second, keys * (second - 2 * third + fourth + (keys - 1) * both), level


def chosen(variance: Array, keys: Array) -> Array:
    """Σ E[p²] among `keys` keys with scores of `variance`."""
    return _looked_up(variance, keys, lambda n, v: np.interp(v, VARIANCES, _tables(n)[0]))


def passed(share: Array, keys: Array) -> Array:
    """Σ E[p²(1 − 2p + Σ p²)] over Σ E[p²], where the latter is `share`."""

    def one(n: float, heads: Array) -> Array:
        even, through, _ = _tables(n)
        return np.interp(heads, even, through / even)

    return _looked_up(share, keys, one)


def level(variance: float, keys: float) -> float:
    """E[ln Σ exp(s)] of `keys` centred scores of `variance`; far out it grows like their largest."""
    deviation, table = math.sqrt(variance), _tables(float(keys))[2]
    if deviation > DEVIATIONS[-1]:
        return float(table[-1] * deviation / DEVIATIONS[-1])
    return float(np.interp(deviation, DEVIATIONS, table))


def _looked_up(values: Array, keys: Array, one: Callable[[float, Array], Array]) -> Array:
    numbers = np.round(np.broadcast_to(keys, values.shape), 2)
    found = np.empty(values.shape)
    for n in np.unique(numbers):
        found[numbers == n] = one(float(n), values[numbers == n])
    return found
