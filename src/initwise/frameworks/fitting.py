"""A Fill and the parameter it is for: do they fit?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import FillError
from ..core.fill import MATRIX_LAWS, Fill
from ..core.parameter import ParameterInfo


@dataclass(frozen=True)
class Range:
    """What a dtype can hold: largest value, smallest above zero, relative spacing."""

    largest: float
    smallest: float
    spacing: float


def _numpy(name: str) -> Range:
    info = np.finfo(name)
    return Range(float(info.max), float(info.smallest_subnormal), float(info.eps))


RANGES = {
    "float64": _numpy("float64"),
    "float32": _numpy("float32"),
    "float16": _numpy("float16"),
    "bfloat16": Range((2 - 2.0**-7) * 2.0**127, 2.0**-133, 2.0**-7),
}


def fitted(info: ParameterInfo, fill: Fill) -> Fill:
    """`fill` with what only the parameter knows: its axes, its padding row, a matrix law's moments.

    Raises:
        LayoutError: axes or packed sizes of another shape.
        FillError: a matrix law for a vector or for another shape, a zero row outside the table, or
            values that the dtype cannot hold.
    """
    layout = fill.layout or info.layout
    if layout is not None:
        layout.check(info.shape, info.name)
    fill = replace(fill, layout=layout, zero_row=info.zero_row if fill.zero_row is None else fill.zero_row)
    if fill.zero_row is not None and not (info.shape and 0 <= fill.zero_row < info.shape[0]):
        raise FillError(f"zero_row {fill.zero_row} in shape {info.shape}", where=info.name)
    _sizes(info, fill)
    if fill.law in MATRIX_LAWS:
        fill = _matrix(info, fill)
    for leaf in leaves(fill):
        _held(info, leaf)
    return fill


def leaves(fill: Fill) -> Iterator[Fill]:
    """The laws of a packed fill's parts; the fill itself if it has none."""
    if fill.law != "packed":
        yield fill
    for _, _, part in fill.parts:
        yield from leaves(part)


def _sizes(info: ParameterInfo, fill: Fill) -> None:
    if fill.law != "packed" or fill.layout is None:
        return
    total, axis = sum(size for _, size, _ in fill.parts), fill.layout.part_axis
    if total != info.shape[axis]:
        raise FillError(
            f"parts {[(name, size) for name, size, _ in fill.parts]} sum to {total}, "
            f"axis {axis} of shape {info.shape} has {info.shape[axis]}",
            where=info.name,
            cause="the plan was made for a model of another width",
        )


def _matrix(info: ParameterInfo, fill: Fill) -> Fill:
    if len(info.shape) < 2:
        raise FillError(
            f"{fill.law} for shape {info.shape}",
            where=info.name,
            expected="a matrix or kernel",
            fix="Give vectors a rule of their own: zeros, ones, constant(value), uniform(low, high).",
        )
    known = Fill.matrix(fill.law, fill.gain, shape=info.shape, layout=fill.layout)
    if not math.isnan(fill.std) and not math.isclose(fill.std, known.std, rel_tol=1e-6, abs_tol=1e-300):
        raise FillError(
            f"{fill.formula} with std {fill.std:.6g}, where shape {info.shape} gives {known.std:.6g}",
            where=info.name,
            cause="the plan was made for a tensor of another shape",
            fix="Make the plan again for this model.",
        )
    return replace(fill, mean=known.mean, std=known.std)


def _held(info: ParameterInfo, fill: Fill) -> None:
    """Raise FillError unless the parameter's dtype can hold the values."""
    limits = RANGES.get(info.dtype)
    if limits is None or not math.isfinite(fill.std):
        return
    size = max((abs(bound) for bound in (fill.low, fill.high) if math.isfinite(bound)), default=0.0)
    size = max(size, abs(fill.mean) + fill.std)
    scale = fill.std or abs(fill.mean)
    problem = ""
    if size > limits.largest:
        problem = f"values up to {size:.3g} are beyond its largest, {limits.largest:.3g}"
    elif (fill.std and fill.std < 4 * limits.smallest) or 0 < scale < limits.smallest / 2:
        problem = f"they would round to zero or to a few values: its smallest is {limits.smallest:.3g}"
    elif fill.std and fill.std < limits.spacing * abs(fill.mean) / 4:
        problem = f"around {fill.mean:g} its values lie {limits.spacing * abs(fill.mean):.3g} apart"
    if problem:
        raise FillError(
            f"{info.dtype} cannot hold {fill.formula}",
            where=info.name,
            cause=problem,
            fix="Initialize in float32 and convert, or choose another scale.",
        )
