"""Strides: where a view lies in its whole, and what it reads there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from .. import maps, values
from ..axes import atoms_of, axes_of, patterns
from ..moments import Moments
from ..values import Value
from .calling import Call, rule
from .indexing import picked
from .views import ranged

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]
"""Sizes, strides and offset, in elements."""


def geometry(tensor: Tensor) -> Geometry:
    """Where a tensor's elements are in its storage."""
    return tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset())


@dataclass(frozen=True)
class Place:
    """A view's place in a whole: the range it takes of each axis, and the whole's axis for each of its own.

    Axes of the view that have one element have no axis of the whole: None.
    """

    ranges: tuple[range, ...]
    axes: tuple[int | None, ...]

    def meets(self, other: Place) -> bool:
        """Have both an element in common?"""
        return all(_meet(mine, theirs) for mine, theirs in zip(self.ranges, other.ranges, strict=True))

    def within(self, other: Place) -> bool:
        """Are all its elements the other's?"""
        return all(set(mine) <= set(theirs) for mine, theirs in zip(self.ranges, other.ranges, strict=True))


def _meet(one: range, other: range) -> bool:
    if one.step == other.step == 1:
        return max(one.start, other.start) < min(one.stop, other.stop)
    return any(i in other for i in one)


def place_of(view: Geometry, whole: Geometry) -> Place | None:
    """Where `view` lies in `whole`, None if that is no box (two axes in one, overlapping windows)."""
    sizes, strides, offset = whole
    wide = sorted((d for d, size in enumerate(sizes) if size > 1), key=lambda d: -strides[d])
    starts, rest = [0] * len(sizes), view[2] - offset
    for d in wide:
        if strides[d] < 1 or rest < 0:
            return None
        starts[d], rest = divmod(rest, strides[d])
    if rest or any(first >= size for first, size in zip(starts, sizes, strict=True)):
        return None
    ranges = [range(first, first + 1) for first in starts]
    axes = []
    for size, stride in zip(view[0], view[1], strict=True):
        along = _axis(size, stride, wide, whole, starts) if size > 1 else None
        if size > 1 and (along is None or along in axes):
            return None
        if along is not None:
            step = stride // strides[along]
            ranges[along] = range(starts[along], starts[along] + step * (size - 1) + 1, step)
        axes.append(along)
    return Place(tuple(ranges), tuple(axes))


def _axis(size: int, stride: int, wide: Sequence[int], whole: Geometry, starts: Sequence[int]) -> int | None:
    """The axis of `whole` with the largest stride that `size` steps of `stride` go along."""
    for d in wide:
        step, uneven = divmod(stride, whole[1][d])
        if step and not uneven and starts[d] + step * (size - 1) < whole[0][d]:
            return d
    return None


def split_for(view: Geometry, whole: Geometry) -> Geometry:
    """A flat `whole` with axes as the strides of `view` make them, if they do."""
    sizes, strides, offset = whole
    if len(sizes) != 1 or strides != (1,):
        return whole
    rest, found = sizes[0], []
    for stride in sorted({stride for size, stride in zip(view[0], view[1], strict=True) if size > 1})[::-1]:
        count, uneven = divmod(rest, stride)
        if uneven:
            return whole
        found.append(count)
        rest = stride
    made = (*found, rest)
    return made, tuple(math.prod(made[i + 1 :]) for i in range(len(made))), offset


def read(whole: Value, place: Place, shape: tuple[int, ...]) -> Value:
    """What the view at `place` of `whole` holds, under its own shape."""
    for d, taken in enumerate(place.ranges):
        whole = ranged(whole, d, taken.start, taken.stop, taken.step)
    mine = [d for d in place.axes if d is not None]
    return values.reshaped(permuted(whole, [*mine, *_others(mine, len(place.ranges))]), shape)


def permuted(x: Value, order: Sequence[int]) -> Value:
    kept = tuple(order)
    if kept == tuple(range(len(kept))):
        return x
    return values.moved(x, ("permute", kept), lambda m: maps.permute(m, kept), x.shape)


def _others(mine: Sequence[int], rank: int) -> list[int]:
    return [d for d in range(rank) if d not in mine]


@rule("as_strided")
def as_strided(call: Call) -> Value:
    """A box of its axes, windows along some of them, or places of any kind, which are taken as alike."""
    view = geometry(call.out)
    whole = split_for(view, geometry(call["self"]))
    x, place = values.reshaped(call.value("self"), whole[0]), place_of(view, whole)
    if place is not None:
        return read(x, place, call.shape)
    found = _windows(x, view, whole)
    return alike(call.shape, (x, 1.0)) if found is None else found


ALIKE = "a view of memory that is no box of axes: its elements were taken as alike"


def alike(shape: tuple[int, ...], *parts: tuple[Value, float]) -> Value:
    """A tensor of elements of the parts in their shares, nobody knows where."""
    size = float(sum(share * x.moments.mean_square for x, share in parts))
    mean = float(sum(share * x.moments.overall_mean for x, share in parts))
    pairs = mean**2 + sum(share**2 * (_different(x) - x.moments.overall_mean**2) for x, share in parts)
    axes = axes_of(shape)
    second = np.full((2,) * len(atoms_of(axes)), float(pairs))
    second[(1,) * second.ndim] = size
    notes: frozenset[str] = frozenset({ALIKE}).union(*(x.notes for x, _ in parts))
    spread = parts[0][0].scale_spread
    return values.fresh(Moments(axes, second, np.full((1,) * second.ndim, mean)), spread=spread, notes=notes)


def _different(x: Value) -> float:
    """E[x·x′] of two elements that are not the same one, anywhere."""
    moments, count = x.moments, math.prod(x.shape)
    total = moments.second
    for atom in atoms_of(moments.axes):
        total = np.tensordot(patterns(atom).share, total, (0, 0))
    return float(total * count - moments.mean_square) / (count - 1) if count > 1 else 0.0


def _windows(x: Value, view: Geometry, whole: Geometry) -> Value | None:
    """Several axes of the view along one of the whole: picked by index. None if it is not so."""
    found = _steps(view, whole)
    if found is None:
        return None
    starts, steps = found
    moments, mine = x.moments, [d for along in steps for d in along]
    for d in reversed(range(len(starts))):
        along = np.ix_(*(np.arange(view[0][v]) * step for v, step in steps[d].items()))
        index = np.asarray(sum(along, start=np.int64(starts[d])))
        if index.max() >= whole[0][d]:
            return None
        moments = picked(moments, d, index)
    wide = [d for d, size in enumerate(view[0]) if size > 1]
    order = [mine.index(d) for d in wide]
    picks = values.fresh(maps.permute(moments, order), spread=x.scale_spread, notes=x.notes)
    return values.reshaped(picks, view[0])


def _steps(view: Geometry, whole: Geometry) -> tuple[list[int], list[dict[int, int]]] | None:
    """(first place, {axis of the view: its step}) along each axis of the whole."""
    wide = sorted((d for d, size in enumerate(whole[0]) if size > 1), key=lambda d: -whole[1][d])
    starts, steps, rest = [0] * len(whole[0]), [dict[int, int]() for _ in whole[0]], view[2] - whole[2]
    for d in wide:
        starts[d], rest = divmod(rest, whole[1][d])
    for v, (size, stride) in enumerate(zip(view[0], view[1], strict=True)):
        if size > 1:
            along = _axis(size, stride, wide, whole, starts)
            if along is None:
                return None
            steps[along][v] = stride // whole[1][along]
    return starts, steps
