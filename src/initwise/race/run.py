"""`race`: the public function."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any

from ..core.errors import MissingError, ProblemError
from ..core.problem import Problem
from ..core.records import Race
from .course import prepared
from .executors import opened
from .options import options
from .progress import Report, reporting
from .rates import grid
from .runner import Runner
from .store import Store
from .verdict import require_statistics


def race(
    problem: Problem,
    *,
    candidates: Mapping[str, Any] | Iterable[Any] | str | None = None,
    budget: float | str | timedelta = 0.10,
    lrs: float | Iterable[float] | None = None,
    seeds: int = 3,
    incumbent: str | None = None,
    seed: int = 0,
    executor: Executor | str | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool | Report = True,
    timeout: float | None = None,
    memory: int | None = None,
) -> Race:
    """Train every candidate a little, the better ones longer, and say which initialization wins.

    Every candidate runs at as many learning rates, on the same batches in the same order; seeds are
    paired. `budget` pays for rungs (see `initwise.race.ladder`): the first finds each candidate's rate, also
    beyond the edges of those it started with, the last trains the best on all seeds. They are judged by the
    mean validation loss at their own best rate; who is behind is said by a test, the others tie (see
    `initwise.race.verdict`). For a budget in steps the result depends on the arguments only: not on the
    executor, nor on what was in the store, nor on any global generator, none of which is touched.

    Args:
        problem: what to train.
        candidates: schemes' or recipes' names, Plans, or a mapping from name to either; None
            takes what `choose` would consider.
        budget: what to spend. A number is optimiser steps as a share of the full grid candidates × rates ×
            one seed, rates those of the optimiser's default grid: as many as there are seeds trains
            everything to the end. "2000 steps" counts them; "90 s", "10 min" or a timedelta is a time,
            turned into steps by a first step's; when it is up, what runs here is stopped, what runs
            elsewhere is waited for no longer.
        lrs: learning rates for all candidates; a single number fixes it. None: three half-decade steps around
            what each candidate's weights ask for (see `initwise.choose.pace`), or the optimiser's default
            grid where that cannot be told; widened for candidates that do best at an edge.
        seeds: how many seeds the last rung runs, fewer where the budget is too small; the earlier ones run
            the first.
        incumbent: a candidate that is in the last rung whatever happens before: the one that would be taken
            without a race.
        seed: the first seed; the arms run seed, seed + 1, …, the same ones for every candidate. It
            decides the weights and what training draws (dropout), not the batches or their order:
            races whose seeds differ by `seeds` or more repeat each other on other draws.
        executor: where to train: any `concurrent.futures.Executor`, such as a Dask client's
            `client.get_executor()`, or a name: "processes:4", "dask:tcp://host:8786" (see
            `initwise.race.executors.checked`). None trains here. What goes to other processes must be
            picklable.
        store: path of a SQLite file that keeps every finished training at once, so that the same call
            takes up where an interrupted or killed one stopped. It serves one problem, known by the loss,
            gradients and metric of its first batch. Only open files that you trust.
        progress: True shows a bar on a terminal; a callable gets (steps done, total, text).
        timeout: seconds that one training may take; None: fifty times what its steps should, and at
            least a minute.
        memory: bytes that a process may allocate beyond what it starts with; needs executor="processes".

    Returns:
        The Race. An arm that diverges, raises, hangs, runs out of memory or takes its process with it is a
        recorded outcome. Ctrl-C ends the race early: what has run is reported, and `interrupted` is True.

    Raises:
        ProblemError: data, model, loss or store that cannot be raced; a budget too small; a part that the
            executor's processes cannot be sent.
        ExampleError, ForwardError: the model refuses the batches; names the layer.
        OptionError, UnknownNameError, StreamError: arguments or names that make no sense.
        MissingError: torch, or the statistics library, is not installed.
    """
    began = time.perf_counter()
    require_packages()
    _require_problem(problem)
    given = options(budget=budget, seeds=seeds, seed=seed, executor=executor, timeout=timeout, memory=memory)
    rates = grid(problem.optimizer, lrs)
    with opened(given.where) as where:
        course = prepared(problem, candidates, rates, given, incumbent or "")
        with Store(store, course.name, course.fingerprint) as kept, reporting(progress) as report:
            return Runner(course, where, kept, report, began).run()


def require_packages() -> None:
    """Raise MissingError, before anything runs, where a race could not train or be judged."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingError(
            "PyTorch is not installed", where="race", fix='Install it with: pip install "initwise[torch]"'
        ) from error
    require_statistics()


def _require_problem(problem: Any) -> None:
    if not isinstance(problem, Problem):
        raise ProblemError(
            f"a {type(problem).__name__}",
            where="problem",
            expected="an initwise.Problem",
            fix="Pass Problem(model=..., batches=..., loss=...).",
        )
