"""The tables of the regret benchmark: shares of problems with their intervals, and every problem's row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from scipy.stats import binomtest

from regret_problem import RATES, USUAL

WORST, DEFAULT = "zeros", "torch_default"
FAILED = 0.9
CAP = 1.5
"""Regret of what diverged, and of more."""

Rows = Mapping[tuple[str, str], "Row"]


@dataclass(frozen=True)
class Row:
    """A scheme on a problem.

    Attributes:
        problem, family, scheme: which.
        losses: learning rate → held-out loss of each seed.
        seconds: what it cost.
    """

    problem: str
    family: str
    scheme: str
    losses: Mapping[float, tuple[float, ...]]
    seconds: float

    def told(self) -> dict[str, Any]:
        """As JSON."""
        losses = {str(rate): list(found) for rate, found in self.losses.items()}
        return {**self.__dict__, "losses": losses}

    @staticmethod
    def read(told: dict[str, Any]) -> Row:
        """From JSON."""
        losses = {float(rate): tuple(found) for rate, found in told.pop("losses").items()}
        return Row(**told, losses=losses)

    @property
    def best(self) -> float:
        """The loss at its best rate."""
        return min(mean(found) for found in self.losses.values())

    @property
    def best_seeds(self) -> tuple[float, ...]:
        """Of each seed, at the best rate."""
        return min(self.losses.values(), key=mean)


CHOSEN = "choose"


def regret(loss: float, best: float, worst: float) -> float:
    """0 for the best, 1 for the loss without learning."""
    if not math.isfinite(loss):
        return CAP
    return min((loss - best) / max(worst - best, 1e-12), CAP)


@dataclass(frozen=True)
class Scores:
    """What is counted of one scheme over problems."""

    scheme: str
    searched: tuple[float, ...]
    fixed: tuple[float, ...]
    usual: tuple[float, ...]
    not_worse: tuple[bool, ...]
    not_better: tuple[bool, ...]


def scores(problems: Sequence[str], rows: Rows) -> list[Scores]:
    """Of every scheme that ran on all problems."""
    schemes = [s for s in dict.fromkeys(s for _, s in rows) if all((p, s) in rows for p in problems)]
    return [_scores(scheme, schemes, problems, rows) for scheme in schemes]


def _scores(scheme: str, schemes: Sequence[str], problems: Sequence[str], rows: Rows) -> Scores:
    searched: list[float] = []
    fixed: list[float] = []
    usual: list[float] = []
    not_worse, not_better = [], []
    for problem in problems:
        group = [rows[problem, one] for one in schemes]
        mine, worst = rows[problem, scheme], rows[problem, WORST].best
        searched.append(regret(mine.best, min(row.best for row in group), worst))
        at_rates = _at_each_rate(mine, group, worst)
        fixed += at_rates.values()
        usual += [found for rate, found in at_rates.items() if rate == _usual(mine)]
        not_worse.append(_not_worse(mine, rows[problem, DEFAULT]))
        not_better.append(_not_worse(rows[problem, DEFAULT], mine))
    found = tuple(searched), tuple(fixed), tuple(usual), tuple(not_worse), tuple(not_better)
    return Scores(scheme, *found)


def _usual(row: Row) -> float:
    """The rate that a user who does not search takes: 1e-3 with Adam, 1e-2 with SGD."""
    return next(USUAL[name] for name, rates in RATES.items() if set(rates) == set(row.losses))


def _at_each_rate(mine: Row, group: Sequence[Row], worst: float) -> dict[float, float]:
    """Regret at every rate at which anything learns."""
    found = {}
    overall = min(row.best for row in group)
    for rate, losses in mine.losses.items():
        best = min(mean(row.losses[rate]) for row in group)
        if regret(best, overall, worst) < FAILED:
            found[rate] = regret(mean(losses), best, worst)
    return found


def _not_worse(mine: Row, default: Row) -> bool:
    """Not worse than the default by more than two standard errors of the seeds' differences."""
    if not math.isfinite(mine.best):
        return False
    if not math.isfinite(default.best):
        return True
    differences = [a - b for a, b in zip(mine.best_seeds, default.best_seeds, strict=True)]
    middle, count = mean(differences), len(differences)
    variance = sum((d - middle) ** 2 for d in differences) / max(count - 1, 1)
    return middle <= 2 * math.sqrt(variance / count)


def share(hits: Iterable[bool]) -> str:
    """Percent, with Wilson's 95 % interval."""
    found = list(hits)
    if not found:
        return "–"
    interval = binomtest(sum(found), len(found)).proportion_ci(method="wilson")
    return f"{mean(found):.0%} ({interval.low:.0%}–{interval.high:.0%})"


HEAD = """# Regret on the {name} problems

<!-- written by: benchmarks/regret.py --set {name} --write -->

{count} problems, 3 seeds, learning rate searched over a grid of five unless it says fixed. Regret is
(loss − best)/(loss of all zeros − best); failed: more than .9; not worse than the default: by
no more than two standard errors of the seeds' differences. Fixed: at every rate of the grid at which
anything learns, against the best at that rate; usual: at 1e-3 with Adam and 1e-2 with SGD.
In brackets 95 % intervals (Wilson).

| scheme | median | mean | ≤ .05 | ≤ .10 | failed | not worse than default | fixed: ≤ .10 | fixed: failed \
| usual: ≤ .10 | usual: failed |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def table(name: str, problems: Sequence[str], rows: Rows) -> str:
    """The page."""
    ready = [p for p in problems if (p, WORST) in rows and (p, DEFAULT) in rows]
    counted = sorted(scores(ready, rows), key=lambda s: mean(s.searched)) if ready else []
    lines = [_line(one) for one in counted]
    head = HEAD.format(name=name, count=len(ready)) + "\n".join(lines)
    return head + "\n\n" + _beside_default(counted) + _each(ready, counted)


APART = (0.0, 0.02, 0.05)
"""Differences of regret that are counted."""


def _beside_default(counted: Sequence[Scores]) -> str:
    """How often `choose` and the default differ beyond noise, and by how much."""
    known = {one.scheme: one for one in counted}
    if not {CHOSEN, DEFAULT} <= set(known):
        return ""
    mine, default = known[CHOSEN], known[DEFAULT]
    gains = [b - a for a, b in zip(mine.searched, default.searched, strict=True)]
    said = []
    for word, same, sign in (("worse", mine.not_worse, -1), ("better", mine.not_better, 1)):
        apart = [sign * gain for gain, alike in zip(gains, same, strict=True) if not alike]
        counts = ", ".join(f"{sum(gap > least for gap in apart)} by more than {least}" for least in APART[1:])
        said.append(f"{word} on {len(apart)} ({counts})")
    return f"`{CHOSEN}` beside the default, beyond two standard errors: {' and '.join(said)}.\n\n"


def _line(one: Scores) -> str:
    cells = (
        one.scheme,
        f"{median(one.searched):.3f}",
        f"{mean(one.searched):.3f}",
        share(r <= 0.05 for r in one.searched),
        share(r <= 0.10 for r in one.searched),
        share(r > FAILED for r in one.searched),
        share(one.not_worse),
        share(r <= 0.10 for r in one.fixed),
        share(r > FAILED for r in one.fixed),
        share(r <= 0.10 for r in one.usual),
        share(r > FAILED for r in one.usual),
    )
    return f"| {' | '.join(cells)} |"


def _each(problems: Sequence[str], counted: Sequence[Scores]) -> str:
    head = f"| problem | {' | '.join(one.scheme for one in counted)} |\n|---|{'---|' * len(counted)}\n"
    lines = [
        f"| {problem} | {' | '.join(f'{one.searched[place]:.2f}' for one in counted)} |"
        for place, problem in enumerate(problems)
    ]
    return "## Every problem\n\n" + head + "\n".join(lines) + "\n"
