"""One arm: a model, its weights from a plan, one learning rate, one seed, a number of steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.errors import InitwiseError
from ..core.plan import Plan
from ..frameworks.example import mapped
from ..frameworks.initialize import init_
from ..frameworks.torch.run import arguments, home
from .data import Batch
from .isolation import isolated
from .limits import Check, limited
from .outcome import Outcome


@dataclass(frozen=True)
class Task:
    """Everything one training depends on; `train` needs nothing else, wherever it runs.

    Attributes:
        training, validation: batches; one of training a step.
        checkpoints: after how many steps it is validated, the end among them.
        threads: torch's threads.
        seconds: how long it may take; 0 means as long as it likes.
    """

    model: Callable[[], Any]
    loss: Callable[[Any, Any], Any]
    metric: Callable[[Any, Any], Any] | None
    optimizer: str
    plan: Plan
    learning_rate: float
    seed: int
    training: tuple[Batch, ...]
    validation: tuple[Batch, ...]
    checkpoints: tuple[int, ...]
    threads: int
    seconds: float = 0.0


def train(task: Task) -> Outcome:
    """Train for one step per training batch, and validate at the checkpoints.

    What goes wrong is an outcome, not an error.
    """
    told: dict[int, tuple[float, ...]] = {}
    done = [0]
    try:
        with isolated(task.seed, task.threads), limited(task.seconds) as check:
            fine, metric = _trained(task, told, done, check)
    except (Exception, SystemExit) as error:
        return Outcome("failed", done[0], tuple(told.items()), error=described(error))
    return Outcome("trained" if fine else "diverged", done[0], tuple(told.items()), metric)


def _trained(task: Task, told: dict[int, Any], done: list[int], check: Check) -> tuple[bool, float]:
    """Whether the losses stayed finite, and the metric; `told` and `done` grow on the way."""
    metric = math.nan
    model = started(task)
    feed = Feed(model, task.training[0][0])
    optimizer = optimizer_for(task.optimizer, model, parameters(model), task.learning_rate)
    for done[0], batch in enumerate(task.training, 1):
        check()
        if not math.isfinite(_step(model, optimizer, task.loss, feed, batch)):
            return False, math.nan
        if done[0] in task.checkpoints:
            found, metric = _validated(model, task, feed)
            if not math.isfinite(sum(found)):
                return False, math.nan
            told[done[0]] = found
    return True, metric


def started(task: Task) -> nn.Module:
    """A new model with the plan's weights, drawn from the task's seed."""
    model: nn.Module = task.model()
    init_(model, task.plan, seed=task.seed)
    return model.train()


def parameters(model: nn.Module) -> list[nn.Parameter]:
    """Those that are trained."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def optimizer_for(name: str, model: nn.Module, groups: Any, learning_rate: float) -> torch.optim.Optimizer:
    """Adam, AdamW or SGD with momentum 0.9, each with torch's other defaults.

    Args:
        model: whose parameters are trained; it decides which kernel can be used.
        groups: those parameters, or groups of them with rates of their own.
    """
    tensors = parameters(model)
    sparse = any(getattr(module, "sparse", False) for module in model.modules())
    plain = all(tensor.is_floating_point() for tensor in tensors)
    fused = True if plain and not sparse and tensors[0].device.type in ("cpu", "cuda") else None
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, fused=fused)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(groups, lr=learning_rate, fused=fused)


def _step(model: nn.Module, optimizer: Any, loss: Callable[..., Any], feed: Feed, batch: Batch) -> float:
    optimizer.zero_grad()
    args, kwargs = feed.arguments(batch)
    value = loss(model(*args, **kwargs), feed.targets(batch))
    value.backward()
    optimizer.step()
    return float(value.detach())


def _validated(model: nn.Module, task: Task, feed: Feed) -> tuple[tuple[float, ...], float]:
    """The loss on each validation batch, and the metric's mean over them (NaN without a metric)."""
    found = []
    model.eval()
    with torch.no_grad():
        for batch in task.validation:
            args, kwargs = feed.arguments(batch)
            found.append(judged(task, model(*args, **kwargs), feed.targets(batch)))
    model.train()
    return tuple(loss for loss, _ in found), sum(metric for _, metric in found) / len(found)


def judged(task: Task, outputs: Any, targets: Any) -> tuple[float, float]:
    """The loss and the metric (NaN without one) of one batch's outputs."""
    loss = float(task.loss(outputs, targets))
    return loss, math.nan if task.metric is None else float(task.metric(outputs, targets))


class Feed:
    """What a batch calls the model with, and its targets, both on the model's device.

    Args:
        inputs: of a batch, to find out once how the model is called.
    """

    def __init__(self, model: nn.Module, inputs: Any) -> None:
        self._device, self._dtype = home(model)
        self._by_name = bool(arguments(model, inputs)[1])

    def arguments(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """`(args, kwargs)` of the batch's inputs."""
        inputs = mapped(self._placed, batch[0])
        if self._by_name:
            return (), inputs
        return (inputs if isinstance(inputs, tuple) else (inputs,)), {}

    def targets(self, batch: Batch) -> Any:
        """The batch's targets; NumPy's floats in the model's dtype."""
        return mapped(self._placed, batch[1])

    def _placed(self, leaf: Any, where: str) -> Any:
        if isinstance(leaf, np.ndarray):
            leaf = torch.tensor(leaf)
            # NumPy makes float64 unasked
            leaf = leaf.to(self._dtype) if leaf.is_floating_point() else leaf
        return leaf.to(self._device) if isinstance(leaf, torch.Tensor) else leaf


def described(error: BaseException) -> str:
    """What was raised, in a line or few."""
    kind = "" if isinstance(error, InitwiseError) else f"{type(error).__name__}: "
    return kind + str(error).strip()[:2000]
