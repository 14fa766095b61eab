"""The course of a race: all that is settled before its first step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..core.errors import InitwiseError, OptionError
from ..core.problem import Problem
from .entrants import Plans, chosen, named, plans, predicted
from .ladder import Ladder, ladder
from .options import Options
from .rates import Grid
from .results import Curve
from .store import digest

if TYPE_CHECKING:
    from .data import Data
    from .training import Task

STEPS = 300
PATIENCE, AT_LEAST = 50.0, 60.0
"""A training hangs that takes this many times as long as its steps should, and at least so many seconds."""


@dataclass(frozen=True)
class Course:
    """What runs, on what, how long. A race counts its seeds from 0; `seeds` are the numbers.

    Attributes:
        plans: candidate → its plan for each seed.
        ladder: rungs and the optimiser steps they may cost.
        steps: a training's full length.
        width: arms that train side by side, 1 where they cannot be stacked.
        incumbent: the candidate that no early rung eliminates, "" for none.
        step_seconds: what an optimiser step took.
        limit: seconds for a training; None: by its steps.
        deadline: seconds for the race; None: as long as it takes.
        fingerprint: by which a store knows the problem.
    """

    problem: Problem
    plans: Plans
    seeds: range
    grid: Grid
    ladder: Ladder
    steps: int
    data: Data
    threads: int
    width: int
    incumbent: str
    step_seconds: float
    limit: float | None
    deadline: float | None
    fingerprint: str

    @property
    def name(self) -> str:
        return self.problem.name or "problem"

    @property
    def cost_of_grid(self) -> int:
        """Optimiser steps of the full grid with one seed."""
        return len(self.plans) * len(self.grid.rates) * self.steps  # also where fewer rates are tried

    def curves(self) -> tuple[Curve, ...]:
        """Every scheme at every rate; all schemes at one rate first, so that a race cut short is fair."""
        return tuple(
            Curve(order, scheme, self.grid.of(scheme)[place])
            for place in range(self.grid.count)
            for order, scheme in enumerate(self.plans)
        )

    def task(self, curve: Curve, seed: int, steps: int, checkpoints: tuple[int, ...]) -> Task:
        """The training of one arm for so many steps."""
        return task(
            self.problem,
            self.plans[curve.scheme][seed],
            self.data,
            learning_rate=curve.rate,
            seed=self.seeds[seed],
            steps=steps,
            checkpoints=checkpoints,
            threads=self.threads,
            seconds=self.limit or max(AT_LEAST, PATIENCE * self.step_seconds * steps),
        )


def task(problem: Problem, plan: Any, data: Data, *, steps: int, **rest: Any) -> Task:
    """A training of `problem`."""
    from .training import Task

    return Task(
        model=problem.model,
        loss=problem.loss,
        metric=problem.metric,
        optimizer=problem.optimizer,
        plan=plan,
        training=data.training[:steps],
        validation=data.validation,
        **rest,
    )


def prepared(
    problem: Problem,
    candidates: Any,
    grid: Grid,
    options: Options,
    incumbent: str = "",
) -> Course:
    """The course; the problem is tried on one batch.

    Raises:
        ProblemError, ExampleError, ForwardError: see `race`.
    """
    from .checks import check_problem
    from .data import Reader
    from .heats import WIDTH

    steps, seeds, budget = problem.steps or STEPS, options.seeds, options.budget
    reader = Reader(problem)
    facts = check_problem(problem, reader.first)
    example = reader.first[0]
    only = grid.rates[0] if not grid.open and len(grid.rates) == 1 else None
    given: Mapping[str, Any] = (
        chosen(problem, reader.first, seeds, only) if candidates is None else named(candidates)
    )
    if incumbent and incumbent not in given:
        raise OptionError(f"{incumbent!r}", where="incumbent", legal=tuple(given), given=incumbent)
    if candidates is None:
        incumbent = incumbent or next(iter(given))
    allowed = budget.allowed(len(given) * len(grid.rates) * steps, facts.seconds)
    made = plans(given, problem, example, seeds)
    if grid.open:
        grid = replace(grid, own=predicted(made, problem, example))
    climb = ladder(len(given), grid.count, len(seeds), allowed, steps, open_grid=grid.open)
    data = reader.read(climb.longest)
    metric = problem.metric is not None
    return Course(
        problem=problem,
        plans=made,
        seeds=seeds,
        grid=grid,
        ladder=climb,
        steps=steps,
        data=data,
        threads=facts.threads,
        width=WIDTH if facts.small and _stackable(problem, data, facts.threads) else 1,
        incumbent=incumbent,
        step_seconds=facts.seconds,
        limit=options.timeout,
        deadline=budget.seconds,
        fingerprint=digest(facts.parameters, problem.optimizer, metric, reader.first, facts.probe),
    )


PLANS = ("lecun_normal", "xavier_normal")
"""What arms are stacked with to see whether they can be: sane for any model."""


def _stackable(problem: Problem, data: Data, threads: int) -> bool:
    """Can arms train side by side? Tried with two plans."""
    from .stacked import stackable

    try:
        pair = [
            task(
                problem,
                plan[0],
                data,
                steps=1,
                learning_rate=1e-3,
                seed=0,
                checkpoints=(),
                threads=threads,
                seconds=AT_LEAST,
            )
            for plan in plans({name: name for name in PLANS}, problem, None, (0,)).values()
        ]
    except InitwiseError:
        return False
    return stackable(*pair)
