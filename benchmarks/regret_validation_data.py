"""Data of the validation set: drawn from fixed seeds, made or bundled by scikit-learn."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor
from torch.nn import functional

from regret_problem import Data, generator, split

# tables


def _standard(x: np.ndarray) -> Tensor:
    return torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)


def wines() -> Data:
    """The 178 wines of scikit-learn, columns standardized, three growers: 78 to train on."""
    x, y = datasets.load_wine(return_X_y=True)
    return split(_standard(x), torch.tensor(y), 100)


def skewed(count: int = 1500) -> Data:
    """Ten raw columns: Student's t of two degrees, lognormal, counts; a target with outliers. (n, 1)."""
    g = generator(101)
    latent = torch.randn(count, 10, generator=g)
    tails = (-torch.rand(count, 5, generator=g).clamp(1e-6).log()).sqrt()
    counts = (3 * latent[:, 8:].exp()).round()
    columns = [latent[:, :4] / tails[:, :4], 100 * latent[:, 4:8].exp(), counts]
    y = torch.tanh(latent @ torch.randn(10, 4, generator=g) / 2).sum(1)
    outliers = 0.2 * torch.randn(count, generator=g) / tails[:, 4]
    return split(torch.cat(columns, 1), (y + outliers)[:, None], 300)


def topics() -> Data:
    """Documents as counts of twenty words; which of six topics each has, (n, 6)."""
    x, y = datasets.make_multilabel_classification(1500, 20, n_classes=6, n_labels=2, random_state=102)
    return split(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32), 300)


def moons() -> Data:
    """Two interleaved half circles in the plane."""
    x, y = datasets.make_moons(1200, noise=0.15, random_state=103)
    return split(torch.tensor(x, dtype=torch.float32), torch.tensor(y), 300)


def flipped() -> Data:
    """Twenty columns, eight of them informative; three classes, one label in five drawn anew."""
    x, y = datasets.make_classification(
        2000, 20, n_informative=8, n_redundant=4, n_classes=3, flip_y=0.2, random_state=104
    )
    return split(torch.tensor(x, dtype=torch.float32), torch.tensor(y), 400)


def cover(count: int = 2000) -> Data:
    """A table like a forest survey's: six columns scaled to [0, 1], one-hots of 4 and 10; 7 classes."""
    g = generator(105)
    land = torch.randn(count, 6, generator=g)
    area, soil = torch.randint(4, (count,), generator=g), torch.randint(10, (count,), generator=g)
    bent = torch.tanh(land @ torch.randn(6, 8, generator=g) / 1.5) @ torch.randn(8, 7, generator=g)
    score = bent + torch.randn(4, 7, generator=g)[area] + torch.randn(10, 7, generator=g)[soil]
    least, most = land.min(0).values, land.max(0).values
    x = [(land - least) / (most - least), functional.one_hot(area, 4), functional.one_hot(soil, 10)]
    return split(torch.cat(x, 1), score.argmax(1), 400)


def friedman() -> Data:
    """Friedman's first function of ten columns of [0, 1], five of them idle: 200 rows to train on."""
    x, y = datasets.make_friedman1(320, noise=0.5, random_state=106)
    return split(torch.tensor(x, dtype=torch.float32), _standard(y)[:, None], 120)


def impedance() -> Data:
    """Friedman's second function, columns standardized."""
    x, y = datasets.make_friedman2(1200, noise=20.0, random_state=107)
    return split(_standard(x), _standard(y)[:, None], 300)


# images of 10 × 10

SIDE, SHAPES = 10, 5


def _drawn(count: int, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Images of 0 and 1 (n, 1, 10, 10), their kinds, and centre and radius (n, 3)."""
    kind = torch.randint(SHAPES, (count,), generator=g)
    centre = torch.randint(3, SIDE - 3, (count, 2), generator=g)
    radius = torch.randint(2, 4, (count, 1, 1), generator=g)
    at = torch.arange(SIDE)
    down, across = torch.broadcast_tensors(
        (at - centre[:, :1]).abs()[:, :, None], (at - centre[:, 1:]).abs()[:, None]
    )
    far = torch.maximum(down, across)
    every = torch.stack(
        [
            far <= radius,  # square
            far == radius,  # frame
            (torch.minimum(down, across) == 0) & (far <= radius),  # cross
            down + across <= radius,  # diamond
            (down == across) & (far <= radius),  # saltire
        ]
    )
    image = every[kind, torch.arange(count)].float()[:, None]
    return image, kind, torch.cat([centre, radius[:, 0]], 1).float()


def shapes(count: int = 1800) -> Data:
    """Noisy images of five shapes, (n, 1, 10, 10), of changing place and size."""
    g = generator(108)
    image, kind, _ = _drawn(count, g)
    return split(2 * image - 0.5 + 0.3 * torch.randn(image.shape, generator=g), kind, 300)


def flat_shapes() -> Data:
    """The shapes as rows, (n, 100)."""
    found = shapes()
    return Data(found.inputs.flatten(1), found.targets, found.held_inputs.flatten(1), found.held_targets)


def own_shapes(count: int = 1500) -> Data:
    """Clean shapes as rows of 0 and 1, to be given back. (n, 100) both."""
    image, _, _ = _drawn(count, generator(109))
    return split(image.flatten(1), image.flatten(1), 300)


def described_shapes(count: int = 1500) -> Data:
    """A shape's kind, place and size, (n, 8), and its image of 0 and 1, (n, 1, 10, 10)."""
    image, kind, rest = _drawn(count, generator(110))
    place = (rest - rest.mean(0)) / rest.std(0)
    return split(torch.cat([functional.one_hot(kind, SHAPES), place], 1), image, 300)


def stripes(count: int = 1500) -> Data:
    """Noisy stripes of four directions, any width and phase, (n, 1, 10, 10)."""
    g = generator(111)
    kind = torch.randint(4, (count,), generator=g)
    angle = (math.pi / 4 * kind + 0.15 * torch.randn(count, generator=g))[:, None, None]
    often, phase = 0.8 + torch.rand(2, count, 1, 1, generator=g)
    at = torch.arange(SIDE).float()
    wave = torch.sin(often * (at[:, None] * angle.sin() + at * angle.cos()) + 6.28 * phase)
    return split((wave + 0.8 * torch.randn(wave.shape, generator=g))[:, None], kind, 300)


# sequences


def bumps(count: int = 1200, length: int = 32) -> Data:
    """Drifting noisy signals with two plateaus, (n, 1, length), and where the plateaus are."""
    g = generator(112)
    at = torch.arange(length)
    start = torch.randint(length - 8, (count, 2, 1), generator=g)
    size = torch.randint(4, 9, (count, 2, 1), generator=g)
    inside = ((at >= start) & (at < start + size)).any(1).float()
    drift = (0.3 * torch.randn(count, length, generator=g)).cumsum(1)
    signal = 1.5 * inside + drift + 0.3 * torch.randn(count, length, generator=g)
    return split(signal[:, None], inside[:, None], 240)


def _brackets(count: int, length: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Brackets of two kinds, each closed by its own, and how many are open after each. (n, length) both."""
    rows = torch.arange(count)
    stack, depth = torch.zeros(count, length + 1, dtype=torch.long), torch.zeros(count, dtype=torch.long)
    tokens, depths = [], []
    for _ in range(length):
        opens = (torch.rand(count, generator=g) < 0.5) | (depth == 0)
        kind = torch.where(opens, torch.randint(2, (count,), generator=g), stack[rows, depth])
        depth = depth + torch.where(opens, 1, -1)
        stack[rows[opens], depth[opens]] = kind[opens]
        tokens.append(kind + 2 * (~opens).long())
        depths.append(depth)
    return torch.stack(tokens, 1), torch.stack(depths, 1)


def brackets(length: int = 14, count: int = 1500) -> Data:
    """Brackets and those that follow: a language of four tokens. (n, length)."""
    tokens, _ = _brackets(count, length + 1, generator(113))
    return split(tokens[:, :-1], tokens[:, 1:], 300)


def depths(length: int = 12, count: int = 1500) -> Data:
    """Brackets, and how many are open at every place, 6 at most. (n, length) both."""
    tokens, depth = _brackets(count, length, generator(114))
    return split(tokens, depth.clamp(max=6), 300)


def unsorted(length: int = 8, count: int = 2000) -> Data:
    """Tokens of ten kinds, and the same in order. (n, length) both."""
    tokens = torch.randint(10, (count, length), generator=generator(115))
    return split(tokens, tokens.sort(1).values, 300)


def reversed_tokens(length: int = 8, count: int = 2000) -> Data:
    """Tokens of nine kinds, and the same backward. (n, length) both."""
    tokens = torch.randint(9, (count, length), generator=generator(116))
    return split(tokens, tokens.flip(1), 300)


def progressions(length: int = 10, count: int = 1500) -> Data:
    """Arithmetic progressions modulo 13 of steps 1 to 5, and what follows. (n, length) both."""
    g = generator(117)
    start, step = torch.randint(13, (count, 1), generator=g), torch.randint(1, 6, (count, 1), generator=g)
    tokens = (start + step * torch.arange(length + 1)) % 13
    return split(tokens[:, :-1], tokens[:, 1:], 300)


@lru_cache(maxsize=1)
def lorenz(length: int = 10, count: int = 1500) -> Data:
    """Ten moments of Lorenz's system .05 apart, standardized (n, 10, 3), and where it is .2 later (n, 3)."""
    x, y, z, path = 1.0, 1.0, 20.0, []
    for step in range(10 * (3 * count + length) + 1000):
        if step >= 1000 and step % 10 == 0:
            path.append((x, y, z))
        slopes = 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z
        x, y, z = x + 0.005 * slopes[0], y + 0.005 * slopes[1], z + 0.005 * slopes[2]
    states = _standard(np.array(path))
    windows = states.unfold(0, length + 4, 3).transpose(1, 2)[:count]
    return split(windows[:, :length].contiguous(), windows[:, -1].contiguous(), 300)


# sets and graphs


def clouds(count: int = 1500, points: int = 16) -> Data:
    """Points of a ball, its shell, a tube or a cube's corners, (n, points, 3), turned and stretched."""
    g = generator(118)
    kind = torch.randint(4, (count,), generator=g)
    ball = torch.randn(count, points, 3, generator=g)
    shell = functional.normalize(ball, dim=-1)
    inside = shell * torch.rand(count, points, 1, generator=g) ** (1 / 3)
    tube = torch.cat([functional.normalize(ball[..., :2], dim=-1), inside[..., 2:]], -1)
    corners = 0.7 * ball.sign() + 0.1 * shell
    cloud = torch.stack([inside, shell, tube, corners])[kind, torch.arange(count)]
    turn = torch.linalg.qr(torch.randn(count, 3, 3, generator=g)).Q
    cloud = cloud @ turn * (0.8 + 0.4 * torch.rand(count, 1, 1, generator=g))
    return split(cloud + 0.05 * torch.randn(cloud.shape, generator=g), kind, 300)


def triangles(count: int = 1200, nodes: int = 12) -> Data:
    """Graphs of two blocks, and the logarithm of one more than their triangles. (n, 1).

    Inputs are (n, nodes, nodes + 2): the adjacency as it is, then each node's block, one-hot.
    """
    g = generator(119)
    block = torch.randint(2, (count, nodes), generator=g)
    near, apart = torch.rand(2, count, 1, 1, generator=g)
    odds = torch.where(block[:, :, None] == block[:, None], 0.2 + 0.6 * near, 0.4 * apart)
    upper = (torch.rand(count, nodes, nodes, generator=g) < odds).float().triu(1)
    edges = upper + upper.transpose(1, 2)
    closed = (edges @ edges * edges).sum((1, 2)) / 6
    return split(torch.cat([edges, functional.one_hot(block, 2)], -1), torch.log1p(closed)[:, None], 240)


# functions and equations


def sound(count: int = 2500) -> Data:
    """A time of [−1, 1] → the pressure of three fading tones. (n, 1) both."""
    t = 2 * torch.rand(count, 1, generator=generator(120)) - 1
    tones = torch.sin(40 * t) + 0.6 * torch.sin(67 * t + 1) * torch.exp(-t) + 0.4 * torch.cos(95 * t) * t
    return split(t, tones, 500)


HEAT_STEP = 0.05
"""Half-width of the heat equation's stencil in place and time."""


def heat(count: int = 1200) -> Data:
    """Points (place, time), (n, 8, 2), and what the rod's temperature at that place was at first, (n, 1).

    The points are: here; left and right of it; before and after; at time 0; and the rod's two ends.
    """
    here = HEAT_STEP + (1 - 2 * HEAT_STEP) * torch.rand(count, 2, generator=generator(121))
    place, time = here[:, 0], here[:, 1]
    zero, one = torch.zeros(count), torch.ones(count)
    places = [place, place - HEAT_STEP, place + HEAT_STEP, place, place, place, zero, one]
    times = [time, time, time, time - HEAT_STEP, time + HEAT_STEP, zero, time, time]
    first = torch.sin(math.pi * place) + 0.5 * torch.sin(3 * math.pi * place)
    return split(torch.stack([torch.stack(places, 1), torch.stack(times, 1)], -1), first[:, None], 240)


# people, things, moves


def preferred(users: int = 40, items: int = 50, count: int = 4000) -> Data:
    """A user, a thing taken, and one passed over, (n, 3); targets are all 1, (n,)."""
    g = generator(122)
    who = torch.randint(users, (count,), generator=g)
    offered = torch.randint(items, (count, 2), generator=g)
    taste, kind = torch.randn(users, 3, generator=g), torch.randn(items, 3, generator=g)
    liked = (taste[who][:, None] * kind[offered]).sum(-1) + 0.5 * torch.randn(count, 2, generator=g)
    order = liked.argsort(1, descending=True)
    return split(torch.cat([who[:, None], offered.gather(1, order)], 1), torch.ones(count), 600)


def moves(count: int = 2000, actions: int = 3) -> Data:
    """States of a pole on a cart in their own units, and for training its policy and value, (n, 4):

    at the action taken the weight exp(advantage), zero at the others, then the return.
    """
    g = generator(123)
    state = torch.randn(count, 4, generator=g) * torch.tensor([1.2, 2.0, 0.1, 1.5])
    lean = 10 * state[:, 2] + state[:, 3] + 0.1 * state[:, 0]
    taken = torch.randint(actions, (count,), generator=g)
    advantage = 1.5 - (taken - 1 - lean.clamp(-1, 1)).abs() + 0.3 * torch.randn(count, generator=g)
    value = 8 - lean.abs() - 0.5 * state[:, 0].abs()
    weight = functional.one_hot(taken, actions) * (advantage - 0.5).exp()[:, None]
    return split(state, torch.cat([weight, (value + advantage)[:, None]], 1), 400)
