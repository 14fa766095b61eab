"""Identity, dirac, Hadamard: entries known from their row and column, written into a shard's own memory.

Nothing is drawn. A shard is written from its own row and column numbers: beside the shard there are
two vectors of those and, for Hadamard, the signs of one piece of rows.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.fill import Fill
from ..core.layout import Layout
from ..core.shaped import default_layout, hadamard_entry, matrix_sizes
from . import reference
from .output import Region
from .threads import Task

LAWS = frozenset({"dirac", "hadamard", "identity"})
PIECE = 1 << 18
"""Entries of a Hadamard matrix made at a time."""


@dataclass(frozen=True)
class Plane:
    """The part of a block that can hold entries.

    Attributes:
        view: the block, axes in the order batch, out, in, spatial.
        centre: the same without its spatial axes: the kernel's centre.
        outs, ins: sizes of its out and in axes.
        row, column: which row and column of its group's matrix each of them is, flattened.
        transposed: the groups divide the in axes, not the out axes.
    """

    view: NDArray[Any]
    centre: NDArray[Any]
    outs: tuple[int, ...]
    ins: tuple[int, ...]
    row: NDArray[Any]
    column: NDArray[Any]
    transposed: bool

    @property
    def batch(self) -> tuple[slice, ...]:
        """All batch entries: they hold the same."""
        return (slice(None),) * (self.centre.ndim - len(self.outs) - len(self.ins))


def tasks(out: NDArray[Any], dtype: str, fill: Fill, region: Region) -> list[Task]:
    """What writes the block `region` of the tensor into `out` (half types as uint16 bits)."""
    layout = fill.layout or default_layout(out.ndim)
    rows, columns, _ = matrix_sizes(region.shape, layout)
    middle = _centre(region, layout.spatial, fill)
    if middle is None:
        return [functools.partial(out.fill, 0)]
    plane = _plane(out, layout, region, middle, (rows, columns))
    if fill.law != "hadamard" or rows <= columns:
        return [functools.partial(_write_identity, plane, _stored([fill.gain], dtype)[0])]
    entry = fill.gain * hadamard_entry(rows)
    pair = _stored([entry, -entry], dtype)
    height = max(1, PIECE // len(plane.column))
    return [
        functools.partial(_write_signs, plane, pair, slice(begin, begin + height))
        for begin in range(0, len(plane.row), height)
    ]


def _plane(
    out: NDArray[Any], layout: Layout, region: Region, centre: tuple[int, ...], sizes: tuple[int, int]
) -> Plane:
    outs, ins = _axes(layout, "o"), _axes(layout, "iv")
    view = out.transpose(*_axes(layout, "b"), *outs, *ins, *layout.spatial)
    # the least type that holds the numbers makes the signs fastest
    kind = np.min_scalar_type(max(sizes))
    row, column = (_numbers(region, axes, n).astype(kind) for axes, n in zip((outs, ins), sizes, strict=True))
    middle: Any = (..., *centre)
    return Plane(
        view,
        view[middle],
        tuple(out.shape[axis] for axis in outs),
        tuple(out.shape[axis] for axis in ins),
        row,
        column,
        bool(layout.transposed),
    )


def _axes(layout: Layout, letters: str) -> tuple[int, ...]:
    return tuple(k for k, letter in enumerate(layout.axes) if letter in letters)


def _numbers(region: Region, axes: Sequence[int], modulus: int) -> NDArray[Any]:
    """Which row (or column) of its group's matrix each of the block's rows is."""
    number: NDArray[Any] = np.zeros((), np.int64)
    for axis in axes:
        along = np.arange(region.offset[axis], region.offset[axis] + region.size[axis])
        number = number[..., None] * region.shape[axis] + along
    return number.ravel() % modulus


def centre(size: int, fill: Fill) -> int:
    """The index of an axis' centre tap: size // 2, or the one before it of even sizes if the law says so."""
    return (size - fill.low_centre) // 2


def _centre(region: Region, spatial: Sequence[int], fill: Fill) -> tuple[int, ...] | None:
    """Where the kernel's centre lies in the block; None if outside."""
    at = tuple(centre(region.shape[axis], fill) - region.offset[axis] for axis in spatial)
    inside = all(0 <= k < region.size[axis] for k, axis in zip(at, spatial, strict=True))
    return at if inside else None


def _stored(values: Sequence[float], dtype: str) -> NDArray[Any]:
    """The doubles rounded once to `dtype`, as `out` holds them."""
    return reference.stored(np.array(values, np.float64), dtype)


def _write_identity(plane: Plane, value: Any) -> None:
    plane.view.fill(0)
    # the axis that is not divided into groups has every number once, in ascending order
    if plane.transposed:
        at, of = _equal(plane.column, plane.row)
    else:
        of, at = _equal(plane.row, plane.column)
    row, column = np.unravel_index(of, plane.outs), np.unravel_index(at, plane.ins)
    place: Any = (*plane.batch, *row, *column)
    plane.centre[place] = value


def _equal(some: NDArray[Any], ascending: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices into the one and the other of all equal pairs."""
    at = np.minimum(np.searchsorted(ascending, some), len(ascending) - 1)
    hit = np.flatnonzero(ascending[at] == some)
    return hit, at[hit]


def _write_signs(plane: Plane, pair: NDArray[Any], piece: slice) -> None:
    """These rows of the Sylvester matrix: pair[parity of the common bits of row and column]."""
    bits = plane.row[piece, None] & plane.column
    shift = 4 * bits.itemsize
    while shift:
        bits ^= bits >> shift
        shift //= 2
    signs = np.where((bits & 1).astype(np.bool_), pair[1], pair[0])
    # of one axis a slice is faster than its indices
    rows = np.arange(*piece.indices(len(plane.row)))
    place: Any = (*plane.batch, *([piece] if len(plane.outs) == 1 else np.unravel_index(rows, plane.outs)))
    if plane.view.ndim > plane.centre.ndim:
        plane.view[place] = 0
    plane.centre[place] = signs.reshape(-1, *plane.ins)
