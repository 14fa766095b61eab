"""Laws that are functions, of an element's uniform variate or of its place, evaluated in NumPy.

u is (z + 1)/2, z the uniform variate of the stream (exact). The function is computed in float64 and
rounded once. A shard is made from its own elements, a piece at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.curves import INDEXED, MAPPED, indexed_values
from ..core.errors import LayoutError
from ..core.fill import Fill
from ..core.stream import Stream
from . import reference
from .output import Region
from .threads import Task

PIECE = 1 << 17
"""Elements made at a time: beside the tensor there are a few such pieces in float64."""


def check(fill: Fill, shape: tuple[int, ...], where: str) -> None:
    """Raise LayoutError unless an indexed law finds the axes it counts along."""
    needed = 1 if fill.curve is None else max(INDEXED[fill.curve.name].axes, 1)
    if len(shape) < needed:
        raise LayoutError(
            f"{fill.formula} of shape {shape}",
            where=where,
            expected="at least one axis" if needed == 1 else f"at least {needed} axes",
            cause="the law counts along them",
        )


def tasks(out: NDArray[Any], dtype: str, fill: Fill, stream: Stream, region: Region) -> list[Task]:
    """What writes the block `region` of the tensor into `out` (half types as uint16 bits)."""
    return [functools.partial(_write, *piece, dtype, fill, stream) for piece in _pieces(out, region)]


def _pieces(out: NDArray[Any], region: Region) -> Iterator[tuple[NDArray[Any], Region]]:
    """The block in pieces of at most PIECE elements, cut along its longest axes."""
    if not out.size:
        return
    if out.size <= PIECE:
        yield out, region
        return
    axis = int(np.argmax(out.shape))
    step = max(1, PIECE * out.shape[axis] // out.size)
    for begin in range(0, out.shape[axis], step):
        part = out[(slice(None),) * axis + (slice(begin, begin + step),)]
        offset = (*region.offset[:axis], region.offset[axis] + begin, *region.offset[axis + 1 :])
        yield from _pieces(part, Region(region.shape, offset, part.shape))


def _write(out: NDArray[Any], region: Region, dtype: str, fill: Fill, stream: Stream) -> None:
    values = _mapped(fill, stream, region) if fill.law == "mapped" else _indexed(fill, region)
    out[...] = reference.stored(values, dtype)


def _mapped(fill: Fill, stream: Stream, region: Region) -> NDArray[np.float64]:
    from .engine import fill_here

    assert fill.curve is not None
    z = np.empty(region.size, np.float32)
    fill_here(z, Fill.uniform(-1.0, 1.0, layout=fill.layout), stream, region)
    u = (z.astype(np.float64) + 1) / 2
    values = fill.gain * MAPPED[fill.curve.name].function(u, *fill.curve.numbers)
    # libm may overshoot the ends by an ulp
    kept: NDArray[np.float64] = np.clip(values, fill.low, fill.high)
    return kept


def _indexed(fill: Fill, region: Region) -> NDArray[np.float64]:
    assert fill.curve is not None
    values = indexed_values(fill.curve, region.shape, region.offset, region.size, fill.layout)
    scaled: NDArray[np.float64] = fill.gain * values
    return scaled
