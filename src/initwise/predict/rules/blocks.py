"""Blocks of images as columns, and back: a matrix per axis, whose rows are (tap, block)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import maps, values
from ..axes import Array
from ..lines import Line
from ..moments import Moments
from ..values import Value
from .calling import Call, rule
from .pooling import per_axis
from .separable import mapped


def _lines(call: Call, size: Sequence[int]) -> list[Line]:
    names = ("kernel_size", "stride", "padding", "dilation")
    kernel, stride, padding, dilation = (per_axis(call[name], len(size)) for name in names)
    found = []
    for i, places in enumerate(size):
        blocks = (places + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        found.append(Line(places, blocks, kernel[i], stride[i], padding[i], dilation[i]))
    return found


def _matrix(line: Line) -> Array:
    """(taps · blocks, places): which place each block sees through each tap."""
    seen = line.seen().T.reshape(-1)
    found: Array = (seen[:, None] == np.arange(line.inputs)[None]).astype(float)
    return found


def _whole(matrix: Array) -> tuple[int, ...]:
    return (matrix.shape[0],)


@rule("im2col")
def blocks(call: Call) -> Value:
    """(batch, channels · taps, blocks) of an image."""
    x = call.value("self")
    moments = x.moments if len(x.shape) == 4 else maps.reshape(x.moments, (1, *x.shape))
    batch, channels, *size = moments.shape
    lines = _lines(call, size)
    for i, line in enumerate(lines):
        moments = mapped(moments, 2 + i, _matrix(line), _whole(_matrix(line)))
    (a, b), (h, w) = (line.kernel for line in lines), (line.outputs for line in lines)
    moments = maps.permute(maps.reshape(moments, (batch, channels, a, h, b, w)), (0, 1, 2, 4, 3, 5))
    moments = maps.reshape(moments, call.shape)
    return values.fresh(moments, spread=x.scale_spread, notes=x.notes)


@rule("col2im")
def image(call: Call) -> Value:
    """An image from its blocks: what overlaps is summed."""
    x = call.value("self")
    lines = _lines(call, call["output_size"])
    (a, b), (h, w) = (line.kernel for line in lines), (line.outputs for line in lines)
    batch = x.shape[0] if len(x.shape) == 3 else 1
    channels = math.prod(x.shape) // (batch * a * b * h * w)
    moments: Moments = maps.reshape(x.moments, (batch, channels, a, b, h, w))
    moments = maps.permute(moments, (0, 1, 2, 4, 3, 5))
    moments = maps.reshape(moments, (batch, channels, a * h, b * w))
    for i, line in enumerate(lines):
        moments = mapped(moments, 2 + i, _matrix(line).T)
    return values.fresh(maps.reshape(moments, call.shape), spread=x.scale_spread, notes=x.notes)
