"""A race's makings: a problem that trains in milliseconds, on numbers that are always the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from initwise.core.problem import Problem
from initwise.problems.networks import mlp
from initwise.race import heats

STEPS = 60


@pytest.fixture
def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Sixteen batches of 16 points in four classes, which a small network tells apart."""
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(4, 8, generator=generator)
    labels = torch.randint(0, 4, (16, 16), generator=generator)
    points = centres[labels] + torch.randn(16, 16, 8, generator=generator)
    return list(zip(points, labels, strict=True))


@pytest.fixture
def make(batches: list[Any]) -> Callable[..., Problem]:
    """`make(**changes)`: the problem, with changes."""

    def made(**changes: Any) -> Problem:
        model = partial(mlp, "ReLU", inputs=8, width=16, depth=3, outputs=4)
        given = {"model": model, "batches": batches, "loss": torch.nn.functional.cross_entropy}
        return Problem(**{**given, "steps": STEPS, "name": "points", **changes})

    return made


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arms are not stacked."""
    monkeypatch.setattr(heats, "WIDTH", 1)
