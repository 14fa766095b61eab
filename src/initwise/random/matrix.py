"""Laws of the whole matrix: orthogonal and delta-orthogonal; `structured.py` has those that draw nothing.

A tensor is taken apart into independent matrices: one per batch entry (`b`) and group; packed parts
come apart before. Each is out × (in·spatial). A shard is cut out of the whole matrices it touches.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import LayoutError
from ..core.fill import Fill
from ..core.layout import Layout
from ..core.shaped import default_layout
from ..core.stream import Stream
from .orthogonal import fill_haar
from .output import Region
from .structured import centre


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


def write(out: NDArray[Any], stream: Stream, fill: Fill, first: int = 0) -> None:
    """Fill a whole float32 or float64 tensor, or its matrices from number `first` on, where it lies.

    Costs each matrix once more in float64 and a panel of it, one matrix at a time (`orthogonal.py`); a
    copy of the tensor too if its rows' or its columns' axes do not lie evenly in memory.
    """
    layout = fill.layout or default_layout(out.ndim)
    parts, outs = matrices(out, layout), layout.axes.count("o")
    field = len(layout.spatial)
    if fill.law == "delta_orthogonal":
        out[...] = 0
        middle: Any = (..., *(centre(size, fill) for size in parts.shape[parts.ndim - field :]))
        parts = parts[middle]
        field = 0
    batch = parts.ndim - outs - field - layout.axes.count("i") - layout.axes.count("v")
    sizes = parts.shape
    shape = (sizes[:batch], sizes[batch : batch + outs], sizes[batch + outs :])
    flat = parts.reshape([math.prod(part) for part in shape])
    fill_haar(flat, stream, fill.gain, first)
    if not np.may_share_memory(flat, out):
        parts[...] = flat.reshape(sizes)


def values(stream: Stream, fill: Fill, region: Region, dtype: str = "float64") -> NDArray[Any]:
    """The block `region` of the tensor, in float64 or float32, axes in storage order.

    Costs the whole of every matrix that the block may touch, in time and, as `dtype`, in memory: of a
    tensor with a batch axis those of the block's entries along the first one, of any other tensor all.
    """
    layout = fill.layout or default_layout(len(region.shape))
    shape, offset, first = list(region.shape), list(region.offset), 0
    if "b" in layout.axes:
        axis = layout.axes.index("b")
        others = [size for size, letter in zip(shape, layout.axes, strict=True) if letter == "b"][1:]
        first = offset[axis] * math.prod(others) * layout.groups
        shape[axis], offset[axis] = region.size[axis], 0
    whole = np.empty(shape, dtype)
    write(whole, stream, fill, first)
    return whole[tuple(slice(o, o + n) for o, n in zip(offset, region.size, strict=True))]


def matrices(whole: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """A view of the tensor, its axes in the order b…, groups, o…, i… (or v), spatial…"""
    order = [k for letters in ("b", "o", "iv") for k, axis in enumerate(layout.axes) if axis in letters]
    tensor = whole.transpose(*order, *layout.spatial)
    batch, outs = layout.axes.count("b"), layout.axes.count("o")
    divided = batch + (outs if layout.transposed else 0)
    sizes = tensor.shape
    split = (*sizes[:divided], layout.groups, sizes[divided] // layout.groups, *sizes[divided + 1 :])
    return np.moveaxis(tensor.reshape(split), divided, batch)
