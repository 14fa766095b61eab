"""Moments: mean and second moments of a random tensor, per pattern of indices.

`second[pattern]` is E[x_i·x_j] for two elements whose indices stand to each other as the pattern
says (see `axes`); `mean[block]` is E[x_i]. The expectation is over everything that is drawn:
weights, inputs, dropout. Arithmetic is in `algebra`, moving elements in `maps`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from .axes import (
    Array,
    Atom,
    Axes,
    along,
    atoms_of,
    axes_of,
    block_shape,
    block_shares,
    coarsened,
    common,
    extent,
    pattern_shape,
    patterns,
    refined,
    same,
    start,
)


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of a tensor.

    Attributes:
        axes: what is alike, per axis.
        second: array over patterns.
        mean: array over blocks.
    """

    axes: Axes
    second: Array
    mean: Array

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return tuple(extent(dim) for dim in self.axes)

    @cached_property
    def square(self) -> Array:
        """E[x²], an array over blocks."""
        return same(self.second, self.axes)

    @cached_property
    def variance(self) -> Array:
        """Var[x], an array over blocks; never below 0."""
        return np.asarray(np.maximum(self.square - self.mean**2, 0.0))

    @cached_property
    def mean_square(self) -> float:
        """E[x²] over all elements: the square of the rms."""
        # differences of patterns may leave a rounding below 0
        return max(float((self.square * block_shares(self.axes)).sum()), 0.0)

    @cached_property
    def overall_mean(self) -> float:
        """E[x] over all elements."""
        return float((self.mean * block_shares(self.axes)).sum())

    @cached_property
    def fixed(self) -> bool:
        """Does nothing vary: is each element its block's mean, whatever was drawn?"""
        floor = 1e-12 * max(float(np.max(np.abs(self.square), initial=0.0)), 1e-300)
        return bool(np.all(self.square - self.mean**2 <= floor))


# making


def independent(shape: Sequence[int], mean: float, variance: float) -> Moments:
    """A tensor of `shape` with independent elements of one law."""
    axes = axes_of(shape)
    second = np.full(pattern_shape(axes), float(mean) ** 2)
    second[(1,) * second.ndim] += variance
    return Moments(axes, second, np.full(block_shape(axes), float(mean)))


def constant(shape: Sequence[int], value: float) -> Moments:
    """A tensor of `shape` that is `value` everywhere."""
    return independent(shape, value, 0.0)


def measured(values: Array) -> Moments:
    """The moments of given numbers, averaged over all pairs of indices of each pattern.

    Products of different elements are averaged without the equal ones (unbiased), axis by axis.
    """
    axes = axes_of(values.shape)
    wide = [d for d, size in enumerate(values.shape) if size > 1]
    second = np.empty((2,) * len(wide))
    for pattern in np.ndindex(*second.shape):
        summed = tuple(d for d, equal in zip(wide, pattern, strict=True) if not equal)
        second[pattern] = np.mean(values.mean(axis=summed) ** 2)
    for axis, d in enumerate(wide):
        size, moved = values.shape[d], np.moveaxis(second, axis, 0)
        moved[0] = (moved[0] - moved[1] / size) / (1 - 1 / size)
    return Moments(axes, second, np.full(block_shape(axes), values.mean()))


# the same blocks for two


def cut(x: Moments, dim: int, wanted: tuple[tuple[int, ...], ...]) -> Moments:
    """`x` with the atoms of axis `dim` cut finer into those `wanted`, one by one."""
    second, mean, place = x.second, x.mean, start(x.axes, dim)
    for offset, (old, new) in enumerate(zip(x.axes[dim], wanted, strict=True)):
        if old != new:
            index, block = refined(old, new)
            second = np.take(second, index, axis=place + offset)
            mean = np.take(mean, block, axis=place + offset)
    return Moments((*x.axes[:dim], wanted, *x.axes[dim + 1 :]), second, mean)


def split_evenly(x: Moments, dim: int, sizes: tuple[int, ...]) -> Moments:
    """Axis `dim`, one atom of one block, seen as the product of atoms of `sizes`."""
    place, k = start(x.axes, dim), len(sizes)
    second = np.moveaxis(x.second, place, 0)
    parts = np.empty((2,) * k + second.shape[1:])
    parts[:] = second[0]
    parts[(1,) * k] = second[1]
    second = np.moveaxis(parts, range(k), range(place, place + k))
    mean = np.expand_dims(x.mean, tuple(range(place, place + k - 1)))
    return Moments((*x.axes[:dim], tuple((n,) for n in sizes), *x.axes[dim + 1 :]), second, mean)


def flat(x: Moments, dim: int) -> Moments:
    """`x` with axis `dim` as one atom; blocks are kept where there was one atom, else averaged away."""
    if len(x.axes[dim]) <= 1:
        return x
    x = uniform(x, dim)
    place = start(x.axes, dim)
    while len(x.axes[dim]) > 1:
        x = _merge(x, dim, place)
    return x


def _merge(x: Moments, dim: int, place: int) -> Moments:
    (a,), (b,), *rest = x.axes[dim]
    second = np.moveaxis(x.second, (place, place + 1), (0, 1))
    differ = (b - 1) * second[1, 0] + (a - 1) * second[0, 1] + (a - 1) * (b - 1) * second[0, 0]
    merged = np.stack([differ / (a * b - 1), second[1, 1]])
    axes = (*x.axes[:dim], ((a * b,), *rest), *x.axes[dim + 1 :])
    return Moments(axes, np.moveaxis(merged, 0, place), np.squeeze(x.mean, place))


def uniform(x: Moments, dim: int) -> Moments:
    """`x` with one block per atom of axis `dim`: blocks averaged away."""
    second, mean, place = x.second, x.mean, start(x.axes, dim)
    atoms = x.axes[dim]
    for offset, atom in enumerate(atoms):
        if len(atom) > 1:
            over_patterns, over_blocks = coarsened(atom, (sum(atom),))
            second = along(second, over_patterns, place + offset)
            mean = along(mean, over_blocks, place + offset)
    wanted = tuple((sum(atom),) for atom in atoms)
    return Moments((*x.axes[:dim], wanted, *x.axes[dim + 1 :]), second, mean)


MOST_BLOCKS = 3


def coarse(x: Moments) -> Moments:
    """`x` with at most MOST_BLOCKS blocks per atom, `x` itself where it has no more."""
    for dim, atoms in enumerate(x.axes):
        for offset, atom in enumerate(atoms):
            if len(atom) > MOST_BLOCKS:
                x = _coarse(x, dim, offset)
    return x


def _coarse(x: Moments, dim: int, offset: int) -> Moments:
    atoms = x.axes[dim]
    wanted = fewer(atoms[offset])
    over_patterns, over_blocks = coarsened(atoms[offset], wanted)
    place = start(x.axes, dim) + offset
    axes = (*x.axes[:dim], (*atoms[:offset], wanted, *atoms[offset + 1 :]), *x.axes[dim + 1 :])
    return Moments(axes, along(x.second, over_patterns, place), along(x.mean, over_blocks, place))


def coarse_blocks(values: Array, axes: Axes) -> Array:
    """An array over blocks (and more axes behind), averaged over those that `coarse` joins."""
    for place, atom in enumerate(atoms_of(axes)):
        if len(atom) > MOST_BLOCKS and values.shape[place] > 1:
            values = along(values, coarsened(atom, fewer(atom))[1], place)
    return values


@lru_cache(maxsize=512)
def coarse_axes(axes: Axes) -> Axes:
    """The axes of what `coarse` gives."""
    return tuple(tuple(fewer(atom) if len(atom) > MOST_BLOCKS else atom for atom in atoms) for atoms in axes)


@lru_cache(maxsize=4096)
def fewer(atom: Atom) -> Atom:
    """MOST_BLOCKS blocks: the first, the last, and all between as one."""
    return (atom[0], sum(atom[1:-1]), atom[-1])


def aligned(x: Moments, y: Moments, dims: Sequence[tuple[int, int]]) -> tuple[Moments, Moments]:
    """`x` and `y` with the same atoms on each pair of axes (of x, of y), which have equal sizes."""
    for dx, dy in dims:
        x, y = _align(x, y, dx, dy)
    return x, y


def _align(x: Moments, y: Moments, dx: int, dy: int) -> tuple[Moments, Moments]:
    a, b = x.axes[dx], y.axes[dy]
    if a == b:
        return x, y
    if [sum(atom) for atom in a] == [sum(atom) for atom in b]:
        wanted = tuple(common(p, q) for p, q in zip(a, b, strict=True))
        return cut(x, dx, wanted), cut(y, dy, wanted)
    if len(a) == 1 and len(a[0]) == 1:
        return _align(split_evenly(x, dx, tuple(sum(atom) for atom in b)), y, dx, dy)
    if len(b) == 1 and len(b[0]) == 1:
        return _align(x, split_evenly(y, dy, tuple(sum(atom) for atom in a)), dx, dy)
    return _align(flat(x, dx), flat(y, dy), dx, dy)


def expand(x: Moments, shape: Sequence[int]) -> Moments:
    """`x` broadcast to `shape`: along a new axis all elements are the same one."""
    axes = ((),) * (len(shape) - len(x.axes)) + x.axes
    second, mean, place, found = x.second, x.mean, 0, []
    for dim, size in zip(axes, shape, strict=True):
        if not dim and size > 1:
            second = np.stack([second, second], axis=place)
            mean = np.expand_dims(mean, place)
            dim = ((size,),)
        found.append(dim)
        place += len(dim)
    return Moments(tuple(found), second, mean)


def broadcast(x: Moments, y: Moments) -> tuple[Moments, Moments]:
    """Both in their common shape, with the same atoms."""
    if x.axes == y.axes:
        return x, y
    shape = np.broadcast_shapes(x.shape, y.shape)
    x, y = expand(x, shape), expand(y, shape)
    return aligned(x, y, [(d, d) for d in range(len(shape))])


def regrouped(x: Moments, y: Moments) -> bool:
    """Are both the same numbers, of the same atoms, but for how these are grouped to axes?

    A reshape that only adds or takes away axes of size 1 changes no more. Whatever goes by patterns or
    blocks alone is the same for both.
    """
    if x.second is not y.second or x.mean is not y.mean:
        return False
    return x.axes == y.axes or atoms_of(x.axes) == atoms_of(y.axes)


def simplified(x: Moments, tolerance: float = 1e-9) -> Moments:
    """`x` with neighbouring blocks joined where nothing tells them apart."""
    for dim, atoms in enumerate(x.axes):
        for offset, atom in enumerate(atoms):
            if len(atom) > 1 and len(atoms) == 1:
                x = _joined(x, dim, start(x.axes, dim) + offset, atom, tolerance)
    return x


def _joined(x: Moments, dim: int, place: int, atom: tuple[int, ...], tolerance: float) -> Moments:
    over_patterns, over_blocks = coarsened(atom, (sum(atom),))
    index, block = refined((sum(atom),), atom)
    second, mean = along(x.second, over_patterns, place), along(x.mean, over_blocks, place)
    used = patterns(atom).pairs > 0
    back = np.take(second, index, axis=place)
    floor = tolerance * max(float(np.max(np.abs(x.second), initial=0.0)), 1e-300)
    differ = np.abs(np.compress(used, back - x.second, axis=place)).max(initial=0.0)
    if differ > floor or np.abs(np.take(mean, block, axis=place) - x.mean).max(initial=0.0) > math.sqrt(
        floor
    ):
        return x
    return replace(x, axes=(*x.axes[:dim], ((sum(atom),),), *x.axes[dim + 1 :]), second=second, mean=mean)


def traced(moments: Moments, change: Callable[[Moments], Moments]) -> NDArray[np.intp] | None:
    """For each block after `change` the block it was before; None if blocks were averaged."""
    number = moments.mean.size
    if number == 1:
        return np.zeros(change(moments).mean.shape, np.intp)
    labels = np.sqrt(np.arange(2, number + 2))
    after = change(replace(moments, mean=labels.reshape(moments.mean.shape))).mean
    index = np.searchsorted(labels, after)
    index = np.minimum(index, number - 1)
    return index if np.array_equal(labels[index], after) else None
