"""Where the zeros of a sparse law are.

The weights are those of the normal law, element for element. Beside it every element has a uniform
variate of the stream `name#sparse`, and of each unit's n weights those with the least variates are
zero, the earlier element first where two are equal. So a shard knows its zeros from the variates of
every line (a unit's weights) that it touches: it makes whole lines, a piece of lines at a time.

Cost: one uniform variate per weight of those lines, a partition, and one more per weight of the shard. A
shard that holds 1/k of each line ranks k times as many variates as it has weights, a piece at a time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.fill import Fill
from ..core.layout import SPATIAL, Layout
from ..core.shaped import default_layout
from ..core.stream import Stream
from .output import Region
from .threads import Task

PIECE = 1 << 20
"""Variates to a task, or those of one line if it is longer: 5 MiB of them and of zeros."""
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
    source, sparsity = stream.part("sparse"), fill.sparsity
    assert sparsity is not None
    return [
        functools.partial(_write_zeros, view, offset, source, piece)
        for lines in lines_of(layout, sparsity.unit, region, sparsity.zeros)
        for piece in split(lines)
        if lines.zeros
    ]


def lines_of(layout: Layout, unit: str, region: Region, zeros: Callable[[int], int]) -> Iterator[Lines]:
    """The lines that the block touches; a convolution's groups each have their own.

    Args:
        unit: whose weights make a line, "input" or "output". zeros: how many of a line's n are zero.
    """
    rank = range(len(region.shape))
    letters = [layout.axes[axis] for axis in layout.canonical]
    shape, offset, size = (
        tuple(sizes[axis] for axis in layout.canonical)
        for sizes in (region.shape, region.offset, region.size)
    )
    ends = "o" if unit == "input" else "iv" + SPATIAL
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
        begin, sizes = tuple(zip(*box, strict=True))
        yield Lines(shape, begin, sizes, along, across, zeros(math.prod(box[k][1] for k in along)))


def split(lines: Lines) -> Iterator[Lines]:
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
        yield from split(Lines(lines.shape, begin, size, lines.along, lines.across, lines.zeros))


def _put(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


def _write_zeros(view: NDArray[Any], offset: tuple[int, ...], source: Stream, lines: Lines) -> None:
    """Set to zero what of these lines lies in the block `view`, which begins at `offset`."""
    limit, tied = _limits(source, lines)
    spans = [
        (max(begin, first), min(begin + size, first + held))
        for begin, size, first, held in zip(lines.begin, lines.size, offset, view.shape, strict=True)
    ]
    begin, size = tuple(low for low, _ in spans), tuple(high - low for low, high in spans)
    # made once more, for the block alone: cheaper than to turn what was ranked
    least = _variates(source, lines.shape, begin, size) <= limit
    for line in tied:
        _settle(least, begin, source, lines, line)
    place = tuple(slice(low - first, high - first) for (low, high), first in zip(spans, offset, strict=True))
    np.copyto(view[place], 0, where=least)


def _limits(source: Stream, lines: Lines) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of each line the last variate that is among its least, and which lines have more that equal it.

    The limits have the axes of the lines, those along a line of size 1; a tied line is an index of each.
    """
    order = (*lines.across, *lines.along)
    panel = np.empty([lines.size[k] for k in order], np.float32)
    _fill(panel.transpose(np.argsort(order)), source, lines.shape, lines.begin)
    ranked = panel.reshape(-1, math.prod(lines.size[k] for k in lines.along))
    ranked.partition(lines.zeros - 1, axis=1)
    shape = [1 if k in lines.along else n for k, n in enumerate(lines.size)]
    limit = ranked[:, lines.zeros - 1].copy()
    rest = ranked[:, lines.zeros :].min(axis=1, initial=np.inf)
    return limit.reshape(shape), np.argwhere((rest == limit).reshape(shape))


def _settle(
    least: NDArray[np.bool_], begin: tuple[int, ...], source: Stream, lines: Lines, line: NDArray[np.int64]
) -> None:
    """Correct, in the block's `least`, one line of which several are equal at the limit."""
    first = tuple(b + int(at) for b, at in zip(lines.begin, line, strict=True))
    size = tuple(n if k in lines.along else 1 for k, n in enumerate(lines.size))
    variates = _variates(source, lines.shape, first, size)
    exact = _least(variates.ravel(), lines.zeros).reshape(size)
    spans = [
        (max(f, b), min(f + n, b + held))
        for f, n, b, held in zip(first, size, begin, least.shape, strict=True)
    ]
    inside = tuple(slice(low - b, high - b) for (low, high), b in zip(spans, begin, strict=True))
    cut = tuple(slice(low - f, high - f) for (low, high), f in zip(spans, first, strict=True))
    least[inside] = exact[cut]


def _least(variates: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """The `count` least of a line, the earlier first where two are equal."""
    least = np.zeros(len(variates), np.bool_)
    least[np.argsort(variates, kind="stable")[:count]] = True
    return least


def _variates(
    source: Stream, shape: tuple[int, ...], begin: tuple[int, ...], size: tuple[int, ...]
) -> NDArray[np.float32]:
    variates = np.empty(size, np.float32)
    _fill(variates, source, shape, begin)
    return variates


def _fill(out: NDArray[np.float32], source: Stream, shape: tuple[int, ...], begin: tuple[int, ...]) -> None:
    from .engine import fill_here

    if out.size:
        fill_here(out, _VARIATE, source, Region(shape, begin, out.shape))
