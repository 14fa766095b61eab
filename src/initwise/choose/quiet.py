"""Calling the user's factories and data without leaving a trace in anybody's random state."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.errors import ProblemError
from ..core.problem import Problem


@contextmanager
def quiet() -> Iterator[None]:
    """Restore Python's and NumPy's random state on leaving, and, where torch is loaded by then, torch's
    random state and modes."""
    if "torch" in sys.modules:
        from torch import nn

        from ..frameworks.torch.state import untouched

        with untouched(nn.Module()):
            yield
        return
    # a problem without torch must not load it
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def model_of(problem: Problem) -> Any:
    """A new model of the problem.

    Raises:
        ProblemError: the factory raised; its error is the cause.
    """
    with quiet():
        try:
            return problem.model()
        except Exception as error:
            raise ProblemError(
                f"model() raised {type(error).__name__}: {error}",
                where=problem.name or "Problem",
                fix="Call problem.model() yourself to see the whole error.",
            ) from error


def first_batch(problem: Problem) -> tuple[Any, Any]:
    """The problem's first batch, (inputs, targets).

    Raises:
        ProblemError: batches that can be read only once, none at all, or no (inputs, targets).
    """
    where = problem.name or "Problem"
    with quiet():
        stream = problem.stream()
        if stream is problem.batches and iter(stream) is stream:
            raise ProblemError(
                "batches can be read only once",
                where=where,
                expected="something that starts anew each time: a list, a DataLoader, a callable",
                fix="Pass `batches=lambda: make_batches()`.",
            )
        batch = next(iter(stream), None)
    if batch is None:
        raise ProblemError("batches is empty", where=where, expected="at least one (inputs, targets)")
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise ProblemError(
            f"a batch is a {type(batch).__name__}"
            + (f" of {len(batch)}" if hasattr(batch, "__len__") else ""),
            where=where,
            expected="(inputs, targets)",
        )
    return batch[0], batch[1]
