"""Problems at the top level of a module: other processes import them. Some of their arms go wrong."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from initwise.core.problem import Problem
from initwise.problems.networks import mlp

STEPS = 60
NAMES = ("zeros", "he_normal", "xavier_uniform")


def batches() -> list[tuple[Tensor, Tensor]]:
    """Sixteen batches of 16 points in four classes, which a small network tells apart."""
    generator = torch.Generator().manual_seed(0)
    centres = 2 * torch.randn(4, 8, generator=generator)
    labels = torch.randint(0, 4, (16, 16), generator=generator)
    points = centres[labels] + torch.randn(16, 16, 8, generator=generator)
    return list(zip(points, labels, strict=True))


def points(model: Any = None, **changes: Any) -> Problem:
    """The problem of the tests."""
    model = model or partial(mlp, "ReLU", inputs=8, width=16, depth=3, outputs=4)
    loss = nn.functional.cross_entropy
    return Problem(
        **{"model": model, "batches": batches(), "loss": loss, "steps": STEPS, "name": "points", **changes}
    )


class Acting(nn.Module):
    """A layer that does something odd in training when nothing but zeros comes in."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not bool(x.any()):
            self.act()
        return x

    def act(self) -> None:
        raise NotImplementedError


class Hangs(Acting):
    def act(self) -> None:
        time.sleep(600)


class Dies(Acting):
    def act(self) -> None:
        os.kill(os.getpid(), 9)


class Hoards(Acting):
    def act(self) -> None:
        torch.ones(2**31)  # 8 GiB


class Leaves(Acting):
    def act(self) -> None:
        raise SystemExit(3)


def odd(kind: type[nn.Module]) -> nn.Module:
    """A model with an odd layer in its middle."""
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), kind(), nn.Linear(16, 4))


def once(path: str) -> nn.Module:
    """The usual model; the first process that makes one with the file there removes it and dies at once."""
    try:
        Path(path).unlink()
    except FileNotFoundError:
        return mlp("ReLU", inputs=8, width=16, depth=3, outputs=4)
    os.kill(os.getpid(), 9)
    raise AssertionError
