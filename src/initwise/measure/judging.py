"""Judging: the verdicts of all rules put together into layers and findings, without any framework."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..core.records import Finding, LayerSignal
from .reading import Reading
from .verdicts import (
    Mark,
    backward_drift,
    collapsed,
    dead,
    forward_drift,
    hidden,
    opener_after,
    overflow,
    saturated,
    symmetric,
    underflow,
)

SEVERITY = (
    "overflow",
    "dead",
    "symmetric",
    "exploding",
    "vanishing",
    "underflow",
    "saturated",
    "collapsed",
)
"""Worst first: what makes training impossible, then what makes it slow."""


def judged(
    readings: Sequence[Reading], input_correlation: float = 0.0
) -> tuple[tuple[LayerSignal, ...], tuple[Finding, ...]]:
    """The layers with their verdicts, and the findings, worst first.

    A finding is a cause, not a symptom: one per verdict and direction, at the layer where it
    begins in the direction of travel; the layers it spreads to carry the verdict in their rows.
    """
    marks = [
        mark
        for rule in (overflow, symmetric, dead, forward_drift, backward_drift, underflow, saturated)
        for mark in rule(readings)
    ]
    marks = causes(readings, [*marks, *collapsed(readings, input_correlation)])
    by_place: dict[int, list[Mark]] = {}
    for mark in marks:
        by_place.setdefault(mark.place, []).append(mark)
    layers = tuple(_signal(readings, i, by_place.get(i, [])) for i in range(len(readings)))
    return layers, _findings(readings, marks)


def _findings(readings: Sequence[Reading], marks: Iterable[Mark]) -> tuple[Finding, ...]:
    # stable: of one verdict, the forward finding comes before the backward one
    heads = sorted((m for m in marks if m.finding), key=lambda m: SEVERITY.index(m.verdict))
    return tuple(Finding(readings[m.place].name, m.verdict, m.reason, m.factor) for m in heads)


def causes(readings: Sequence[Reading], marks: Sequence[Mark]) -> list[Mark]:
    """`marks` without the findings that another finding already explains; the rows keep them.

    After dead or identical units, later layers are constant (symmetric, vanishing, collapsed) and
    earlier ones get no gradient: these follow.
    """
    blocks = [m.place for m in marks if m.finding and m.verdict in ("dead", "symmetric")]
    start = min(blocks, default=math.inf)
    return [replace(m, finding=False) if _follows(readings[m.place], m, start) else m for m in marks]


def _follows(row: Reading, mark: Mark, start: float) -> bool:
    if mark.verdict == "symmetric":
        return mark.place > start and row.weight_gradient_rms == 0
    if mark.verdict == "vanishing" and mark.factor == 0:
        return start < math.inf and (row.gradient_rms == 0 or mark.place >= start)
    return mark.verdict == "collapsed" and mark.place >= start


def _signal(readings: Sequence[Reading], place: int, marks: list[Mark]) -> LayerSignal:
    row = readings[place]
    worst = min(marks, key=lambda m: SEVERITY.index(m.verdict), default=None)
    return LayerSignal(
        name=row.name,
        kind=row.kind,
        shape=row.shape,
        forward_rms=row.forward_rms,
        forward_mean=row.forward_mean,
        gradient_rms=row.gradient_rms,
        weight_gradient_rms=row.weight_gradient_rms,
        dead=row.dead,
        saturated=row.saturated,
        correlation=row.correlation,
        verdict=worst.verdict if worst else "ok",
        reason=worst.reason if worst else remark(readings, place),
    )


def remark(readings: Sequence[Reading], place: int) -> str:
    """Why a number that looks wrong is not, for a layer that is ok; "" where nothing looks wrong."""
    row = readings[place]
    if row.gradient == "off":
        return "runs without gradients"
    if row.gradient == "none":
        return "its output does not reach the model's result"
    if row.starts_at_zero:
        return "starts at zero: its first step opens the path through it"
    if row.gradient_rms == 0:
        opener = opener_after(readings, place)
        if opener:
            return f"no gradient yet: {opener!r} starts at zero and lets it through after its first step"
    return ""


def unjudged(readings: Sequence[Reading]) -> str:
    """Which layer keeps the backward pass from being judged, in a sentence; "" if none does."""
    places = [i for i in hidden(readings) if readings[i].gradient == "reached"]
    if not places or any(readings[i].gradient_rms for i in places):
        return ""
    opener = opener_after(readings, places[-1])
    sentence = f"gradients were not judged: {opener!r} starts at zero and stops them until its first step"
    return sentence if opener else ""


def unobserved(readings: Sequence[Reading]) -> str:
    """Which statistics found no two inputs to compare, in a sentence; "" if none does."""
    what = {"dead units": "dead", "correlation": "correlation"}
    missing = [name for name, field in what.items() if _never_read(readings, field)]
    if not readings or not missing:
        return ""
    verb = "were" if len(missing) > 1 or missing[0] == "dead units" else "was"
    return f"{' and '.join(missing)} {verb} not judged: no two inputs could be compared"


def _never_read(readings: Sequence[Reading], field: str) -> bool:
    return all(math.isnan(getattr(row, field)) for row in readings)
