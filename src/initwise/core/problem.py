"""Problem: a model, its data and its loss; what a race trains on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .errors import ProblemError

OPTIMIZERS = ("adam", "adamw", "sgd")
LOSSES = ("classification", "lm", "mse", "own")
"""What a loss can be called by name; what each is, `initwise.signals.losses` says."""


@dataclass(frozen=True)
class Problem:
    """A training problem, small enough to be tried.

    Args:
        model: zero-argument callable returning a new model (its weights do not matter).
        batches: an iterable of batches, or a zero-argument callable returning one; an existing
            DataLoader fits as it is. A batch is `(inputs, targets)`; inputs may be a tensor, a
            tuple of arguments or a dict of keyword arguments.
        loss: `loss(outputs, targets) -> scalar`.
        metric: `metric(outputs, targets) -> number`, higher is better; for the report only.
        optimizer: "adam", "adamw" or "sgd" (momentum 0.9).
        steps: full length of a training, in optimiser steps; None means 300.
        validation: batches on which candidates are compared; None means: the first batch of
            every eight in `batches` is set aside and never trained on.
        name: for the report.

    Raises:
        ProblemError: a model that is no callable, an unknown optimiser, steps < 1.
    """

    model: Callable[[], Any]
    batches: Iterable[Any] | Callable[[], Iterable[Any]]
    loss: Callable[[Any, Any], Any]
    metric: Callable[[Any, Any], Any] | None = None
    optimizer: str = "adam"
    steps: int | None = None
    validation: Iterable[Any] | Callable[[], Iterable[Any]] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not callable(self.model):
            raise ProblemError(
                f"model is a {type(self.model).__name__}",
                where="Problem",
                expected="a zero-argument callable",
                fix="Pass `lambda: MyModel(...)`: every arm of a race starts from a new model.",
            )
        if not callable(self.loss):
            raise ProblemError(
                f"loss is a {type(self.loss).__name__}",
                where="Problem",
                expected="a callable loss(outputs, targets)",
            )
        if self.optimizer not in OPTIMIZERS:
            raise ProblemError(
                f"optimizer {self.optimizer!r}", where="Problem", legal=OPTIMIZERS, given=str(self.optimizer)
            )
        if self.steps is not None and self.steps < 1:
            raise ProblemError(f"steps={self.steps}", where="Problem", expected="steps ≥ 1")

    def stream(self) -> Iterable[Any]:
        """A fresh pass over the training batches."""
        return self.batches() if callable(self.batches) else self.batches
