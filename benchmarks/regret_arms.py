"""Many trainings of one small model at once: arms of different weights, rates and seeds, stacked.

One step of all arms is one batched forward and backward (torch.func.vmap): a hundred trainings cost a few
times one. Arms of one seed see the same batches, whatever their weights and rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from regret_problem import Data, Problem

State = Mapping[str, Tensor]
LOOKS = 4
"""Evaluations on held-out data over the last fifth of the steps; their mean counts."""


@dataclass(frozen=True)
class Arm:
    """One training: the weights of `scheme` drawn with `seed`, at `rate`."""

    scheme: str
    seed: int
    rate: float


def trained(problem: Problem, arms: Sequence[Arm], states: Sequence[State]) -> list[float]:
    """Held-out loss of each arm after training; infinite where it diverged."""
    data = problem.data()
    model = problem.build()
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    weights = {name: torch.stack([state[name] for state in states]) for name in names}
    rest = dict(model.named_buffers())
    run = _Run(problem, model, data, rest)
    return run.train(weights, arms)


class _Run:
    def __init__(self, problem: Problem, model: nn.Module, data: Data, buffers: dict[str, Tensor]) -> None:
        self.problem, self.model, self.data, self.buffers = problem, model, data, buffers
        self.slopes = vmap(grad_and_value(self._loss), randomness="same")

    def _loss(self, weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        output = functional_call(self.model, {**weights, **self.buffers}, (x,))
        return self.problem.loss(output, y)

    def train(self, weights: dict[str, Tensor], arms: Sequence[Arm]) -> list[float]:
        steps, looks = self.problem.steps, []
        update = _Adam(weights, arms) if self.problem.optimizer == "adam" else _Momentum(weights, arms)
        batches = _Batches(arms, len(self.data.inputs), self.problem.batch)
        when = {steps - 1 - k * max(steps // 20, 1) for k in range(LOOKS)}
        for step in range(steps):
            index = batches.next()
            slopes, _ = self.slopes(weights, self.data.inputs[index], self.data.targets[index])
            weights = update(weights, slopes)
            if step in when:
                looks.append(self._held(weights))
        losses = torch.stack(looks).mean(0)
        return [float(loss) if torch.isfinite(loss) else float("inf") for loss in losses]

    @torch.no_grad()
    def _held(self, weights: dict[str, Tensor]) -> Tensor:
        found: Tensor = vmap(self._loss, in_dims=(0, None, None), randomness="same")(
            weights, self.data.held_inputs, self.data.held_targets
        )
        return found


class _Batches:
    """For every arm the indices of its next batch: the same for arms of one seed."""

    def __init__(self, arms: Sequence[Arm], size: int, batch: int) -> None:
        self.seeds = sorted({arm.seed for arm in arms})
        self.of_arm = torch.tensor([self.seeds.index(arm.seed) for arm in arms])
        self.random = [torch.Generator().manual_seed(1000 + seed) for seed in self.seeds]
        self.size, self.batch = size, min(batch, size)
        self.left: list[Tensor] = [torch.empty(0, dtype=torch.long) for _ in self.seeds]

    def next(self) -> Tensor:
        return torch.stack([self._next(k) for k in range(len(self.seeds))])[self.of_arm]

    def _next(self, k: int) -> Tensor:
        if len(self.left[k]) < self.batch:
            self.left[k] = torch.randperm(self.size, generator=self.random[k])
        now, self.left[k] = self.left[k][: self.batch], self.left[k][self.batch :]
        return now


def _rates(weights: dict[str, Tensor], arms: Sequence[Arm]) -> dict[str, Tensor]:
    rates = torch.tensor([arm.rate for arm in arms])
    return {name: rates.reshape(-1, *[1] * (w.dim() - 1)) for name, w in weights.items()}


class _Momentum:
    """SGD with momentum .9."""

    def __init__(self, weights: dict[str, Tensor], arms: Sequence[Arm]) -> None:
        self.rates = _rates(weights, arms)
        self.speed = {name: torch.zeros_like(w) for name, w in weights.items()}

    def __call__(self, weights: dict[str, Tensor], slopes: dict[str, Tensor]) -> dict[str, Tensor]:
        for name, slope in slopes.items():
            self.speed[name].mul_(0.9).add_(slope)
            weights[name] = weights[name] - self.rates[name] * self.speed[name]
        return weights


class _Adam:
    """Adam with its usual constants."""

    def __init__(self, weights: dict[str, Tensor], arms: Sequence[Arm]) -> None:
        self.rates = _rates(weights, arms)
        self.first = {name: torch.zeros_like(w) for name, w in weights.items()}
        self.second = {name: torch.zeros_like(w) for name, w in weights.items()}
        self.step = 0

    def __call__(self, weights: dict[str, Tensor], slopes: dict[str, Tensor]) -> dict[str, Tensor]:
        self.step += 1
        one, two = 1 - 0.9**self.step, 1 - 0.999**self.step
        for name, slope in slopes.items():
            self.first[name].lerp_(slope, 0.1)
            self.second[name].lerp_(slope * slope, 0.001)
            size = (self.second[name] / two).sqrt_().add_(1e-8)
            weights[name] = weights[name] - self.rates[name] * (self.first[name] / one) / size
        return weights
