"""Fill → jobs → kernels. A job is one piece of memory that one law of one stream fills."""

from __future__ import annotations

import functools
import itertools
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FillError, LayoutError
from ..core.fill import MATRIX_LAWS, Fill
from ..core.stream import Stream
from . import matrix, reference
from .draw import Draw, draw_of, support
from .output import Region, check_range, checked_array, checked_region
from .threads import Task, run_all

CHUNK = 1 << 18
"""Elements to a task: about a tenth of a millisecond, so that Ctrl-C is answered at once."""


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
    run(jobs(array, fill, name=name, seed=seed, shape=shape, offset=offset, dtype=dtype))
    return array


def jobs(
    array: NDArray[Any],
    fill: Fill,
    *,
    name: str,
    seed: int = 0,
    shape: Sequence[int] | None = None,
    offset: Sequence[int] | None = None,
    dtype: str | None = None,
) -> list[Job]:
    """What `fill_array` would do, fully checked: nothing is written until `run`."""
    stream = Stream(seed, name)
    if not isinstance(fill, Fill):
        raise FillError(
            f"fill is a {type(fill).__name__}",
            where=name,
            expected="a Fill",
            fix='For example Fill.normal(0, 0.02), or scheme("he_normal").fill(fans(shape, "oi")).',
        )
    out, kind = checked_array(array, dtype, name)
    region = checked_region(out.shape, shape, offset, name)
    found = list(_pieces(Job(out, kind, fill, stream, region)))
    if fill.zero_row is not None:
        found += _zero_row(out, kind, stream, region, fill.zero_row)
    return found


def run(todo: Iterable[Job]) -> None:
    """Write every job. Jobs of one call share the threads, so a whole plan costs one start."""
    tasks: list[Task] = []
    for group in _in_order(todo):
        tasks = [task for job in group for task in _tasks(job)]
        run_all(tasks)


def _in_order(todo: Iterable[Job]) -> Iterator[list[Job]]:
    """Jobs that may run together: a constant written over other values (a zero row) must come later."""
    todo = list(todo)
    yield [job for job in todo if job.fill.law not in MATRIX_LAWS and job.fill.law != "constant"]
    for law in (*sorted(MATRIX_LAWS), "constant"):
        for job in todo:
            if job.fill.law == law:
                yield [job]


def _pieces(job: Job) -> Iterator[Job]:
    """The job itself, or those of its packed parts, each checked."""
    fill, region, where = job.fill, job.region, job.stream.name
    if fill.layout is not None:
        fill.layout.check(region.shape, where)
    if fill.law == "packed":
        yield from _parts(job)
        return
    if fill.law in MATRIX_LAWS:
        matrix.check(fill, region.shape, where)
    check_range(fill, job.dtype, where)
    if fill.law not in (*MATRIX_LAWS, "constant"):
        support(draw_of(fill), np.float64 if job.dtype == "float64" else np.float32, where)
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
        yield from _pieces(_cut(job, axis, begin, size, law, job.stream.part(name)))
        begin += size


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


# jobs → tasks ---------------------------------------------------------------------------------------


def _tasks(job: Job) -> list[Task]:
    if job.fill.law == "constant":
        return [functools.partial(_write_constant, job)]
    if job.fill.law in MATRIX_LAWS:
        return [functools.partial(_write_matrix, job)]
    return [task for view, steps, first in _blocks(job) for task in _split(job, view, steps, first)]


def _write_constant(job: Job) -> None:
    value = reference.rounded(np.array(job.fill.mean, np.float64), job.dtype)
    job.out[...] = value.view(np.uint16) if job.dtype == "float16" else value


def _write_matrix(job: Job) -> None:
    values = matrix.values(job.stream, job.fill, job.region)
    rounded = reference.rounded(values, job.dtype)
    job.out[...] = rounded.view(np.uint16) if job.dtype == "float16" else rounded


def _blocks(job: Job) -> Iterator[tuple[NDArray[Any], tuple[int, ...], int]]:
    """The job's memory as arrays of at most three axes, with the element step of each axis and the
    first element, such that axes are in canonical order."""
    region, layout = job.region, job.fill.layout
    order = layout.canonical if layout is not None else tuple(range(job.out.ndim))
    whole = [region.shape[axis] for axis in order]
    steps = [math.prod(whole[k + 1 :]) for k in range(len(whole))]
    first = sum(region.offset[axis] * step for axis, step in zip(order, steps, strict=True))
    axes = [(region.size[a], job.out.strides[a], s) for a, s in zip(order, steps, strict=True)]
    merged = _merge(axes)
    outer, inner = merged[:-3], merged[-3:]
    sizes, strides = [n for n, _, _ in inner], [stride for _, stride, _ in inner]
    for index in itertools.product(*(range(n) for n, _, _ in outer)):
        shift = sum(i * stride for i, (_, stride, _) in zip(index, outer, strict=True))
        element = first + sum(i * step for i, (_, _, step) in zip(index, outer, strict=True))
        yield _view(job.out, sizes, strides, shift), tuple(step for _, _, step in inner), element


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


def _view(base: NDArray[Any], sizes: list[int], strides: list[int], shift: int) -> NDArray[Any]:
    if shift == 0 and base.flags.c_contiguous and len(sizes) <= 1:
        return base.reshape(-1)
    return np.asarray(_Memory(base, tuple(sizes), tuple(strides), shift))


class _Memory:
    """A part of an array's own memory in other axes, for NumPy's array interface; keeps the array alive."""

    def __init__(
        self, base: NDArray[Any], sizes: tuple[int, ...], strides: tuple[int, ...], shift: int
    ) -> None:
        self.base = base
        self.__array_interface__ = {
            "shape": sizes,
            "strides": strides,
            "typestr": base.dtype.str,
            "data": (base.ctypes.data + shift, False),
            "version": 3,
        }


def _split(job: Job, view: NDArray[Any], steps: tuple[int, ...], first: int) -> Iterator[Task]:
    """Tasks of about CHUNK elements each."""
    draw = draw_of(job.fill)
    if view.ndim == 0 or (view.ndim == 1 and steps in ((), (1,)) and view.flags.c_contiguous):
        line = view.reshape(-1)
        for begin in range(0, line.size, CHUNK):
            yield functools.partial(_run_flat, job, draw, first + begin, line[begin : begin + CHUNK])
        return
    cube = view.reshape((1,) * (3 - view.ndim) + view.shape)
    cube_steps = (0,) * (3 - view.ndim) + steps
    axis = int(np.argmax(cube.shape))
    width = max(1, CHUNK * cube.shape[axis] // cube.size)
    for begin in range(0, cube.shape[axis], width):
        piece = cube[(slice(None),) * axis + (slice(begin, begin + width),)]
        yield functools.partial(_run_block, job, draw, first + begin * cube_steps[axis], cube_steps, piece)


def _run_flat(job: Job, draw: Draw, first: int, out: NDArray[Any]) -> None:
    cpu = kernels()
    kind, split, sides, table, affine = cpu.parameters(draw, job.dtype == "float64")
    half = job.dtype == "float16"
    cpu.flat(_key(job.stream), kind, split, sides, table, affine, half, np.uint64(first), out)


def _run_block(job: Job, draw: Draw, first: int, steps: tuple[int, ...], out: NDArray[Any]) -> None:
    cpu = kernels()
    kind, split, sides, table, affine = cpu.parameters(draw, job.dtype == "float64")
    half, step = job.dtype == "float16", np.array(steps, np.uint64)
    cpu.block(_key(job.stream), kind, split, sides, table, affine, half, np.uint64(first), step, out)


@functools.lru_cache(maxsize=4096)
def _key(stream: Stream) -> NDArray[np.uint64]:
    low = 0xFFFFFFFF
    parts = (stream.seed & low, stream.seed >> 32, stream.id & low, stream.id >> 32)
    return np.array(parts, np.uint64)


@functools.cache
def kernels() -> Any:
    """The compiled kernels; says so on the terminal if the first import takes longer than a second."""
    begin = time.perf_counter()
    from . import cpu

    if time.perf_counter() - begin > 1 and sys.stderr.isatty():
        print("initwise: loaded the fill kernels (once per process)", file=sys.stderr)
    return cpu
