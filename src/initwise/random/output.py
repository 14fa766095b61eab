"""What may be written, and where: the checks that come before the first number."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import FillError, OutputError, StreamError
from ..core.fill import MATRIX_LAWS, Fill
from ..core.storage import DTYPES, extent, overlaps

LIMIT = 2**63
"""Elements are counted by 63 bits."""

REACH = 6.8
"""No normal variate of the stream is longer than this."""


@dataclass(frozen=True)
class Region:
    """A block of a tensor: the whole tensor's shape and where the block begins in it."""

    shape: tuple[int, ...]
    offset: tuple[int, ...]
    size: tuple[int, ...]


def checked_array(array: Any, dtype: str | None, where: str) -> tuple[NDArray[Any], str]:
    """`array` as the kernels write it (bfloat16 and float16 as uint16 bits), and its dtype's name.

    Raises:
        OutputError: no NumPy array, read-only, overlapping, or of a type that holds no weights.
    """
    if not isinstance(array, np.ndarray):
        raise OutputError(f"a {type(array).__name__}", where=where, expected="a writable NumPy array")
    name = _dtype_name(array, dtype, where)
    if not array.flags.writeable:
        raise OutputError(
            "a read-only array", where=where, expected="a writable one", fix="Pass a copy, or its base array."
        )
    if overlaps(array.shape, array.strides, array.itemsize):
        raise overlap_error(array.shape, array.strides, where)
    return (array.view(np.uint16) if name in ("float16", "bfloat16") else array), name


def apart(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise OutputError if two of these arrays share memory: what they held would be chance.

    Views that interleave without sharing are told apart as far as that takes little time.
    """
    reach, last = -1, ""
    spans = {name: _span(array) for name, array in arrays.items() if array.size}
    for name, (low, high) in sorted(spans.items(), key=lambda item: item[1]):
        if low < reach and _share(arrays[last], arrays[name]):
            raise OutputError(
                f"memory of {last!r} again",
                where=name,
                expected="arrays that share no memory",
                cause="tied weights listed twice, or views of one array; name the owner only",
            )
        if high > reach:
            reach, last = high, name


def _span(array: NDArray[Any]) -> tuple[int, int]:
    start = array.__array_interface__["data"][0]
    if array.flags.c_contiguous:
        return start, start + array.nbytes
    return extent(start, array.shape, array.strides, array.itemsize)


def _share(one: NDArray[Any], other: NDArray[Any]) -> bool:
    try:
        return bool(np.shares_memory(one, other, max_work=10_000))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def overlap_error(shape: Sequence[int], strides: Sequence[int], where: str) -> OutputError:
    return OutputError(
        f"shape {tuple(shape)} with strides {tuple(strides)} overlaps itself",
        where=where,
        expected="one place in memory for each element",
        cause="the array was made by expand or broadcast_to",
        fix="Fill the array before it is expanded.",
    )


def _dtype_name(array: NDArray[Any], dtype: str | None, where: str) -> str:
    if dtype == "bfloat16" and array.dtype == np.uint16:
        return "bfloat16"
    name = array.dtype.name
    if dtype is not None and dtype != name:
        raise OutputError(
            f"an array of {name} asked to hold {dtype}",
            where=where,
            expected=f"an array of {'uint16 (the bits)' if dtype == 'bfloat16' else dtype}",
        )
    if name not in DTYPES:
        raise dtype_error(name, where)
    if not array.dtype.isnative:
        raise OutputError(
            f"{name} of foreign byte order",
            where=where,
            expected="native byte order",
            fix="Fill array.astype(array.dtype.newbyteorder('=')) and convert it back.",
        )
    return name


def dtype_error(name: str, where: str) -> OutputError:
    return OutputError(
        f"a tensor of {name}",
        where=where,
        expected="a floating-point tensor",
        cause="a quantized, integer, boolean or complex parameter",
        legal=DTYPES,
        fix="Fill it in one of these and convert (complex: its real and imaginary views one by one).",
    )


def checked_region(local: Sequence[int], shape: Any, offset: Any, where: str) -> Region:
    """Where a block of shape `local` lies in the whole tensor.

    Raises:
        StreamError: shape or offset are no tuples of integers, do not fit the block, or hold more
            than 2⁶³ elements.
    """
    size = tuple(local)
    if shape is None:
        if offset is not None:
            raise StreamError(
                f"offset {offset!r} without the global shape",
                where=where,
                expected="both, for a shard",
                fix="Pass shape=, the shape of the whole tensor.",
            )
        whole, start = size, (0,) * len(size)
    else:
        whole = _integers(shape, "shape", where)
        if offset is None and whole != size:
            raise StreamError(
                f"a block of shape {size} of a tensor of shape {whole}, without its offset",
                where=where,
                expected="both, for a shard",
                cause="every shard would hold the first block's numbers",
                fix="Pass offset=, where the block begins in the whole tensor.",
            )
        start = (0,) * len(whole) if offset is None else _integers(offset, "offset", where)
    _fits(size, whole, start, where)
    return Region(whole, start, size)


def _integers(value: Any, what: str, where: str) -> tuple[int, ...]:
    try:
        return tuple(operator.index(item) for item in value)
    except TypeError:
        raise StreamError(f"{what} {value!r}", where=where, expected="a tuple of integers") from None


def _fits(size: tuple[int, ...], whole: tuple[int, ...], start: tuple[int, ...], where: str) -> None:
    if not len(size) == len(whole) == len(start):
        raise StreamError(
            f"a block of shape {size} at offset {start} of a tensor of shape {whole}",
            where=where,
            expected="the same number of axes in all three",
        )
    for axis, (n, total, first) in enumerate(zip(size, whole, start, strict=True)):
        if first < 0 or first + n > total:
            raise StreamError(
                f"axis {axis} of the block covers {first} to {first + n}, the whole tensor has {total}",
                where=where,
                expected="a block inside the whole tensor",
                cause="shape= is the shard's shape, or offset= counts shards instead of elements",
            )
    if math.prod(whole) > LIMIT:
        raise StreamError(
            f"shape {whole} has {math.prod(whole)} elements", where=where, expected="at most 2**63"
        )


def check_range(fill: Fill, dtype: str, where: str) -> None:
    """Raise FillError if `dtype` cannot hold the law: it would overflow, or round to a constant."""
    largest, smallest = DTYPES[dtype].largest, DTYPES[dtype].smallest
    top = _reach(fill)
    if top > largest:
        raise FillError(
            f"{dtype} holds numbers up to {largest:.6g}, {fill.formula} reaches {top:.6g}",
            where=where,
            fix="Fill a float32 tensor, or choose a smaller scale.",
        )
    spread = {"constant": abs(fill.mean), "sparse": fill.scale}.get(fill.law, fill.std)
    if 0 < spread < 2 * smallest:
        raise FillError(
            f"{dtype} has no numbers between 0 and {smallest:.3g}, {fill.formula} has std {spread:.3g}"
            if fill.law != "constant"
            else f"{dtype} has no numbers between 0 and {smallest:.3g}, the constant is {fill.mean!r}",
            where=where,
            cause="nearly every weight would round to the same few numbers",
            fix="Fill a float32 or bfloat16 tensor, or choose a larger scale.",
        )
    apart = DTYPES[dtype].spacing * abs(fill.mean)
    if fill.law not in MATRIX_LAWS and 0 < fill.std < apart / 4:
        raise FillError(
            f"{dtype} cannot hold {fill.formula}",
            where=where,
            cause=f"around {fill.mean:g} its numbers lie {apart:.3g} apart",
            fix="Initialize in float32 and convert, or choose another scale.",
        )


def _reach(fill: Fill) -> float:
    if fill.law == "normal":
        return abs(fill.mean) + REACH * fill.std
    if fill.law == "sparse":
        return REACH * fill.scale
    if fill.law == "truncated_normal":
        # beyond a bound a sigmas out, exp(-REACH²/2) of the rest lies beyond √(a² + REACH²)
        outside = max(fill.low - fill.loc, fill.loc - fill.high, 0.0) / fill.scale
        away = math.hypot(outside, REACH) * fill.scale
        edges = (max(fill.loc - away, fill.low), min(fill.loc + away, fill.high))
        return max(abs(edge) for edge in edges)
    if fill.law == "whole":
        return max(abs(fill.low), abs(fill.high)) if math.isfinite(fill.high) else REACH * fill.std
    if fill.law in ("constant", "uniform", "mapped", "indexed"):
        return max(abs(fill.low), abs(fill.high))
    return abs(fill.gain)
