"""The bundled problems: small, on real data, and such that the initialization matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core.problem import Problem
from ..core.registry import Registry


@dataclass(frozen=True)
class BundledProblem:
    """A problem that comes with initwise, ready to be tried.

    Attributes:
        name, summary: what it is, in a line.
        problem: the model, its data and its loss.
        example: the inputs of one training batch.
        architecture: the network in words.
    """

    name: str
    summary: str
    problem: Problem
    example: Any
    architecture: str


@dataclass(frozen=True)
class ProblemRow:
    """One row of the registry: light, because the data and the model are made on demand.

    Attributes:
        build: makes the Problem; this is what imports torch and scikit-learn.
    """

    name: str
    summary: str
    architecture: str
    build: Callable[[], Problem]
    aliases: tuple[str, ...] = ()


registry: Registry[ProblemRow] = Registry("problem", "initwise.problems", ProblemRow, "initwise.problems")

DEFAULT = "digits-mlp-sigmoid"
"""Where the answer matters most: the frameworks' defaults do not train it, the right weights do."""


def problem(name: str = DEFAULT) -> BundledProblem:
    """The bundled problem called `name`.

    Raises:
        UnknownNameError: no problem has this name.
        MissingError: torch or scikit-learn is not installed.
    """
    row = registry[name]
    made = row.build()
    inputs, _ = next(iter(made.stream()))
    return BundledProblem(row.name, row.summary, made, inputs, row.architecture)


def problems() -> tuple[ProblemRow, ...]:
    """All bundled problems, sorted by name. Loads neither torch nor scikit-learn."""
    return registry.rows()
