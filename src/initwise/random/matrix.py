"""Laws of the whole matrix: orthogonal and delta-orthogonal; `structured.py` has those that draw nothing.

A tensor is taken apart into independent matrices: one per batch entry (`b`) and group; packed parts
come apart before. Each is out × (in·spatial). A shard is computed from the whole tensor and cut out,
which costs the memory of the whole tensor in float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import LayoutError
from ..core.fill import Fill
from ..core.layout import Layout
from ..core.shaped import default_layout
from ..core.stream import Stream
from .orthogonal import haar
from .output import Region

F64 = NDArray[np.float64]


def check(fill: Fill, shape: tuple[int, ...], where: str) -> None:
    """Raise unless `shape` is made of matrices.

    Raises:
        LayoutError: a 0-d or 1-d tensor, or a layout without an output or input axis.
    """
    layout = fill.layout
    if len(shape) < 2 or (layout is not None and not ("o" in layout.axes and set("iv") & set(layout.axes))):
        raise LayoutError(
            f"{fill.law} of shape {shape}" + (f" with layout {layout}" if layout is not None else ""),
            where=where,
            expected="a matrix: an o axis and an i (or v) axis",
            cause="a law of matrices was asked for a bias, a norm's gain or another vector",
            fix="Give vectors a law of their own: zeros, ones, constant(value), uniform(low, high).",
        )
    layout = layout or default_layout(len(shape))
    layout.check(shape, where)
    divided = "iv" if layout.transposed else "o"
    axis = next(k for k, letter in enumerate(layout.axes) if letter in divided)
    if shape[axis] % layout.groups:
        raise LayoutError(
            f"axis {axis} of shape {shape} with layout {layout} does not divide into groups",
            where=where,
            expected="groups that divide the first of several axes of a kind",
        )


def values(stream: Stream, fill: Fill, region: Region) -> F64:
    """The block `region` of the tensor, in float64, axes in storage order."""
    layout = replace(fill.layout or default_layout(len(region.shape)), parts=())
    whole = np.zeros(region.shape)
    for index, piece in enumerate(_matrices(whole, layout)):
        sizes = _sizes(piece.shape, layout)
        piece[...] = _MAKERS[fill.law](sizes, stream, index).reshape(piece.shape)
    whole *= fill.gain
    return whole[tuple(slice(o, o + n) for o, n in zip(region.offset, region.size, strict=True))]


def _matrices(whole: F64, layout: Layout) -> Iterator[F64]:
    """A view of each independent matrix, its axes in the order o…, i… (or v), spatial…"""
    order = [k for letters in ("b", "o", "iv") for k, axis in enumerate(layout.axes) if axis in letters]
    tensor = whole.transpose(*order, *layout.spatial)
    batch, outs = layout.axes.count("b"), layout.axes.count("o")
    divided = outs if layout.transposed else 0
    for entry in itertools.product(*(range(size) for size in tensor.shape[:batch])):
        width = tensor[entry].shape[divided] // layout.groups
        for group in range(layout.groups):
            cut = slice(group * width, (group + 1) * width)
            yield np.moveaxis(np.moveaxis(tensor[entry], divided, 0)[cut], 0, divided)


def _sizes(shape: tuple[int, ...], layout: Layout) -> tuple[int, int, tuple[int, ...]]:
    """(out, in, spatial sizes) of one matrix."""
    outs, ins = layout.axes.count("o"), layout.axes.count("i") + layout.axes.count("v")
    return math.prod(shape[:outs]), math.prod(shape[outs : outs + ins]), shape[outs + ins :]


def _orthogonal(sizes: tuple[int, int, tuple[int, ...]], stream: Stream, index: int) -> F64:
    out, into, field = sizes
    return haar(out, into * math.prod(field), stream, index)


def _delta_orthogonal(sizes: tuple[int, int, tuple[int, ...]], stream: Stream, index: int) -> F64:
    return _at_centre(haar(sizes[0], sizes[1], stream, index), sizes[2])


def _at_centre(matrix: F64, field: tuple[int, ...]) -> F64:
    """The matrix at the kernel's centre tap, index size // 2 of each spatial axis; zero elsewhere."""
    kernel = np.zeros((*matrix.shape, *field))
    centre: tuple[Any, ...] = (..., *(size // 2 for size in field))
    kernel[centre] = matrix
    return kernel


_MAKERS = {
    "orthogonal": _orthogonal,
    "delta_orthogonal": _delta_orthogonal,
}
