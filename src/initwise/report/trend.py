"""Trend → Document; and each of its growths as a sentence, which the report of Signals prints too."""

from __future__ import annotations

import math

from ..core.trends import Growth, Trend
from .cells import ROOT, number, plural
from .document import Block, Column, Document, Items, Prose, fields_table

COLUMNS = (
    Column("direction", "Direction"),
    Column("name", "Path", "name"),
    Column("steps", "Steps", "count"),
    Column("step", "Step"),
    Column("first", "First", "number"),
    Column("last", "Last", "number"),
    Column("law", "Law"),
    Column("probability", "Sure", "share"),
    Column("factor", "Per step", "number"),
    Column("exponent", "Exponent", "number"),
    Column("offset", "Offset", "number"),
    Column("tenfold", "Tenfold", "number"),
    Column("rival", "Or", "word"),
    Column("remark", "Remark", "prose"),
)
NOTE = (
    "First, Last: rms in the direction of travel. Law: of the second moment over depth l; linear and power "
    "go as (l + offset)^exponent. Sure: its probability among all laws. Per step: the mean factor of rms. "
    "Tenfold: steps until rms has changed tenfold."
)
VERBS = {"linear": "linearly", "exponential": "exponentially", "power": "as a power law"}
EVEN = 1.0005
"""A factor per step nearer to 1 than this says no direction."""


def trend_document(trend: Trend) -> Document:
    """A sentence per path and direction, then the numbers."""
    main = fields_table(COLUMNS, trend.growths, note=NOTE)
    if not trend.growths:
        return Document("Trend", (Prose(f"No trend: {trend.note}.", lead=True),), main)
    blocks: tuple[Block, ...] = (Items("Over depth", sentences(trend)), main)
    return Document("Trend", blocks, main)


def sentences(trend: Trend) -> tuple[str, ...]:
    """One per growth."""
    return tuple(map(sentence, trend.growths))


def sentence(growth: Growth) -> str:
    """ "forward grows linearly: ×1.06 per block on average, 0.04 → 0.26 over 31 steps (layers.*)"."""
    if not growth.steps:
        return f"{growth.direction} not told ({growth.name}): {growth.remark}"
    span = f"{number(growth.first)} → {number(growth.last)} over {_steps(growth, growth.steps)}"
    law = f"{growth.direction} {_how(growth)}{_breaks(growth)}"
    told = f"{law}: {_rate(growth)}{span} ({growth.name}){_tenfold(growth)}"
    return told + _doubt(growth) + (f"; {growth.remark}" if growth.remark else "")


def _steps(growth: Growth, count: float) -> str:
    return plural(round(count), growth.step)


def _how(growth: Growth) -> str:
    if growth.law == "flat":
        return "flat"
    verb = "grows" if growth.factor >= 1 else "shrinks"
    if growth.law == "levels off":
        return f"{verb} and levels off"
    return f"{verb} {VERBS[growth.law]}" if growth.law else verb


def _breaks(growth: Growth) -> str:
    told = ", ".join(f"×{number(factor)} at {(name or ROOT)!r}" for name, factor in growth.breaks)
    return f" but for {told}" if told else ""


def _rate(growth: Growth) -> str:
    if growth.law in ("flat", "levels off") or 1 / EVEN < growth.factor < EVEN:
        return ""
    mean = "" if growth.law == "exponential" else " on average"
    law = f", q ∝ (l + {growth.offset:.2g})^{growth.exponent:.2g}" if growth.law == "power" else ""
    return f"×{growth.factor:.3g} per {growth.step}{mean}{law}, "


def _tenfold(growth: Growth) -> str:
    if not growth.tenfold < 1e6:
        return ""
    change = "tenfold" if growth.factor >= 1 else "a tenth"
    count = max(1, math.ceil(growth.tenfold - 1e-9))
    return f", {change} after {_steps(growth, count)}"


def _doubt(growth: Growth) -> str:
    if not growth.rival or (growth.law == "flat" and growth.confidence == "likely"):
        return ""
    return f"; {growth.probability:.0%} sure, else {growth.rival}"
