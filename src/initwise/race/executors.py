"""Running tasks: in this process one after the other, or in any `concurrent.futures.Executor`.

One after the other is the default because it is what is fastest for the small models of a race:
starting processes costs seconds, threads wait for each other in the interpreter, and a large
model's own operations use all cores by themselves.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, as_completed
from typing import Any

from ..core.errors import ProblemError
from .outcome import Outcome

PARTS = ("model", "loss", "metric", "training", "validation")


def outcomes(
    work: Callable[[Any], Outcome], tasks: Sequence[Any], executor: Executor | None
) -> Generator[tuple[int, Outcome], None, None]:
    """`(index, work(tasks[index]))` for every task, as they finish.

    Raises:
        ProblemError: a part of the problem cannot be sent to the executor's processes.
    """
    if executor is None:
        yield from ((index, work(task)) for index, task in enumerate(tasks))
        return
    futures = {executor.submit(work, task): index for index, task in enumerate(tasks)}
    try:
        for future in as_completed(futures):
            index = futures[future]
            yield index, _outcome(future, tasks[index])
    finally:
        for future in futures:
            future.cancel()


def _outcome(future: Future[Outcome], task: Any) -> Outcome:
    """What `future` brings; a worker that was lost is an arm that failed."""
    try:
        return future.result()
    except Exception as error:
        _require_picklable(task, error)
        return Outcome("failed", 0, error=f"{type(error).__name__}: {error}")


def _require_picklable(task: Any, error: Exception) -> None:
    """Raise ProblemError if it is a part of the task that kept it from being sent."""
    for part in PARTS:
        try:
            pickle.dumps(getattr(task, part))
        except Exception as cause:
            raise ProblemError(
                f"{part} cannot be sent to another process ({cause})",
                where="Problem",
                expected="parts that can be pickled",
                cause="a lambda, a function inside a function, or something that holds an open file",
                fix=f"Define {part} at the top level of a module, or race without an executor.",
            ) from error
