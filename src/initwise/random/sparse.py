"""Where the zeros of a sparse law are.

The weights are those of the normal law, element for element. Beside it every element has a uniform
variate of the stream `name#sparse`, and of each unit's n weights those with the least variates are
zero, the earlier element first where two are equal. So a shard knows its zeros from the variates of
every line (a unit's weights) that it touches: it makes whole lines, a piece of lines at a time.

Cost: one uniform variate per weight of those lines, and a partition. A shard that holds 1/k of each
line makes k times as many variates as it has weights; it never holds more than a piece of them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.fill import Fill
from ..core.layout import SPATIAL
from ..core.shaped import default_layout
from ..core.stream import Stream
from .output import Region
from .threads import Task

PIECE = 1 << 20
"""Variates to a task, or those of one line if it is longer: 9 MiB of them, their copy and the zeros."""
_VARIATE = Fill.uniform(-1.0, 1.0)


@dataclass(frozen=True)
class Lines:
    """Whole lines of a tensor whose axes are in canonical order.

    Attributes:
        shape: of the whole tensor.
        begin, size: the box of the lines; a line runs over the box's `along` axes.
        along, across: the axes that a line runs over, and the others.
        zeros: how many weights of each line are zero.
    """

    shape: tuple[int, ...]
    begin: tuple[int, ...]
    size: tuple[int, ...]
    along: tuple[int, ...]
    across: tuple[int, ...]
    zeros: int


def tasks(out: NDArray[Any], fill: Fill, stream: Stream, region: Region) -> list[Task]:
    """What sets the zeros of the block `region` in `out`, which holds the normal law's weights."""
    layout = fill.layout or default_layout(out.ndim)
    order = layout.canonical
    view = out.transpose(order)
    offset = tuple(region.offset[axis] for axis in order)
    source = stream.part("sparse")
    return [
        functools.partial(_write_zeros, view, offset, source, piece)
        for lines in _lines(fill, region)
        for piece in _split(lines)
        if lines.zeros
    ]


def _lines(fill: Fill, region: Region) -> Iterator[Lines]:
    """The lines that the block touches; a convolution's groups each have their own."""
    layout, rank = fill.layout or default_layout(len(region.shape)), range(len(region.shape))
    letters = [layout.axes[axis] for axis in layout.canonical]
    shape, offset, size = (
        tuple(sizes[axis] for axis in layout.canonical)
        for sizes in (region.shape, region.offset, region.size)
    )
    assert fill.sparsity is not None
    ends = "o" if fill.sparsity.unit == "input" else "iv" + SPATIAL
    along = tuple(k for k in rank if letters[k] in ends)
    across = tuple(k for k in rank if letters[k] not in ends)
    box = [(0, shape[k]) if k in along else (offset[k], size[k]) for k in rank]
    divided = next(k for k in rank if letters[k] in ("iv" if layout.transposed else "o"))
    width = shape[divided] // layout.groups if divided in along else 0
    starts = (
        range(offset[divided] // width, -(-(offset[divided] + size[divided]) // width)) if width else (0,)
    )
    for group in starts:
        if width:
            box[divided] = (group * width, width)
        zeros = fill.sparsity.zeros(math.prod(box[k][1] for k in along))
        begin, sizes = tuple(zip(*box, strict=True))
        yield Lines(shape, begin, sizes, along, across, zeros)


def _split(lines: Lines) -> Iterator[Lines]:
    """Pieces of at most about PIECE variates, cut along the first axis across that has more than one."""
    axis = next((k for k in lines.across if lines.size[k] > 1), None)
    total = math.prod(lines.size)
    if axis is None or total <= PIECE:
        yield lines
        return
    count = lines.size[axis]
    step = max(1, PIECE * count // total)
    for first in range(0, count, step):
        begin = _put(lines.begin, axis, lines.begin[axis] + first)
        size = _put(lines.size, axis, min(step, count - first))
        yield from _split(Lines(lines.shape, begin, size, lines.along, lines.across, lines.zeros))


def _put(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


def _write_zeros(view: NDArray[Any], offset: tuple[int, ...], source: Stream, lines: Lines) -> None:
    """Set to zero what of these lines lies in the block `view`, which begins at `offset`."""
    from .engine import fill_here

    order = (*lines.across, *lines.along)
    variates = np.empty(lines.size, np.float32)
    fill_here(variates, _VARIATE, source, Region(lines.shape, lines.begin, lines.size))
    moved = np.ascontiguousarray(variates.transpose(order))
    del variates
    n = math.prod(lines.size[k] for k in lines.along)
    least = _least(moved.reshape(-1, n), lines.zeros).reshape(moved.shape).transpose(np.argsort(order))
    cut, place = [], []
    for begin, size, first, held in zip(lines.begin, lines.size, offset, view.shape, strict=True):
        low, high = max(begin, first), min(begin + size, first + held)
        cut.append(slice(low - begin, high - begin))
        place.append(slice(low - first, high - first))
    np.copyto(view[tuple(place)], 0, where=least[tuple(cut)])


def _least(variates: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Of each row the `count` least, the earlier first where two are equal."""
    limit = np.partition(variates, count - 1, axis=1)[:, count - 1 : count]
    least: NDArray[np.bool_] = variates <= limit
    for row in np.flatnonzero(np.count_nonzero(least, axis=1) > count):
        equal = np.flatnonzero(variates[row] == limit[row])
        surplus = int(np.count_nonzero(least[row])) - count
        least[row, equal[-surplus:]] = False
    return least
