"""How good is what a race chooses, at a tenth of a grid's cost? Regret of its answer, problem by problem.

    python benchmarks/race_regret.py --set development        # a stopped run goes on where it was
    python benchmarks/race_regret.py --set wide --only rnn2-both-ways --again
    python benchmarks/race_regret.py --write                  # docs/benchmarks/race-regret.md, all sets

For every problem `initwise.choose(problem=…, race=True)` races all its candidates with a budget of 10 % of
the optimiser steps of the one-seed grid of benchmarks/regret.py: its schemes × its five rates × the full
length. The race looks at the held-out inputs as a user's validation data. Its steps are counted by a hook of
torch's optimisers, not taken from its own record. The answer's regret is then what regret.py gives that
scheme: trained to the end at every rate, 3 seeds, at its best rate, against the best of all that was trained
(build/regret-SET.jsonl; what is missing there is trained). Races are kept in build/race-regret-SET.jsonl.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

import initwise
from initwise.core.errors import ModelError
from race_regret_page import Raced, page
from regret import CHOSEN, NAMED, ROOT, SEEDS, SETS, Kept, by_rate, made, state
from regret_arms import Arm, trained
from regret_problem import Problem
from regret_table import Row

SHARE = 0.10
GRID = (*NAMED, CHOSEN)
"""The schemes of the grid that the budget is a share of."""
TOLD = ("rule_a", "rule_a2", "rule_b")
"""Rules see the targets of a problem, so that their rows of regret.py, which do not, are not theirs."""


def asked(problem: Problem) -> initwise.Problem:
    """The problem as a user poses it: shuffled passes over the training data, held-out data to judge by."""
    data = problem.data()
    size = min(problem.batch, len(data.inputs))

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.Generator().manual_seed(1000)
        while True:
            index = torch.randperm(len(data.inputs), generator=order)
            for start in range(0, len(index) - size + 1, size):
                chosen = index[start : start + size]
                yield data.inputs[chosen], data.targets[chosen]

    return initwise.Problem(
        problem.build,
        batches,
        problem.loss,
        optimizer=problem.optimizer,
        steps=problem.steps,
        validation=list(zip(data.held_inputs.chunk(8), data.held_targets.chunk(8), strict=True)),
        name=problem.name,
    )


def budget(problem: Problem, share: float) -> int:
    """Optimiser steps."""
    return math.floor(share * len(GRID) * len(problem.rates) * problem.steps)


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """How many optimiser steps any torch optimiser took inside; a stack of arms takes one for each."""
    steps = [0]

    def step(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        steps[0] += len(optimizer.param_groups)

    hook = register_optimizer_step_post_hook(step)
    try:
        yield lambda: steps[0]
    finally:
        hook.remove()


def race(problem: Problem, share: float) -> Raced:
    """The race, counted."""
    allowed = budget(problem, share)
    prior = initwise.choose(problem=asked(problem)).name
    started = time.process_time()
    with counted() as steps:
        advice = initwise.choose(problem=asked(problem), race=True, budget=f"{allowed} steps")
    run = advice.race
    assert run is not None
    return Raced(
        problem=problem.name,
        family=problem.family,
        answer=advice.name,
        prior=prior,
        winner=run.winner,
        ties=run.ties,
        rate=advice.learning_rate or math.nan,
        ranking=tuple((one.name, one.loss, one.learning_rate, one.share, one.p) for one in run.ranking),
        steps=steps(),
        allowed=allowed,
        share=steps() / (allowed / share),
        seconds=round(time.process_time() - started, 1),
    )


# scoring


def row_name(raced: Raced) -> str:
    """Under which name regret.py keeps trainings of the answer; rules that saw the targets have their own."""
    if raced.answer == raced.prior:
        return CHOSEN
    return f"{raced.answer}, told" if raced.answer in TOLD else raced.answer


def require_row(problem: Problem, raced: Raced, kept: Kept) -> None:
    """Train the answer as regret.py does, if it is not kept."""
    scheme = row_name(raced)
    if (problem.name, scheme) in kept.rows:
        return
    arms = [Arm(scheme, seed, rate) for seed in SEEDS for rate in problem.rates]
    weights = {seed: drawn(problem, raced.answer, seed) for seed in SEEDS}
    started = time.perf_counter()
    losses = trained(problem, arms, [weights[arm.seed] for arm in arms])
    found = by_rate(list(zip(arms, losses, strict=True)))
    seconds = round(time.perf_counter() - started, 1)
    kept.add(Row(problem.name, problem.family, scheme, found, seconds))


def drawn(problem: Problem, scheme: str, seed: int) -> dict[str, Tensor]:
    """The weights of a candidate that was told the problem."""
    model: nn.Module = made(problem, seed)
    if scheme != "torch_default":
        given = asked(problem)
        told = initwise.Problem(lambda: model, given.batches, given.loss, optimizer=given.optimizer)
        initwise.init_(model, initwise.choose(problem=told, candidates=(scheme,), seed=seed).plan, seed=seed)
    return state(model)


# keeping


@dataclass
class Races:
    """Races in a file, one line each."""

    path: Path

    def read(self) -> dict[str, Raced]:
        """By problem; of several the last."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        found = {}
        for line in lines:
            try:
                raced = Raced.read(json.loads(line))
            except json.JSONDecodeError:  # the line that a kill cut off
                continue
            found[raced.problem] = raced
        return found

    def add(self, raced: Raced) -> None:
        """Keep it at once."""
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(raced)) + "\n")


def cheap(problems: Sequence[Problem], kept: Kept) -> list[Problem]:
    """The cheap ones first, by what regret.py took."""
    took = {problem.name: 0.0 for problem in problems}
    for (name, _), row in kept.rows.items():
        took[name] = took.get(name, 0.0) + row.seconds
    return sorted(problems, key=lambda problem: took[problem.name])


def run(name: str, only: Sequence[str], again: bool, share: float) -> None:
    """Race what has not raced, and train what scoring needs."""
    problems: tuple[Problem, ...] = importlib.import_module(SETS[name]).PROBLEMS
    kept, races = kept_of(name), races_of(name, share)
    known = {} if again else races.read()
    chosen = [problem for problem in cheap(problems, kept) if not only or problem.name in only]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("", total=len(chosen))
        for problem in chosen:
            bar.update(task, description=problem.name)
            raced = known.get(problem.name)
            if raced is None:
                try:
                    raced = race(problem, share)
                except ModelError as refused:
                    bar.console.print(f"{problem.name} is not raced: {str(refused).splitlines()[0]}")
                    bar.advance(task)
                    continue
                races.add(raced)
            require_row(problem, raced, kept)
            bar.advance(task)


def kept_of(name: str) -> Kept:
    """The trainings of benchmarks/regret.py."""
    return Kept(ROOT / "build" / f"regret-{name}.jsonl")


def races_of(name: str, share: float) -> Races:
    """The races of a set at a share of the grid."""
    suffix = "" if share == SHARE else f"-{share:g}"
    return Races(ROOT / "build" / f"race-regret-{name}{suffix}.jsonl")


def unraced(results: Mapping[str, Sequence[Raced]]) -> dict[str, tuple[str, ...]]:
    """Set → its problems without a race: of the sets that were not asked for, all."""
    missing = {}
    for name, module in SETS.items():
        there = {raced.problem for raced in results.get(name, ())}
        problems = importlib.import_module(module).PROBLEMS
        missing[name] = tuple(one.name for one in problems if one.name not in there)
    return {name: found for name, found in missing.items() if found}


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    reader.add_argument("--set", nargs="*", choices=sorted(SETS), default=sorted(SETS))
    reader.add_argument("--only", nargs="*", default=(), help="names of problems")
    reader.add_argument("--share", type=float, default=SHARE, help="of the grid's steps")
    reader.add_argument("--again", action="store_true", help="race again what is kept")
    reader.add_argument("--write", action="store_true", help="the table into docs/benchmarks")
    given = reader.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    torch.set_flush_denormal(True)
    for name in given.set:
        run(name, given.only, given.again, given.share)
    results = {
        name: [
            raced.scored(kept_of(name).rows, row_name(raced))
            for raced in races_of(name, given.share).read().values()
        ]
        for name in given.set
    }
    text = page(results, unraced(results), given.share)
    print(text)
    if given.write:
        (ROOT / "docs" / "benchmarks" / "race-regret.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
