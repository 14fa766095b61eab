"""Stream v1 on CUDA devices: one table, one copy and one launch of `cuda_kernel.py` for all jobs of a dtype.

Laws of the whole matrix are not made here: see `frameworks/device.py`, which calls this. Without a GPU,
TRITON_INTERPRET=1 runs the same code on CPU memory, which is how it is tested.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import NDArray
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from ..core.fill import Fill
from . import reference
from .cpu import law_values
from .cuda_kernel import COLUMNS, KINDS, LANES, MODES, OPTIONS, TILES, fill_kernel
from .draw import Draw, draw_of
from .engine import Block, Job, blocks
from .output import Region

LIMIT = 1 << 30
"""Elements to a piece, so that the kernel counts lanes and tiles in 32 bits."""
LONG = 32
"""Elements from which a line is drawn as a line: shorter ones leave more lanes idle than points do."""
ALIGNED = 16
"""Bytes: where the parts of the table begin. Triton compiles anew for pointers less aligned."""

Axis = tuple[int, int, int]
_OUTPUTS = {
    "float64": (tl.float64, tl.uint64),
    "float32": (tl.float32, tl.uint32),
    "float16": (tl.float16, tl.uint16),
    "bfloat16": (tl.bfloat16, tl.uint16),
}
_POINTERS = ("*i32", "*i64", "*i32", "*fp32")
_NOWHERE: Axis = (1, 0, 0)


@dataclass(frozen=True)
class Piece:
    """What one row of the kernel's table describes.

    Attributes:
        job: the job it belongs to.
        mode: one of `cuda_kernel.MODES`.
        address, first: of its first element, and that element's number.
        axes: three of (size, stride, step), the last one fastest: strides count elements of memory.
        across, height, upright: how lines are cut into tiles, see `cuda_kernel.COLUMNS`.
        tiles: how many.
    """

    job: Job
    mode: str
    address: int
    first: int
    axes: tuple[Axis, Axis, Axis]
    tiles: int
    across: int = 1
    height: int = 0
    upright: bool = False


def fill_on_device(jobs: Iterable[Job], device: torch.device) -> None:
    """Write elementwise jobs and constants, which must not overlap, in the memory of one device: one
    launch for each dtype among them, on the device's current stream, without waiting for its end.

    Of a job's `out` only address, shape and strides are used.
    """
    for start in launches(jobs, device):
        start()


def launches(jobs: Iterable[Job], device: torch.device) -> list[Callable[[], None]]:
    """What `fill_on_device` does, its tables sent and its launches still to be started, one for each
    dtype. Each may be started several times."""
    of_dtype: dict[str, list[Piece]] = {}
    for job in jobs:
        of_dtype.setdefault(job.dtype, []).extend(pieces(job))
    with _current(device):
        return [
            functools.partial(_start, dtype, *_tables(found, dtype, device), device)
            for dtype, found in of_dtype.items()
            if found
        ]


def _current(device: torch.device) -> AbstractContextManager[Any]:
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def _start(dtype: str, tables: Sequence[torch.Tensor], programs: int, device: torch.device) -> None:
    number, cell = _OUTPUTS[dtype]
    with _current(device):
        fill_kernel[(programs,)](*tables, number=number, cell=cell, **OPTIONS)


def assembly(dtype: str, capability: int = 90) -> Mapping[str, Any]:
    """The kernel compiled for a device of this compute capability, which need not be there: "ptx" as
    text, "cubin" as bytes, and what Triton makes on the way."""
    number, cell = _OUTPUTS[dtype]
    real = "*fp64" if dtype == "float64" else "*fp32"
    signature = dict(zip(("programs", "jobs", "wholes", "reals", "affines"), (*_POINTERS, real), strict=True))
    constants = {"number": number, "cell": cell}
    aligned = {(k,): [["tt.divisibility", ALIGNED]] for k in range(len(signature))}
    source = ASTSource(fill_kernel, signature | dict.fromkeys(constants, "constexpr"), constants, aligned)
    found = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=dict(OPTIONS))
    made: Mapping[str, Any] = found.asm
    return made


def _tables(found: Sequence[Piece], dtype: str, device: torch.device) -> tuple[list[torch.Tensor], int]:
    """The kernel's arguments, on the device, and the number of its programs."""
    counts = [-(-piece.tiles // TILES) for piece in found]
    begins = np.cumsum([0, *counts[:-1]])
    rows = [_row(piece, int(begin)) for piece, begin in zip(found, begins, strict=True)]
    laws = [law_values(draw_of(piece.job.fill)) for piece in found]
    double = dtype == "float64"
    with np.errstate(over="ignore"):
        affines = np.array(
            [law.double if double else law.single for law in laws], np.float64 if double else np.float32
        )
    tables: list[NDArray[Any]] = [
        np.repeat(np.arange(len(found), dtype=np.int32), counts),
        np.array(rows, np.uint64).view(np.int64),
        np.array([law.sides for law in laws], np.uint32).view(np.int32),
        np.array([law.table for law in laws], np.float32),
        affines,
    ]
    return _sent(tables, device), sum(counts)


def _sent(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[torch.Tensor]:
    """The arrays on the device, by one copy that nobody waits for (from pinned memory)."""
    ends = np.cumsum([-(-array.nbytes // ALIGNED) * ALIGNED for array in arrays])
    host = torch.empty(int(ends[-1]), dtype=torch.uint8, pin_memory=device.type == "cuda")
    begins = [0, *(int(end) for end in ends[:-1])]
    memory = host.numpy()
    for begin, array in zip(begins, arrays, strict=True):
        memory[begin : begin + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    there = host.to(device, non_blocking=True)
    return [
        there[begin : begin + array.nbytes].view(torch.from_numpy(array[:0]).dtype)
        for begin, array in zip(begins, arrays, strict=True)
    ]


def _row(piece: Piece, program: int) -> list[int]:
    """The piece as `cuda_kernel.COLUMNS` names it, modulo 2⁶⁴."""
    stream, draw = piece.job.stream, draw_of(piece.job.fill)
    sizes, strides, steps = zip(*piece.axes, strict=True)
    row = [
        *(piece.address, piece.first, stream.seed, stream.id, KINDS.index(_kind(draw))),
        *(MODES.index(piece.mode), program, piece.tiles, *sizes, *strides, *steps),
        *(piece.across, piece.height, int(piece.upright), _bits(piece.job)),
    ]
    assert len(row) == len(COLUMNS)
    return [value % 2**64 for value in row]


def _kind(draw: Draw) -> str:
    law = draw.truncation
    alike = law is not None and law.split == 2**31 and law.major == law.minor
    return "symmetric" if alike else draw.kind


def _bits(job: Job) -> int:
    if job.fill.law != "constant":
        return 0
    value = reference.rounded(np.array([job.fill.mean], np.float64), job.dtype)
    return int(value.view(f"u{value.itemsize}")[0])


# jobs → pieces --------------------------------------------------------------------------------------


def pieces(job: Job) -> Iterator[Piece]:
    """The job's memory as rows of the table."""
    if job.fill.law == "constant":
        # every element is alike: memory order serves, and the whole tensor's shape does not matter
        shape = job.out.shape
        region = Region(shape, (0,) * len(shape), shape)
        job = Job(job.out, job.dtype, Fill.constant(job.fill.mean), job.stream, region)
    for block in blocks(job):
        for part in _bounded(block):
            yield _piece(job, part)


def _bounded(block: Block) -> Iterator[Block]:
    """The block in parts of at most LIMIT elements, halved along its longest axis."""
    sizes = [size for size, _, _ in block.axes]
    if math.prod(sizes) <= LIMIT:
        yield block
        return
    axis = sizes.index(max(sizes))
    size, stride, step = block.axes[axis]
    for begin, end in ((0, size // 2), (size // 2, size)):
        axes = (*block.axes[:axis], (end - begin, stride, step), *block.axes[axis + 1 :])
        yield from _bounded(Block(block.first + begin * step, axes, block.address + begin * stride))


def _piece(job: Job, block: Block) -> Piece:
    itemsize = job.out.itemsize
    axes = [(size, stride // itemsize, step) for size, stride, step in block.axes]
    inner = axes[-1] if axes else _NOWHERE
    together = len(axes) == 1 and inner[1] == 1
    if job.fill.law == "constant":
        if not together:
            return _points(job, block, axes)
        return Piece(job, "level", block.address, block.first, _three(axes), _groups(0, inner[0]))
    if inner[2] != 1 or (len(axes) > 1 and inner[0] < LONG):
        return _points(job, block, axes)
    if not together:
        return _lines(job, block, axes)
    return Piece(job, "line", block.address, block.first, _three(axes), _groups(block.first, inner[0]))


def _points(job: Job, block: Block, axes: Sequence[Axis]) -> Piece:
    near_last = sorted(axes, key=lambda axis: -abs(axis[1]))
    count = math.prod(size for size, _, _ in axes)
    return Piece(job, "points", block.address, block.first, _three(near_last), -(-count // LANES))


def _lines(job: Job, block: Block, axes: Sequence[Axis]) -> Piece:
    """Lines of consecutive elements. Tiles are a few lines high, or all of their lanes where it is the
    lines that are neighbours in memory."""
    *outer, inner = axes
    outer = sorted(outer, key=lambda axis: -abs(axis[1]))
    lines = math.prod(size for size, _, _ in outer)
    upright = bool(outer) and abs(outer[-1][1]) < abs(inner[1])
    # a line may begin anywhere in its first group of 64 elements
    wide = 16 * ((inner[0] + 126) // 64)
    height = _height(lines, 32 if upright else max(1, LANES // wide))
    across = -(-wide // (LANES >> height))
    tiles = across * -(-lines // (1 << height))
    return Piece(
        job, "lines", block.address, block.first, _three([*outer, inner]), tiles, across, height, upright
    )


def _height(lines: int, most: int) -> int:
    """Binary logarithm of a tile's lines: at most `most`, and no more than there are."""
    return min(most.bit_length() - 1, (lines - 1).bit_length())


def _groups(first: int, count: int) -> int:
    """Tiles that `count` elements from `first` on touch."""
    per_tile = 4 * LANES
    return -(-(first % 64 + count) // per_tile)


def _three(axes: Sequence[Axis]) -> tuple[Axis, Axis, Axis]:
    padded = [*[_NOWHERE] * (3 - len(axes)), *axes]
    return padded[0], padded[1], padded[2]
