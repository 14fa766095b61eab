"""The runner: takes a course rung by rung; what it knows so far can be reported at any moment."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing

from ..core.records import Arm, Race
from .climbing import climbing, widening
from .course import Course
from .executors import outcomes
from .ladder import Rung
from .limits import OutOfTimeError, ending, require_time
from .outcome import Outcome
from .progress import Report
from .results import Arms, Curve, Results, looks
from .standing import standing
from .store import Store, digest


class Runner:
    """Runs a course once.

    Args:
        executor: where heats train; None trains here.
        began: when the race did, by time.perf_counter.
    """

    def __init__(
        self, course: Course, executor: Executor | None, store: Store, report: Report, began: float
    ) -> None:
        self._course, self._executor, self._store, self._report = course, executor, store, report
        self._began = began
        deadline = math.inf if course.deadline is None else course.deadline
        self._end = time.monotonic() + deadline - (time.perf_counter() - began)
        self._results = Results()
        self._completed: list[Rung] = []
        self._running: tuple[Arms, ...] = ()
        self._done = self._spent = 0
        self._goal = 0
        self._notes: list[str] = []
        self._validation = digest(course.data.validation)
        self._plans = {
            name: [digest(plan.to_dict()) for plan in seeds] for name, seeds in course.plans.items()
        }

    def run(self) -> Race:
        """The race, to its end, to Ctrl-C or to the end of its time."""
        interrupted = False
        try:
            with ending(self._end):
                self._climb()
        except KeyboardInterrupt:
            interrupted = True
        except OutOfTimeError:
            rung = len(self._completed) + 1
            self._notes.append(f"the time was up in rung {rung} of {len(self._course.ladder.rungs)}")
        return self._record(interrupted)

    def _climb(self) -> None:
        course = self._course
        for index, planned in enumerate(course.ladder.rungs):
            curves: Sequence[Curve] = course.curves()
            rung = planned
            if self._completed:
                rung = course.ladder.stretched(index, self._spent)
                rates = course.ladder.rates(index)
                curves = climbing(self._results, self._completed[-1], rung, rates, course.incumbent)
            if index == len(course.ladder.rungs) - 1:
                self._goal = rung.steps
            self._rung(rung, curves, index)
            if index == 0 and course.grid.open:
                self._widen(rung, index)
            self._completed.append(rung)
        self._report(max(self._done, 1), max(self._done, 1), "race")

    def _widen(self, rung: Rung, index: int) -> None:
        """Rates beyond the grid for schemes that do best at its edge, as far as the budget goes."""
        left, each = self._course.ladder.reserve, rung.steps * rung.seeds
        while left >= each:
            curves = widening(self._results, rung)[: left // each]
            if not curves:
                return
            left -= len(curves) * each
            self._rung(rung, curves, index)

    def _rung(self, rung: Rung, curves: Sequence[Curve], index: int) -> None:
        rungs = self._course.ladder.rungs
        text = f"race, rung {index + 1} of {len(rungs)}: {len(curves)} × {rung.steps} steps"
        self._running = (
            *self._running,
            *((curve, seed) for seed in range(rung.seeds) for curve in curves),
        )
        arms = [arm for arm in self._running if not self._results.ran(*arm, rung.steps)]
        total = self._done + len(arms) * rung.steps + self._course.ladder.cost(after=index)
        self._report(self._done, total, text)
        for found in self._outcomes(arms, rung.steps):
            for (curve, seed), outcome in found:
                self._results.add(curve, seed, rung.steps, outcome)
            # a stack steps an arm that diverged as long as any other arm trains
            self._spent += len(found) * max(outcome.steps for _, outcome in found)
            self._done += len(found) * rung.steps
            self._report(self._done, total, text)
            require_time()
        self._running = ()

    def _outcomes(self, arms: list[Arms], steps: int) -> Iterator[list[tuple[Arms, Outcome]]]:
        """Outcomes of heats as they come: stored ones first."""
        from .heats import Heat, grouped, run

        batches = digest(self._course.data.training[:steps])
        checkpoints = self._checkpoints(steps)
        missing, keys = [], []
        for group in grouped(arms, self._course.width):
            names = self._keys(group, batches, checkpoints)
            stored = [self._store.get(name) for name in names]
            if None in stored:
                missing.append(group)
                keys.append(names)
            else:
                yield [(arm, outcome) for arm, outcome in zip(group, stored, strict=True) if outcome]
        tasks = [[self._course.task(*arm, steps, checkpoints) for arm in group] for group in missing]
        with closing(outcomes(run, [Heat(tuple(heat)) for heat in tasks], self._executor)) as running:
            for index, found in running:
                pairs = list(zip(missing[index], found, strict=True))
                self._store.put(
                    (key, self._about(arm, steps), outcome)
                    for key, (arm, outcome) in zip(keys[index], pairs, strict=True)
                )
                yield pairs

    def _checkpoints(self, steps: int) -> tuple[int, ...]:
        """Where a training is validated: around earlier rungs' lengths, half its way, and its end."""
        lengths = (*(rung.steps for rung in self._completed), max(1, steps // 2), steps)
        return tuple(sorted({look for length in lengths for look in looks(length)}))

    def _keys(self, group: Iterable[Arms], batches: str, checkpoints: tuple[int, ...]) -> list[str]:
        """A key for each arm of a heat; it names its companions too, who decide how sums round."""
        described = [
            [self._plans[curve.scheme][seed], curve.rate, self._course.seeds[seed]] for curve, seed in group
        ]
        shared = digest(described, batches, self._validation, checkpoints)
        return [digest(shared, *one) for one in described]

    def _about(self, arm: Arms, steps: int) -> str:
        curve, seed = arm
        number = self._course.seeds[seed]
        return f"{curve.scheme}, learning rate {curve.rate:g}, seed {number}, {steps} steps"

    def _record(self, interrupted: bool) -> Race:
        course = self._course
        # a rung that was cut short would favour those who happened to run
        rungs = self._completed or [course.ladder.rungs[0]]
        stand = standing(self._results, tuple(course.plans), rungs, course.steps)
        return Race(
            problem=course.name,
            winner=stand.winner,
            ties=stand.ties,
            ranking=stand.ranking,
            arms=self._arms(),
            steps=course.steps,
            cost=self._spent / course.cost_of_grid,
            seconds=time.perf_counter() - self._began,
            interrupted=interrupted,
            optimizer=course.problem.optimizer,
            notes=tuple(self._notes),
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
            losses=tuple((steps, sum(batch) / len(batch)) for steps, batch in sorted(losses.items())),
            metric=end.metric,
            error=end.error,
        )

    def _status(self, curve: Curve, seed: int) -> str:
        if self._goal and self._results.ran(curve, seed, self._goal):
            return "finished"
        return "interrupted" if (curve, seed) in self._running else "eliminated"
