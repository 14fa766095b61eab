"""What was found in memory after filling: its moments, whether they are the declared ones, its digest.

Every value is read back once, parameters side by side in threads.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.storage import DTYPES
from ..random.threads import run_all
from .protocol import Adapter

SIGMAS = 8.0
"""How many standard errors off is no longer chance: about 1e-15 per tensor."""


PIECE = 1 << 16
"""Elements read at a time: in double precision they still fit the cache."""


@dataclass(frozen=True)
class Found:
    """What one parameter's memory holds: mean, std (n in the denominator) and SHA-256 of its bytes."""

    mean: float
    std: float
    digest: bytes


def read(adapter: Adapter, model: Any, infos: Sequence[ParameterInfo]) -> list[Found]:
    """What each parameter's memory holds."""
    found: dict[int, Found] = {}

    def look(place: int) -> None:
        found[place] = _found(adapter.values(model, infos[place].name), infos[place].dtype)

    # the largest first, so that no thread is left with it at the end
    order = sorted(range(len(infos)), key=lambda place: -math.prod(infos[place].shape))
    run_all([functools.partial(look, place) for place in order])
    return [found[place] for place in range(len(infos))]


def _found(values: Iterable[NDArray[Any]], dtype: str) -> Found:
    digest = hashlib.sha256()

    def numbers() -> Iterator[NDArray[np.float64]]:
        for piece in values:
            digest.update(_little(piece).data)
            yield _numbers(piece, dtype)

    mean, std = moments(numbers(), wide=dtype == "float64")
    return Found(mean, std, digest.digest())


def _numbers(bits: NDArray[Any], dtype: str) -> NDArray[np.float64]:
    if dtype == "bfloat16" and bits.dtype == np.uint16:
        bits = (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return bits.astype(np.float64)


def pieces(array: Any, flat: Callable[[Any], Any]) -> Iterator[Any]:
    """`array` in row-major order, in flat pieces of at most about `PIECE` elements.

    `flat` makes a vector of a block, contiguous, without a copy where it already is.
    """
    size = math.prod(array.shape)
    if 0 < size <= PIECE:
        yield flat(array)
    elif size:
        step = max(1, PIECE * len(array) // size)
        for start in range(0, len(array), step):
            rows = array[start : start + step]
            yield from pieces(rows[0] if len(rows) == 1 and rows.ndim > 1 else rows, flat)


def moments(numbers: Iterable[NDArray[np.float64]], wide: bool = False) -> tuple[float, float]:
    """Mean and standard deviation (n in the denominator) over float64 vectors; NaN without any.

    `wide` says that squares may leave float64: numbers are then taken in units of the first's size.
    Two groups are joined by the update of Chan, Golub and LeVeque (1979).
    """
    count, mean, square, unit = 0, 0.0, 0.0, 1.0
    for piece in numbers:
        if wide:
            unit = _unit(piece) if not count else unit
            piece = piece / unit
        n, average = piece.size, float(piece.mean())
        gap, away = average - mean, piece - average
        # einsum: a plain dot would wake the threads of BLAS for each piece
        square += float(np.einsum("i,i->", away, away)) + gap * gap * count * n / (count + n)
        mean += gap * n / (count + n)
        count += n
    return (mean * unit, math.sqrt(square / count) * unit) if count else (math.nan, math.nan)


def _unit(piece: NDArray[np.float64]) -> float:
    """The power of two at the largest number's size; 1 if there is none."""
    peak = float(np.abs(piece).max(initial=0.0))
    return math.ldexp(1.0, min(max(math.frexp(peak)[1], -1000), 1000)) if 0 < peak < math.inf else 1.0


def declared(info: ParameterInfo, fill: Fill) -> tuple[float, float]:
    """Mean and standard deviation of the whole tensor, its padding row of zeros included."""
    if fill.zero_row is None or not info.shape or not info.shape[0]:
        return fill.mean, fill.std
    share = 1 - 1 / info.shape[0]
    second = share * (fill.std**2 + fill.mean**2)
    mean = share * fill.mean
    return mean, math.sqrt(max(second - mean**2, 0.0))


def proven(info: ParameterInfo, fill: Fill, found: Found) -> None:
    """Raise ModelError if the values found cannot have come from `fill`: writing did nothing."""
    mean, std = declared(info, fill)
    count = math.prod(info.shape)
    limits = DTYPES.get(info.dtype)
    quantum = 0.0 if limits is None else max(limits.smallest, limits.spacing * (abs(mean) + std))
    slack = SIGMAS * max(_spread(fill), std) / math.sqrt(max(count, 1)) + quantum
    stuck = abs(found.mean - mean) <= slack and (abs(found.std - std) <= slack or count < 2)
    if stuck and math.isfinite(found.mean) and math.isfinite(found.std):
        return
    raise ModelError(
        f"after filling with {fill.formula} the memory holds mean {found.mean:.6g}, std {found.std:.6g}",
        where=info.name,
        expected=f"mean {mean:.6g}, std {std:.6g}",
        cause="something between the parameter and its memory (a tensor subclass, a hook, another "
        "thread) took or changed the write",
        fix="Initialize the plain model, before it is wrapped.",
    )


def _spread(fill: Fill) -> float:
    """The std of independent weights whose mean would be as uncertain as that of this law's."""
    if fill.repeat is not None:
        return math.sqrt(fill.repeat.times) * _spread(fill.parts[0][2])
    if fill.parts:
        return max(_spread(part) for _, _, part in fill.parts)
    # of few weights that are not zero each is much of the sum: their own std tells the chance
    return fill.scale if fill.law == "sparse" else fill.std


def digest(infos: Iterable[ParameterInfo], found: Iterable[Found]) -> str:
    """SHA-256 over name, shape, dtype and SHA-256 of the bytes (little-endian, row-major), by name."""
    total = hashlib.sha256()
    for info, held in sorted(zip(infos, found, strict=True), key=lambda pair: pair[0].name):
        total.update(f"{info.name}\0{','.join(map(str, info.shape))}\0{info.dtype}\0".encode())
        total.update(held.digest)
    return total.hexdigest()


def _little(piece: NDArray[Any]) -> NDArray[Any]:
    return piece.astype(piece.dtype.newbyteorder("<"), copy=False)
