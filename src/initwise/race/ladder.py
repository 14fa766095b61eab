"""The ladder of a race: how many arms climb each rung, how far, and on how many seeds.

Successive halving (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and
Hyperparameter Optimization", AISTATS 2016): every arm runs a little, the best quarter runs 2.5
times as long, and so on until a handful is left, which runs on all seeds. An arm starts anew on
each rung instead of carrying its state along: that costs about a sixth of the budget, and in
return an arm is a pure function of its description, so that it can run anywhere, be stored, be
lost and be run again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.errors import ProblemError

KEPT = 4
"""One arm in this many climbs to the next rung …"""
LONGER = 2.5
"""… which is this many times as long."""
FINALISTS = 4
"""No further elimination below this many arms."""


@dataclass(frozen=True)
class Rung:
    """`arms` learning curves of `steps` optimiser steps, each on the first `seeds` seeds."""

    arms: int
    steps: int
    seeds: int


def ladder(schemes: int, rates: int, seeds: int, budget: float, steps: int) -> tuple[Rung, ...]:
    """The longest ladder that the budget pays for.

    Args:
        schemes, rates, seeds: size of the grid.
        budget: optimiser steps to spend, over those of the grid with one seed.
        steps: full length of a training.

    Raises:
        ProblemError: the budget does not pay for one step of every arm.
    """
    arms = schemes * rates
    allowed = math.floor(budget * arms * steps + 1e-9)
    if allowed >= arms * seeds * steps:
        return (Rung(arms, steps, seeds),)
    longest = min(steps, allowed // arms)
    fitting = [n for n in range(1, longest + 1) if cost(_rungs(arms, seeds, n, steps)) <= allowed]
    if not fitting:
        least = cost(_rungs(arms, seeds, 1, steps)) / (arms * steps)
        raise ProblemError(
            f"budget={budget:g} pays for {allowed} optimiser steps, too few for {arms} arms",
            where="race",
            expected=f"budget ≥ {math.ceil(least * 1000) / 1000:g}",
            fix="Raise the budget, lengthen the training (Problem(steps=…)), or race fewer candidates.",
        )
    return _rungs(arms, seeds, fitting[-1], steps)


def cost(rungs: tuple[Rung, ...]) -> int:
    """Optimiser steps of a ladder; an arm already run to the same length is not run again."""
    spent, before = 0, Rung(0, 0, 0)
    for rung in rungs:
        known = before.seeds if rung.steps == before.steps else 0
        spent += rung.arms * (rung.seeds - known) * rung.steps
        before = rung
    return spent


def _rungs(arms: int, seeds: int, first: int, steps: int) -> tuple[Rung, ...]:
    counts = [arms]
    while counts[-1] > FINALISTS:
        counts.append(max(2, math.ceil(counts[-1] / KEPT)))
    lengths = [min(steps, round(first * LONGER**index)) for index in range(len(counts))]
    last = len(counts) - 1
    return tuple(
        Rung(count, length, seeds if index == last else 1)
        for index, (count, length) in enumerate(zip(counts, lengths, strict=True))
    )
