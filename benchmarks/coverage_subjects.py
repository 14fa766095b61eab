"""What the coverage benchmark predicts: one Subject per model, in a file per kind.

Each file `coverage_<kind>.py` has a tuple `SUBJECTS`. Importing it builds no model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

KINDS = ("transformers", "zoo", "classics", "custom")


@dataclass(frozen=True)
class Subject:
    """One model to predict.

    Attributes:
        name: unique among its kind; what the table calls it.
        kind: one of `KINDS`.
        build: makes the model, without arguments; run under fake tensors.
        example: as `initwise.check` takes it: a text, a tensor, a tuple, a dict of keyword arguments.
            A callable without arguments makes it, if it is costly or depends on the configuration.
        untried: why it is not tried, "" if it is.
        instead: the same model in another size, tried if this one runs with real numbers neither.
    """

    name: str
    kind: str
    build: Callable[[], nn.Module]
    example: Any
    untried: str = ""
    instead: Subject | None = None

    def made_example(self) -> Any:
        """The example itself."""
        return self.example() if callable(self.example) else self.example


def subjects(kind: str) -> tuple[Subject, ...]:
    """All subjects of a kind, in the order of its file; none while it has no file."""
    try:
        module = importlib.import_module(f"coverage_{kind}")
    except ModuleNotFoundError as error:
        if error.name != f"coverage_{kind}":
            raise
        return ()
    found: tuple[Subject, ...] = tuple(module.SUBJECTS)
    names = [subject.name for subject in found]
    assert len(names) == len(set(names)), f"two subjects of one name in coverage_{kind}"
    return found
