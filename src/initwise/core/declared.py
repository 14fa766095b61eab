"""The numbers a Fill declares of itself: legal ones, and those that its law has.

What is written follows from the law's own numbers (bounds, parent, gain, curve); mean and std are what is
said of it. A record edited by hand, or a Fill made without its class methods, could say something else.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Set
from typing import TYPE_CHECKING

from .curves import mapped_moments
from .errors import FillError
from .numbers import times_gain
from .truncation import truncated_moments

if TYPE_CHECKING:
    from .fill import Fill

ROUNDING = 1e-9
"""By how much, relative to mean and std, a declared moment may be off: scaling rounds each number once."""
BY_HAND = "the record was edited, or the Fill made without its class methods"


def declared(fill: Fill, shaped: Set[str]) -> None:
    """Raise FillError for numbers that are none, and for a mean or std that the law does not have.

    Args:
        shaped: laws whose mean and std may be NaN: they follow from a shape that is not known yet.
    """
    _numbers(fill, _may_be_unknown(fill, shaped))
    if fill.law == "uniform" and math.isinf(fill.high - fill.low):
        raise FillError(
            f"uniform: bounds ({fill.low!r}, {fill.high!r}) are farther apart than floats reach",
            expected="high - low < 1.8e308",
        )
    if fill.law == "normal" and not (fill.low == -math.inf and fill.high == math.inf):
        raise FillError(
            f"normal: bounds ({fill.low!r}, {fill.high!r})",
            expected="-inf and inf",
            fix="Fill.truncated_normal has bounds.",
        )
    if fill.law == "truncated_normal" and fill.scale == 0:
        raise FillError("truncated_normal: scale 0.0", expected="scale > 0", cause=BY_HAND)
    realised = _realised(fill)
    if realised is not None:
        _compare(fill, *realised)


def _numbers(fill: Fill, unknown: bool) -> None:
    for what in ("low", "high", "loc", "scale", "gain", "mean", "std"):
        value = getattr(fill, what)
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise FillError(f"{fill.law}: {what} {value!r}", expected="a number")
        moment, bound = what in ("mean", "std"), what in ("low", "high")
        if math.isnan(value) and not (moment and unknown):
            raise FillError(f"{fill.law}: {what} is NaN", expected="a number", cause=BY_HAND)
        if math.isinf(value) and not bound:
            raise FillError(
                f"{fill.law}: {what} {value!r}",
                expected="a finite number",
                cause="it is too large for floating point",
            )
        if what in ("std", "scale") and value < 0:
            raise FillError(f"{fill.law}: {what} {value!r}", expected=f"{what} ≥ 0", cause=BY_HAND)


def _may_be_unknown(fill: Fill, shaped: Set[str]) -> bool:
    if fill.parts:
        return any(_may_be_unknown(part, shaped) for _, _, part in fill.parts)
    return fill.law in shaped


def _realised(fill: Fill) -> tuple[float, float] | None:
    """Mean and std by the law's own numbers; None where they are free, or follow from a shape."""
    if fill.law == "constant":
        return fill.low, 0.0
    if fill.law == "uniform":
        return fill.low + (fill.high - fill.low) / 2, (fill.high / 2 - fill.low / 2) / math.sqrt(3)
    if fill.law == "mapped" and fill.curve is not None:
        return times_gain(fill.gain, mapped_moments(fill.curve))[:2]
    if fill.law == "truncated_normal":
        found = truncated_moments(
            (fill.low - fill.loc) / fill.scale, (fill.high - fill.loc) / fill.scale
        ) or (math.nan, math.nan)
        return fill.loc + fill.scale * found[0], fill.scale * found[1]
    return None


def _compare(fill: Fill, mean: float, std: float) -> None:
    """Refuse a declared mean or std that is not this one, but for rounding."""
    sizes = [abs(value) for value in (fill.low, fill.high, fill.loc) if math.isfinite(value)]
    # a sliver far from 0 keeps of its width only what its bounds' last bits do
    rounding = ROUNDING * (abs(mean) + std) + 16 * sys.float_info.epsilon * max(sizes, default=0.0)
    for what, said, found in (("mean", fill.mean, mean), ("std", fill.std, std)):
        if not abs(said - found) <= rounding + sys.float_info.min * ROUNDING:
            raise FillError(
                f"{fill.law}: {what} {said!r}",
                expected=f"{found!r}, as its other numbers have it",
                cause=BY_HAND,
            )
    if fill.law == "constant" and not fill.low == fill.high == fill.mean:
        raise FillError(
            f"constant: mean {fill.mean!r}, bounds ({fill.low!r}, {fill.high!r})",
            expected="the same number",
            cause=BY_HAND,
        )
