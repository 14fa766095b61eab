"""The short way for a whole, contiguous array: the kernel's calls without the general planning.

A transformer has hundreds of parameters of a few hundred numbers; for those the planning would take
longer than the filling. Whatever is not plain here is left to `engine.py`, errors included.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import InitwiseError
from ..core.fill import Fill
from ..core.stream import Stream
from .calling import SIZE
from .draw import KINDS, draw_of, support
from .output import check_range
from .threads import Task, run_all

SMALL = 1 << 16
"""Elements up to which many arrays of one call are filled together, as one task."""
Ready = tuple[Callable[..., None], int, Any]
"""A kernel's call, the address of a law's numbers, and the memory they lie in, to be held until the call."""
CHUNK = 1 << 18
"""Elements to a task: some tenths of a millisecond, so that Ctrl-C is answered at once."""
_NAMES = {np.dtype(name): name for name in ("float64", "float32", "float16")}
_BITS = np.dtype(np.uint16)


def plain_tasks(array: Any, fill: Any, name: Any, seed: Any, dtype: str | None) -> list[Task] | None:
    """What fills `array`, if it is a plain case and all is well; None if it is not.

    The caller keeps `array` alive until the tasks have run.
    """
    if type(array) is not np.ndarray or not array.size or type(fill) is not Fill:
        return None
    flags = array.flags
    if not (flags.c_contiguous and flags.writeable and flags.aligned):
        return None
    kind = _NAMES.get(array.dtype)
    if dtype is not None and dtype != kind:
        if dtype != "bfloat16" or array.dtype != _BITS:
            return None
        kind = dtype
    if kind is None:
        return None
    return tasks_at(array.__array_interface__["data"][0], array.shape, array.size, kind, fill, name, seed)


def tasks_at(
    address: int, shape: tuple[int, ...], size: int, dtype: str, fill: Fill, name: Any, seed: Any
) -> list[Task] | None:
    """The same for `size` contiguous, writable, aligned elements of `dtype` at this address."""
    law = ready(fill, dtype, shape)
    if law is None:
        return None
    stream, low = Stream(seed, fill.draw or name), 0xFFFFFFFF
    number, seed = stream.id, stream.seed
    key = struct.pack("<4Q", seed & low, seed >> 32, number & low, number >> 32)
    if size <= CHUNK:
        return [functools.partial(_run, law, key, 0, size, address)]
    item = SIZE[dtype]
    return [
        functools.partial(_run, law, key, first, min(CHUNK, size - first), address + first * item)
        for first in range(0, size, CHUNK)
    ]


def run_plain(tasks: Sequence[Task]) -> None:
    """Run the tasks of one array: a single one without asking for threads."""
    if len(tasks) == 1:
        tasks[0]()
    else:
        run_all(tasks)


def _run(law: Ready, key: bytes, first: int, size: int, address: int) -> None:
    # the task holds the law's memory: the caches may forget it before the task runs
    line, at, _ = law
    line(key, at, first, size, address)


@functools.lru_cache(maxsize=4096)
def ready(fill: Fill, dtype: str, shape: tuple[int, ...]) -> Ready | None:
    """The checked law as the kernel takes it: its call, the law's address, and the law's memory."""
    from . import cpu

    if fill.law not in KINDS or fill.law == "constant" or fill.zero_row is not None:
        return None
    try:
        if fill.layout is not None:
            fill.layout.check(shape)
        draw = draw_of(fill)
        check_range(fill, dtype, "")
        support(draw, np.float64 if dtype == "float64" else np.float32)
    except InitwiseError:
        return None
    if fill.layout is not None and fill.layout.canonical != tuple(range(len(shape))):
        return None
    return cpu.kernel_for(draw, dtype).line, *cpu.law_memory(draw)
