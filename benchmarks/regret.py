"""How good is the choice? Regret of what initwise chooses, and of every named scheme, problem by problem.

    python benchmarks/regret.py --set development             # all; a stopped run goes on where it was
    python benchmarks/regret.py --set development --only mlp30-relu --schemes lsuv choose
    python benchmarks/regret.py --set development --write     # docs/benchmarks/regret-development.md

Every scheme trains at every rate of the grid with the same batches, 3 seeds; each finished problem × scheme
is kept in build/regret-SET.jsonl at once. Regret is (loss − best)/(loss of all zeros − best), at the
scheme's best rate, losses averaged over seeds: 0 is the best of all tried, 1 as bad as not learning.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

import initwise
from initwise.choose.candidates import candidate
from initwise.choose.planners import study
from regret_arms import Arm, trained
from regret_problem import Problem
from regret_table import WORST, Row, table

ROOT = Path(__file__).resolve().parent.parent
SETS = {
    "development": "regret_development",
    "wide": "regret_development_wide",
    "validation": "regret_validation",
    "unseen": "regret_unseen",
    "third": "regret_third",
}
SEEDS = (0, 1, 2)
SEEN = 64
"""Inputs that a rule may look at."""

NAMED = (
    "zeros",
    "torch_default",
    "xavier_normal",
    "lasagne_glorot_uniform",
    "lecun_normal",
    "he_normal",
    "he_uniform",
    "he_fan_out",
    "orthogonal",
    "lsuv",
    "textbook_normal",
    "truncated_normal",
    "rule_a",
    "rule_a2",
    "rule_b",
)
CHOSEN, BLIND, AT_RATE = "choose", "choose_blind", "choose_at_rate"
"""choose(problem=…), which sees the targets of the same inputs; choose(model, example); and
choose(problem=…, lr=…), asked anew at every rate of the grid."""
PEERS = {"anyinit_analytic": "analytic", "anyinit_empirical": "empirical"}
"""Scheme → AnyInit's mode."""


def drawn(problem: Problem, scheme: str, seed: int, rate: float | None = None) -> dict[str, Tensor]:
    """The weights of `scheme`, of choose at `rate`."""
    model = made(problem, seed)
    if scheme in PEERS:
        peer(problem, model, PEERS[scheme], seed)
    elif scheme != "torch_default":
        write(model, planned(problem, model, scheme, seed, rate), scheme, seed)
    return state(model)


def write(model: nn.Module, plan: initwise.Plan, scheme: str, seed: int) -> None:
    """The plan; where it has no Fill, which init_ refuses, torch's own stay, but all zeros are zeros."""
    if plan:
        initwise.init_(model, plan, seed=seed)
    elif scheme == WORST:
        model.load_state_dict(
            {name: torch.zeros_like(w) for name, w in model.named_parameters()}, strict=False
        )


def peer(problem: Problem, model: nn.Module, mode: str, seed: int) -> None:
    """AnyInit's weights (package `anyinit`, to be installed beside); torch's own where it refuses."""
    anyinit = importlib.import_module("anyinit")
    try:
        anyinit.initialize(model, mode, problem.data().inputs[:SEEN], seed=seed)
    except Exception as error:
        print(f"{problem.name}: anyinit {mode} refuses: {error}")


def made(problem: Problem, seed: int) -> nn.Module:
    """The model, drawn by its constructors."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return problem.build()


def planned(
    problem: Problem, model: nn.Module, scheme: str, seed: int, rate: float | None = None
) -> initwise.Plan:
    """The plan of a scheme, a rule, or of choose itself."""
    data = problem.data()
    example = data.inputs[:SEEN]
    if scheme == BLIND:
        return initwise.choose(model, example, seed=seed).plan
    if scheme in (CHOSEN, AT_RATE):
        batch = (example, data.targets[:SEEN])
        asked = initwise.Problem(lambda: model, [batch], problem.loss, optimizer=problem.optimizer)
        return initwise.choose(problem=asked, seed=seed, lr=rate).plan
    return candidate(scheme).plan(study(model, example, seed=seed))


def state(model: nn.Module) -> dict[str, Tensor]:
    """Its parameters, copied."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


# keeping


class Kept:
    """Results in a file, one line for each problem and scheme."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[tuple[str, str], Row] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                row = Row.read(json.loads(line))
            except json.JSONDecodeError:  # the line that a kill cut off
                continue
            self.rows[row.problem, row.scheme] = row

    def add(self, row: Row) -> None:
        """Keep it at once."""
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row.told()) + "\n")
        self.rows[row.problem, row.scheme] = row


def run(problem: Problem, schemes: Sequence[str], kept: Kept) -> None:
    """Train what is missing: all rates and seeds of a few schemes beside each other."""
    for group in grouped(schemes, 4):
        arms = [Arm(scheme, seed, rate) for scheme in group for seed in SEEDS for rate in problem.rates]
        weights = of_group(problem, group)
        started = time.perf_counter()
        losses = trained(problem, arms, [weights[arm] for arm in arms])
        seconds = (time.perf_counter() - started) / len(group)
        for scheme in group:
            mine = [(arm, loss) for arm, loss in zip(arms, losses, strict=True) if arm.scheme == scheme]
            kept.add(Row(problem.name, problem.family, scheme, by_rate(mine), round(seconds, 1)))


def of_group(problem: Problem, group: Sequence[str]) -> dict[Arm, dict[str, Tensor]]:
    """Every arm's weights; only choose at a rate asks what the rate is."""
    found = {}
    for scheme, seed in itertools.product(group, SEEDS):
        once = None if scheme == AT_RATE else drawn(problem, scheme, seed)
        for rate in problem.rates:
            found[Arm(scheme, seed, rate)] = once or drawn(problem, scheme, seed, rate)
    return found


def by_rate(results: Sequence[tuple[Arm, float]]) -> Mapping[float, tuple[float, ...]]:
    """Rate → the losses of the seeds."""
    rates = sorted({arm.rate for arm, _ in results})
    return {rate: tuple(loss for arm, loss in results if arm.rate == rate) for rate in rates}


def grouped(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """In groups of `size`."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    reader.add_argument("--set", choices=sorted(SETS), default="development")
    reader.add_argument("--only", nargs="*", help="names of problems")
    reader.add_argument("--schemes", nargs="*", default=[*NAMED, BLIND, CHOSEN, AT_RATE], help="peers too")
    reader.add_argument("--again", action="store_true", help="train again what is kept")
    reader.add_argument("--write", action="store_true", help="the table into docs/benchmarks")
    given = reader.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    torch.set_flush_denormal(True)
    problems: tuple[Problem, ...] = importlib.import_module(SETS[given.set]).PROBLEMS
    chosen = [problem for problem in problems if not given.only or problem.name in given.only]
    kept = Kept(ROOT / "build" / f"regret-{given.set}.jsonl")
    train(chosen, given.schemes, kept, given.again)
    page = table(given.set, [p.name for p in chosen], kept.rows)
    print(page)
    if given.write:
        target = ROOT / "docs" / "benchmarks" / f"regret-{given.set}.md"
        target.write_text(page, encoding="utf-8")


def train(problems: Sequence[Problem], schemes: Sequence[str], kept: Kept, again: bool) -> None:
    """All that is missing, with a bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("", total=len(problems))
        for problem in problems:
            bar.update(task, description=problem.name)
            run(problem, [s for s in schemes if again or (problem.name, s) not in kept.rows], kept)
            bar.advance(task)


if __name__ == "__main__":
    main()
