"""Which learning rates chosen weights ask for: the fit of `choose.pace`, and how often its range holds.

    python benchmarks/regret.py --set development      # and wide, and validation: trainings kept in build/
    python benchmarks/learning_rates.py [--write]      # docs/benchmarks/learning-rates.md

A rate is good if its regret against the best rate of the same weights is at most .05. Fitted on the
development and wide problems, not on the others.
"""

from __future__ import annotations

import argparse
import importlib
import math
import warnings
from dataclasses import dataclass
from statistics import linear_regression, mean

from initwise.choose.losses import of_targets
from initwise.choose.pace import RATES, rate_range, sensitivity
from initwise.choose.planners import plan_b, study
from regret import CHOSEN, ROOT, SEEN, SETS, Kept, made
from regret_problem import Problem
from regret_table import WORST, Row, regret, share

GOOD = 0.05
HEAD = """# Learning rates

<!-- written by: benchmarks/learning_rates.py --write -->

S is Σ √fan_in/σ of the chosen weights; a rate is good if its regret against the best rate is at most {good}.

"""


@dataclass(frozen=True)
class Found:
    """The good rates of one problem, and what its weights say."""

    problem: Problem
    sensitive: float
    good: tuple[float, ...]

    @property
    def held(self) -> bool:
        """Is a good rate within the range?"""
        low, high = rate_range(self.sensitive, self.problem.optimizer) or (math.nan, math.nan)
        return any(low <= rate <= high for rate in self.good)


def found(name: str) -> list[Found]:
    """Of every problem of a set that was trained."""
    kept = Kept(ROOT / "build" / f"regret-{name}.jsonl").rows
    problems: tuple[Problem, ...] = importlib.import_module(SETS[name]).PROBLEMS
    return [
        Found(problem, sensitive(problem), good(kept[problem.name, CHOSEN], kept[problem.name, WORST]))
        for problem in problems
        if (problem.name, CHOSEN) in kept and (problem.name, WORST) in kept
    ]


def sensitive(problem: Problem) -> float:
    """S of the weights that choose gives."""
    data = problem.data()
    case = study(made(problem, 0), data.inputs[:SEEN], loss=of_targets(data.targets) or None)
    return sensitivity(plan_b(case), case.structure, case.parameters)


def good(mine: Row, worst: Row) -> tuple[float, ...]:
    """The rates whose regret is small."""
    losses = {rate: mean(seeds) for rate, seeds in mine.losses.items()}
    best = min(losses.values())
    return tuple(rate for rate, loss in losses.items() if regret(loss, best, worst.best) <= GOOD)


def fitted(rows: list[Found]) -> tuple[float, float]:
    """Factor and exponent of rate = factor·S^−exponent, by least squares of logarithms."""
    x = [math.log(row.sensitive) for row in rows]
    y = [mean(math.log(rate) for rate in row.good) for row in rows]
    line = linear_regression(x, y)
    return math.exp(line.intercept), -line.slope


def page() -> str:
    """All that is printed."""
    sets = {name: found(name) for name in SETS}
    tuned = [row for name in ("development", "wide") for row in sets[name]]
    lines = [HEAD.format(good=GOOD)]
    for optimizer in RATES:
        factor, exponent = fitted([row for row in tuned if row.problem.optimizer == optimizer])
        used = RATES[optimizer]
        lines.append(f"- {optimizer}: fitted {factor:.3g}·S^−{exponent:.3g}; in use {used[0]}·S^−{used[1]}\n")
    lines.append("\n| set | problems | a good rate lies in the range |\n|---|---|---|\n")
    lines += [f"| {name} | {len(rows)} | {share(r.held for r in rows)} |\n" for name, rows in sets.items()]
    lines.append("\n| problem | optimizer | S | range | good rates |\n|---|---|---|---|---|\n")
    lines += [_line(row) for rows in sets.values() for row in rows]
    return "".join(lines)


def _line(row: Found) -> str:
    low, high = rate_range(row.sensitive, row.problem.optimizer) or (math.nan, math.nan)
    rates = ", ".join(f"{rate:g}" for rate in row.good)
    told = f"{low:.2g} to {high:.2g}" + ("" if row.held else " (missed)")
    return f"| {row.problem.name} | {row.problem.optimizer} | {row.sensitive:.3g} | {told} | {rates} |\n"


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    reader.add_argument("--write", action="store_true", help="into docs/benchmarks/learning-rates.md")
    given = reader.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    told = page()
    print(told)
    if given.write:
        (ROOT / "docs" / "benchmarks" / "learning-rates.md").write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
