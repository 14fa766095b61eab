"""A Fill and the parameter it is for: do they fit?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..core.errors import FillError
from ..core.fill import SHAPED_LAWS, Fill
from ..core.layout import Layout
from ..core.parameter import ParameterInfo
from ..random.engine import jobs
from ..random.output import check_range


def fitted(info: ParameterInfo, fill: Fill) -> Fill:
    """`fill` with what only the parameter knows: its axes, its padding row, a matrix law's moments.

    Raises:
        LayoutError: axes or packed sizes of another shape, a matrix law for a vector.
        FillError: a matrix law made for another shape, a zero row outside the table, or values that
            the dtype cannot hold.
    """
    layout = fill.layout or info.layout
    if layout is not None:
        layout.check(info.shape, info.name)
    row = info.zero_row if fill.zero_row is None else fill.zero_row
    fill = replace(fill, layout=layout, zero_row=row)
    # checks everything the engine will ask of the real memory; these pages are never touched
    like = np.empty(info.shape, "uint16" if info.dtype == "bfloat16" else info.dtype)
    jobs(like, fill, name=info.name, dtype="bfloat16" if info.dtype == "bfloat16" else None)
    fill = _measured(info.name, info.shape, fill)
    for leaf in leaves(fill):
        check_range(leaf, info.dtype, info.name)
    return fill


def leaves(fill: Fill) -> Iterator[Fill]:
    """The laws of a packed or repeated fill's parts; the fill itself if it has none."""
    if not fill.parts:
        yield fill
    for _, _, part in fill.parts:
        yield from leaves(part)


def _measured(name: str, shape: tuple[int, ...], fill: Fill) -> Fill:
    """The fill with the mean and std that laws of the shape have in this one."""
    if fill.law == "packed" and fill.layout is not None:
        return _parts(name, shape, fill, fill.layout)
    if fill.law not in SHAPED_LAWS | {"repeated"}:
        return fill
    known = fill.of_shape(shape)
    if not math.isnan(fill.std) and not math.isclose(fill.std, known.std, rel_tol=1e-6, abs_tol=1e-300):
        raise FillError(
            f"{fill.formula} with std {fill.std:.6g}, where shape {shape} gives {known.std:.6g}",
            where=name,
            cause="the plan was made for a tensor of another shape",
            fix="Make the plan again for this model.",
        )
    return known


def _parts(name: str, shape: tuple[int, ...], fill: Fill, layout: Layout) -> Fill:
    if all(leaf.law not in SHAPED_LAWS or not math.isnan(leaf.std) for leaf in leaves(fill)):
        return fill
    axis, plain = layout.part_axis, replace(layout, parts=())
    parts = []
    for part, size, law in fill.parts:
        inner = law if law.layout is not None else replace(law, layout=plain)
        own = _measured(f"{name}#{part}", (*shape[:axis], size, *shape[axis + 1 :]), inner)
        parts.append((part, size, own))
    return Fill.packed(
        parts, layout=layout, zero_row=fill.zero_row, reason=fill.reason, citation=fill.citation
    )
