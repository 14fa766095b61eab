"""Outcome: what one training came to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.codec import JsonMixin


@dataclass(frozen=True)
class Outcome(JsonMixin):
    """How one training ended.

    Attributes:
        status: "trained", "diverged" (a loss that is no finite number) or "failed" (it raised).
        steps: optimiser steps run.
        losses: (step, the loss on each validation batch then) at each checkpoint that was passed.
        metric: the metric's mean over the validation batches at the end, NaN without one.
        error: what was raised.
    """

    status: str
    steps: int
    losses: tuple[tuple[int, tuple[float, ...]], ...] = ()
    metric: float = math.nan
    error: str = ""
