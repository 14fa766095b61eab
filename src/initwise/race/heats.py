"""Heats: the units in which arms are sent off to train.

A heat is one arm alone, or, where the problem's arms can be stacked, up to `WIDTH` of one seed side by side.
Which arms share a heat follows from the race alone, never from the executor: sums over a stack round in their
own way, and so every executor gives the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from . import stacked, training
from .outcome import Outcome
from .training import Task

WIDTH = 16
"""Arms in a stack: wider is hardly faster, and leaves less to share out."""

T = TypeVar("T")


@dataclass(frozen=True)
class Heat:
    """Tasks that run together; they differ in plan and learning rate only."""

    tasks: tuple[Task, ...]

    @property
    def seconds(self) -> float:
        """How long it may take; 0 means as long as it likes."""
        return sum(task.seconds for task in self.tasks)

    @property
    def steps(self) -> int:
        """Optimiser steps of all its arms."""
        return sum(len(task.training) for task in self.tasks)

    def alone(self) -> list[Heat]:
        """Each task as a heat of its own."""
        return [Heat((task,)) for task in self.tasks]


def run(heat: Heat) -> tuple[Outcome, ...]:
    """Train the heat's arms: together if there are several, and one by one where that raises."""
    found = stacked.train_stacked(heat.tasks) if len(heat.tasks) > 1 else None
    return found or tuple(training.train(task) for task in heat.tasks)


def grouped(arms: Iterable[tuple[T, int]], width: int) -> Iterator[tuple[tuple[T, int], ...]]:
    """`(curve, seed)` pairs in groups of one seed, at most `width` in each; seeds in order."""
    by_seed = groupby(sorted(arms, key=lambda arm: arm[1]), key=lambda arm: arm[1])
    for _, group in by_seed:
        mine = list(group)
        yield from (tuple(mine[at : at + width]) for at in range(0, len(mine), width))
