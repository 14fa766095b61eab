"""Maps: what moving, picking and repeating elements does to moments. No number changes, only places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from .axes import Array, Atom, Dim, along, coarsened, extent, patterns, start
from .moments import Moments, aligned, expand, flat, uniform

__all__ = [
    "concatenate",
    "expand",
    "flip",
    "pad",
    "permute",
    "repeat",
    "reshape",
    "resize",
    "select",
    "take",
]


def permute(x: Moments, order: Sequence[int]) -> Moments:
    """Axes in a new order, as torch.permute."""
    places = [start(x.axes, dim) + i for dim in order for i in range(len(x.axes[dim]))]
    axes = tuple(x.axes[dim] for dim in order)
    return Moments(axes, x.second.transpose(places), x.mean.transpose(places))


def reshape(x: Moments, shape: Sequence[int]) -> Moments:
    """The same elements in row-major order under a new shape.

    Blocks survive where the new axes cut the old ones at block boundaries, else they are averaged.
    """
    if tuple(shape) == x.shape:
        return x
    work = _Atoms(x)
    dims: list[Dim] = []
    for group, sizes in _groups([extent(dim) for dim in x.axes], list(shape), work):
        if not work.fit(group, sizes):
            work.merge(group)
            work.split(group[0], [size for size in sizes if size > 1])
        dims += work.deal(sizes)
    return Moments(tuple(dims), work.second, work.mean)


class _Atoms:
    """The atoms of a tensor one after another, while they are dealt out to new axes."""

    def __init__(self, x: Moments) -> None:
        self.atoms: list[Atom] = [atom for dim in x.axes for atom in dim]
        self.second, self.mean = x.second, x.mean
        self.dealt = 0

    def deal(self, sizes: Sequence[int]) -> list[Dim]:
        """The next atoms as axes of `sizes`, which they fit."""
        found = []
        for size in sizes:
            first, product = self.dealt, 1
            while product < size:
                product *= sum(self.atoms[self.dealt])
                self.dealt += 1
            found.append(tuple(self.atoms[first : self.dealt]))
        return found

    def fit(self, group: range, sizes: Sequence[int]) -> bool:
        """Split atoms of `group` where that makes them products of `sizes`; False if it cannot."""
        place, stop = group.start, group.stop
        for size in sizes:
            product = 1
            while product < size:
                if place >= stop:
                    return False
                need, have = size // product, sum(self.atoms[place])
                if have > need:
                    if size % product or have % need or not self._even(place, have // need):
                        return False
                    self.split(place, [need, have // need])
                    stop += 1
                    have = need
                product *= have
                place += 1
            if product != size:
                return False
        return place == stop

    def _even(self, place: int, inner: int) -> bool:
        """Do the blocks of an atom end where runs of `inner` elements do?"""
        return all(size % inner == 0 for size in self.atoms[place])

    def split(self, place: int, sizes: Sequence[int]) -> None:
        """One atom as the product of several; its blocks go to the outermost."""
        if len(sizes) < 2:
            return
        atom, inner = self.atoms[place], math.prod(sizes[1:])
        outer = tuple(size // inner for size in atom) if self._even(place, inner) else (sizes[0],)
        if len(outer) != len(atom):
            self._coarsen(place)
        k, deep = len(outer), len(sizes) - 1
        second = np.moveaxis(self.second, place, 0)
        table = patterns(outer)
        parts = np.empty((len(table.left),) + (2,) * deep + second.shape[1:])
        parts[:] = second[table.left * k + table.right].reshape(
            (len(table.left),) + (1,) * deep + second.shape[1:]
        )
        equal: tuple[Any, ...] = (slice(k * k, None), *(1,) * deep)
        parts[equal] = second[k * k :]
        self.second = np.moveaxis(parts, range(deep + 1), range(place, place + deep + 1))
        self.mean = np.expand_dims(self.mean, tuple(range(place + 1, place + 1 + deep)))
        self.atoms[place : place + 1] = [outer, *((size,) for size in sizes[1:])]

    def _coarsen(self, place: int) -> None:
        atom = self.atoms[place]
        over_patterns, over_blocks = coarsened(atom, (sum(atom),))
        self.second, self.mean = (
            along(self.second, over_patterns, place),
            along(self.mean, over_blocks, place),
        )
        self.atoms[place] = (sum(atom),)

    def merge(self, group: range) -> None:
        """The atoms of `group` as one, without blocks."""
        if len(group) == 0:
            return
        dim = tuple(self.atoms[group.start : group.stop])
        # the arrays' axes are those of the atoms, however they are grouped into dims
        axes = (
            *((atom,) for atom in self.atoms[: group.start]),
            dim,
            *((a,) for a in self.atoms[group.stop :]),
        )
        x = flat(uniform(Moments(axes, self.second, self.mean), group.start), group.start)
        self.second, self.mean = x.second, x.mean
        self.atoms[group.start : group.stop] = list(x.axes[group.start])


def _groups(old: list[int], new: list[int], work: _Atoms):  # type: ignore[no-untyped-def]
    """(atoms, new sizes) of the smallest runs of old and new axes with the same number of elements."""
    i = j = 0
    # lists of how many atoms each old axis has change only behind the reader
    counts = [len(dim) for dim in _dims(old, work)]
    while i < len(old) or j < len(new):
        first_old, first_new = i, j
        have, want = 1, 1
        if i < len(old):
            have, i = old[i], i + 1
        if j < len(new):
            want, j = new[j], j + 1
        while have != want:
            if have < want:
                have, i = have * old[i], i + 1
            else:
                want, j = want * new[j], j + 1
        number = sum(counts[first_old:i])
        yield range(work.dealt, work.dealt + number), new[first_new:j]


def _dims(old: list[int], work: _Atoms) -> list[list[Atom]]:
    found, place = [], 0
    for size in old:
        atoms, product = [], 1
        while product < size:
            atoms.append(work.atoms[place])
            product *= sum(work.atoms[place])
            place += 1
        found.append(atoms)
    return found


def take(x: Moments, dim: int, kept: Sequence[tuple[int, int, int]]) -> Moments:
    """Of axis `dim`, `count` elements of each block: `kept` holds (block, count, order) triples.

    The axis becomes one atom; elements of one block stay exchangeable.
    """
    x = flat(x, dim)
    place = start(x.axes, dim)
    if not x.axes[dim]:
        return x
    blocks = [block for block, count, _ in kept if count > 0]
    atom = tuple(count for _, count, _ in kept if count > 0)
    k = len(x.axes[dim][0])
    if atom == (1,):
        second = np.take(x.second, k * k + blocks[0], axis=place)
        return Moments(_put(x.axes, dim, ()), second, np.take(x.mean, blocks[0], axis=place))
    table, number = patterns(atom), np.array(blocks)
    left, right = number[table.left], number[table.right]
    index = np.where(table.equal, k * k + left, left * k + right)
    axes = _put(x.axes, dim, (atom,))
    return Moments(axes, np.take(x.second, index, axis=place), np.take(x.mean, number, axis=place))


def _put(axes: tuple[Dim, ...], dim: int, new: Dim) -> tuple[Dim, ...]:
    return (*axes[:dim], new, *axes[dim + 1 :])


def cut_out(x: Moments, dim: int, begin: int, end: int, step: int = 1) -> Moments:
    """x[…, begin:end:step, …] along axis `dim`."""
    if (begin, end, step) == (0, x.shape[dim], 1):
        return x
    x = flat(x, dim)
    if not x.axes[dim]:
        return x
    wanted = np.arange(begin, end, step)
    edges = np.array([0, *accumulate(x.axes[dim][0])])
    counts = np.histogram(wanted, edges - 0.5)[0]
    return take(x, dim, [(block, int(count), block) for block, count in enumerate(counts)])


def select(x: Moments, dim: int, index: int) -> Moments:
    """x[…, index, …]: axis `dim` is gone."""
    x = flat(x, dim)
    if x.axes[dim]:
        x = cut_out(x, dim, index, index + 1)
    return Moments(tuple(d for i, d in enumerate(x.axes) if i != dim), x.second, x.mean)


def resize(x: Moments, dim: int, size: int) -> Moments:
    """Axis `dim` with `size` elements that are like those there are, in the same shares of blocks."""
    have = x.shape[dim]
    if have == size:
        return x
    x = uniform(flat(x, dim), dim)
    if size == 1:
        return take(x, dim, [(0, 1, 0)])
    if have == 1:
        shape = list(x.shape)
        shape[dim] = size
        return expand(x, shape)
    return Moments(_put(x.axes, dim, ((size,),)), x.second, x.mean)


def flip(x: Moments, dim: int) -> Moments:
    """Axis `dim` in reverse."""
    if all(len(atom) == 1 for atom in x.axes[dim]):
        return x
    x = flat(x, dim)
    atom = x.axes[dim][0]
    return take(x, dim, [(block, atom[block], i) for i, block in enumerate(reversed(range(len(atom))))])


def repeat(x: Moments, dim: int, times: int) -> Moments:
    """Axis `dim` repeated as a whole `times` times: equal elements recur at a distance."""
    if times == 1:
        return x
    shape = x.shape
    x = reshape(x, (*shape[:dim], 1, *shape[dim:]))
    x = expand(x, (*shape[:dim], times, *shape[dim:]))
    return reshape(x, (*shape[:dim], times * shape[dim], *shape[dim + 1 :]))


def pad(x: Moments, dim: int, before: int, after: int, value: float = 0.0) -> Moments:
    """`before` and `after` elements of `value` around axis `dim`."""
    pieces = [x]
    for count, where in ((before, 0), (after, len(pieces))):
        if count > 0:
            pieces.insert(where if where == 0 else len(pieces), _filled(x, dim, count, value))
    return concatenate(pieces, dim) if len(pieces) > 1 else x


def _filled(x: Moments, dim: int, count: int, value: float) -> Moments:
    axes = _put(x.axes, dim, ((count,),) if count > 1 else ())
    shape = tuple(len(atom) * (len(atom) + 1) for d in axes for atom in d)
    blocks = tuple(len(atom) for d in axes for atom in d)
    return Moments(axes, np.full(shape, value * value), np.full(blocks, value))


def concatenate(pieces: Sequence[Moments], dim: int) -> Moments:
    """The tensors one after another along axis `dim`, independent of each other: a block for each block."""
    pieces = [_one_atom(flat(piece, dim), dim) for piece in pieces]
    pieces = _all_aligned(pieces, dim)
    place = start(pieces[0].axes, dim)
    atom = tuple(size for piece in pieces for size in piece.axes[dim][0])
    owner = np.array([i for i, piece in enumerate(pieces) for _ in piece.axes[dim][0]])
    first = np.concatenate([[0], np.cumsum([len(piece.axes[dim][0]) for piece in pieces])])
    table = patterns(atom)
    seconds = [
        _pair(pieces, dim, place, owner, first, int(a), int(b), bool(same))
        for a, b, same in zip(table.left, table.right, table.equal, strict=True)
    ]
    mean = np.concatenate([piece.mean for piece in pieces], axis=place)
    return Moments(_put(pieces[0].axes, dim, (atom,)), np.stack(seconds, axis=place), mean)


def _pair(
    pieces: Sequence[Moments], dim: int, place: int, owner: Array, first: Array, a: int, b: int, same: bool
) -> Array:
    """Second moments between blocks a and b of the whole, over the patterns of the other axes."""
    one, other = pieces[int(owner[a])], pieces[int(owner[b])]
    i, j = a - int(first[int(owner[a])]), b - int(first[int(owner[b])])
    if one is other:
        k = len(one.axes[dim][0])
        return np.asarray(np.take(one.second, k * k + i if same else i * k + j, axis=place))
    rest = [atom for d, axis in enumerate(one.axes) if d != dim for atom in axis]
    left = np.take(one.mean, i, axis=place)[np.ix_(*(patterns(atom).left for atom in rest))]
    return np.asarray(
        left * np.take(other.mean, j, axis=place)[np.ix_(*(patterns(atom).right for atom in rest))]
    )


def _one_atom(x: Moments, dim: int) -> Moments:
    """An axis of size 1 as one atom of one element, so that it can stand beside others."""
    if x.axes[dim]:
        return x
    place = start(x.axes, dim)
    second = np.stack([x.second, x.second], axis=place)
    return Moments(_put(x.axes, dim, ((1,),)), second, np.expand_dims(x.mean, place))


def _all_aligned(pieces: Sequence[Moments], dim: int) -> list[Moments]:
    """All with the same atoms on every axis but `dim`."""
    dims = [(d, d) for d in range(len(pieces[0].axes)) if d != dim]
    found = [pieces[0]]
    for piece in pieces[1:]:
        found.append(aligned(piece, found[-1], dims)[0])
    return [aligned(piece, found[-1], dims)[0] for piece in found]
