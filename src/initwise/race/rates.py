"""Learning rates: every scheme gets the same grid, because the best rate depends on the scheme."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..core.errors import OptionError

GRIDS: dict[str, tuple[float, ...]] = {
    "adam": (3e-4, 1e-3, 3e-3, 1e-2),
    "adamw": (3e-4, 1e-3, 3e-3, 1e-2),
    "sgd": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
}
"""Half-decade grids around the rates in use; SGD's is wider because its best rate moves more."""


def learning_rates(optimizer: str, lrs: float | Iterable[float] | None = None) -> tuple[float, ...]:
    """The grid: `lrs`, ascending and each once; a single number fixes the rate; None is the default grid.

    Raises:
        OptionError: no rate, or one that is not positive and finite.
    """
    if lrs is None:
        return GRIDS[optimizer]
    given = list(lrs) if isinstance(lrs, Iterable) and not isinstance(lrs, str) else [lrs]
    rates = sorted({_rate(value) for value in given})
    if not rates:
        raise OptionError("no learning rates", where="lrs", expected="at least one")
    return tuple(rates)


def _rate(value: Any) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise OptionError(f"{value!r}", where="lrs", expected="positive, finite learning rates")
    return rate
