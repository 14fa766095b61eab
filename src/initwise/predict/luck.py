"""Luck: what makes all of a tensor larger or smaller together, from one draw of the weights to the next.

Kept is ln(scale²) in each of some scenarios. What was drawn once is lucky in the same scenarios wherever it
goes: the gradient at a layer of a deep network and what the layer was given are both behind the same draws,
and E[a²·b²] is the mean over scenarios of a product, not the product of two means.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from .axes import Array

SCENARIOS = 1024
LARGEST = 12.0
"""Logarithms beyond this are cut."""
GROUPS = ((0.05, 2), (0.3, 4), (math.inf, 8))
"""(variance of ln(scale²), by how many scales the law of what varies less is told)."""
SLIGHT = 0.005
"""Variance of ln(scale²) that changes what a function makes of it by less than half a percent."""

_NUMBERS = itertools.count()


def number() -> int:
    """One for each tensor that is drawn."""
    return next(_NUMBERS)


@contextlib.contextmanager
def numbered() -> Iterator[None]:
    """Number from 0 within: every prediction meets the same scenarios, and one inside another its own."""
    global _NUMBERS
    before, _NUMBERS = _NUMBERS, itertools.count()
    try:
        yield
    finally:
        _NUMBERS = before


@lru_cache(maxsize=4096)
def _normal(source: frozenset[int]) -> Array:
    """A standard normal number for each scenario, half of them the negatives of the others."""
    half = np.random.default_rng([place + 1 for place in sorted(source)]).standard_normal(SCENARIOS // 2)
    both = np.concatenate([half, -half])
    found: Array = (both / math.sqrt(float(np.mean(both**2)))).astype(np.float32)
    return found


@dataclass(frozen=True, eq=False)
class Luck:
    """ln(scale²) in each scenario, the scales' mean square 1; None where nothing is due to luck.

    Attributes:
        logs: of one slice: the tensor of one input, one token. Elements have moments by this.
        common: of all elements together.
    """

    logs: Array | None = None
    common: Array | None = None

    @cached_property
    def variance(self) -> float:
        """Of ln(scale²) of all elements, from one draw of the weights to the next."""
        return 0.0 if self.common is None else float(np.var(self.common))

    def __add__(self, other: Luck) -> Luck:
        """Of a product of two tensors."""
        if self.logs is None or self.common is None or other.logs is None or other.common is None:
            return other if self.logs is None else self
        logs = self.logs + other.logs
        alike = self.logs is self.common and other.logs is other.common
        return of(logs, logs if alike else self.common + other.common)

    def __mul__(self, power: float) -> Luck:
        """Of a power."""
        if power == 1.0 or self.logs is None or self.common is None:
            return self
        logs = power * self.logs
        return of(logs, logs if self.logs is self.common else power * self.common) if power else NONE

    @cached_property
    def shared(self) -> Luck:
        """What all slices have together, where they are summed or meet others."""
        return self if self.logs is self.common else Luck(self.common, self.common)

    def together(self, other: Luck) -> float:
        """E[a²·b²]/(E[a²]·E[b²])."""
        if self.logs is None or other.logs is None:
            return 1.0
        return float(np.mean(np.exp(self.logs + other.logs)))

    def over(self, other: Luck) -> float:
        """E[a²/b²]·E[b²]/E[a²]."""
        one, two = (0.0 if luck.logs is None else luck.logs for luck in (self, other))
        return float(np.mean(np.exp(one - two)))

    @cached_property
    def scales(self) -> tuple[float, ...]:
        """Scales of equal weight that stand for all, of mean square 1."""
        variance = 0.0 if self.logs is None else float(np.var(self.logs))
        if self.logs is None or variance < SLIGHT:
            return (1.0,)
        number = next(groups for most, groups in GROUPS if variance < most)
        logs = np.sort(self.logs).reshape(number, -1).mean(1)
        # what the groups' means do not vary
        logs = (logs - logs.mean()) * math.sqrt(variance / float(np.var(logs)))
        squares = np.exp(logs)
        return tuple(np.sqrt(squares / squares.mean()).tolist())


NONE = Luck()


def of(logs: Array, common: Array) -> Luck:
    """Of any numbers by scenario: only what differs counts."""
    mine = _centred(logs)
    return Luck(mine, mine if logs is common else _centred(common))


def _centred(logs: Array) -> Array:
    logs = np.maximum(logs, -LARGEST)
    np.minimum(logs, LARGEST, out=logs)
    logs -= math.log(float(np.add.reduce(np.exp(logs))) / len(logs))
    found: Array = logs.astype(np.float32, copy=False)
    return found


def drawn(one: float, every: float, source: frozenset[int]) -> Luck:
    """Of means of finitely many squares, by their variance over their mean²: of one slice's, of all."""
    if one <= 0 and every <= 0:
        return NONE
    common = math.log1p(every) ** 0.5 * _normal(source)
    rest = max(math.log1p(max(one, 0.0)) - math.log1p(every), 0.0) ** 0.5
    return of(common + rest * _normal(source | {-1}), common)


def weighted(shares: list[float], parts: list[Luck]) -> Luck:
    """Of a sum of independent tensors, which have these shares of its mean square."""
    if all(part.logs is None for part in parts):
        return NONE
    logs, common = (
        sum(s * (1.0 if array is None else np.exp(array)) for s, array in zip(shares, arrays, strict=True))
        for arrays in ([part.logs for part in parts], [part.common for part in parts])
    )
    return of(np.log(np.maximum(logs, 1e-30)), np.log(np.maximum(common, 1e-30)))
