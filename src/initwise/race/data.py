"""The batches of a race: drawn once, so that every arm sees the same ones in the same order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core.errors import ProblemError
from ..core.problem import Problem
from ..frameworks.example import mapped
from .isolation import isolated

EVERY = 8
"""Without validation data, the first batch of every eight is set aside."""
MOST = 16
"""Validation batches used; judging must not cost more than training."""

Batch = tuple[Any, Any]


@dataclass(frozen=True)
class Data:
    """`training` batches in the order of the steps, and `validation` batches never trained on."""

    training: tuple[Batch, ...]
    validation: tuple[Batch, ...]


class Reader:
    """Reads a problem's batches, in the same order every time, leaving the global generators alone.

    Attributes:
        first: the first batch.

    Raises:
        ProblemError: no batches, or batches that are not finite `(inputs, targets)`.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        with isolated(0):
            self._pass = _opened(problem, "batches")
            first = next(self._pass, None)
        if first is None:
            raise ProblemError(
                "no batches", where="batches", expected="at least one", cause=_spent(problem.batches)
            )
        self.first: Batch = first

    def read(self, steps: int) -> Data:
        """`steps` training batches, and the validation batches."""
        with isolated(1):
            rest: Iterator[Batch] = itertools.chain([self.first], self._pass)
            if self._problem.validation is None:
                return _split(rest, steps)
            training = tuple(itertools.islice(self._restarting(rest), steps))
            validation = tuple(itertools.islice(_opened(self._problem, "validation"), MOST))
        if not validation:
            raise ProblemError(
                "no batches",
                where="validation",
                expected="at least one",
                fix="Leave it None: then every eighth training batch is set aside.",
            )
        return Data(training, validation)

    def _restarting(self, rest: Iterator[Batch]) -> Iterator[Batch]:
        read = 0
        while True:
            before = read
            for batch in rest:
                read += 1
                yield batch
            if read == before:
                raise ProblemError(
                    f"ran out after {read} batches and cannot be started again",
                    where="batches",
                    expected="something that can be iterated more than once",
                    cause=_spent(self._problem.batches),
                    fix="Pass a function that makes a new iterator: Problem(batches=lambda: …).",
                )
            rest = _opened(self._problem, "batches")


def _split(batches: Iterator[Batch], steps: int) -> Data:
    """Training and validation from one pass, which is then repeated: what is set aside stays aside."""
    training: list[Any] = []
    validation: list[Any] = []
    for index, batch in enumerate(batches):
        if len(training) == steps:
            break
        if index % EVERY:
            training.append(batch)
        elif len(validation) < MOST:
            validation.append(batch)
    if not training:
        raise ProblemError(
            "one batch only, and it is needed for validation",
            where="batches",
            expected="at least two batches",
            fix="Pass validation=…, or make the batches smaller.",
        )
    return Data(tuple(itertools.islice(itertools.cycle(training), steps)), tuple(validation))


def _opened(problem: Problem, which: str) -> Iterator[Batch]:
    """A pass over `problem`'s batches or validation batches, each of them checked."""
    source = getattr(problem, which)
    made = source() if callable(source) else source
    try:
        batches = iter(made)
    except TypeError:
        raise ProblemError(
            f"{_kind(made)} cannot be iterated", where=which, expected="an iterable of (inputs, targets)"
        ) from None
    return (_checked(batch, f"{which}[{index}]") for index, batch in enumerate(batches))


def _checked(batch: Any, where: str) -> Batch:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        size = f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
        raise ProblemError(
            f"{_kind(batch)}{size}",
            where=where,
            expected="a pair (inputs, targets)",
            fix="Wrap the loader: batches=lambda: ((make_inputs(b), make_targets(b)) for b in loader).",
        )
    inputs, targets = batch
    # a DataLoader turns a tuple of inputs into a list
    inputs = tuple(inputs) if isinstance(inputs, list) else inputs
    mapped(_finite, inputs, f"{where}'s inputs")
    mapped(_finite, targets, f"{where}'s targets")
    return inputs, targets


def _finite(leaf: Any, where: str) -> None:
    if not isinstance(leaf, (torch.Tensor, np.ndarray)):
        return
    tensor = torch.as_tensor(leaf)
    if tensor.numel() == 0:
        raise ProblemError(f"a tensor of shape {tuple(tensor.shape)} holds nothing", where=where)
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        share = float((~torch.isfinite(tensor)).float().mean())
        raise ProblemError(
            f"{share:.2%} of the values are NaN or infinite",
            where=where,
            expected="finite numbers",
            fix="Remove or impute them first: no initialization trains on such data.",
        )


def _spent(source: Any) -> str:
    one_shot = isinstance(source, Iterator)
    return "an iterator, which gives its batches only once" if one_shot else "an empty data set"


def _kind(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
