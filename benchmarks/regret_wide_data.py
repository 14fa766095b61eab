"""Data of the wide development set: drawn from fixed seeds, or bundled with scikit-learn."""

from __future__ import annotations

import math

import torch
from sklearn import datasets
from torch import Tensor
from torch.nn import functional

from regret_problem import Data, digits, generator, split, waves

# images


def noisy_digits() -> Data:
    """Digits under noise as large as themselves, and the clean ones, (n, 64) both."""
    found, g = digits(), generator(11)
    return Data(
        found.inputs + torch.randn(found.inputs.shape, generator=g),
        found.inputs,
        found.held_inputs + torch.randn(found.held_inputs.shape, generator=g),
        found.held_inputs,
    )


def digits_and_noise(waist: int = 6) -> Data:
    """Digits, the noise of a variational waist beside them, (n, 64 + waist); the digits are asked back."""
    found, g = digits(), generator(12)
    noise = torch.randn(len(found.inputs), waist, generator=g)
    held = torch.randn(len(found.held_inputs), waist, generator=g)
    inputs, held_inputs = torch.cat([found.inputs, noise], 1), torch.cat([found.held_inputs, held], 1)
    return Data(inputs, found.inputs, held_inputs, found.held_inputs)


def digit_pairs(count: int = 2000) -> Data:
    """Two digits, (n, 2, 64), and whether they are the same numeral: half are. 1 or 0."""
    found, g = digits(), generator(13)
    return Data(
        *_pairs(found.inputs, found.targets, count, g), *_pairs(found.held_inputs, found.held_targets, 400, g)
    )


def _pairs(x: Tensor, label: Tensor, count: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    first = torch.randint(len(x), (count,), generator=g)
    same = torch.arange(count) % 2 == 0
    allowed = (label[first][:, None] == label) == same[:, None]
    second = torch.multinomial(allowed.float(), 1, generator=g)[:, 0]
    return torch.stack([x[first], x[second]], 1), same.float()


# sequences


def frames(width: int = 3) -> Data:
    """The noisy waves, cut into frames: (n, 48 / width, width), ten classes."""
    found = waves()
    return Data(
        found.inputs.unflatten(-1, (-1, width)).squeeze(1),
        found.targets,
        found.held_inputs.unflatten(-1, (-1, width)).squeeze(1),
        found.held_targets,
    )


def long_frames() -> Data:
    """The waves as eight frames of six."""
    return frames(6)


def echoes(length: int = 40, count: int = 1200) -> Data:
    """A noisy stream and, at every time, the product of what it was 3 and 9 steps ago. (n, 1, length)."""
    x = torch.randn(count, 1, length + 9, generator=generator(14))
    return split(x[..., 9:], x[..., 6:-3] * x[..., :-9] + 0.5 * x[..., 6:-3], 240)


def majority(vocabulary: int = 12, length: int = 16, count: int = 2500) -> Data:
    """Tokens; the label is which of the first four tokens is met most often, the earliest of equals."""
    tokens = torch.randint(vocabulary, (count, length), generator=generator(15))
    times = functional.one_hot(tokens, vocabulary)[..., :4].sum(1)
    return split(tokens, (4 * times - torch.arange(4)).argmax(-1), 400)


# sets and graphs


def point_sets(count: int = 2000, points: int = 16) -> Data:
    """Sets of points drawn from ellipses, (n, points, 2), and the logarithm of the sample's area."""
    g = generator(16)
    spread = torch.exp(0.6 * torch.randn(count, 2, 2, generator=g))
    x = torch.randn(count, points, 2, generator=g) @ (spread * torch.tensor([[1.0, 0.3], [-0.3, 1.0]]))
    centred = x - x.mean(1, keepdim=True)
    area = torch.linalg.det(centred.transpose(1, 2) @ centred / points)
    return split(x + torch.randn(count, 1, 2, generator=g), 0.5 * area.log()[:, None], 400)


def communities(count: int = 1200, nodes: int = 14, features: int = 6) -> Data:
    """Graphs of three communities; each node's is asked, from neighbours and faint features.

    Inputs are (n, nodes, nodes + features): the row-normalized adjacency with self-loops, then features.
    """
    g = generator(17)
    kind = torch.randint(3, (count, nodes), generator=g)
    odds = torch.where(kind[:, :, None] == kind[:, None], 0.6, 0.1)
    upper = (torch.rand(count, nodes, nodes, generator=g) < odds).float().triu(1)
    edges = upper + upper.transpose(1, 2) + torch.eye(nodes)
    centres = torch.randn(3, features, generator=g)
    x = 0.8 * centres[kind] + 1.5 * torch.randn(count, nodes, features, generator=g)
    return split(torch.cat([edges / edges.sum(-1, keepdim=True), x], -1), kind, 240)


# functions and equations


def chirp(count: int = 1500) -> Data:
    """One number of [0, 1], not centred → a wave that quickens, with a jump."""
    g = generator(18)
    x = torch.rand(count, 1, generator=g)
    y = torch.sin(14 * x**2) + (x > 0.6).float() + 0.05 * torch.randn(count, 1, generator=g)
    return split(x, y, 300)


STEP = 0.05
"""The stencil's half-width, for second differences in single precision."""


def stencils(count: int = 1000) -> Data:
    """Points x − h, x, x + h and both ends 0 and 1, (n, 5, 1), and what u″ is to be at x."""
    x = STEP + (1 - 2 * STEP) * torch.rand(count, 1, generator=generator(19))
    ends = torch.tensor([0.0, 1.0]).expand(count, 2)
    inputs = torch.cat([x - STEP, x, x + STEP, ends], 1)[..., None]
    return split(inputs, 10 * torch.sin(2 * math.pi * x) + 5 * x, 200)


# tables


def heavy_tailed(count: int = 2000, columns: int = 12) -> Data:
    """A table as it is: lognormal columns of scales 1e-2 to 1e3, some of them skewed counts; 3 classes."""
    g = generator(20)
    latent = torch.randn(count, columns, generator=g)
    mixed = torch.tanh(latent @ torch.randn(columns, 8, generator=g) / 2) @ torch.randn(8, 3, generator=g)
    x = torch.exp(latent) * torch.logspace(-2, 3, columns)[torch.randperm(columns, generator=g)]
    x[:, ::4] = x[:, ::4].round()
    return split(x, mixed.argmax(1), 400)


def rare(count: int = 3000) -> Data:
    """Ten standard columns; about one row in twenty is positive, by a bent rule. Targets (n, 1)."""
    x = torch.randn(count, 10, generator=generator(21))
    score = x[:, 0] * x[:, 1] + x[:, 2].abs() + 0.5 * x[:, 3]
    return split(x, (score > score.quantile(0.95)).float()[:, None], 600)


def large_targets(count: int = 1500) -> Data:
    """Eight columns → four quantities of mean about 50 and deviation about 20, as measured."""
    g = generator(22)
    x = torch.randn(count, 8, generator=g)
    y = torch.sin(x @ torch.randn(8, 6, generator=g) / 2) @ torch.randn(6, 4, generator=g)
    return split(x, 50 + 20 * (y - y.mean(0)) / y.std(0) + torch.randn(count, 4, generator=g), 300)


def tumours() -> Data:
    """The 569 tumours of scikit-learn, columns standardized; malignant or not, (n, 1)."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    inputs = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    return split(inputs, torch.tensor(y, dtype=torch.float32)[:, None], 150)


# people and things


def ratings(users: int = 60, items: int = 80, count: int = 4000) -> Data:
    """Pairs of a user and a thing, (n, 2), and the rating, centred: low rank with noise. (n,)."""
    g = generator(23)
    who = torch.randint(users, (count,), generator=g)
    what = torch.randint(items, (count,), generator=g)
    taste, kind = torch.randn(users, 3, generator=g), torch.randn(items, 3, generator=g)
    liked = (taste[who] * kind[what]).sum(1) / math.sqrt(3) + 0.2 * torch.randn(count, generator=g)
    return split(torch.stack([who, what], 1), liked, 600)


FIELDS, VALUES = 6, 10


def clicks(count: int = 4000) -> Data:
    """Rows of six fields of ten values, (n, 6), and a click: fields count alone and in pairs. (n,)."""
    g = generator(24)
    x = torch.randint(VALUES, (count, FIELDS), generator=g)
    vectors = torch.randn(FIELDS, VALUES, 3, generator=g)[torch.arange(FIELDS), x]
    total = vectors.sum(1)
    score = 0.5 * (total**2 - (vectors**2).sum(1)).sum(1) / 3 + vectors[..., 0].sum(1) / 2
    clicked = torch.rand(count, generator=g) < torch.sigmoid(score)
    return split(x + VALUES * torch.arange(FIELDS), clicked.float(), 600)


def bandit(count: int = 3000, actions: int = 6) -> Data:
    """Contexts of eight numbers and, at the action that was tried, its reward over the odds of trying it.

    Actions were tried evenly; rewards are 0 or 1. Targets are (n, actions), zero where nothing was tried.
    """
    g = generator(25)
    x = torch.randn(count, 8, generator=g)
    score = torch.sin(x @ torch.randn(8, actions, generator=g))
    tried = torch.randint(actions, (count,), generator=g)
    odds = torch.sigmoid(6 * (score.gather(1, tried[:, None])[:, 0] - 0.5))
    won = (torch.rand(count, generator=g) < odds).float()
    return split(x, functional.one_hot(tried, actions) * won[:, None] * actions, 500)
