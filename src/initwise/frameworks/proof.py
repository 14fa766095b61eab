"""What was found in memory after filling: does it hold what was declared, and its digest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from .fitting import RANGES, leaves
from .protocol import Adapter

SIGMAS = 8.0
"""How many standard errors off is no longer chance: about 1e-15 per tensor."""


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
    limits = RANGES.get(info.dtype)
    quantum = 0.0 if limits is None else max(limits.smallest, limits.spacing * (abs(mean) + std))
    spread = max([leaf.std for leaf in leaves(fill)] + [std])
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
