"""The ladder of a race: how many arms climb each rung, how far, and on how many seeds.

Two rungs (see docs/decisions/0025): every scheme at every rate runs for a part of a training, which finds
each scheme's rate; the finalists run longest, on all seeds. A grid of more than a few rates costs more, so
there is a rung between: every scheme at its best rate runs longer, and no scheme is out after a first rung
of few steps, whose leaders often lose later. It is successive halving (Jamieson and
Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016) with the
schemes kept.

An arm starts anew on each rung instead of carrying its state along: that costs about a sixth of the budget,
and in return an arm is a pure function of its description, so that it can run anywhere, be stored, be lost
and be run again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from ..core.errors import ProblemError

LONGER = 3.0
"""A rung is this many times as long as the one before."""
FINALISTS = 3
"""Arms on the last rung; no elimination at all below one more."""
FEW_RATES = 3
"""With so few rates of a scheme the first rung is long enough to judge schemes by."""
RATES = 1
"""Rates of a scheme on the middle rung."""
SPARE = 0.15
"""Share of the first rung's arms that may be added beyond the grid's edges."""
STRETCH = 1.5
"""The last rung grows by at most this factor where earlier ones cost less than planned."""


@dataclass(frozen=True)
class Rung:
    """`arms` learning curves of `steps` optimiser steps, each on the first `seeds` seeds."""

    arms: int
    steps: int
    seeds: int


@dataclass(frozen=True)
class Ladder:
    """The rungs, and what they may cost.

    Attributes:
        allowed: optimiser steps to spend.
        steps: a training's full length.
        reserve: steps of the first rung set aside for rates beyond the grid.
    """

    rungs: tuple[Rung, ...]
    allowed: int
    steps: int
    reserve: int = 0

    @property
    def longest(self) -> int:
        """Steps that a training on the last rung may have."""
        last = self.rungs[-1].steps
        return last if len(self.rungs) == 1 else min(self.steps, math.floor(last * STRETCH))

    def cost(self, after: int = -1) -> int:
        """Optimiser steps planned for the rungs after number `after`."""
        return cost(self.rungs[after + 1 :])

    def rates(self, index: int) -> int:
        """How many rates of one scheme may be on rung `index` before every scheme has one there."""
        return 1 if index == len(self.rungs) - 1 else RATES

    def stretched(self, index: int, spent: int) -> Rung:
        """Rung `index`; the last one as long as what is left pays for."""
        rung = self.rungs[index]
        if index < len(self.rungs) - 1:
            return rung
        pays = (self.allowed - spent) // (rung.arms * rung.seeds)
        return Rung(rung.arms, max(rung.steps, min(self.longest, pays)), rung.seeds)


def ladder(
    schemes: int, rates: int, seeds: int, allowed: int, steps: int, *, open_grid: bool = False
) -> Ladder:
    """The longest ladder that `allowed` optimiser steps pay for.

    Args:
        schemes, rates: size of the grid.
        seeds: of the last rung, fewer where the budget is too small for them.
        steps: full length of a training.
        open_grid: the grid may be widened.

    Raises:
        ProblemError: the budget does not pay for one step of every arm.
    """
    arms = schemes * rates
    extra = math.ceil(SPARE * arms) if open_grid else 0
    if allowed >= (arms + extra) * seeds * steps:
        return Ladder((Rung(arms, steps, seeds),), allowed, steps, extra * steps * seeds)
    for count in range(seeds, 0, -1):  # a small budget pays for fewer seeds
        first = _first(schemes, rates, count, allowed, steps, extra)
        if first:
            rungs = _rungs(schemes, rates, count, first, steps)
            return Ladder(rungs, allowed, steps, extra * rungs[0].steps * rungs[0].seeds)
    raise _too_small(arms, _needed(_rungs(schemes, rates, 1, 1, steps), extra), allowed, steps)


def _first(schemes: int, rates: int, seeds: int, allowed: int, steps: int, extra: int) -> int:
    """Steps of the longest first rung that is paid for, with all that follows; 0 for none."""
    longest = min(steps, allowed // (schemes * rates))
    lengths = range(longest, 0, -1)
    return next((n for n in lengths if _fits(_rungs(schemes, rates, seeds, n, steps), extra, allowed)), 0)


def cost(rungs: tuple[Rung, ...]) -> int:
    """Optimiser steps of a ladder; an arm already run to the same length is not run again."""
    spent, before = 0, Rung(0, 0, 0)
    for rung in rungs:
        known = before.seeds if rung.steps == before.steps else 0
        spent += rung.arms * (rung.seeds - known) * rung.steps
        before = rung
    return spent


def _rungs(schemes: int, rates: int, seeds: int, first: int, steps: int) -> tuple[Rung, ...]:
    arms = schemes * rates
    judged = rates <= FEW_RATES and arms > FINALISTS
    middle = [] if judged else [min(arms, schemes * RATES)]
    counts = [arms, *middle, FINALISTS]
    falling = [arms] + [count for before, count in pairwise(counts) if count < before]
    lengths = [min(steps, round(first * LONGER**index)) for index in range(len(falling))]
    last = len(falling) - 1
    return tuple(
        Rung(count, length, seeds if index == last else 1)
        for index, (count, length) in enumerate(zip(falling, lengths, strict=True))
    )


def _needed(rungs: tuple[Rung, ...], extra: int) -> int:
    return cost(rungs) + extra * rungs[0].steps * rungs[0].seeds


def _fits(rungs: tuple[Rung, ...], extra: int, allowed: int) -> bool:
    return _needed(rungs, extra) <= allowed


def _too_small(arms: int, needed: int, allowed: int, steps: int) -> ProblemError:
    share = math.ceil(needed / (arms * steps) * 1000) / 1000
    return ProblemError(
        f"the budget pays for {allowed} optimiser steps, too few for {arms} arms: one step of each, and the "
        f"rungs after it, cost {needed}",
        where="race",
        expected=f'budget ≥ {share:g}, or "{needed} steps"',
        fix="Raise the budget, lengthen the training (Problem(steps=…)), or race fewer candidates.",
    )
