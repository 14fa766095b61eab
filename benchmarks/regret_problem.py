"""What a problem of the regret benchmark is, and where its numbers come from.

Every problem is small enough that hundreds of trainings of it fit beside each other in memory. Data are
drawn from a fixed seed or come with scikit-learn; nothing is downloaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]
RATES = {"adam": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), "sgd": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)}
USUAL = {"adam": 1e-3, "sgd": 1e-2}
"""What a user who does not search takes."""


@dataclass(frozen=True)
class Data:
    """Training and held-out inputs and targets."""

    inputs: Tensor
    targets: Tensor
    held_inputs: Tensor
    held_targets: Tensor


@dataclass(frozen=True)
class Problem:
    """One training problem.

    Attributes:
        name: says architecture and task.
        family: what kind of network it is, for the tables.
        build: makes the model, drawn by torch's own initialization from torch's random state. Norms over
            the batch keep no running statistics, so that trainings can be stacked.
        data: makes the data.
        loss: (output, target) → scalar.
        optimizer: "adam" or "sgd" (momentum .9).
        steps, batch: how long, and how many inputs a step.
    """

    name: str
    family: str
    build: Callable[[], nn.Module]
    data: Callable[[], Data]
    loss: Loss = functional.cross_entropy
    optimizer: str = "adam"
    steps: int = 250
    batch: int = 64

    @property
    def rates(self) -> tuple[float, ...]:
        """The grid of learning rates."""
        return RATES[self.optimizer]


def split(inputs: Tensor, targets: Tensor, held: int, seed: int = 0) -> Data:
    """Shuffled; `held` of them held out."""
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))
    inputs, targets = inputs[order], targets[order]
    return Data(inputs[held:], targets[held:], inputs[:held], targets[:held])


@lru_cache(maxsize=1)
def digits() -> Data:
    """1,797 handwritten digits of 8 × 8, standardized over all pixels."""
    x, y = datasets.load_digits(return_X_y=True)
    return split(torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32), torch.tensor(y), 300)


def raw_digits() -> Data:
    """The digits as they are, 0 to 16: what a user who forgot to normalize feeds."""
    x, y = datasets.load_digits(return_X_y=True)
    return split(torch.tensor(x, dtype=torch.float32), torch.tensor(y), 300)


def own_digits() -> Data:
    """Digits to be given back: the autoencoder's data."""
    found = digits()
    return Data(found.inputs, found.inputs, found.held_inputs, found.held_inputs)


def generator(seed: int) -> torch.Generator:
    """A random state of its own."""
    return torch.Generator().manual_seed(seed)


def waves(count: int = 1500, length: int = 48) -> Data:
    """Ten classes of noisy one-dimensional signals: frequency and shape tell them apart. (n, 1, length)."""
    g = generator(1)
    kind = torch.randint(10, (count,), generator=g)
    at = torch.arange(length) / length
    phase = torch.rand(count, 1, generator=g) * 2 * math.pi
    angle = 2 * math.pi * (1 + kind % 5).float()[:, None] * at + phase
    signal = torch.where((kind < 5)[:, None], angle.sin(), angle.sin().sign())
    return split((signal + 0.7 * torch.randn(count, length, generator=g))[:, None], kind, 300)


def product_of_waves(count: int = 1500) -> Data:
    """y = sin(3a)·cos(2b) + .1 noise, from two inputs: regression."""
    g = generator(2)
    x = torch.rand(count, 2, generator=g) * 4 - 2
    y = torch.sin(3 * x[:, :1]) * torch.cos(2 * x[:, 1:]) + 0.05 * torch.randn(count, 1, generator=g)
    return split(x, y, 300)


def few_rows() -> Data:
    """The 442 patients of scikit-learn's diabetes table: a small regression."""
    x, y = datasets.load_diabetes(return_X_y=True)
    inputs = torch.tensor(x / x.std(0), dtype=torch.float32)
    return split(inputs, torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None], 120)


def picture() -> Data:
    """Coordinates of a smooth picture with edges → its brightness."""
    g = generator(3)
    x = torch.rand(3000, 2, generator=g) * 2 - 1
    rings = torch.sin(12 * (x**2).sum(1)) * torch.exp(-2 * (x[:, 0] - 0.3) ** 2)
    y = (rings + 0.5 * (x[:, 1] > 0.2 * torch.sin(6 * x[:, 0])).float())[:, None]
    return split(x, y - y.mean(), 600)


def chain(vocabulary: int = 24, length: int = 24, count: int = 1500) -> Data:
    """Sequences of a second-order Markov chain and the tokens that follow: a language. (n, length)."""
    g = generator(4)
    table = torch.softmax(3 * torch.randn(vocabulary, vocabulary, vocabulary, generator=g), -1)
    tokens = torch.randint(vocabulary, (count, length + 1), generator=g)
    for t in range(2, length + 1):
        odds = table[tokens[:, t - 2], tokens[:, t - 1]]
        tokens[:, t] = torch.multinomial(odds, 1, generator=g)[:, 0]
    return split(tokens[:, :-1], tokens[:, 1:], 300)


def recalled(length: int = 16, count: int = 2000) -> Data:
    """A stream of numbers with two marked: their sum is asked. (n, length, 2), the adding problem."""
    g = generator(5)
    numbers = torch.rand(count, length, generator=g)
    marks = torch.zeros(count, length)
    first = torch.randint(length // 2, (count,), generator=g)
    second = torch.randint(length // 2, length, (count,), generator=g)
    rows = torch.arange(count)
    marks[rows, first] = marks[rows, second] = 1.0
    y = (numbers * marks).sum(1, keepdim=True)
    return split(torch.stack([numbers - 0.5, marks], -1), y - 1.0, 400)


def token_loss(output: Tensor, target: Tensor) -> Tensor:
    """Cross entropy at every position."""
    return functional.cross_entropy(output.flatten(0, -2), target.flatten())
