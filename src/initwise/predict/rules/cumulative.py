"""Products, running products and extremes, and elements by their rank, along one axis.

Elements along the axis are taken as independent but for a common part in extremes. Of n elements of
one law the k-th smallest lies below a quantile p with the probability that a binomial count of n and p
is at least k.
"""

from __future__ import annotations

import math

import numpy as np

from .. import maps, quadrature, related, values
from ..axes import Array, patterns, start
from ..bases import Factor
from ..choices import doubling
from ..moments import Moments, flat, uniform
from ..terms import Term
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .extremes import COMMON, SHARES, correlation, largest
from .indexing import resized
from .magnitudes import cumulated

COUNTED = 64
"""Running sizes that are told apart; of longer axes so many, spread over all."""


def _along(x: Moments, dim: int) -> tuple[Moments, Array, Array]:
    """(x without blocks along `dim`, E[x·x′] at one place of it, over the other axes; E[x] there)."""
    x = uniform(flat(x, dim), dim)
    place = start(x.axes, dim)
    if not x.axes[dim]:
        return x, x.second, x.mean
    return x, np.take(x.second, 1, place), np.take(x.mean, 0, place)


@rule("prod")
def product(call: Call) -> Value:
    """Of n independent elements E[∏x·∏x′] is E[x·x′]ⁿ, x and x′ at one place of two lines."""
    x = call.value("self")
    moments = x.moments
    whole = not isinstance(call.get("dim"), int)
    if whole:
        moments = maps.reshape(moments, (math.prod(x.shape),))
    dim = 0 if whole else call["dim"] % max(len(x.shape), 1)
    size = moments.shape[dim] if moments.axes else 1
    moments, second, mean = _along(moments, dim)
    axes = (*moments.axes[:dim], *moments.axes[dim + 1 :])
    found = Moments(axes, second**size, mean**size)
    return values.reshaped(
        values.fresh(found, spread=x.scale_spread * float(size), notes=x.notes), call.shape
    )


@rule("cumprod")
def running_product(call: Call) -> Value:
    """Up to place i: E[x·x′]ⁱ at one place, times mean^(j − i) up to a later place j."""
    x, dim = call.value("self"), call["dim"] % max(len(call.shape), 1)
    if not x.shape or x.shape[dim] == 1:
        return x
    size = x.shape[dim]
    moments, second, mean = _along(x.moments, dim)
    atom = doubling(size) if size > COUNTED // 4 else (1,) * size
    table, at = patterns(atom), np.cumsum(atom) - (np.array(atom) - 1) / 2
    axes = (*moments.axes[:dim], (atom,), *moments.axes[dim + 1 :])
    place, level = start(axes, dim), moments.overall_mean
    pairs = [(min(at[a], at[b]), abs(at[a] - at[b])) for a, b in zip(table.left, table.right, strict=True)]
    parts = [np.abs(second) ** i * np.sign(second) * abs(level) ** gap for i, gap in pairs]
    means = [np.abs(mean) ** i * np.sign(mean) for i in at]
    found = Moments(axes, np.stack(parts, place), np.stack(means, place))
    made = values.fresh(found, spread=x.scale_spread * (size / 2), notes=x.notes)
    related.depends(made, x)  # rays of light: each point's own part times what those before it let through
    return made


def _sizes(size: int) -> dict[float, float]:
    """Sizes 1 … n of what lies before each place, in equal shares."""
    kept = np.unique(np.linspace(1, size, min(size, COUNTED)).round())
    return {float(n): 1 / len(kept) for n in kept}


@rule("cummax", "cummin")
def running_extreme(call: Call) -> list[Value]:
    """The largest, or smallest, up to each place: mixed over all places."""
    x = call.value("self")
    if not x.shape:
        return [x, values.fixed((), 0.0)]
    dim, sign = call["dim"] % len(x.shape), 1.0 if call.name == "cummax" else -1.0
    best = largest(values.scaled(x, sign), [dim], _sizes(x.shape[dim]))
    found = resized(values.scaled(best, sign), call.shape)
    return [found, values.fixed(tuple(call.out[1].shape), 0.0)]


@rule("logcumsumexp")
def running_log_sum(call: Call) -> Value:
    """ln Σ exp up to place i ≈ the mean so far + ln i + v/2·(1 − 1/i)."""
    x = call.value("self")
    if not x.shape:
        return x
    dim, size = call["dim"] % len(x.shape), x.shape[call["dim"]]
    so_far = 1.0 + np.arange(size)
    share = values.fresh(cumulated(x.moments, dim, size, averaged=True), spread=x.scale_spread, notes=x.notes)
    inner = max(x.moments.mean_square - x.moments.overall_mean**2, 0.0) / 2
    level = np.log(so_far) + inner * (1 - 1 / so_far)
    return values.plus(share, values.expanded(values.fresh(_steps(level, dim, len(x.shape))), x.shape))


def _steps(level: Array, dim: int, rank: int) -> Moments:
    """Numbers along an axis, in blocks of doubling size."""
    atom = doubling(len(level))
    edges, sizes, table = np.cumsum([0, *atom[:-1]]), np.array(atom, float), patterns(atom)
    mean, square = (np.add.reduceat(numbers, edges) / sizes for numbers in (level, level**2))
    second = np.where(table.equal, square[table.left], mean[table.left] * mean[table.right])
    return Moments(tuple((atom,) if d == dim else () for d in range(rank)), second, mean)


# by rank


def _reached(share: Array, count: int, rank: int, rho: float) -> Array:
    """P(the `rank`-th smallest of `count` lies below quantile `share`), with correlation ρ between them."""
    grid = np.linspace(0.0, 1.0, 1025)
    tail = _binomial_tail(grid, count, rank)
    if rho < 1e-6:
        return np.asarray(np.interp(share, grid, tail))
    points = np.interp(share, quadrature.QUANTILES, quadrature.GRID)
    shifted = (points[..., None] - math.sqrt(rho) * COMMON) / math.sqrt(max(1 - rho, 1e-9))
    inner = np.interp(shifted, quadrature.GRID, quadrature.QUANTILES)
    return np.asarray(np.interp(inner, grid, tail) @ SHARES)


def _binomial_tail(p: Array, count: int, rank: int) -> Array:
    """P(at least `rank` of `count` with probability p each)."""
    with np.errstate(divide="ignore"):
        log_p, log_q = np.log(np.maximum(p, 1e-300)), np.log(np.maximum(1 - p, 1e-300))
    found = np.zeros_like(p)
    for j in range(rank, count + 1):
        choose = math.lgamma(count + 1) - math.lgamma(j + 1) - math.lgamma(count - j + 1)
        found += np.exp(choose + j * log_p + (count - j) * log_q)
    return np.minimum(found, 1.0)


def _ranked(x: Value, dim: int, rank: int) -> Value:
    """The `rank`-th smallest along `dim`, at as many places as x has."""
    factor = x.single or x.rebased().single
    assert factor is not None
    order = np.argsort(factor.on_grid, axis=-1, kind="stable")
    share = np.cumsum(quadrature.WEIGHTS[order], axis=-1)
    reached = _reached(np.minimum(share, 1.0), x.shape[dim], rank, correlation(factor.base, [dim]))
    chance = np.diff(reached, axis=-1, prepend=0.0)
    middle = np.clip(np.cumsum(chance, axis=-1) - chance / 2, 1e-12, 1 - 1e-12)
    ranked = np.take_along_axis(factor.on_grid, order, -1)
    width = ranked.shape[-1]
    rows = zip(middle.reshape(-1, width), ranked.reshape(-1, width), strict=True)
    found = np.stack([np.interp(quadrature.QUANTILES, p, r) for p, r in rows]).reshape(ranked.shape)
    return Value((Term((Factor(factor.base, found),)),), x.notes)


@rule("kthvalue", "median", "nanmedian")
def by_rank(call: Call) -> Value | list[Value]:
    """The k-th smallest, or the (lower) middle one, along an axis or of all."""
    x = call.value("self")
    if "dim" not in call.arguments:
        x = values.reshaped(x, (math.prod(x.shape),))
    dim = call.get("dim", 0) % max(len(x.shape), 1)
    size = x.shape[dim] if x.shape else 1
    if size > 4096:
        raise UnpredictedError(f"the rank of one among {size} elements")
    one = tuple(1 if d == dim else n for d, n in enumerate(x.shape))
    y = values.reshaped(resized(_ranked(x, dim, call.get("k", (size + 1) // 2)), one), call.shape)
    return y if "dim" not in call.arguments else [y, values.fixed(call.shape, 0.0)]
