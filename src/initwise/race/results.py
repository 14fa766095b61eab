"""Results: what every training of a race came to, and who climbs on."""

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
        """Validation losses at the rung's length, of shape (the rung's seeds that have any, batches)."""
        arms = [(curve, seed) for seed in range(rung.seeds)] if curve else []
        found = [self.losses.get(arm, {}).get(rung.steps) for arm in arms]
        return np.array([losses for losses in found if losses is not None])

    def loss(self, curve: Curve, rung: Rung) -> float:
        """Mean validation loss over the rung's seeds; infinite unless all of them came through."""
        found = self.at(curve, rung)
        return float(found.mean()) if len(found) == rung.seeds else math.inf

    def ranked(self, rung: Rung) -> list[Curve]:
        """The curves that came through the rung, best first; the candidates' order breaks ties."""
        curves = {curve for curve, _ in self.ends}
        alive = [curve for curve in curves if math.isfinite(self.loss(curve, rung))]
        return sorted(alive, key=lambda curve: (self.loss(curve, rung), curve))


def climbing(results: Results, before: Rung, rung: Rung, rates: int) -> tuple[Curve, ...]:
    """The `rung.arms` curves that go on from rung `before`.

    Args:
        rates: learning rates of one scheme that may climb while another scheme's best waits for a
            place; the race is between schemes.
    """
    first: list[Curve] = []
    later: list[Curve] = []
    for curve in results.ranked(before):
        same = sum(other.scheme == curve.scheme for other in first)
        (first if same < rates else later).append(curve)
    return tuple([*first, *later][: rung.arms])
