"""Learning rates: every scheme gets as many, because the best rate depends on the scheme.

They lie around what its weights ask for (`initwise.choose.pace`), where that can be told; else all schemes
get the optimiser's usual grid. The edges do not decide: where a scheme does best at one of them, it gets the
next rate beyond it too (see `beyond`), until it does worse there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import OptionError

GRIDS: dict[str, tuple[float, ...]] = {
    "adam": (3e-4, 1e-3, 3e-3, 1e-2),
    "adamw": (3e-4, 1e-3, 3e-3, 1e-2),
    "sgd": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
}
"""Half-decade grids around the rates in use; SGD's is wider because its best rate moves more."""
LEAST, MOST = 1e-6, 10.0
"""No grid is widened past these."""


@dataclass(frozen=True)
class Grid:
    """Learning rates, ascending.

    Attributes:
        rates: for all schemes.
        open: may it be widened, and predicted for each scheme? Not where the rates were given.
        own: scheme → its rates, as many for each; empty where all have `rates`.
    """

    rates: tuple[float, ...]
    open: bool = False
    own: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Rates of one scheme."""
        return len(next(iter(self.own.values()), self.rates))

    def of(self, scheme: str) -> tuple[float, ...]:
        """The scheme's rates."""
        return self.own.get(scheme, self.rates)


def grid(optimizer: str, lrs: float | Iterable[float] | None = None) -> Grid:
    """The grid: `lrs`, ascending and each once; a single number fixes the rate; None is the default grid.

    Raises:
        OptionError: no rate, or one that is not positive and finite.
    """
    if lrs is None:
        return Grid(GRIDS[optimizer], open=True)
    given = list(lrs) if isinstance(lrs, Iterable) and not isinstance(lrs, str) else [lrs]
    rates = sorted({_rate(value) for value in given})
    if not rates:
        raise OptionError("no learning rates", where="lrs", expected="at least one")
    return Grid(tuple(rates))


def around(middle: float) -> tuple[float, ...]:
    """The half-decade step nearest to `middle`, the one before it and the one after it."""
    low = _before(_next(middle))
    nearest = low if middle / low < _next(low) / middle else _next(low)
    nearest = min(max(nearest, 3 * LEAST), MOST / 3)
    return _before(nearest), nearest, _next(nearest)


def beyond(rate: float, tried: Iterable[float]) -> float | None:
    """The next half-decade step beyond `rate` if it is an edge of `tried`, else None.

    Half decades are 1 and 3 times powers of ten: beyond 0.01 lies 0.03, below 3e-4 lies 1e-4.
    """
    rates = sorted(tried)
    if rate == rates[-1]:
        found = _next(rate)
    elif rate == rates[0]:
        found = _before(rate)
    else:
        return None
    return found if LEAST <= found <= MOST else None


def _next(rate: float) -> float:
    exponent = math.floor(math.log10(rate) + 1e-9)
    return _number(3, exponent) if rate < _number(3, exponent) * (1 - 1e-9) else _number(1, exponent + 1)


def _before(rate: float) -> float:
    exponent = math.floor(math.log10(rate) + 1e-9)
    if rate > _number(3, exponent) * (1 + 1e-9):
        return _number(3, exponent)
    return _number(1, exponent) if rate > _number(1, exponent) * (1 + 1e-9) else _number(3, exponent - 1)


def _number(digit: int, exponent: int) -> float:
    # written, not multiplied: 3 × 1e-4 is not 3e-4 in binary
    return float(f"{digit}e{exponent}")


def _rate(value: Any) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise OptionError(f"{value!r}", where="lrs", expected="positive, finite learning rates")
    return rate
