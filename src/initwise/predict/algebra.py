"""Algebra: sums, products, means and contractions of moments.

Two tensors in one operation are independent; what is known of dependent ones is in `values`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .axes import Array, along, extent, patterns, shares_of, spread_left, spread_right, start, weighted
from .moments import Moments, aligned, broadcast, expand


def cross(x: Moments, y: Moments) -> Array:
    """E[x_i]·E[y_j] + E[y_i]·E[x_j] over patterns, for x and y with the same axes."""
    axes = x.axes
    one = spread_left(x.mean, axes) * spread_right(y.mean, axes)
    return np.asarray(one + spread_left(y.mean, axes) * spread_right(x.mean, axes))


def add(x: Moments, y: Moments, alpha: float = 1.0) -> Moments:
    """x + alpha·y of independent tensors."""
    x, y = broadcast(x, y)
    second = x.second + alpha * alpha * y.second
    if x.mean.any() and y.mean.any():
        second = second + alpha * cross(x, y)
    return Moments(x.axes, second, x.mean + alpha * y.mean)


def multiply(x: Moments, y: Moments) -> Moments:
    """x·y, element by element, of independent tensors."""
    x, y = broadcast(x, y)
    return Moments(x.axes, x.second * y.second, x.mean * y.mean)


def scale(x: Moments, factor: float) -> Moments:
    """factor·x."""
    return Moments(x.axes, x.second * (factor * factor), x.mean * factor)


def average(x: Moments, dims: Sequence[int], *, keep: bool = True) -> Moments:
    """Mean over the axes `dims`, which stay with size 1 if `keep`."""
    second, mean, axes = x.second, x.mean, list(x.axes)
    for dim in sorted(dims, reverse=True):
        place = start(x.axes, dim)
        for offset in reversed(range(len(x.axes[dim]))):
            atom = x.axes[dim][offset]
            second = weighted(second, patterns(atom).share, place + offset)
            mean = weighted(mean, shares_of(atom), place + offset)
        axes[dim] = ()
    if not keep:
        axes = [dim for d, dim in enumerate(axes) if d not in dims]
    return Moments(tuple(axes), np.asarray(second), np.asarray(mean))


def total(x: Moments, dims: Sequence[int], *, keep: bool = True) -> Moments:
    """Sum over the axes `dims`."""
    return scale(average(x, dims, keep=keep), math.prod(x.shape[d] for d in dims))


def centre(x: Moments, dims: Sequence[int]) -> Moments:
    """x minus its mean over the axes `dims` (the actual one, not the expected)."""
    middle = expand(average(x, dims), x.shape)
    x, middle = aligned(x, middle, [(d, d) for d in range(len(x.axes))])
    meeting = with_mean(x, dims) + with_mean(x, dims, swap=True)
    return Moments(x.axes, x.second - meeting + middle.second, x.mean - middle.mean)


def with_mean(x: Moments, dims: Sequence[int], *, swap: bool = False) -> Array:
    """E[x_i·x̄_j] over patterns (with `swap` E[x̄_i·x_j]), x̄ the mean over `dims`."""
    second = x.second
    for dim in dims:
        place = start(x.axes, dim)
        for offset, atom in enumerate(x.axes[dim]):
            second = along(second, _against_all(atom, swap), place + offset)
    return second


@lru_cache(maxsize=1024)
def _against_all(atom: tuple[int, ...], swap: bool) -> Array:
    """Matrix over patterns: the value at (i, j) becomes the average over all j (with `swap`, all i)."""
    table, k, sizes = patterns(atom), len(atom), np.array(atom, float)
    matrix = np.zeros((len(table.left), len(table.left)))
    for row, (left, right) in enumerate(zip(table.left, table.right, strict=True)):
        fixed = right if swap else left
        for other in range(k):
            column = other * k + fixed if swap else fixed * k + other
            matrix[row, column] += (sizes[other] - (other == fixed)) / sizes.sum()
        matrix[row, k * k + fixed] += 1 / sizes.sum()
    return matrix


def contract(
    x: Moments,
    x_labels: str,
    y: Moments,
    y_labels: str,
    out: str,
    counts: dict[str, float] | None = None,
) -> Moments:
    """torch.einsum(f"{x_labels},{y_labels}->{out}") of independent tensors.

    E[Σ_k x_ik y_kj · Σ_l x_i′l y_lj′] = Σ_kl E[x_ik x_i′l]·E[y_kj y_lj′]: the pattern arrays are
    contracted, each pattern of a summed axis weighted by its number of pairs.

    Args:
        counts: how many terms a summed axis has on average, where not all take part (a
            convolution's taps at the border); by label.
    """
    shared = [(i, y_labels.index(label)) for i, label in enumerate(x_labels) if label in y_labels]
    x, y = _sized(x, y, shared)
    x, y = aligned(x, y, shared)
    numbers: dict[tuple[str, int], int] = {}
    dims = dict(zip(x_labels, x.axes, strict=True)) | dict(zip(y_labels, y.axes, strict=True))

    def letters(labels: str) -> list[int]:
        return [
            numbers.setdefault((label, i), len(numbers)) for label in labels for i in range(len(dims[label]))
        ]

    over_x, over_y, kept = letters(x_labels), letters(y_labels), letters(out)
    second, mean = {True: x.second, False: y.second}, {True: x.mean, False: y.mean}
    factor = 1.0
    for label, dim in dims.items():
        if label in out:
            continue
        ratio = (counts or {}).get(label, extent(dim)) / max(extent(dim), 1)
        factor *= ratio
        mine = label in x_labels  # the weights go to whichever operand has the axis
        for i, atom in enumerate(dim):
            place = (over_x if mine else over_y).index(numbers[label, i])
            second[mine] = _times_along(second[mine], _terms(atom, ratio if i == 0 else 1.0), place)
            mean[mine] = _times_along(mean[mine], np.array(atom, float), place)
    axes = tuple(dims[label] for label in out)
    return Moments(
        axes,
        _einsum(second[True], over_x, second[False], over_y, kept),
        _einsum(mean[True], over_x, mean[False], over_y, kept) * factor,
    )


def _times_along(values: Array, weights: Array, axis: int) -> Array:
    return values * weights.reshape([-1 if place == axis else 1 for place in range(values.ndim)])


LARGE = 1 << 20
"""Products in a sum beyond which a matrix product is worth looking for."""


def _einsum(x: Array, over_x: list[int], y: Array, over_y: list[int], kept: list[int]) -> Array:
    sizes = dict(zip(over_x, x.shape, strict=True)) | dict(zip(over_y, y.shape, strict=True))
    large = math.prod(sizes.values()) > LARGE
    return np.asarray(np.einsum(x, over_x, y, over_y, kept, optimize=large))


def _terms(atom: tuple[int, ...], ratio: float) -> Array:
    """Pairs of summed indices per pattern, when only a share `ratio` of the terms takes part."""
    table, n = patterns(atom), float(sum(atom))
    if ratio == 1.0 or n <= 1:
        return table.pairs * (ratio if n <= 1 else 1.0)
    fewer = ratio * max(ratio * n - 1, 0.0) / (n - 1)
    return np.where(table.equal, table.pairs * ratio, table.pairs * fewer)


def _sized(x: Moments, y: Moments, shared: Sequence[tuple[int, int]]) -> tuple[Moments, Moments]:
    """Both with equal sizes on the shared axes (size 1 is broadcast)."""
    for dx, dy in shared:
        n, m = extent(x.axes[dx]), extent(y.axes[dy])
        if n != m and n == 1:
            x = expand(x, [*x.shape[:dx], m, *x.shape[dx + 1 :]])
        elif n != m:
            y = expand(y, [*y.shape[:dy], n, *y.shape[dy + 1 :]])
    return x, y
