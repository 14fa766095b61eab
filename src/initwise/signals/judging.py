"""Judging: the verdicts of all rules put together into layers and findings, without any framework."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..core.records import Finding, LayerSignal
from ..report.signals import ASSUMED
from .precision import beyond_range, lowered, rounded, underflow
from .reading import Inputs, Reading
from .verdicts import (
    Mark,
    backward_drift,
    collapsed,
    dead,
    feeder_of,
    forward_drift,
    hidden,
    opener_after,
    overflow,
    saturated,
    symmetric,
)

SEVERITY = (
    "overflow",
    "dead",
    "symmetric",
    "exploding",
    "vanishing",
    "underflow",
    "rounded",
    "saturated",
    "collapsed",
    "unpredicted",
)
"""Worst first: what makes training impossible, then what makes it slow, then what is not known."""

CHECKPOINTED = ": under torch.no_grad, or in a reentrant checkpoint whose input has none"
BLURRED = frozenset({"symmetric", "vanishing", "exploding", "underflow"})
"""What an example without any differences in it can bring about by itself."""


def judged(
    readings: Sequence[Reading], inputs: Inputs | None = None, *, dtype: str = "", free: bool = False
) -> tuple[tuple[LayerSignal, ...], tuple[Finding, ...]]:
    """The layers with their verdicts, and the findings, worst first.

    A finding is a cause, not a symptom: one per verdict and direction, at the layer where it
    begins in the direction of travel; the layers it spreads to carry the verdict in their rows.

    Args:
        dtype: the number format to judge by; "" is each layer's own.
        free: the gradient's scale is arbitrary: no loss was given.
    """
    inputs = inputs or Inputs()
    if inputs.same or inputs.zero:
        readings = [replace(row, dead=math.nan, correlation=math.nan) for row in readings]
    marks = [
        *(mark for rule in (overflow, symmetric, dead, forward_drift) for mark in rule(readings)),
        *backward_drift(readings, inputs.rms),
        *saturated(readings),
        *collapsed(readings, inputs.correlation),
    ]
    marks += _precision_marks(lowered(readings, dtype) if dtype else readings, free)
    marks = blurred(causes(readings, marks), blur(readings, inputs))
    by_place: dict[int, list[Mark]] = {}
    for mark in marks:
        by_place.setdefault(mark.place, []).append(mark)
    layers = tuple(_signal(readings, i, by_place.get(i, [])) for i in range(len(readings)))
    return layers, _findings(readings, marks)


def _precision_marks(readings: Sequence[Reading], free: bool) -> list[Mark]:
    return [*beyond_range(readings, free), *underflow(readings, free), *rounded(readings)]


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


def blur(readings: Sequence[Reading], inputs: Inputs) -> str:
    """Why the example itself may have made the signal vanish or the units alike; "" where it cannot."""
    if inputs.zero:
        return "every number of the example is zero"
    if inputs.same and any(row.role == "norm" for row in readings):
        return "all inputs of the example are the same, and a norm layer can take them to zero"
    return ""


def blurred(marks: Sequence[Mark], why: str) -> list[Mark]:
    """`marks`; with a reason `why` they may be the example's fault, as one finding without a verdict."""
    if not why:
        return list(marks)
    reason = f"{why}: what the weights do cannot be told from it"
    head = next((m for m in marks if m.finding and m.verdict in BLURRED), None)
    return [
        replace(m, verdict="unpredicted", reason=reason, factor=math.nan, finding=m is head)
        if m.verdict in BLURRED
        else m
        for m in marks
    ]


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
        seed_spread=row.forward_spread,
        verdict=worst.verdict if worst else "unpredicted" if row.left_out or row.missed else "ok",
        reason=_reason(readings, place, worst),
    )


def _reason(readings: Sequence[Reading], place: int, worst: Mark | None) -> str:
    """What is to be said of a row: its verdict's reason, and what its numbers rest on though it may fail."""
    row = readings[place]
    said = worst.reason if worst else row.missed or remark(readings, place)
    rests = ASSUMED + "; ".join(row.rests) if row.rests else ""
    return "; ".join(filter(None, (said, rests)))


def remark(readings: Sequence[Reading], place: int) -> str:
    """Why a number that looks wrong is not, or could not be read; "" where nothing looks wrong."""
    row = readings[place]
    if row.gradient == "off":
        return f"runs without gradients{CHECKPOINTED if row.left_out else ''}"
    if row.gradient == "none":
        return "no gradient comes back from the result: its output is not used there, or was detached"
    if row.left_out:
        return "no gradient reached its weight, which this example may not have used"
    if row.starts_at_zero:
        return "starts at zero: its first step opens the path through it"
    if feeder := feeder_of(readings, place):
        return f"no gradient yet: {feeder!r} starts at zero and feeds it after its first step"
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


def assumed(readings: Sequence[Reading]) -> str:
    """What the numbers rest on and may fail, in a sentence; "" if on nothing."""
    places: dict[str, list[str]] = {}
    for row in readings:
        for what in row.rests:
            places.setdefault(what, []).append(row.name)
    return "; ".join(f"{what} ({len(names)} layers, from {names[0]!r} on)" for what, names in places.items())


def unobserved(readings: Sequence[Reading]) -> str:
    """Which statistics found no two inputs to compare, in a sentence; "" if none does."""
    what = {"dead units": "dead", "correlation": "correlation"}
    missing = [name for name, field in what.items() if _never_read(readings, field)]
    if not readings or not missing:
        return ""
    verb = "were" if len(missing) > 1 or missing[0] == "dead units" else "was"
    return f"{' and '.join(missing)} {verb} not judged: no two inputs could be compared"


def uniform(inputs: Inputs) -> str:
    """What an example without differences leaves unjudged, in a sentence; "" for any other."""
    if inputs.zero:
        return "every number of the example is zero: dead units, symmetry and correlation were not judged"
    if inputs.same:
        return "all inputs of the example are the same: dead units and correlation were not judged"
    return ""


def _never_read(readings: Sequence[Reading], field: str) -> bool:
    return all(math.isnan(getattr(row, field)) for row in readings)
