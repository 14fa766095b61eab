"""Numbers that make a law: checked, and equal ones written alike."""

from __future__ import annotations

import math
from typing import Any

from .errors import FillError

Moments = tuple[float, float, float, float]
"""mean, std, least and greatest value."""


def times_gain(gain: float, moments: Moments) -> Moments:
    """The moments of gain times a curve's values."""
    mean, std, low, high = moments
    ends = (gain * low, gain * high) if gain else (0.0, 0.0)
    return gain * mean, abs(gain) * std, min(ends), max(ends)


def number(law: str, what: str, value: Any) -> float:
    """`value` as a float. Raises FillError for NaN and for what is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise FillError(f"{law}: {what} {value!r}", expected="a number") from None
    if math.isnan(found):
        raise FillError(f"{law}: {what} is NaN", expected="a number", cause="a fan or gain of zero upstream")
    return found


def finite(law: str, what: str, value: Any) -> float:
    """`value` as a finite float. Raises FillError otherwise."""
    found = number(law, what, value)
    if math.isinf(found):
        raise FillError(f"{law}: {what} {found!r}", expected="a finite number")
    return found + 0.0  # one zero: equal laws must be written alike


def deviation(law: str, value: Any) -> float:
    """`value` as a standard deviation. Raises FillError unless it is finite and ≥ 0."""
    std = finite(law, "std", value)
    if std < 0:
        raise FillError(f"{law}: std {std!r}", expected="std ≥ 0", cause="a variance or a sign was passed")
    return std
