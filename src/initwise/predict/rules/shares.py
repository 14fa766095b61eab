"""What a softmax of n independent Gaussian scores of variance v gives to its keys.

p = w/(w + R) with w = exp(√v·z) and R the sum of the n − 1 others, taken as lognormal with their mean
and variance (Fenton–Wilkinson). Kept are Σ E[p²], the share that is chosen, and Σ E[p²(1 − 2p + Σ p²)],
what the gradient's squares are multiplied by; the keys but one share like n − 1 keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ..axes import Array

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
VARIANCES: Array = np.linspace(0.0, 7.0, 141) ** 2


@lru_cache(maxsize=4096)
def _tables(keys: float) -> tuple[Array, Array]:
    """(chosen, passed) over VARIANCES."""
    return _powers(keys)[0], _powers(keys)[1] * (1 + _powers(max(keys - 1, 1.0))[0])


@lru_cache(maxsize=4096)
def _powers(keys: float) -> tuple[Array, Array]:
    """(n·E[p²], n·E[p²(1 − p)²]) over VARIANCES."""
    if keys <= 1 + 1e-9:
        return np.ones_like(VARIANCES), np.zeros_like(VARIANCES)
    others, v = keys - 1, VARIANCES[:, None, None]
    spread = np.log1p(np.expm1(v) / others)
    rest = np.exp(np.log(others) + v / 2 - spread / 2 + np.sqrt(spread) * NODES[None, None])
    p = 1 / (1 + rest * np.exp(-np.sqrt(v) * NODES[None, :, None]))
    squares, through = (
        keys * np.einsum("vij,i,j->v", f, WEIGHTS, WEIGHTS) for f in (p**2, (p * (1 - p)) ** 2)
    )
    return squares, through


def chosen(variance: Array, keys: Array) -> Array:
    """Σ E[p²] among `keys` keys with scores of `variance`."""
    return _looked_up(variance, keys, lambda n, v: np.interp(v, VARIANCES, _tables(n)[0]))


def passed(share: Array, keys: Array) -> Array:
    """Σ E[p²(1 − 2p + Σ p²)] over Σ E[p²], where the latter is `share`."""

    def one(n: float, heads: Array) -> Array:
        even, through = _tables(n)
        return np.interp(heads, even, through / even)

    return _looked_up(share, keys, one)


def _looked_up(values: Array, keys: Array, one: Callable[[float, Array], Array]) -> Array:
    numbers = np.round(np.broadcast_to(keys, values.shape), 2)
    found = np.empty(values.shape)
    for n in np.unique(numbers):
        found[numbers == n] = one(float(n), values[numbers == n])
    return found
