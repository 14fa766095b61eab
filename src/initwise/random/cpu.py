"""Kernels compiled for this processor, and their calls.

Imported only when something is filled. The kernels know nothing of threads, hold no state and release
the GIL; they need no memory beyond a tile on the stack.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.stream import Stream
from . import native
from .calling import AFFINE_DOUBLE, AFFINE_SINGLE, CENTRED, LAW_BYTES, SIDES, TABLE
from .draw import Draw, support

_ADDRESS, _COUNT = ctypes.c_void_p, ctypes.c_uint64
_LINE = ctypes.CFUNCTYPE(None, _ADDRESS, _ADDRESS, _COUNT, _COUNT, _ADDRESS)
_FILL = ctypes.CFUNCTYPE(None, _ADDRESS, _ADDRESS, _COUNT, *[ctypes.c_int64] * 9, _ADDRESS)
SAFE_SCALE = 2.0**-60
"""No variate other than 0 is shorter than 2⁻⁴⁸: from this scale on no product leaves the normal numbers."""


@dataclass(frozen=True)
class Code:
    """A compiled kernel's two entries.

    line(key, law, first, count, out) fills a contiguous run; fill(key, law, first, 3 steps, 3 sizes,
    3 strides, out) any block of up to three axes. key, law and out are addresses.
    """

    line: Callable[..., None]
    fill: Callable[..., None]


def kernel_for(draw: Draw, dtype: str) -> Code:
    """The compiled kernel of a law for one output type."""
    return compiled(_kind(draw, dtype), dtype)


@functools.lru_cache(maxsize=4096)
def _kind(draw: Draw, dtype: str) -> str:
    law = draw.truncation
    if law is not None:
        alike = law.split == 2**31 and law.major == law.minor
        return "symmetric" if alike else draw.kind
    return (CENTRED if _is_centred(draw, dtype) else "") + draw.kind


def _is_centred(draw: Draw, dtype: str) -> bool:
    """Whether scale·z is the value: nothing to add, no bound it could cross, no product too small."""
    real = np.float64 if dtype == "float64" else np.float32
    scale: Any = real(draw.scale)
    if draw.location != 0 or abs(scale) < SAFE_SCALE:
        return False
    if draw.kind == "normal":
        return True
    low, high = support(draw, np.float64) if dtype == "float64" else _single_support(draw)
    top = float(scale * real(1 - 2.0**-24))
    return bool(low <= -top and top <= high)


@functools.cache
def compiled(kind: str, dtype: str) -> Code:
    """The kernel for one kind of law and one output type; see `kernel.py`."""
    line, fill = native.functions(f"{kind} {dtype}", lambda: _module(kind, dtype), ("line", "fill"))
    return Code(_LINE(line), _FILL(fill))


def _module(kind: str, dtype: str) -> Any:
    from .kernel import Kernel, Target

    has = native.features()
    intel = native.processor_family() == "x86_64"
    target = Target(8, bool(has.get("f16c")), "x" if has.get("avx2") else "", intel)
    return Kernel(kind, dtype, target).module


@functools.lru_cache(maxsize=4096)
def key_memory(stream: Stream) -> tuple[int, NDArray[np.uint64]]:
    """A stream as the kernels read it: an address, and the memory that must outlive the calls."""
    low = 0xFFFFFFFF
    words = (stream.seed & low, stream.seed >> 32, stream.id & low, stream.id >> 32)
    memory = np.array(words, np.uint64)
    return memory.ctypes.data, memory


@dataclass(frozen=True)
class LawValues:
    """A draw's numbers in the kernels' order.

    double, single: location, scale, low, high, for float64 and for other outputs.
    sides: split, then last and near of the major and the minor side.
    table: hazard, its square, step and floor of the major and the minor side, 11 coefficients.
    """

    double: tuple[float, ...]
    single: tuple[float, ...]
    sides: tuple[int, ...]
    table: tuple[float, ...]


@functools.lru_cache(maxsize=4096)
def law_values(draw: Draw) -> LawValues:
    """A draw's numbers in the kernels' order; zeros where its law has none."""
    affine = (draw.location, draw.scale)
    double, single = (*affine, *support(draw, np.float64)), (*affine, *_single_support(draw))
    law = draw.truncation
    if law is None:
        return LawValues(double, single, (0,) * 5, (0.0,) * 17)
    major, minor = law.major, law.minor
    steps = (major.step, major.floor, minor.step, minor.floor)
    return LawValues(
        double,
        single,
        (law.split, major.last, major.near, minor.last, minor.near),
        (law.hazard, law.hazard_squared, *steps, *law.coefficients),
    )


@functools.lru_cache(maxsize=4096)
def law_memory(draw: Draw) -> tuple[int, NDArray[np.uint8]]:
    """A draw as the kernels read it: an address, and the memory that must outlive the calls."""
    memory, values = np.zeros(LAW_BYTES, np.uint8), law_values(draw)
    memory[AFFINE_DOUBLE : AFFINE_DOUBLE + 32].view(np.float64)[:] = values.double
    with np.errstate(over="ignore"):
        memory[AFFINE_SINGLE : AFFINE_SINGLE + 16].view(np.float32)[:] = values.single
    memory[SIDES : SIDES + 20].view(np.uint32)[:] = values.sides
    memory[TABLE : TABLE + 68].view(np.float32)[:] = values.table
    return memory.ctypes.data, memory


def _single_support(draw: Draw) -> tuple[float, float]:
    try:
        return support(draw, np.float32)
    except ValueError:  # no float32 between the bounds: then only float64 tensors are filled
        return (draw.low, draw.high)
