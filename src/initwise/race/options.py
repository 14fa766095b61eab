"""The options of a race, read and refused before anything runs or is opened."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..core.errors import OptionError
from ..core.stream import checked_seed
from . import budget as budgets
from .budget import Budget
from .executors import Where, checked


@dataclass(frozen=True)
class Options:
    """What a race may spend, on which seeds, where it trains, and how long one training may take."""

    budget: Budget
    seeds: range
    where: Where
    timeout: float | None


def options(
    *,
    budget: float | str | timedelta,
    seeds: int,
    seed: int,
    executor: Executor | str | None,
    timeout: float | None,
    memory: int | None,
) -> Options:
    """The options meant; arguments as of `initwise.race`.

    Raises:
        OptionError, StreamError: arguments that make no sense.
        UnsupportedError: a limit of memory where there is none. MissingError: Dask is not installed.
    """
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise OptionError(f"{seeds!r}", where="seeds", expected="a whole number ≥ 1")
    if timeout is not None and not (_number(timeout) and math.isfinite(timeout) and timeout > 0):
        raise OptionError(f"{timeout!r}", where="timeout", expected="seconds > 0, or None")
    spent = budgets.read(budget)
    first = checked_seed(seed)
    checked_seed(first + seeds - 1)
    return Options(spent, range(first, first + seeds), checked(executor, memory), timeout)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
