"""Sided: `Moments` of two tensors at once, whose `second` is E[x_i·y_j] over patterns, and not symmetric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .algebra import multiply
from .axes import (
    Array,
    Axes,
    block_shape,
    extent,
    pattern_shape,
    spread_left,
    spread_right,
    start,
    swapped,
)
from .moments import Moments, aligned, broadcast, expand, flat, uniform

if TYPE_CHECKING:
    from .bases import Factor


def at_two_places(x: Moments, dim: int, i: int, j: int) -> Moments:
    """E[x_i…·y_j…] for two different places of axis `dim`, which is gone."""
    x = flat(x, dim)
    second, mean = x.second, x.mean
    if x.axes[dim]:
        (atom,) = x.axes[dim]
        ends, place = np.cumsum(atom), start(x.axes, dim)
        one, other = (int(np.searchsorted(ends, index, side="right")) for index in (i, j))
        second = np.take(second, one * len(atom) + other, axis=place)
        mean = np.take(mean, one, axis=place)
    return Moments((*x.axes[:dim], *x.axes[dim + 1 :]), second, mean)


def on_axes(x: Moments, axes: Axes) -> Moments:
    """`x` on given axes; blocks that these have not are averaged away."""
    x = expand(x, [extent(dim) for dim in axes])
    blank = Moments(axes, np.zeros(pattern_shape(axes)), np.zeros(block_shape(axes)))
    for dim, wanted in enumerate(axes):
        x = x if x.axes[dim] == wanted else uniform(flat(x, dim), dim)
    return aligned(x, blank, [(d, d) for d in range(len(axes))])[0]


def placed(x: Moments, blocks: Moments, numbers: Array) -> tuple[Moments, Array]:
    """`x` with blocks fine enough for numbers over the blocks of another tensor, and those over its own."""
    given = Moments(blocks.axes, np.zeros_like(blocks.second), np.broadcast_to(numbers, blocks.mean.shape))
    x, given = aligned(x, given, [(d, d) for d in range(len(x.axes))])
    return x, given.mean


def apart(x: Moments, y: Moments) -> Moments:
    """E[x_i]·E[y_j] over patterns."""
    x, y = broadcast(x, y)
    both = spread_left(x.mean, x.axes) * spread_right(y.mean, x.axes)
    return Moments(x.axes, both, np.zeros_like(x.mean))


def transposed(x: Moments) -> Moments:
    """E[y_i·x_j]."""
    return replace(x, second=swapped(x.second, x.axes))


def plus(x: Moments, y: Moments, sign: float = 1.0) -> Moments:
    x, y = broadcast(x, y)
    return Moments(x.axes, x.second + sign * y.second, np.zeros_like(x.mean))


def less(x: Moments, y: Moments) -> Moments:
    return plus(x, y, -1.0)


def size_of(x: Moments, y: Moments) -> float:
    return math.sqrt(x.mean_square * y.mean_square)


def left_of(factor: Factor) -> Moments:
    """E[f(x_i)·1]."""
    axes = factor.base.moments.axes
    return Moments(axes, spread_left(factor.mean, axes), factor.mean)


def right_of(factor: Factor) -> Moments:
    """E[1·f(x_j)]."""
    axes = factor.base.moments.axes
    return Moments(axes, spread_right(factor.mean, axes), np.ones_like(factor.mean))


def mean_of(factors: Sequence[Factor]) -> Moments:
    """E[∏f(x_i)·1], of functions of independent bases."""
    found = left_of(factors[0])
    for factor in factors[1:]:
        found = multiply(found, left_of(factor))
    return found


def means_over(means: Array, factor: Factor, moments: Moments) -> Array:
    """Means over the blocks of a base, over those of `moments`, the same tensor cut finer."""
    if factor.base.moments.axes == moments.axes:
        return np.broadcast_to(means, moments.mean.shape)
    return np.full(moments.mean.shape, float(np.mean(means)))


def series_over(factor: Factor, moments: Moments) -> Array:
    """Hermite coefficients without the mean, (blocks, terms)."""
    known = factor.coefficients.reshape(-1, factor.coefficients.shape[-1])
    if factor.base.moments.axes != moments.axes or len(known) != moments.mean.size:
        known = np.broadcast_to(known.mean(0), (moments.mean.size, known.shape[-1]))
    found = known.copy()
    found[:, 0] = 0.0
    return found
