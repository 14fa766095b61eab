"""Several arms trained as one: their weights stacked, one batched forward and backward for all.

`torch.func.vmap` runs the model over the stack; the sum of the losses has every arm's own gradient, and
torch's own optimiser steps each arm's weights, which lie in one row, at the arm's rate. Small models train
some times as fast so. Arms of a stack share their seed: dropout draws one mask for all, the mask that each
would have drawn alone.

Not every model can: `stackable` tries it on one batch and compares with the same arms alone.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_map

from ..frameworks.torch.state import reseed
from .data import Batch
from .isolation import isolated
from .limits import limited
from .outcome import Outcome
from .training import Feed, Task, judged, optimizer_for, parameters, started

NEAR = 1e-3
"""How far, relative to its norm, the gradient of a stacked arm may be from that of the arm alone: rounding,
and the few units that it pushes over a kink."""


class Stack:
    """Models of one architecture with weights of their own, run as one.

    Args:
        models: alike but for their parameters and buffers.
        inputs: of a batch, to find out how they are called.

    Raises:
        TypeError: parameters that cannot lie in one row.
    """

    def __init__(self, models: Sequence[nn.Module], inputs: Any) -> None:
        self.model, self.size = models[0], len(models)
        self.feed = Feed(self.model, inputs)
        trained = {name for name, p in self.model.named_parameters() if p.requires_grad}
        kinds = {(p.dtype, p.device) for p in parameters(self.model)}
        if len(kinds) != 1 or not next(iter(kinds))[0].is_floating_point:
            raise TypeError(f"parameters of {len(kinds)} kinds")
        states = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in models]
        self.others = {
            name: torch.stack([state[name].detach() for state in states])
            for name in states[0]
            if name not in trained
        }
        rows = [torch.cat([p.detach().flatten() for p in parameters(m)]) for m in models]
        self.rows = torch.stack(rows)
        self.weights = _views(self.rows, self.model)
        self._forward = vmap(self._called, in_dims=(0, 0, None, None), randomness="same")
        self._losses = vmap(self._lost, in_dims=(0, 0, None, None, None, None), randomness="same")

    def _called(self, weights: Any, others: Any, args: Any, kwargs: Any) -> Any:
        return functional_call(self.model, {**weights, **others}, args, kwargs)

    def _lost(self, weights: Any, others: Any, args: Any, kwargs: Any, targets: Any, loss: Any) -> Any:
        return loss(self._called(weights, others, args, kwargs), targets)

    def slopes(self, loss: Callable[..., Any], batch: Batch) -> tuple[Tensor, Tensor]:
        """The arms' losses of shape (arms,) and gradients of shape (arms, weights)."""
        leaves = {name: view.detach().requires_grad_() for name, view in self.weights.items()}
        args, kwargs = self.feed.arguments(batch)
        losses = self._losses(leaves, self.others, args, kwargs, self.feed.targets(batch), loss)
        found = torch.autograd.grad(losses.sum(), list(leaves.values()), allow_unused=True)
        slopes = [
            (torch.zeros_like(leaf) if slope is None else slope).flatten(1)
            for slope, leaf in zip(found, leaves.values(), strict=True)
        ]
        return losses.detach(), torch.cat(slopes, 1)

    def outputs(self, batch: Batch) -> Any:
        """What the arms make of a batch, stacked."""
        args, kwargs = self.feed.arguments(batch)
        with torch.no_grad():
            return self._forward(self.weights, self.others, args, kwargs)


def _views(rows: Tensor, model: nn.Module) -> dict[str, Tensor]:
    """Name → the parameter of all arms, of shape (arms, *its own): views into `rows`."""
    views, at = {}, 0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = rows[:, at : at + parameter.numel()]
            views[name] = part.view(len(rows), *parameter.shape)
            at += parameter.numel()
    return views


def train_stacked(tasks: Sequence[Task]) -> tuple[Outcome, ...] | None:
    """The outcomes of `tasks`, which differ in plan and learning rate only; None where one of them raises.

    Who raised is found out by training them one by one.
    """
    first = tasks[0]
    try:
        with isolated(first.seed, first.threads), limited(first.seconds * len(tasks)) as check, strictly():
            course = _Course(tasks)
            for step, batch in enumerate(first.training, 1):
                check()
                if not course.step(step, batch):
                    break
            return course.outcomes()
    except (Exception, SystemExit):
        return None


class _Course:
    """A stack on its way."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.task = tasks[0]
        models = []
        for task in tasks:
            reseed(task.seed)
            models.append(started(task))
        self.stack = Stack(models, self.task.training[0][0])
        self.rows = list(self.stack.rows)
        groups = [{"params": [row], "lr": t.learning_rate} for row, t in zip(self.rows, tasks, strict=True)]
        self.optimizer = optimizer_for(self.task.optimizer, models[0], groups, self.task.learning_rate)
        self.ended: dict[int, int] = {}
        self.told: list[list[tuple[int, tuple[float, ...]]]] = [[] for _ in tasks]
        self.metrics = [math.nan] * len(tasks)
        self.steps = 0

    def step(self, step: int, batch: Batch) -> bool:
        """One step of all arms; False when none is left."""
        losses, slopes = self.stack.slopes(self.task.loss, batch)
        for row, slope in zip(self.rows, slopes, strict=True):
            row.grad = slope
        self.optimizer.step()
        self.steps = step
        self._end(step, torch.isfinite(losses).tolist())
        if step in self.task.checkpoints:
            self._end(step, self._validate(step))
        return len(self.ended) < self.stack.size

    def _end(self, step: int, fine: Sequence[bool]) -> None:
        for arm, good in enumerate(fine):
            if not good:
                self.ended.setdefault(arm, step)

    def _validate(self, step: int) -> list[bool]:
        """Note the losses of arms that are alive; whether they are finite."""
        self.stack.model.eval()
        judgements = [self._judged(batch) for batch in self.task.validation]
        self.stack.model.train()
        fine = []
        for arm, found in enumerate(zip(*judgements, strict=True)):
            losses = tuple(loss for loss, _ in found)
            fine.append(math.isfinite(sum(losses)))
            if fine[arm] and arm not in self.ended:
                self.told[arm].append((step, losses))
                self.metrics[arm] = sum(metric for _, metric in found) / len(found)
        return fine

    def _judged(self, batch: Batch) -> list[tuple[float, float]]:
        outputs, targets = self.stack.outputs(batch), self.stack.feed.targets(batch)
        return [judged(self.task, _arm(outputs, arm), targets) for arm in range(self.stack.size)]

    def outcomes(self) -> tuple[Outcome, ...]:
        """What became of each."""
        return tuple(
            Outcome("diverged", self.ended[arm], tuple(told))
            if arm in self.ended
            else Outcome("trained", self.steps, tuple(told), self.metrics[arm])
            for arm, told in enumerate(self.told)
        )


def _arm(outputs: Any, arm: int) -> Any:
    return tree_map(lambda leaf: leaf[arm] if isinstance(leaf, Tensor) else leaf, outputs)


@contextlib.contextmanager
def strictly() -> Iterator[None]:
    """An operation that vmap could only loop over raises instead: arms alone are faster then."""
    switch = getattr(torch._C._functorch, "_set_vmap_fallback_enabled", None)
    asked = getattr(torch._C._functorch, "_is_vmap_fallback_enabled", None)
    if switch is None or asked is None:
        yield
        return
    before = asked()
    switch(False)
    try:
        yield
    finally:
        switch(before)


@dataclass(frozen=True)
class _Seen:
    """What one pass came to: loss, gradient in a row, outputs in evaluation, buffers."""

    loss: float
    slope: Tensor
    judged: tuple[float, float]
    buffers: Mapping[str, Tensor]


def stackable(one: Task, other: Task) -> bool:
    """Do two arms stacked do what each of them does alone? Tried on the tasks' first batch, twice over."""
    try:
        with isolated(one.seed, one.threads), strictly(), limited(one.seconds):
            together = _together((one, other))
            return all(_same(_alone(task), seen) for task, seen in zip((one, other), together, strict=True))
    except (Exception, SystemExit):
        return False


def _alone(task: Task) -> _Seen:
    with isolated(task.seed, task.threads):
        model = started(task)
        feed, batch = Feed(model, task.training[0][0]), task.training[0]
        for _ in range(2):
            args, kwargs = feed.arguments(batch)
            loss = task.loss(model(*args, **kwargs), feed.targets(batch))
            slopes = torch.autograd.grad(loss, parameters(model), allow_unused=task.optimizer != "adamw")
        rows = [
            torch.zeros_like(p) if g is None else g for p, g in zip(parameters(model), slopes, strict=True)
        ]
        model.eval()
        with torch.no_grad():
            found = judged(task, model(*args, **kwargs), feed.targets(batch))
        return _Seen(
            float(loss.detach()), torch.cat([r.flatten() for r in rows]), found, dict(model.named_buffers())
        )


def _together(tasks: Sequence[Task]) -> list[_Seen]:
    first = tasks[0]
    with isolated(first.seed, first.threads):
        models = []
        for task in tasks:
            reseed(task.seed)
            models.append(started(task))
        stack, batch = Stack(models, first.training[0][0]), first.training[0]
        for _ in range(2):
            losses, slopes = stack.slopes(first.loss, batch)
        stack.model.eval()
        outputs, targets = stack.outputs(batch), stack.feed.targets(batch)
        return [
            _Seen(
                float(losses[arm]),
                slopes[arm],
                judged(first, _arm(outputs, arm), targets),
                {name: stack.others[name][arm] for name, _ in stack.model.named_buffers()},
            )
            for arm in range(len(tasks))
        ]


def _same(alone: _Seen, stacked: _Seen) -> bool:
    pairs = [(alone.slope, stacked.slope)]
    pairs += [(buffer, stacked.buffers[name]) for name, buffer in alone.buffers.items()]
    losses = (alone.loss, stacked.loss), (alone.judged[0], stacked.judged[0])
    return all(_near(a, b) for a, b in pairs) and all(
        _near(torch.tensor(a), torch.tensor(b)) for a, b in losses
    )


def _near(one: Tensor, other: Tensor) -> bool:
    kind = torch.complex128 if one.is_complex() else torch.float64
    one, other = one.to(kind), other.to(kind)
    return bool((one - other).norm() <= NEAR * one.norm() + 1e-12)
