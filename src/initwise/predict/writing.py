"""Writing in place: what a write leaves of the rest."""

from __future__ import annotations

from collections.abc import Sequence

from . import values
from .rules.strided import Place, permuted
from .rules.views import joined, ranged
from .values import Value


def written(whole: Value, place: Place, piece: Value) -> Value | None:
    """`whole` after `piece` was written at `place`: parts one after another. None: the steps leave a rest."""
    mine = [d for d in place.axes if d is not None]
    sizes = tuple(len(place.ranges[d]) for d in mine)
    ordered = permuted(values.reshaped(piece, sizes), sorted(range(len(mine)), key=lambda i: mine[i]))
    box = tuple(len(taken) for taken in place.ranges)
    return _put(whole, values.reshaped(ordered, box), place.ranges)


def _put(whole: Value, piece: Value, ranges: Sequence[range]) -> Value | None:
    shape = whole.shape
    dim = next((d for d, taken in enumerate(ranges) if len(taken) < shape[d]), None)
    if dim is None:
        return piece
    taken = ranges[dim]
    if taken.step > 1:
        return _strand(whole, piece, ranges, dim)
    full = [range(len(r)) if d == dim else r for d, r in enumerate(ranges)]
    middle = _put(ranged(whole, dim, taken.start, taken.stop), piece, full)
    if middle is None:
        return None
    parts = [middle]
    if taken.start > 0:
        parts.insert(0, ranged(whole, dim, 0, taken.start))
    if taken.stop < shape[dim]:
        parts.append(ranged(whole, dim, taken.stop, shape[dim]))
    return joined(parts, dim)


def _strand(whole: Value, piece: Value, ranges: Sequence[range], dim: int) -> Value | None:
    """Every `step`-th place of an axis: one place of an axis of `step`, if the axis falls into such ones."""
    shape, taken = whole.shape, ranges[dim]
    number = len(taken)
    if number * taken.step != shape[dim] or taken.start >= taken.step:
        return None
    split = values.reshaped(whole, (*shape[:dim], number, taken.step, *shape[dim + 1 :]))
    one = values.reshaped(piece, (*piece.shape[: dim + 1], 1, *piece.shape[dim + 1 :]))
    inner = [*ranges[:dim], range(number), range(taken.start, taken.start + 1), *ranges[dim + 1 :]]
    found = _put(split, one, inner)
    return None if found is None else values.reshaped(found, shape)
