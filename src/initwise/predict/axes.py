"""Axes: what is known about *which* elements of a tensor are alike.

A tensor's statistics are kept per pattern of indices, not per element. Along one atom of an axis
the elements fall into blocks: within a block they are exchangeable, between blocks they are not
(a CLS token beside patches, the zeros that a slice's gradient is padded with). For a pair of
elements (i, j) an atom of k blocks knows k² + k patterns: i ≠ j with i in block a and j in block b
(place a·k + b), and i = j in block a (place k² + a). One block: 0 is "different", 1 is "the same".

An axis of size 1 has no atom; an axis made by merging others may have several, outermost first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

Atom = tuple[int, ...]
"""Sizes of the blocks, in order of the index."""
Dim = tuple[Atom, ...]
Axes = tuple[Dim, ...]
Array = NDArray[Any]


@dataclass(frozen=True)
class Patterns:
    """The patterns of one atom, as arrays over them.

    Attributes:
        left, right: the block of i and of j.
        equal: is i = j?
        pairs: how many ordered pairs (i, j) there are of this pattern.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    equal: NDArray[np.bool_]
    pairs: Array

    @cached_property
    def share(self) -> Array:
        """`pairs` over all pairs, n²."""
        return np.asarray(self.pairs / self.pairs.sum())


@lru_cache(maxsize=4096)
def patterns(atom: Atom) -> Patterns:
    """The pattern table of `atom`."""
    k, sizes = len(atom), np.array(atom, float)
    first, second = (grid.reshape(-1) for grid in np.indices((k, k)))
    same = np.arange(k)
    between = np.outer(sizes, sizes) - np.diag(sizes)
    return Patterns(
        np.concatenate([first, same]),
        np.concatenate([second, same]),
        np.concatenate([np.zeros(k * k, bool), np.ones(k, bool)]),
        np.concatenate([between.reshape(-1), sizes]),
    )


@lru_cache(maxsize=4096)
def shares_of(atom: Atom) -> Array:
    """Share of the elements that lie in each block of `atom`."""
    return np.asarray(np.array(atom) / sum(atom))


def single(size: int) -> Dim:
    """An axis whose elements are all alike."""
    return ((size,),) if size > 1 else ()


def axes_of(shape: Sequence[int]) -> Axes:
    """Axes of `shape` without any blocks."""
    return tuple(single(size) for size in shape)


@lru_cache(maxsize=4096)
def extent(dim: Dim) -> int:
    """Size of an axis."""
    return math.prod(sum(atom) for atom in dim)


@lru_cache(maxsize=4096)
def atoms_of(axes: Axes) -> tuple[Atom, ...]:
    """All atoms, in the order of the pattern arrays' axes."""
    return tuple(atom for dim in axes for atom in dim)


def start(axes: Axes, dim: int) -> int:
    """Place of the first atom of axis `dim` among all."""
    return sum(map(len, axes[:dim]))


@lru_cache(maxsize=4096)
def grouping(axes: Axes) -> tuple[tuple[int, ...], ...]:
    """The sizes of the atoms of each axis, whatever their blocks."""
    return tuple(tuple(sum(atom) for atom in dim) for dim in axes)


@lru_cache(maxsize=4096)
def places_of(axes: Axes, dims: tuple[int, ...]) -> frozenset[int]:
    """The places among all atoms of those of the axes `dims`."""
    return frozenset(start(axes, dim) + offset for dim in dims for offset in range(len(axes[dim])))


def pattern_shape(axes: Axes) -> tuple[int, ...]:
    """Shape of an array over patterns."""
    return tuple(len(atom) * (len(atom) + 1) for atom in atoms_of(axes))


def block_shape(axes: Axes) -> tuple[int, ...]:
    """Shape of an array over blocks."""
    return tuple(len(atom) for atom in atoms_of(axes))


@lru_cache(maxsize=512)
def block_shares(axes: Axes) -> Array:
    """Share of the elements that lie in each block: an array over blocks that sums to 1."""
    found = np.ones(())
    for atom in atoms_of(axes):
        found = np.multiply.outer(found, np.array(atom, float) / sum(atom))
    found.flags.writeable = False
    return found


def spread_left(values: Array, axes: Axes) -> Array:
    """An array over blocks, seen over patterns at the first element's block."""
    return values.reshape(-1)[left_blocks(axes)]


def spread_right(values: Array, axes: Axes) -> Array:
    """An array over blocks, seen over patterns at the second element's block."""
    return values.reshape(-1)[right_blocks(axes)]


def same(values: Array, axes: Axes) -> Array:
    """An array over patterns, where both elements are the same one: an array over blocks."""
    return values.reshape(-1)[_same_patterns(axes)]


@lru_cache(maxsize=512)
def left_blocks(axes: Axes) -> NDArray[np.intp]:
    """The first element's block (its place among all) for each pattern."""
    return _places(block_shape(axes), [patterns(atom).left for atom in atoms_of(axes)])


@lru_cache(maxsize=512)
def right_blocks(axes: Axes) -> NDArray[np.intp]:
    """The second element's block for each pattern."""
    return _places(block_shape(axes), [patterns(atom).right for atom in atoms_of(axes)])


@lru_cache(maxsize=512)
def _same_patterns(axes: Axes) -> NDArray[np.intp]:
    return _places(pattern_shape(axes), [np.flatnonzero(patterns(atom).equal) for atom in atoms_of(axes)])


def _places(shape: tuple[int, ...], index: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    found: NDArray[np.intp] = np.arange(math.prod(shape)).reshape(shape)[np.ix_(*index)]
    return found


def swapped(values: Array, axes: Axes) -> Array:
    """An array over patterns, for (j, i) instead of (i, j)."""
    for place, atom in enumerate(atoms_of(axes)):
        if len(atom) > 1:
            values = np.take(values, _swap(atom), axis=place)
    return values


@lru_cache(maxsize=4096)
def _swap(atom: Atom) -> NDArray[np.intp]:
    k = len(atom)
    return np.concatenate([np.arange(k * k).reshape(k, k).T.reshape(-1), np.arange(k * k, k * k + k)])


# one atom into another: matrices over patterns, and over blocks


@lru_cache(maxsize=4096)
def refined(old: Atom, new: Atom) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(pattern of `old` for each of `new`, block of `old` for each of `new`); `new` cuts `old` finer."""
    ends = list(accumulate(old))
    block = np.array([next(i for i, end in enumerate(ends) if stop <= end) for stop in accumulate(new)])
    table, k = patterns(new), len(old)
    left, right = block[table.left], block[table.right]
    return np.where(table.equal, k * k + left, left * k + right), block


@lru_cache(maxsize=4096)
def coarsened(old: Atom, new: Atom) -> tuple[Array, Array]:
    """(matrix over patterns, matrix over blocks) that average `old` over the blocks of `new`."""
    index, block = refined(new, old)
    pairs, sizes = patterns(old).pairs, np.array(old, float)
    over_patterns = np.zeros((len(new) * (len(new) + 1), len(pairs)))
    over_patterns[index, np.arange(len(pairs))] = pairs
    over_blocks = np.zeros((len(new), len(old)))
    over_blocks[block, np.arange(len(old))] = sizes
    return _averaging(over_patterns, new), over_blocks / over_blocks.sum(1, keepdims=True)


def _averaging(matrix: Array, atom: Atom) -> Array:
    """`matrix` with rows that sum to 1; a pattern that never occurs takes that of equal elements."""
    total = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, total, out=np.zeros_like(matrix), where=total > 0)
    k = len(atom)
    for row in np.flatnonzero(total[:, 0] == 0):
        shares[row] = shares[k * k + patterns(atom).left[row]]
    return np.asarray(shares)


def common(one: Atom, other: Atom) -> Atom:
    """The coarsest atom that cuts both."""
    if one == other:
        return one
    cuts = sorted(set(accumulate(one)) | set(accumulate(other)))
    return tuple(b - a for a, b in zip([0, *cuts[:-1]], cuts, strict=True))


def weighted(values: Array, weights: Array, axis: int) -> Array:
    """The sum along one axis of `values`, each times its weight."""
    rank = values.ndim
    order = [*range(axis), *range(axis + 1, rank), axis]
    return np.asarray((values if axis == rank - 1 else values.transpose(order)) @ weights)


def along(values: Array, matrix: Array, axis: int) -> Array:
    """`matrix` applied along one axis of `values`."""
    rank = values.ndim
    order = [axis, *range(axis), *range(axis + 1, rank)]
    turned = values.transpose(order)
    found = matrix @ turned.reshape(len(turned), -1)
    back = [*range(1, axis + 1), 0, *range(axis + 1, rank)]
    return np.asarray(found.reshape(len(matrix), *turned.shape[1:]).transpose(back))
