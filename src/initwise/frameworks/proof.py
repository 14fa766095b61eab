"""What was found in memory after filling: its moments, whether they are the declared ones, its digest.

Arrays here are NumPy's or any framework's own: what is used of them is shape, slicing along the first
axis, `mean` and `sum`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.storage import DTYPES
from .fitting import leaves
from .protocol import Adapter

SIGMAS = 8.0
"""How many standard errors off is no longer chance: about 1e-15 per tensor."""


PIECE = 1 << 20
"""Elements read at a time."""


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


def moments(numbers: Iterable[Any]) -> tuple[float, float]:
    """Mean and standard deviation (n in the denominator) over float64 vectors; NaN without any.

    Two groups are joined by the update of Chan, Golub and LeVeque (1979).
    """
    count, mean, square = 0, 0.0, 0.0
    for piece in numbers:
        n, average = math.prod(piece.shape), float(piece.mean())
        gap = average - mean
        square += float(((piece - average) ** 2).sum()) + gap * gap * count * n / (count + n)
        mean += gap * n / (count + n)
        count += n
    return (mean, math.sqrt(square / count)) if count else (math.nan, math.nan)


def declared(info: ParameterInfo, fill: Fill) -> tuple[float, float]:
    """Mean and standard deviation of the whole tensor, its padding row of zeros included."""
    if fill.zero_row is None or not info.shape or not info.shape[0]:
        return fill.mean, fill.std
    share = 1 - 1 / info.shape[0]
    second = share * (fill.std**2 + fill.mean**2)
    mean = share * fill.mean
    return mean, math.sqrt(max(second - mean**2, 0.0))


def proven(info: ParameterInfo, fill: Fill, found: tuple[float, float]) -> None:
    """Raise ModelError if the values found cannot have come from `fill`: writing did nothing."""
    mean, std = declared(info, fill)
    count = math.prod(info.shape)
    limits = DTYPES.get(info.dtype)
    quantum = 0.0 if limits is None else max(limits.smallest, limits.spacing * (abs(mean) + std))
    # of few weights that are not zero each is much of the sum: their own std tells the chance
    spread = max([leaf.scale if leaf.law == "sparse" else leaf.std for leaf in leaves(fill)] + [std])
    slack = SIGMAS * spread / math.sqrt(max(count, 1)) + quantum
    stuck = abs(found[0] - mean) <= slack and (abs(found[1] - std) <= slack or count < 2)
    if stuck and all(map(math.isfinite, found)):
        return
    raise ModelError(
        f"after filling with {fill.formula} the memory holds mean {found[0]:.6g}, std {found[1]:.6g}",
        where=info.name,
        expected=f"mean {mean:.6g}, std {std:.6g}",
        cause="something between the parameter and its memory (a tensor subclass, a hook, another "
        "thread) took or changed the write",
        fix="Initialize the plain model, before it is wrapped.",
    )


def digest(adapter: Adapter, model: Any, infos: Iterable[ParameterInfo]) -> str:
    """SHA-256 over name, shape, dtype and bytes (little-endian, row-major) of tensors, by name."""
    total = hashlib.sha256()
    for info in sorted(infos, key=lambda info: info.name):
        total.update(f"{info.name}\0{','.join(map(str, info.shape))}\0{info.dtype}\0".encode())
        for piece in adapter.values(model, info.name):
            total.update(_little(piece).data)
    return total.hexdigest()


def _little(piece: NDArray[Any]) -> NDArray[Any]:
    return piece.astype(piece.dtype.newbyteorder("<"), copy=False)
