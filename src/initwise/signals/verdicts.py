"""Verdicts: what the numbers of a pass mean. Pure functions of Readings, without any framework.

All thresholds stand here, each with its reason. They ask whether training is in danger, not
whether the signal is perfectly flat: signals at initialization tell failures well and rank
working schemes badly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .culprits import begun, does
from .reading import WEIGHTED, Reading

DRIFT = 1e3
"""Forward rms, or gradient norm, over the whole depth. Healthy deep nets stay well inside: 50 GELU
layers at their forward gain reach 26 in the gradient, a ReLU net's seed-to-seed wander e^±1; at a
thousandfold the first and the last layer need learning rates that differ as much."""

FLOOR = 1e-6
"""A forward rms below this is lost in every normalisation's epsilon (1e-5 under a square root)."""

DEAD = 0.75
"""Share of units. Symmetric weights leave up to half of a deep ReLU layer's units silent for a
whole batch, once inputs look alike; three quarters need another cause."""

SATURATED = 0.5
"""Share of a bounded activation's inputs where its slope is below 5 % of the largest: gradients
lose more than half of their paths at this one layer."""

COLLAPSED = 1e-5
"""What is left of 1 - correlation, over that of the inputs. Relative to the inputs, because images
are alike to begin with. At 1e-5 the inputs differ by 3 thousandths of what they share. A healthy
50-layer ReLU net keeps about 1e-2; three sigmoid layers at Xavier, which still train, 4e-4; ten,
which do not, 1e-9."""

SAME = 1e-4
"""Relative difference below which units count as identical: above rounding in float32 sums, far
below any random draw (of order 1). Half-precision types get `SAME_HALF`."""

SAME_HALF = 1e-2


@dataclass(frozen=True)
class Mark:
    """A verdict on one reading. `place` is the reading's index, `finding` whether it heads one."""

    place: int
    verdict: str
    reason: str
    factor: float = math.nan
    finding: bool = False


def opener_after(readings: Sequence[Reading], place: int) -> str:
    """The next layer that starts at zero, by name; "" if there is none."""
    later = (row for row in readings[place + 1 :] if row.starts_at_zero)
    return next((row.name for row in later), "")


def feeder_of(readings: Sequence[Reading], place: int) -> str:
    """The layer before, by name, if it starts at zero and moves with the first step; "" otherwise.

    Until then the layer at `place` is fed nothing that differs and its weight gets no gradient.
    """
    before = next((row for row in reversed(readings[:place]) if row.role in WEIGHTED), None)
    if before is None or readings[place].weight_gradient_rms != 0:
        return ""
    return before.name if before.starts_at_zero and before.weight_gradient_rms > 0 else ""


def hidden(readings: Sequence[Reading]) -> list[int]:
    """Places before the last weighted layer that are not the model's result: where depth is judged."""
    last = max((i for i, row in enumerate(readings) if row.role in WEIGHTED), default=0)
    return [i for i in range(last) if not readings[i].result]


# one rule per verdict


def overflow(readings: Sequence[Reading]) -> list[Mark]:
    """Infinite or NaN outputs; and gradients, where the outputs are finite."""
    found: list[Mark] = []
    forward = [i for i, row in enumerate(readings) if row.bad > 0]
    for i in forward:
        row = readings[i]
        reason = f"{_share(row.bad)} of its output is infinite or NaN in {row.dtype}"
        if i > forward[0]:
            reason += f", as from {readings[forward[0]].name!r} on"
        found.append(Mark(i, "overflow", reason, row.bad, finding=i == forward[0]))
    backward = [i for i, row in enumerate(readings) if row.gradient_bad > 0]
    for i in [] if forward else backward:
        row = readings[i]
        reason = f"{_share(row.gradient_bad)} of the gradient at its output is infinite or NaN in {row.dtype}"
        found.append(Mark(i, "overflow", reason, row.gradient_bad, finding=i == backward[-1]))
    return found


def _share(share: float) -> str:
    return "less than 1%" if share < 0.005 else f"{share:.0%}"


def symmetric(readings: Sequence[Reading]) -> list[Mark]:
    """Units with the same output and the same weight gradient: no training step can part them.

    Either alone is harmless: a zero-initialised head has equal outputs and different gradients.
    """
    places = [i for i, row in enumerate(readings) if row.role in WEIGHTED and _same_units(row)]
    places = [i for i in places if not feeder_of(readings, i)]
    found = []
    for i in places:
        row = readings[i]
        reason = f"all {row.units} units are identical, in output and in weight gradient"
        if row.weight_gradient_rms == 0:
            reason += ", which is zero"
        reason += ": no training step can part them"
        if i == places[0] and len(places) > 1:
            reason += f" ({len(places)} layers)"
        found.append(Mark(i, "symmetric", reason, float(row.units), finding=i == places[0]))
    return found


def _same_units(row: Reading) -> bool:
    tolerance = SAME_HALF if row.dtype in ("float16", "bfloat16") else SAME
    return row.units > 1 and row.unit_spread <= tolerance and row.weight_spread <= tolerance


def dead(readings: Sequence[Reading]) -> list[Mark]:
    """Activations whose units answer to no input of the batch."""
    places = [i for i, row in enumerate(readings) if _activated(row) and row.dead > DEAD]
    places = [i for i in places if not (readings[i].starts_at_zero or _constant_before(readings, i))]
    found = []
    for i in places:
        reason = f"{readings[i].dead:.0%} of its units give the same value for every input"
        if i == places[0] and len(places) > 1:
            reason += f" ({len(places)} layers from here on)"
        found.append(Mark(i, "dead", reason, readings[i].dead, finding=i == places[0]))
    return found


def _activated(row: Reading) -> bool:
    return row.role == "activation" or not math.isnan(row.saturated)


def _constant_before(readings: Sequence[Reading], place: int) -> bool:
    """Is it an activation right after a layer that starts at zero?"""
    return place > 0 and readings[place].role == "activation" and readings[place - 1].starts_at_zero


def saturated(readings: Sequence[Reading]) -> list[Mark]:
    """Inputs of bounded activations where they are flat; half of a ReLU's always are."""
    places = [i for i, row in enumerate(readings) if row.bounded and row.saturated > SATURATED]
    worst = max(places, key=lambda i: readings[i].saturated, default=-1)
    found = []
    for i in places:
        row = readings[i]
        reason = (
            f"{row.saturated:.0%} of its outputs (rms {row.forward_rms:.3g}) lie where the activation is flat"
        )
        if i == worst and len(places) > 1:
            reason += f", and so do most of {len(places) - 1} other layer{'s' if len(places) > 2 else ''}"
        found.append(Mark(i, "saturated", reason, row.saturated, finding=i == worst))
    return found


def forward_drift(readings: Sequence[Reading]) -> list[Mark]:
    """Outputs that explode, or vanish for good, over the depth.

    Measured against the last norm layer before, or the first layer. Vanishing counts only if it
    lasts to the last hidden layer: a small residual branch on a sound stream is no fault. Nor is
    what a bounded activation takes from a large signal: that is `saturated`.

    Where one layer brought most of the drift, that layer is named, though only a later one passes the
    threshold.
    """
    drifts, capped = _forward_drifts(readings), _forward_drifts(readings, capped=True)
    large = [i for i, drift in drifts.items() if drift > DRIFT]
    within = [i for i in hidden(readings) if math.isfinite(readings[i].forward_rms)]
    within = [i for i in within if not readings[i].starts_at_zero]
    small = _run(within[::-1], lambda i: capped.get(i, 0.0) < 1 / DRIFT or readings[i].forward_rms < FLOOR)
    if any(row.bad > 0 for row in readings):
        small = []  # past an overflow nothing says how the signal would have gone on
    large = _from_culprit(list(drifts), large, drifts)
    small = _from_culprit(within, small[::-1], capped)
    return [
        *(_forward_mark(readings, i, large, "exploding", drifts) for i in large),
        *(_forward_mark(readings, i, small, "vanishing", capped) for i in small),
    ]


def _from_culprit(travelled: Sequence[int], run: list[int], drifts: dict[int, float]) -> list[int]:
    """`run`, which begins where a drift is noticed, from the place on that brought most of it."""
    if not run or 1 / DRIFT <= drifts.get(run[0], 0.0) <= DRIFT:
        return run
    noticed = travelled.index(run[0])
    start = begun(drifts, travelled, noticed)
    return run if start is None else [*travelled[start:noticed], *run]


def _forward_drifts(readings: Sequence[Reading], *, capped: bool = False) -> dict[int, float]:
    """Place → forward rms over that of the last norm (or of the first layer).

    Capped: after a bounded activation, over 1 at most, which is all that it lets through.
    """
    drifts: dict[int, float] = {}
    reference = math.nan
    for i, row in enumerate(readings):
        if not 0 < row.forward_rms < math.inf:
            continue
        if math.isnan(reference) or row.role == "norm":
            reference = row.forward_rms
        drifts[i] = row.forward_rms / reference
        if capped and row.bounded:
            reference = min(reference, 1.0)
    return drifts


def _forward_mark(
    readings: Sequence[Reading], place: int, run: list[int], verdict: str, drifts: dict[int, float]
) -> Mark:
    rms, drift = readings[place].forward_rms, drifts.get(place, 0.0)
    how = "grown" if verdict == "exploding" else "shrunk"
    reason = f"the signal has {how} to rms {rms:.3g}, {drift:.2g} times what it began with"
    if not drift:
        reason = "the signal has shrunk to zero"
    elif rms < FLOOR and drift >= 1 / DRIFT:
        reason = f"the signal has rms {rms:.3g}, less than a normalisation's epsilon lets through"
    if place == run[0] and len(run) > 1:
        last = readings[run[-1]]
        reason += f", and is {last.forward_rms:.3g} at {last.name!r}"
    return Mark(place, verdict, reason, drift, finding=place == run[0])


def backward_drift(readings: Sequence[Reading], input_rms: float = 1.0) -> list[Mark]:
    """Gradients that vanish or explode on their way back to the first layers.

    Measured as norms at the outputs against the last hidden layer; it must reach the very first
    layers, so that a small residual branch beside a sound stream is no fault. Gradients stopped by
    a layer that starts at zero, or by a dead one, are not judged.

    A norm divides the gradient by the scale of the inputs before it, and the inputs multiply the
    weight's gradient by it again: before the first norm, the drift at inputs of rms 1 must be as bad.
    """
    if any(row.bad > 0 or row.gradient_bad > 0 for row in readings):
        return []
    places = [i for i in hidden(readings) if math.isfinite(readings[i].gradient_rms)]
    reference = next((readings[i].gradient_norm for i in reversed(places) if readings[i].gradient_rms), 0.0)
    if not reference:
        return _all_stopped(readings, places)
    drifts = {i: readings[i].gradient_norm / reference for i in places}
    stopped = {i for i in places if readings[i].gradient_rms == 0 and opener_after(readings, i)}
    judged = [i for i in places if i not in stopped]
    free = {i: drifts[i] * scale for i, scale in _input_scales(readings, input_rms).items() if i in drifts}
    found = []
    for verdict, holds in (
        ("vanishing", lambda i: max(drifts[i], free.get(i, 0.0)) < 1 / DRIFT),
        ("exploding", lambda i: min(drifts[i], free.get(i, math.inf)) > DRIFT),
    ):
        run = _run(judged, holds)
        found += _backward_marks(readings, judged[::-1], run, verdict, drifts)
    return found


def _input_scales(readings: Sequence[Reading], input_rms: float) -> dict[int, float]:
    """Place → the inputs' rms, for the layers before the first norm; empty without one."""
    first = next((i for i, row in enumerate(readings) if row.role == "norm"), 0)
    return dict.fromkeys(range(first), input_rms) if 0 < input_rms < math.inf else {}


def _backward_marks(
    readings: Sequence[Reading], travelled: list[int], run: list[int], verdict: str, drifts: dict[int, float]
) -> list[Mark]:
    """One per place of `run`; and one, the finding, on the layer whose weights alone bring most of the drift.

    What such a layer passes on is the gradient at the output of the one before it.
    """
    plain = [_backward_mark(readings, i, run, verdict, drifts) for i in run]
    noticed = travelled.index(run[-1]) if run else 0
    start = begun(drifts, travelled, noticed) if run else None
    if not start:
        return plain
    first, place = travelled[start], travelled[start - 1]
    if not (drifts[first] and drifts[place]) or not does(readings[place], drifts[first] / drifts[place]):
        return plain
    wide = [*run, *travelled[start:noticed][::-1]]
    marks = [_backward_mark(readings, i, wide, verdict, drifts) for i in wide]
    through = marks[-1].reason.replace("way back: here it", "way back through this layer: what it passes on")
    return [
        *(replace(mark, finding=False) for mark in marks),
        replace(marks[-1], place=place, reason=through),
    ]


def _backward_mark(
    readings: Sequence[Reading], place: int, run: list[int], verdict: str, drifts: dict[int, float]
) -> Mark:
    how = "shrinks" if verdict == "vanishing" else "grows"
    reason = f"the gradient {how} on its way back: here it is {drifts[place]:.2g} of the last hidden layer's"
    if drifts[place] == 0:
        reason = "no gradient comes back to this layer: it is exactly zero"
    if place == run[-1] and len(run) > 1:
        extreme = drifts[run[0]]
        reason += f", and {extreme:.2g} at {readings[run[0]].name!r}"
    return Mark(place, verdict, reason, drifts[place], finding=place == run[-1])


def _all_stopped(readings: Sequence[Reading], places: list[int]) -> list[Mark]:
    """No hidden layer has any gradient: fine behind a zero-initialised head, else a fault."""
    zero = [i for i in places if readings[i].gradient_rms == 0]
    if not zero or opener_after(readings, zero[-1]):
        return []
    reason = "no gradient comes back to any hidden layer: it is exactly zero"
    return [Mark(i, "vanishing", reason, 0.0, finding=i == zero[-1]) for i in zero]


def collapsed(readings: Sequence[Reading], input_correlation: float) -> list[Mark]:
    """Different inputs that have become one, up to the last hidden layer.

    A constant side branch (positions) has correlation 1 too, but the layers after it do not.
    """
    apart = 1 - input_correlation
    if not apart > 1e-12:
        return []
    places = [i for i in hidden(readings) if not math.isnan(readings[i].correlation)]
    run = _run(places[::-1], lambda i: 1 - readings[i].correlation < COLLAPSED * apart)
    run.reverse()
    found = []
    for i in run:
        left = max(1 - readings[i].correlation, 0.0)
        reason = f"different inputs look alike here: 1 - correlation is {left:.2g}, {apart:.2g} at the input"
        found.append(Mark(i, "collapsed", reason, left / apart, finding=i == run[0]))
    return found


def _run(places: Sequence[int], holds: Callable[[int], bool]) -> list[int]:
    """The places from the first on for which it holds without a gap."""
    run = []
    for place in places:
        if not holds(place):
            break
        run.append(place)
    return run
