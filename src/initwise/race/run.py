"""`race`: the public function, and the course of a race from rung to rung."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.errors import MissingError, OptionError, ProblemError
from ..core.problem import Problem
from ..core.records import Arm, Race
from ..core.stream import checked_seed
from .entrants import Plans, chosen, named, plans
from .executors import outcomes
from .ladder import Rung, cost, ladder
from .outcome import Outcome
from .progress import Report, reporting
from .rates import learning_rates
from .results import Arms, Curve, Results, climbing
from .standing import standing
from .store import Store, digest

if TYPE_CHECKING:
    from .data import Data
    from .training import Task

STEPS = 300


def race(
    problem: Problem,
    *,
    candidates: Mapping[str, Any] | Iterable[Any] | str | None = None,
    budget: float = 0.10,
    lrs: float | Iterable[float] | None = None,
    seeds: int = 2,
    seed: int = 0,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool | Report = True,
) -> Race:
    """Train every candidate a little, the better ones longer, and say which initialization wins.

    Every candidate runs at every learning rate, on the same batches in the same order; seeds are
    paired. Successive halving spends `budget` (see `initwise.race.ladder`); candidates are judged
    by the mean validation loss at their own best rate, and ties are called ties (see
    `initwise.race.standing`). The result depends on the arguments only: not on the executor, nor
    on what was in the store, nor on any global generator, none of which is touched.

    Args:
        problem: what to train.
        candidates: schemes' or recipes' names, Plans, or a mapping from name to either; None
            takes what `choose` would consider.
        budget: optimiser steps to spend, as a share of the full grid candidates × rates × one
            seed. 2 (with two seeds) trains everything to the end.
        lrs: learning rates for all candidates; a single number fixes it; None is the optimiser's
            default grid.
        seeds: how many seeds the last rung runs; the earlier ones run the first.
        seed: the first seed; the arms run seed, seed + 1, …, the same ones for every candidate. It
            decides the weights and what training draws (dropout), not the batches or their order:
            races whose seeds differ by `seeds` or more repeat each other on other draws.
        executor: where to train, any `concurrent.futures.Executor`; None trains here. What goes to other
            processes must be picklable.
        store: path of a SQLite file that keeps every finished training, so that the same call
            takes up where an interrupted one stopped. It serves one problem, known by the loss,
            gradients and metric of its first batch. Only open files that you trust.
        progress: True shows a bar on a terminal; a callable gets (steps done, total, text).

    Returns:
        The Race. An arm that diverges or raises is a recorded outcome. Ctrl-C ends the race early:
        what has run is reported, and `interrupted` is True.

    Raises:
        ProblemError: data, model, loss or store that cannot be raced; a budget too small.
        ExampleError, ForwardError: the model refuses the batches; names the layer.
        OptionError, UnknownNameError, StreamError: arguments or names that make no sense.
        MissingError: torch is not installed.
    """
    began = time.perf_counter()
    _require_torch()
    _require_options(problem, budget, seeds)
    first = checked_seed(seed)
    checked_seed(first + seeds - 1)
    rates = learning_rates(problem.optimizer, lrs)
    course, fingerprint = _prepared(problem, candidates, rates, range(first, first + seeds), budget)
    with Store(store, course.name, fingerprint) as kept, reporting(progress) as report:
        return _Runner(course, executor, kept, report).run(began)


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingError(
            "PyTorch is not installed", where="race", fix='Install it with: pip install "initwise[torch]"'
        ) from error


def _require_options(problem: Any, budget: float, seeds: int) -> None:
    if not isinstance(problem, Problem):
        raise ProblemError(
            f"a {type(problem).__name__}",
            where="problem",
            expected="an initwise.Problem",
            fix="Pass Problem(model=..., batches=..., loss=...).",
        )
    number = isinstance(budget, (int, float)) and not isinstance(budget, bool)
    if not number or not math.isfinite(budget) or budget <= 0:
        raise OptionError(f"{budget!r}", where="budget", expected="a positive number, such as 0.10")
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise OptionError(f"{seeds!r}", where="seeds", expected="a whole number ≥ 1")


@dataclass(frozen=True)
class Course:
    """All that is settled before the first step. A race counts its seeds from 0; `seeds` are the numbers."""

    problem: Problem
    plans: Plans
    seeds: range
    rates: tuple[float, ...]
    rungs: tuple[Rung, ...]
    steps: int
    data: Data
    threads: int

    @property
    def name(self) -> str:
        return self.problem.name or "problem"

    def curves(self) -> tuple[Curve, ...]:
        """Every scheme at every rate; all schemes at one rate first, so that a race cut short is fair."""
        return tuple(
            Curve(order, scheme, rate) for rate in self.rates for order, scheme in enumerate(self.plans)
        )

    def task(self, curve: Curve, seed: int, steps: int) -> Task:
        """The training of one arm for so many steps."""
        from .training import Task

        return Task(
            model=self.problem.model,
            loss=self.problem.loss,
            metric=self.problem.metric,
            optimizer=self.problem.optimizer,
            plan=self.plans[curve.scheme][seed],
            learning_rate=curve.rate,
            seed=self.seeds[seed],
            training=self.data.training[:steps],
            validation=self.data.validation,
            checkpoints=tuple(sorted({rung.steps for rung in self.rungs if rung.steps <= steps})),
            threads=self.threads,
        )


def _prepared(
    problem: Problem, candidates: Any, rates: tuple[float, ...], seeds: range, budget: float
) -> tuple[Course, str]:
    """The course, and the fingerprint by which a store knows the problem."""
    from .checks import check_problem
    from .data import Reader

    steps = problem.steps or STEPS
    reader = Reader(problem)
    facts = check_problem(problem, reader.first)
    example = reader.first[0]
    given = chosen(problem, example, seeds[0]) if candidates is None else named(candidates)
    rungs = ladder(len(given), len(rates), len(seeds), budget, steps)
    data = reader.read(rungs[-1].steps)
    made = plans(given, problem, example, seeds)
    course = Course(problem, made, seeds, rates, rungs, steps, data, facts.threads)
    metric = problem.metric is not None
    return course, digest(facts.parameters, problem.optimizer, metric, reader.first, facts.probe)


class _Runner:
    """Takes a course rung by rung; what it knows so far can be reported at any moment."""

    def __init__(self, course: Course, executor: Executor | None, store: Store, report: Report) -> None:
        self._course, self._executor, self._store, self._report = course, executor, store, report
        self._results = Results()
        self._completed: list[Rung] = []
        self._running: tuple[Arms, ...] = ()
        self._done = self._spent = 0
        self._validation = digest(course.data.validation)
        self._plans = {
            name: [digest(plan.to_dict()) for plan in seeds] for name, seeds in course.plans.items()
        }

    def run(self, began: float) -> Race:
        interrupted = False
        try:
            self._climb()
        except KeyboardInterrupt:
            interrupted = True
        return self._record(time.perf_counter() - began, interrupted)

    def _climb(self) -> None:
        curves = self._course.curves()
        for index, rung in enumerate(self._course.rungs):
            if self._completed:
                rates = 1 if rung is self._course.rungs[-1] else 2
                curves = climbing(self._results, self._completed[-1], rung, rates)
            text = f"race, rung {index + 1} of {len(self._course.rungs)}: {len(curves)} × {rung.steps} steps"
            self._running = tuple((curve, seed) for curve in curves for seed in range(rung.seeds))
            self._rung(rung, text)
            self._running = ()
            self._completed.append(rung)
        total = cost(self._course.rungs)
        self._report(total, total, "race")

    def _rung(self, rung: Rung, text: str) -> None:
        arms = [arm for arm in self._running if not self._results.ran(*arm, rung.steps)]
        total = cost(self._course.rungs)
        self._report(self._done, total, text)
        for (curve, seed), outcome in self._outcomes(arms, rung.steps):
            self._results.add(curve, seed, rung.steps, outcome)
            self._spent += outcome.steps
            self._done += rung.steps
            self._report(self._done, total, text)

    def _outcomes(self, arms: list[Arms], steps: int) -> Iterator[tuple[Arms, Outcome]]:
        """(arm, outcome) as they come: stored ones first."""
        from .training import train

        batches = digest(self._course.data.training[:steps])
        keys = {arm: self._key(*arm, batches) for arm in arms}
        stored = {arm: self._store.get(keys[arm]) for arm in arms}
        yield from ((arm, outcome) for arm, outcome in stored.items() if outcome is not None)
        missing = [arm for arm in arms if stored[arm] is None]
        tasks = [self._course.task(*arm, steps) for arm in missing]
        with closing(outcomes(train, tasks, self._executor)) as running:
            for index, outcome in running:
                curve, seed = missing[index]
                number = self._course.seeds[seed]
                about = f"{curve.scheme}, learning rate {curve.rate:g}, seed {number}, {steps} steps"
                self._store.put(keys[curve, seed], about, outcome)
                yield missing[index], outcome

    def _key(self, curve: Curve, seed: int, batches: str) -> str:
        lengths = [rung.steps for rung in self._course.rungs]
        plan, number = self._plans[curve.scheme][seed], self._course.seeds[seed]
        return digest(plan, curve.rate, number, batches, self._validation, lengths)

    def _record(self, seconds: float, interrupted: bool) -> Race:
        course = self._course
        # a rung that was cut short would favour those who happened to run
        rungs = self._completed or [course.rungs[0]]
        stand = standing(self._results, tuple(course.plans), rungs, course.steps)
        grid = len(course.plans) * len(course.rates) * course.steps
        return Race(
            problem=course.name,
            winner=stand.winner,
            ties=stand.ties,
            ranking=stand.ranking,
            arms=self._arms(),
            steps=course.steps,
            cost=self._spent / grid,
            seconds=seconds,
            interrupted=interrupted,
            optimizer=course.problem.optimizer,
        )

    def _arms(self) -> tuple[Arm, ...]:
        ran = {*self._results.ends, *self._running}
        return tuple(self._arm(curve, seed) for curve, seed in sorted(ran))

    def _arm(self, curve: Curve, seed: int) -> Arm:
        end = self._results.ends.get((curve, seed), Outcome("", 0))
        losses = self._results.losses.get((curve, seed), {})
        return Arm(
            scheme=curve.scheme,
            learning_rate=curve.rate,
            seed=self._course.seeds[seed],
            status=end.status if end.status in ("diverged", "failed") else self._status(curve, seed),
            steps=end.steps,
            losses=tuple((steps, sum(batch) / len(batch)) for steps, batch in losses.items()),
            metric=end.metric,
            error=end.error,
        )

    def _status(self, curve: Curve, seed: int) -> str:
        if self._results.ran(curve, seed, self._course.rungs[-1].steps):
            return "finished"
        return "interrupted" if (curve, seed) in self._running else "eliminated"
