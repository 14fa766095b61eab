"""The page of benchmarks/race_regret.py: shares of problems with their intervals, and every problem's row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, median
from typing import Any

from regret import CHOSEN
from regret_table import FAILED, WORST, Rows, regret, share


@dataclass(frozen=True)
class Raced:
    """A race on a problem, and what its answer is worth.

    Attributes:
        problem, family: which.
        answer: the candidate that `choose` names after the race; `prior`: without one.
        winner, ties, rate, ranking: of the race; the ranking is (name, loss, rate, share of a
            training, p).
        steps, allowed: optimiser steps counted, and allowed.
        share: the steps over those of the grid.
        seconds: CPU time.
        regret, regret_prior: of answer and prior, by full trainings with 3 seeds.
    """

    problem: str
    family: str
    answer: str
    prior: str
    winner: str
    ties: tuple[str, ...]
    rate: float
    ranking: tuple[tuple[str, float, float, float, float], ...]
    steps: int
    allowed: int
    share: float
    seconds: float
    regret: float = math.nan
    regret_prior: float = math.nan

    @staticmethod
    def read(told: dict[str, Any]) -> Raced:
        """From JSON."""
        told["ties"] = tuple(told["ties"])
        told["ranking"] = tuple(tuple(one) for one in told["ranking"])
        return Raced(**told)

    def scored(self, rows: Rows, row: str) -> Raced:
        """With its regret; `row` is the answer's name among `rows`."""
        losses = {scheme: found.best for (of, scheme), found in rows.items() if of == self.problem}
        best, worst = min(losses.values()), losses[WORST]
        answer, prior = (
            regret(losses.get(one, math.inf), best, worst) if one in losses else math.nan
            for one in (row, CHOSEN)
        )
        return replace(self, regret=answer, regret_prior=prior)


HEAD = """# Regret of the race

<!-- written by: benchmarks/race_regret.py --write -->

`choose(problem=…, race=True)` on {count} problems, with a budget of {share:.0%} of the optimiser steps of the
one-seed grid (16 schemes × 5 rates × the full length): what the candidate that it names is worth, trained
to the end with 3 seeds at its best rate. Regret is (loss − best)/(loss of all zeros − best), best of all that
was trained. "Without a race" is what `choose(problem=…)` names. Steps are counted by a hook of torch's
optimisers. In brackets 95 % intervals (Wilson).

{unraced}

| set | problems | ≤ .05 | ≤ .10 | failed | median | mean | most of the grid | no race: ≤ .05 | ≤ .10 |
|---|---|---|---|---|---|---|---|---|---|
"""


def page(
    results: Mapping[str, Sequence[Raced]], unraced: Mapping[str, Sequence[str]], share_of_grid: float
) -> str:
    """The whole page.

    Args:
        unraced: set → its problems without a race.
    """
    count = sum(len(found) for found in results.values())
    lines = [_line(name, found) for name, found in results.items() if found]
    if len(lines) > 1:
        lines.append(_line("all", [raced for found in results.values() for raced in found]))
    head = HEAD.format(share=share_of_grid, count=count, unraced=_unraced(unraced, results))
    parts = [head + "\n".join(lines)]
    parts += [_each(name, found) for name, found in results.items() if found]
    return "\n\n".join(parts) + "\n"


def _unraced(unraced: Mapping[str, Sequence[str]], results: Mapping[str, Sequence[Raced]]) -> str:
    """What the table does not cover: whole sets by their size, others by their problems' names."""
    told = [
        f"{name} ({', '.join(missing)})" if results.get(name) else f"{name} (all {len(missing)})"
        for name, missing in unraced.items()
    ]
    return f"Not raced: {', '.join(told) or 'none'}."


def _line(name: str, found: Sequence[Raced]) -> str:
    values, before = [one.regret for one in found], [one.regret_prior for one in found]
    cells = (
        name,
        str(len(found)),
        *_shares(values),
        share(value > FAILED for value in values),
        f"{median(values):.3f}",
        f"{mean(values):.3f}",
        f"{max(one.share for one in found):.2%}",
        *_shares(before),
    )
    return f"| {' | '.join(cells)} |"


def _shares(values: Iterable[float]) -> tuple[str, str]:
    found = list(values)
    return share(value <= 0.05 for value in found), share(value <= 0.10 for value in found)


def _each(name: str, found: Sequence[Raced]) -> str:
    names = (
        "problem",
        "answer",
        "regret",
        "without a race",
        "regret",
        "steps of those allowed",
        "of the grid",
    )
    head = f"## {name}\n\n| {' | '.join((*names, 'CPU s'))} |\n|{'---|' * (len(names) + 1)}\n"
    rows = [
        f"| {one.problem} | {one.answer} | {one.regret:.2f} | {one.prior} | {one.regret_prior:.2f} "
        f"| {one.steps} of {one.allowed} | {one.share:.2%} | {one.seconds:.0f} |"
        for one in sorted(found, key=lambda one: one.problem)
    ]
    return head + "\n".join(rows)
