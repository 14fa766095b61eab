"""Laws that are functions of all of a tensor's normal variates (`core.whole.WHOLE`).

Everything is float64 in one order: sums run over halves (`total`), products are exact or of single elements,
so that the bits depend on no thread, no vector width and no BLAS; rounded once to the tensor's type.
A shard makes what it needs: whole lines for unit columns, the whole tensor for the others.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import LayoutError
from ..core.fill import Fill
from ..core.layout import Layout
from ..core.shaped import default_layout, matrix_sizes
from ..core.stream import Stream
from ..core.whole import WHOLE
from . import reference
from .matrix import matrices
from .orthogonal import fill_haar
from .output import Region
from .positive import normalized_positive
from .sparse import Lines, lines_of, split
from .threads import Task

F64 = NDArray[np.float64]
PIECE = 1 << 18
"""Weights whose Fourier coefficients are held together."""
_STANDARD = Fill.normal()


def check(fill: Fill, shape: tuple[int, ...], where: str) -> None:
    """Raise LayoutError unless the law's matrices are square, if it needs that."""
    assert fill.curve is not None
    rows, columns, field = matrix_sizes(shape, fill.layout)
    if WHOLE[fill.curve.name].square and not (rows == columns and field == 1):
        raise LayoutError(
            f"{fill.formula} of shape {shape}",
            where=where,
            expected="square matrices, as a state's map to the next state",
            cause=f"it has {rows} rows and {columns * field} columns",
        )


def tasks(out: NDArray[Any], dtype: str, fill: Fill, stream: Stream, region: Region) -> list[Task]:
    """What writes the block `region` of the tensor into `out` (half types as uint16 bits)."""
    assert fill.curve is not None
    layout = fill.layout or default_layout(out.ndim)
    if fill.curve.name != "unit_outputs":
        return [functools.partial(_write, out, dtype, fill, layout, stream, region)]
    order = layout.canonical
    view, offset = out.transpose(order), tuple(region.offset[axis] for axis in order)
    return [
        functools.partial(_write_units, view, dtype, fill.gain, offset, stream, piece)
        for lines in lines_of(layout, "output", region, int)
        for piece in split(lines)
    ]


def total(values: F64) -> F64:
    """The sum along the last axis, which it overwrites: the second half (the shorter) is added to the first,
    again and again."""
    while values.shape[-1] > 1:
        half = (values.shape[-1] + 1) // 2
        values[..., : values.shape[-1] - half] += values[..., half:]
        values = values[..., :half]
    return values[..., 0]


def normals(stream: Stream, shape: tuple[int, ...], begin: tuple[int, ...], size: tuple[int, ...]) -> F64:
    """The standard normal variates of a block of a tensor whose axes are in canonical order."""
    from .engine import fill_here

    variates = np.empty(size, np.float32)
    fill_here(variates, _STANDARD, stream, Region(shape, begin, size))
    return variates.astype(np.float64)


def _write_units(
    view: NDArray[Any], dtype: str, gain: float, offset: tuple[int, ...], stream: Stream, lines: Lines
) -> None:
    """gain·z/√Σz² over each line; of the whole lines, what lies in the block `view`."""
    values = normals(stream, lines.shape, lines.begin, lines.size)
    order = (*lines.across, *lines.along)
    squares = np.square(values).transpose(order).reshape(*(lines.size[k] for k in lines.across), -1)
    sums = total(np.ascontiguousarray(squares))
    values *= (gain / np.sqrt(sums)).reshape([1 if k in lines.along else n for k, n in enumerate(lines.size)])
    spans = [
        (max(begin, first), min(begin + size, first + held))
        for begin, size, first, held in zip(lines.begin, lines.size, offset, view.shape, strict=True)
    ]
    here = tuple(slice(low - b, high - b) for (low, high), b in zip(spans, lines.begin, strict=True))
    there = tuple(slice(low - f, high - f) for (low, high), f in zip(spans, offset, strict=True))
    view[there] = reference.stored(values[here], dtype)


def _write(out: NDArray[Any], dtype: str, fill: Fill, layout: Layout, stream: Stream, region: Region) -> None:
    """The block of a tensor that is made as a whole, in float64."""
    assert fill.curve is not None
    whole = np.empty(region.shape)
    view = matrices(whole, layout)
    lead = layout.axes.count("b") + 1  # batch axes and groups
    outs, field = layout.axes.count("o"), len(layout.spatial)
    cut = (0, lead, lead + outs, view.ndim - field, view.ndim)
    sizes = [math.prod(view.shape[a:b]) for a, b in itertools.pairwise(cut)]
    if fill.curve.name == "normalized_positive":
        source = _arranged(stream, layout, region.shape).reshape(sizes[:3])
        made = np.stack([normalized_positive(draws) for draws in source]) * fill.gain
    else:
        noise = _arranged(stream.part("noise"), layout, region.shape).reshape(sizes)
        made = _aware(noise, stream, view.shape[view.ndim - field :], fill.curve.numbers[0])
        made = _standardized(made.reshape(sizes[0] // layout.groups, -1)) * fill.gain
    view[...] = made.reshape(view.shape)
    place = tuple(slice(o, o + n) for o, n in zip(region.offset, region.size, strict=True))
    out[...] = reference.stored(whole[place], dtype)


def _arranged(stream: Stream, layout: Layout, shape: tuple[int, ...]) -> F64:
    """Each element's own normal variate; axes in the order batch, groups, out, in, spatial."""
    order = layout.canonical
    whole = tuple(shape[axis] for axis in order)
    values = normals(stream, whole, (0,) * len(whole), whole)
    return matrices(values.transpose(np.argsort(order)), layout)


def _aware(noise: F64, stream: Stream, kernel: tuple[int, ...], eps: float) -> F64:
    """Filters whose real Fourier coefficients are rows of Haar matrices, plus eps times the noise.

    Args:
        noise: normal variates, (matrices, out, in, taps). kernel: the kernel's sizes.
    """
    waves = _waves(kernel)
    count = len(waves)
    if count == 1:
        return noise
    filters = noise.reshape(-1, *noise.shape[2:])
    inputs = filters.shape[1]
    each = -(-inputs // count)
    step = max(1, PIECE // (each * count * waves.shape[1]))
    for begin in range(0, len(filters), step):
        part = filters[begin : begin + step]
        basis = np.empty((len(part) * each, count, count))
        fill_haar(basis, stream, first=begin * each)
        rows = basis.reshape(len(part), each * count, count)[:, :inputs]
        kernels = np.zeros(part.shape)
        for k in range(count):
            kernels += rows[..., k, None] * waves[k]
        part[...] = kernels + eps * part
    return filters.reshape(noise.shape)


def _waves(kernel: tuple[int, ...]) -> F64:
    """What each coefficient of a real half spectrum adds to each tap: the inverse transform of it alone."""
    halves = (*kernel[:-1], kernel[-1] // 2 + 1) if kernel else ()
    waves = np.empty((math.prod(halves), math.prod(kernel)))
    for row, m in enumerate(itertools.product(*map(range, halves))):
        mirrored = bool(m) and 0 < 2 * m[-1] < kernel[-1]
        weight = (2 if mirrored else 1) / waves.shape[1]
        for column, k in enumerate(itertools.product(*map(range, kernel))):
            turns = sum(m[axis] * k[axis] % n / n for axis, n in enumerate(kernel))
            waves[row, column] = weight * math.cos(2 * math.pi * turns)
    return waves


def _standardized(values: F64) -> F64:
    """Each row over its standard deviation (n in the denominator); its mean stays."""
    mean = total(values.copy()) / values.shape[1]
    variance = total((values - mean[:, None]) ** 2) / values.shape[1]
    scaled: F64 = values * (1 / np.sqrt(variance))[:, None]
    return scaled
