"""Laws of whole matrices and tensors, and laws that are functions, by the modules that know them: one door
for the engine."""

from __future__ import annotations

import functools
from typing import Any

from numpy.typing import NDArray

from ..core.fill import CURVES, Fill
from ..core.stream import Stream
from . import mapped, matrix, reference, sparse, structured, whole
from .output import Region
from .threads import Task

__all__ = ["check", "tasks"]


def check(fill: Fill, shape: tuple[int, ...], where: str) -> None:
    """Raise LayoutError unless a tensor of this shape can hold the law."""
    if fill.law == "whole":
        matrix.check(fill, shape, where)
        whole.check(fill, shape, where)
    elif fill.law in CURVES:
        mapped.check(fill, shape, where)
    else:
        matrix.check(fill, shape, where)


def tasks(out: NDArray[Any], dtype: str, fill: Fill, stream: Stream, region: Region) -> list[Task]:
    """What writes `fill` into `out`, the block `region` of the tensor; half types as uint16 bits."""
    if fill.law == "whole":
        return whole.tasks(out, dtype, fill, stream, region)
    if fill.law in CURVES:
        return mapped.tasks(out, dtype, fill, stream, region)
    if fill.law == "sparse":
        return sparse.tasks(out, fill, stream, region)
    if fill.law in structured.LAWS:
        return structured.tasks(out, dtype, fill, region)
    return [functools.partial(_write_matrix, out, dtype, fill, stream, region)]


def _write_matrix(out: NDArray[Any], dtype: str, fill: Fill, stream: Stream, region: Region) -> None:
    single = dtype if dtype in ("float32", "float64") else "float64"
    if single == dtype and region.size == region.shape:
        matrix.write(out, stream, fill)
        return
    out[...] = reference.stored(matrix.values(stream, fill, region, single), dtype)
