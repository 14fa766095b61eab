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
from .outcome import Outcome


@dataclass(frozen=True)
class Task:
    """Everything one training depends on; `train` needs nothing else, wherever it runs."""

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


def train(task: Task) -> Outcome:
    """Train for one step per training batch, and validate at the checkpoints, the end among them.

    What goes wrong is an outcome, not an error.
    """
    steps, metric = 0, math.nan
    losses: list[tuple[int, tuple[float, ...]]] = []
    try:
        with isolated(task.seed, task.threads):
            model = started(task)
            feed = Feed(model, task.training[0][0])
            optimizer = optimizer_for(task.optimizer, model, task.learning_rate)
            for steps, batch in enumerate(task.training, 1):
                fine = math.isfinite(_step(model, optimizer, task.loss, feed, batch))
                if fine and steps in task.checkpoints:
                    found, metric = validated(model, task, feed)
                    fine = math.isfinite(sum(found))
                    losses += [(steps, found)] if fine else []
                if not fine:
                    return Outcome("diverged", steps, tuple(losses))
    except Exception as error:
        return Outcome("failed", steps, tuple(losses), error=_text(error))
    return Outcome("trained", steps, tuple(losses), metric)


def started(task: Task) -> nn.Module:
    """A new model with the plan's weights, drawn from the task's seed."""
    model: nn.Module = task.model()
    init_(model, task.plan, seed=task.seed)
    return model.train()


def optimizer_for(name: str, model: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Adam, AdamW or SGD with momentum 0.9, each with torch's other defaults."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sparse = any(getattr(module, "sparse", False) for module in model.modules())
    plain = all(parameter.is_floating_point() for parameter in parameters)
    fused = True if plain and not sparse and parameters[0].device.type in ("cpu", "cuda") else None
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9, fused=fused)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(parameters, lr=learning_rate, fused=fused)


def _step(model: nn.Module, optimizer: Any, loss: Callable[..., Any], feed: Feed, batch: Batch) -> float:
    optimizer.zero_grad()
    value = loss(*feed(batch))
    value.backward()
    optimizer.step()
    return float(value.detach())


def validated(model: nn.Module, task: Task, feed: Feed) -> tuple[tuple[float, ...], float]:
    """The loss on each validation batch, and the metric's mean over them (NaN without a metric)."""
    losses, metrics = [], []
    model.eval()
    with torch.no_grad():
        for batch in task.validation:
            outputs, targets = feed(batch)
            losses.append(float(task.loss(outputs, targets)))
            metrics.append(math.nan if task.metric is None else float(task.metric(outputs, targets)))
    model.train()
    return tuple(losses), sum(metrics) / len(metrics)


class Feed:
    """`feed(batch)` is `(model(inputs), targets)`, both on the model's device.

    Args:
        inputs: of a batch, to find out once how the model is called.
    """

    def __init__(self, model: nn.Module, inputs: Any) -> None:
        self._model = model
        self._device, self._dtype = home(model)
        self._by_name = bool(arguments(model, inputs)[1])

    def __call__(self, batch: Batch) -> tuple[Any, Any]:
        inputs, targets = batch[0], self.targets(batch)
        inputs = mapped(self._placed, inputs)
        if self._by_name:
            return self._model(**inputs), targets
        return self._model(*inputs) if isinstance(inputs, tuple) else self._model(inputs), targets

    def targets(self, batch: Batch) -> Any:
        """The batch's targets on the model's device; NumPy's floats in the model's dtype."""
        return mapped(self._placed, batch[1])

    def _placed(self, leaf: Any, where: str) -> Any:
        if isinstance(leaf, np.ndarray):
            leaf = torch.tensor(leaf)
            # NumPy makes float64 unasked
            leaf = leaf.to(self._dtype) if leaf.is_floating_point() else leaf
        return leaf.to(self._device) if isinstance(leaf, torch.Tensor) else leaf


def _text(error: Exception) -> str:
    kind = "" if isinstance(error, InitwiseError) else f"{type(error).__name__}: "
    return kind + str(error).strip()[:2000]
