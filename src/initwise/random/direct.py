"""The short way for a small, whole, contiguous array: the kernel's call without the general planning.

A transformer has hundreds of parameters of a few hundred numbers; for those the planning would take
longer than the filling. Whatever is not plain here is left to `engine.py`, errors included.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import InitwiseError
from ..core.fill import Fill
from ..core.stream import Stream
from .draw import KINDS, draw_of, support
from .output import check_range
from .threads import Task

SMALL = 1 << 16
"""Elements beyond which threads are worth their start."""
Ready = tuple[Callable[..., None], int, Any]
"""A kernel's call, the address of a law's numbers, and the memory they lie in, to be held until the call."""
_NAMES = {np.dtype(name): name for name in ("float64", "float32", "float16")}
_BITS = np.dtype(np.uint16)


def small_task(array: Any, fill: Any, name: Any, seed: Any, dtype: str | None) -> Task | None:
    """What fills `array`, if it is a plain case and all is well; None if it is not.

    The caller keeps `array` alive until the task has run.
    """
    if type(array) is not np.ndarray or not 0 < array.size <= SMALL or type(fill) is not Fill:
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
    return task_at(array.__array_interface__["data"][0], array.shape, array.size, kind, fill, name, seed)


def task_at(
    address: int, shape: tuple[int, ...], size: int, dtype: str, fill: Fill, name: Any, seed: Any
) -> Task | None:
    """The same for `size` contiguous, writable, aligned elements of `dtype` at this address."""
    law = ready(fill, dtype, shape)
    if law is None:
        return None
    stream, low = Stream(seed, name), 0xFFFFFFFF
    number, seed = stream.id, stream.seed
    key = struct.pack("<4Q", seed & low, seed >> 32, number & low, number >> 32)
    return functools.partial(_run, law, key, size, address)


def _run(law: Ready, key: bytes, size: int, address: int) -> None:
    # the task holds the law's memory: the caches may forget it before the task runs
    line, at, _ = law
    line(key, at, 0, size, address)


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
