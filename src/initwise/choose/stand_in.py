"""Stand-ins: what is measured in place of weights that take too long to draw.

An orthogonal n × n matrix takes some n³ operations, a training step on a small batch far fewer. From some
hundred units on, a normal matrix of the same standard deviation does the same to second moments, forward and
backward, within about 1/√n; so where drawing alone would take longer than the rest of asking, that is
measured. What is chosen, and later written, stays orthogonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from .work import Work

LARGE = 512
"""Smallest side of a matrix that a normal one may stand in for."""


def stood_in(plan: Plan, parameters: Sequence[ParameterInfo], work: Work) -> Plan:
    """The plan to be measured: the plan itself, or with normal matrices for the large orthogonal ones."""
    infos = {info.name: info for info in parameters}
    sides = {name: _sides(fill, infos[name]) for name, fill in plan.items() if name in infos}
    if work.draws(sum(rows * columns * min(rows, columns) for rows, columns in sides.values())):
        return plan
    large = {name: _normal(plan[name]) for name, pair in sides.items() if min(pair) >= LARGE}
    return plan.with_fills(large) if large else plan


def _normal(fill: Fill) -> Fill:
    return Fill.normal(0.0, fill.std, layout=fill.layout, reason=fill.reason, citation=fill.citation)


def _sides(fill: Fill, info: ParameterInfo) -> tuple[int, int]:
    """Rows and columns of an orthogonal matrix; zeros for all that is not one plain matrix."""
    if fill.law != "orthogonal" or info.layout is None or info.zero_row is not None:
        return 0, 0
    rows = info.layout.size(info.shape, "o")
    return rows, math.prod(info.shape) // max(rows, 1)
