"""Fill → jobs → kernels. A job is one piece of memory that one law of one stream fills."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FillError, LayoutError, OutputError, StreamError
from ..core.fill import CURVES, MATRIX_LAWS, SHAPED_LAWS, Fill
from ..core.stream import Stream
from ..core.whole import single
from . import reference
from .direct import CHUNK, SMALL, plain_tasks, run_plain
from .draw import draw_of, support
from .output import Region, apart, check_range, checked_array, checked_region
from .threads import Task, run_all

SMALL_MATRIX = 1 << 16
"""Elements up to which one thread makes a tensor of a matrix law while others make the next ones."""
ALIGNED = 1024
"""Runs are cut at multiples of this many elements, so that pieces begin on cache lines."""


@dataclass(frozen=True)
class Block:
    """Memory that a kernel fills in one call: `axes` are (size, stride in bytes, element step), the
    first element there is `first` and lies at `address`."""

    first: int
    axes: tuple[tuple[int, int, int], ...]
    address: int


@dataclass(frozen=True)
class Job:
    """One block of memory and what goes into it.

    Attributes:
        out: the memory, axes in storage order; half types as uint16 bits.
        dtype: "float64", "float32", "float16" or "bfloat16".
        fill: an elementwise or matrix law, or a constant.
        stream: where the numbers come from.
        region: where the block lies in the tensor (or part) that the law describes.
    """

    out: NDArray[Any]
    dtype: str
    fill: Fill
    stream: Stream
    region: Region


def fill_array(
    array: NDArray[Any],
    fill: Fill,
    *,
    name: str,
    seed: int = 0,
    shape: Sequence[int] | None = None,
    offset: Sequence[int] | None = None,
    dtype: str | None = None,
) -> NDArray[Any]:
    """Fill `array` in place by the stream (seed, name); see `initwise.fill`. Returns `array`.

    `dtype="bfloat16"` says that a uint16 array holds bfloat16 bits.
    """
    if shape is None and offset is None and (tasks := plain_tasks(array, fill, name, seed, dtype)):
        run_plain(tasks)
        return array
    run(jobs(array, fill, name=name, seed=seed, shape=shape, offset=offset, dtype=dtype))
    return array


def fill_arrays(items: Iterable[tuple[str, NDArray[Any], Fill]], *, seed: int = 0) -> None:
    """Fill many arrays, (name, array, fill) each, in one call: one start of the threads for all.

    Raises:
        StreamError: two arrays of one name.
        OutputError: arrays that share memory, and items that are no triples.
        As `fill_array` besides. Nothing is written if an error is raised.
    """
    planned: list[Job] = []
    small: list[Task] = []
    large: list[Task] = []
    kept: dict[str, NDArray[Any]] = {}
    for item in items:
        name, array, fill = _triple(item)
        tasks = plain_tasks(array, fill, name, seed, None)
        if tasks is None:
            planned += jobs(array, fill, name=name, seed=seed)
        else:
            (small if array.size <= SMALL else large).extend(tasks)
        if name in kept:
            raise StreamError(
                f"two arrays are named {name!r}",
                expected="a name of its own for each: equal names draw equal numbers",
                cause="tied weights listed twice; name the owner only",
            )
        kept[name] = array
    apart(kept)
    run(planned, small, large)


def _triple(item: Any) -> tuple[str, NDArray[Any], Fill]:
    if isinstance(item, tuple) and len(item) == 3:
        return item
    raise OutputError(
        f"an item of type {type(item).__name__}"
        + (f" and length {len(item)}" if hasattr(item, "__len__") else ""),
        where="fill_arrays",
        expected="triples (name, array, fill)",
    )


def jobs(
    array: NDArray[Any],
    fill: Fill,
    *,
    name: str,
    seed: int = 0,
    shape: Sequence[int] | None = None,
    offset: Sequence[int] | None = None,
    dtype: str | None = None,
    apart: bool = False,
) -> list[Job]:
    """What `fill_array` would do, fully checked: nothing is written until `run`.

    `apart`: elementwise jobs leave out a zero row, so that they may be written in any order, or at once.
    """
    stream = Stream(seed, getattr(fill, "draw", "") or name)
    if not isinstance(fill, Fill):
        raise FillError(
            f"fill is a {type(fill).__name__}",
            where=name,
            expected="a Fill",
            fix='For example Fill.normal(0, 0.02), or scheme("he_normal").fill(fans(shape, "oi")).',
        )
    out, kind = checked_array(array, dtype, name)
    region = checked_region(out.shape, shape, offset, name)
    whole = Job(out, kind, fill, stream, region)
    zero = [] if fill.zero_row is None else _zero_row(out, kind, stream, region, fill.zero_row)
    around = _around(whole, fill.zero_row) if apart and zero and fill.law not in SHAPED_LAWS else [whole]
    return [piece for job in around for piece in _pieces(job)] + zero


def run(todo: Iterable[Job], small: Sequence[Task] = (), large: Sequence[Task] = ()) -> None:
    """Write every job, and run the tasks (the small ones together, as one). Jobs of one call share the
    threads, so that a whole plan costs one start."""
    together: list[Task] = [*large, *([functools.partial(_run_each, small)] if small else [])]
    for group in _in_order(todo):
        run_all(together + [task for job in group for task in _tasks(job)])
        together = []


def fill_here(out: NDArray[np.float32], fill: Fill, stream: Stream, region: Region) -> None:
    """Fill float32 memory by an elementwise law on the calling thread: for what runs in a task itself."""
    _run_each(_tasks(Job(out, "float32", fill, stream, region)))


def _run_each(tasks: Sequence[Task]) -> None:
    for task in tasks:
        task()


def _in_order(todo: Iterable[Job]) -> Iterator[list[Job]]:
    """Jobs that may run together: what is written over other values (a sparse law's zeros, then constants,
    of which one may be a zero row) must come later."""
    todo = list(todo)
    later = SHAPED_LAWS - {"indexed"} | {"constant"}
    yield [job for job in todo if job.fill.law not in later]
    matrices = [job for job in todo if job.fill.law in MATRIX_LAWS]
    yield [job for job in matrices if job.out.size <= SMALL_MATRIX]
    yield from ([job] for job in matrices if job.out.size > SMALL_MATRIX)
    for law in (*sorted(later - MATRIX_LAWS - {"constant"}), "constant"):
        yield from ([job] for job in todo if job.fill.law == law)


def _pieces(job: Job) -> Iterator[Job]:
    """The job itself, or those of its packed parts, each checked."""
    fill, region, where = job.fill, job.region, job.stream.name
    if fill.layout is not None:
        fill.layout.check(region.shape, where)
    if fill.law == "packed":
        yield from _parts(job)
        return
    if fill.law == "repeated":
        yield from _copies(job)
        return
    if fill.law in SHAPED_LAWS:
        _shaped().check(fill, region.shape, where)
    if fill.law in (*SHAPED_LAWS, "indexed"):
        fill = fill.of_shape(region.shape)
    if fill.law not in (*SHAPED_LAWS, *CURVES, "constant"):
        support(draw_of(fill), np.float64 if job.dtype == "float64" else np.float32, where)
    check_range(fill, job.dtype, where)
    if fill.law == "sparse" and job.out.size:
        yield replace(job, fill=Fill.normal(0.0, fill.scale, layout=fill.layout))
    if job.out.size:
        yield job


def _parts(job: Job) -> Iterator[Job]:
    fill, region = job.fill, job.region
    assert fill.layout is not None
    axis = fill.layout.part_axis
    total = sum(size for _, size, _ in fill.parts)
    if total != region.shape[axis]:
        raise LayoutError(
            f"parts {[(name, size) for name, size, _ in fill.parts]} sum to {total}, "
            f"axis {axis} of shape {region.shape} has {region.shape[axis]}",
            where=job.stream.name,
            expected="part sizes that add up to the packed axis",
        )
    begin = 0
    for name, size, part in fill.parts:
        law = part if part.layout is not None else replace(part, layout=replace(fill.layout, parts=()))
        yield from _pieces(_cut(job, axis, begin, size, law, job.stream.part(part.draw or name)))
        begin += size


def _copies(job: Job) -> Iterator[Job]:
    """The jobs of a repeated law: one tensor of the filters for each copy, in its own places of the block."""
    fill, region, repeat = job.fill, job.region, job.fill.repeat
    assert repeat is not None
    axis = fill.layout.part_axis if fill.layout is not None else 0
    if not region.shape or region.shape[axis] % repeat.times:
        raise LayoutError(
            f"{fill.formula} along axis {axis} of shape {region.shape}",
            where=job.stream.name,
            expected=f"an output axis that divides by {repeat.times}",
            cause="the layer feeds no pixel shuffle, or one with another factor",
        )
    _, _, law = fill.parts[0]
    law = law if law.layout is not None else replace(law, layout=fill.layout)
    shape = single(region.shape, axis, repeat.times)
    first, size = region.offset[axis], region.size[axis]
    step = repeat.times if repeat.order == "neighbours" else 1
    for copy in range(repeat.times):
        start = copy if repeat.order == "neighbours" else copy * shape[axis]
        low, high = (min(max(-(-(end - start) // step), 0), shape[axis]) for end in (first, first + size))
        begin = start + low * step - first
        # an empty piece must not begin before the block
        places = slice(begin, begin + (high - low) * step, step) if high > low else slice(0)
        inner = Region(shape, _put(region.offset, axis, low), _put(region.size, axis, high - low))
        yield from _pieces(Job(job.out[(slice(None),) * axis + (places,)], job.dtype, law, job.stream, inner))


def _cut(job: Job, axis: int, begin: int, size: int, law: Fill, stream: Stream) -> Job:
    """The job of the part that covers [begin, begin + size) of `axis`."""
    region = job.region
    first, last = region.offset[axis], region.offset[axis] + region.size[axis]
    low, high = max(first, begin), min(last, begin + size)
    high = max(high, low)
    index = (slice(None),) * axis + (slice(low - first, high - first),)
    inner = Region(
        _put(region.shape, axis, size),
        _put(region.offset, axis, min(max(low - begin, 0), size)),
        _put(region.size, axis, high - low),
    )
    return Job(job.out[index], job.dtype, law, stream, inner)


def _put(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


def _zero_row(out: NDArray[Any], dtype: str, stream: Stream, region: Region, row: int) -> list[Job]:
    if not region.shape or not 0 <= row < region.shape[0]:
        raise FillError(
            f"zero_row {row} of shape {region.shape}", where=stream.name, expected="a row of the tensor"
        )
    inside = row - region.offset[0]
    if not 0 <= inside < region.size[0]:
        return []
    piece = out[inside : inside + 1]
    return [Job(piece, dtype, Fill.constant(0.0), stream, Region(piece.shape, (0,) * out.ndim, piece.shape))]


def _around(job: Job, row: int | None) -> list[Job]:
    """The job without a row that lies in it: what comes before, and what comes after."""
    region = job.region
    inside = (row or 0) - region.offset[0]
    halves = ((0, inside), (inside + 1, region.size[0]))
    return [
        replace(
            job,
            out=job.out[begin:end],
            region=Region(
                region.shape,
                _put(region.offset, 0, region.offset[0] + begin),
                _put(region.size, 0, end - begin),
            ),
        )
        for begin, end in halves
    ]


# jobs → tasks ---------------------------------------------------------------------------------------


def _tasks(job: Job) -> list[Task]:
    if job.fill.law == "constant":
        return [functools.partial(_write_constant, job)]
    if job.fill.law in SHAPED_LAWS or job.fill.law in CURVES:
        return list(_shaped().tasks(job.out, job.dtype, job.fill, job.stream, job.region))
    return [task for block in blocks(job) for task in _split(job, block)]


def _write_constant(job: Job) -> None:
    job.out[...] = reference.stored(np.array(job.fill.mean, np.float64), job.dtype)


def blocks(job: Job) -> Iterator[Block]:
    """The job's memory, axes in canonical order, as blocks of at most three axes."""
    region, layout = job.region, job.fill.layout
    order = layout.canonical if layout is not None else tuple(range(job.out.ndim))
    whole = [region.shape[axis] for axis in order]
    steps = [math.prod(whole[k + 1 :]) for k in range(len(whole))]
    first = sum(region.offset[axis] * step for axis, step in zip(order, steps, strict=True))
    strides = job.out.strides
    merged = _merge([(region.size[a], strides[a], s) for a, s in zip(order, steps, strict=True)])
    outer, inner = merged[:-3], merged[-3:]
    address = job.out.__array_interface__["data"][0]
    for index in itertools.product(*(range(n) for n, _, _ in outer)):
        shift = sum(i * stride for i, (_, stride, _) in zip(index, outer, strict=True))
        ahead = sum(i * step for i, (_, _, step) in zip(index, outer, strict=True))
        yield Block(first + ahead, tuple(inner), address + shift)


def _merge(axes: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """(size, stride, step) of each axis, with axes of one element dropped and nested ones joined."""
    merged: list[tuple[int, int, int]] = []
    for size, stride, step in axes:
        if size == 1:
            continue
        if merged and merged[-1][1] == stride * size and merged[-1][2] == step * size:
            merged[-1] = (merged[-1][0] * size, stride, step)
        else:
            merged.append((size, stride, step))
    return merged


def _split(job: Job, block: Block) -> Iterator[Task]:
    """Tasks of about CHUNK elements each."""
    if not block.axes:
        yield functools.partial(_write, job, block)
        return
    sizes = [n for n, _, _ in block.axes]
    axis = sizes.index(max(sizes))
    total, (size, stride, step) = math.prod(sizes), block.axes[axis]
    width = size if total <= CHUNK else max(1, CHUNK * size // total)
    if axis == len(sizes) - 1 and width < size:
        width = -(-width // ALIGNED) * ALIGNED
    for begin in range(0, size, width):
        piece = (min(width, size - begin), stride, step)
        axes = (*block.axes[:axis], piece, *block.axes[axis + 1 :])
        yield functools.partial(
            _write, job, Block(block.first + begin * step, axes, block.address + begin * stride)
        )


def _write(job: Job, block: Block) -> None:
    draw, cpu = draw_of(job.fill), _cpu()
    code = cpu.kernel_for(draw, job.dtype)
    key, _keep_key = cpu.key_memory(job.stream)
    law, _keep_law = cpu.law_memory(draw)
    axes = block.axes
    if not axes or (len(axes) == 1 and axes[0][1:] == (job.out.itemsize, 1)):
        code.line(key, law, block.first, axes[0][0] if axes else 1, block.address)
        return
    sizes, strides, steps = zip(*(((1, 0, 0),) * (3 - len(axes)) + axes), strict=True)
    code.fill(key, law, block.first, *steps, *sizes, *strides, block.address)


@functools.cache
def _shaped() -> Any:
    """The laws of whole matrices, loaded when one is filled."""
    from . import shaped

    return shaped


@functools.cache
def _cpu() -> Any:
    """The compiled kernels' module, loaded at the first fill."""
    from . import cpu

    return cpu
