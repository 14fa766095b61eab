"""Results: what every training of a race came to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .ladder import Rung
from .outcome import Outcome


@dataclass(frozen=True, order=True)
class Curve:
    """A scheme at a learning rate; `order` is the scheme's place in the candidates."""

    order: int
    scheme: str
    rate: float


Arms = tuple[Curve, int]
SLOPE = 0.3
"""How much of a finalist's fall is expected to go on: 0 ranks by the loss there is, 1 by a straight line
over the logarithm of the steps. Replayed over whole curves, .3 and .6 did the same."""


LOOKS, APART, LONG = 4, 0.05, 40
"""A loss after at least `LONG` steps is the mean of so many looks, so far apart: one alone is moved by the
last few steps as much as by the scheme."""


def looks(steps: int) -> tuple[int, ...]:
    """The steps after which a training of `steps` is looked at for its loss at the end."""
    if steps < LONG:
        return (steps,)
    return tuple(steps - round(APART * steps * back) for back in range(LOOKS))


@dataclass
class Results:
    """What every arm came to: its end, and the validation losses on its way, by (curve, seed)."""

    ends: dict[Arms, Outcome] = field(default_factory=dict)
    lengths: dict[Arms, int] = field(default_factory=dict)
    losses: dict[Arms, dict[int, tuple[float, ...]]] = field(default_factory=dict)

    def add(self, curve: Curve, seed: int, length: int, outcome: Outcome) -> None:
        """Note the outcome of a training that was to be `length` steps long."""
        self.ends[curve, seed], self.lengths[curve, seed] = outcome, length
        self.losses.setdefault((curve, seed), {}).update(outcome.losses)

    def ran(self, curve: Curve, seed: int, length: int) -> bool:
        """Has the arm been sent that far?"""
        return self.lengths.get((curve, seed), 0) >= length

    def at(self, curve: Curve | None, rung: Rung) -> NDArray[np.float64]:
        """Validation losses at the rung's length, of shape (the rung's seeds that have any, batches).

        Each is the mean of its `looks`, of those there are at least the last.
        """
        arms = [(curve, seed) for seed in range(rung.seeds)] if curve else []
        found = [self.losses.get(arm, {}) for arm in arms]
        means = [
            np.mean([told[look] for look in looks(rung.steps) if look in told], axis=0)
            for told in found
            if rung.steps in told
        ]
        return np.array(means)

    def loss(self, curve: Curve, rung: Rung) -> float:
        """Mean validation loss over the rung's seeds; infinite unless all of them came through."""
        found = self.at(curve, rung)
        return float(found.mean()) if len(found) == rung.seeds else math.inf

    def expected(self, curve: Curve | None, rung: Rung, steps: int) -> NDArray[np.float64]:
        """What the losses at the rung may be heading for in `steps`, of the same shape as `at`.

        From half the rung's length to all of it a loss fell by some amount; the doublings left to a whole
        training are expected to bring `SLOPE` of that each. So who leads early and stands still does not
        stay ahead of who is close behind and falling.
        """
        now = self.at(curve, rung)
        half = max(1, rung.steps // 2)
        before = self.at(curve, Rung(rung.arms, half, rung.seeds))
        if half == rung.steps or not now.size or before.shape != now.shape or before.mean() <= now.mean():
            return now
        doublings = math.log2(steps / rung.steps) / math.log2(rung.steps / half)
        found: NDArray[np.float64] = now - SLOPE * doublings * (before - now)
        return found

    def failed(self, curve: Curve) -> bool:
        """Did it raise, on every seed that it ran?"""
        return all(end.status == "failed" for (other, _), end in self.ends.items() if other == curve)

    def alive(self, rung: Rung) -> list[Curve]:
        """The curves that came through the rung."""
        return sorted(c for c in {curve for curve, _ in self.ends} if math.isfinite(self.loss(c, rung)))

    def ranked(self, rung: Rung) -> list[Curve]:
        """The curves that came through the rung, lowest loss first; the candidates' order breaks ties."""
        return sorted(self.alive(rung), key=lambda curve: (self.loss(curve, rung), curve))

    def of_seeds(self, rung: Rung, steps: int) -> list[list[float]]:
        """The expected losses of every curve on the rung, one of each seed that has one."""
        found = []
        rung = Rung(rung.arms, rung.steps, 1 + max((seed for _, seed in self.ends), default=0))
        for curve in sorted({curve for curve, _ in self.ends}):
            expected = self.expected(curve, rung, steps)
            found.append(expected.mean(1).tolist() if len(expected) else [])
        return found
