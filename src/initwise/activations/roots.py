"""A root of a function of one number, between two of its values."""

from __future__ import annotations

from collections.abc import Callable


def root(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-13) -> float:
    """Where `function` crosses zero between `low` and `high`: regula falsi, Illinois' variant.

    Args:
        function: continuous, of opposite signs at `low` and `high` (a zero counts).
        tolerance: width of the bracket, over max(1, |x|), at which to stop.
    """
    at_low, at_high = function(low), function(high)
    if at_low == 0:
        return low
    middle, side = high, 0
    for _ in range(100):
        if at_high == at_low:
            break
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        value = function(middle)
        if value == 0 or abs(high - low) <= tolerance * max(1.0, abs(middle)):
            break
        if (value > 0) == (at_high > 0):
            moved = abs(high - middle)
            high, at_high = middle, value
            at_low, side = (at_low / 2 if side == 1 else at_low), 1
        else:
            moved = abs(low - middle)
            low, at_low = middle, value
            at_high, side = (at_high / 2 if side == -1 else at_high), -1
        if moved <= tolerance * max(1.0, abs(middle)):
            break
    return middle
