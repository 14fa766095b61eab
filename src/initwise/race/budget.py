"""Budgets: a share of one full grid, a number of optimiser steps, or a time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..core.errors import OptionError

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
EXPECTED = 'a share of one full grid (0.10), or "2000 steps", "90 s", "10 min", "2 h"'
_TEXT = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z%]*)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """What a race may cost; one of the three is given, the others are None.

    Attributes:
        share: optimiser steps over those of the full grid (candidates × rates × one seed).
        steps: optimiser steps.
        seconds: wall-clock time, turned into steps by the time that a first step takes, and held to.
    """

    share: float | None = None
    steps: int | None = None
    seconds: float | None = None

    def allowed(self, grid: int, step_seconds: float) -> int:
        """Optimiser steps to spend.

        Args:
            grid: the steps of the full grid.
            step_seconds: what one takes, for a budget in time.
        """
        if self.steps is not None:
            return self.steps
        if self.seconds is not None:
            return max(1, int(self.seconds / max(step_seconds, 1e-9)))
        return math.floor((self.share or 0.0) * grid + 1e-9)


def read(budget: Any) -> Budget:
    """The Budget meant by a number, a text such as "10 min", or a timedelta.

    Raises:
        OptionError: none of these, or nothing to spend.
    """
    if isinstance(budget, Budget):
        return budget
    if isinstance(budget, timedelta):
        found = Budget(seconds=budget.total_seconds())
    elif isinstance(budget, str):
        found = _from_text(budget)
    else:
        number = isinstance(budget, (int, float)) and not isinstance(budget, bool)
        found = Budget(share=float(budget)) if number else Budget(share=math.nan)
    value = next(v for v in (found.share, found.steps, found.seconds) if v is not None)
    if not math.isfinite(value) or value <= 0:
        raise OptionError(f"{budget!r}", where="budget", expected=EXPECTED)
    return found


def _from_text(text: str) -> Budget:
    match = _TEXT.fullmatch(text)
    try:
        value, unit = (float(match[1]), match[2].lower()) if match else (math.nan, "")
    except ValueError:
        value, unit = math.nan, ""
    if unit in ("step", "steps") and math.isfinite(value) and value == int(value):
        return Budget(steps=int(value))
    if unit in UNITS:
        return Budget(seconds=value * UNITS[unit])
    if unit in ("", "%"):
        return Budget(share=value / 100 if unit else value)
    return Budget(share=math.nan)
