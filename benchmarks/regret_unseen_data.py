"""Data of the unseen set: drawn from fixed seeds, or made by scikit-learn."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from sklearn import datasets
from torch.nn import functional

from regret_problem import Data, generator, split

# tables


def orders(count: int = 5000) -> Data:
    """Orders as a shop keeps them: five categories as one-hots, ten flags of 0 and 1; four outcomes."""
    g = generator(201)
    fields = [torch.randint(size, (count,), generator=g) for size in (3, 6, 4, 9, 2)]
    hots = [functional.one_hot(field) for field in fields]
    flags = (torch.rand(count, 10, generator=g) < 0.2).float()
    score = sum(hot.float() @ torch.randn(hot.shape[1], 4, generator=g) for hot in hots)
    score = score + flags @ torch.randn(10, 4, generator=g)
    score = score + torch.randn(9, 6, 4, generator=g)[fields[3], fields[1]]
    return split(torch.cat([*hots, flags], 1).float(), score.argmax(1), 1000)


def houses(count: int = 2500) -> Data:
    """Blocks of houses in their own units, not centred; the price in 100,000s."""
    g = generator(202)
    z = torch.randn(count, 6, generator=g)
    income, rooms = (1 + 0.5 * z[:, 0]).exp(), 5 + 1.5 * z[:, 1]
    age, people = 25 + 25 * torch.tanh(z[:, 2]), (0.8 * z[:, 3]).exp()
    north, east = 2 * z[:, 4], 2 * z[:, 5]
    coast = torch.sigmoid(-2 * (z[:, 4] + z[:, 5]))
    price = 1.2 * income.log() + 0.3 * z[:, 1] + 2 * coast - 0.4 * z[:, 3] * (z[:, 2] > 0)
    price = price + 0.1 * torch.randn(count, generator=g)
    return split(torch.stack([income, rooms, age, people, north, east], 1), price[:, None], 500)


def onion() -> Data:
    """Nested shells of a Gaussian in four columns, four classes."""
    x, y = datasets.make_gaussian_quantiles(n_samples=2500, n_features=4, n_classes=4, random_state=203)
    return split(torch.tensor(x, dtype=torch.float32), torch.tensor(y), 500)


def roll() -> Data:
    """Points of a swiss roll, in tens; where along it they are, standardized."""
    x, y = datasets.make_swiss_roll(2000, noise=0.3, random_state=204)
    target = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
    return split(torch.tensor(x / 10, dtype=torch.float32), target[:, None], 400)


def heaps() -> Data:
    """Six overlapping heaps in eight columns between −10 and 10, as they are."""
    x, y = datasets.make_blobs(2000, 8, centers=6, cluster_std=5.0, random_state=205)
    return split(torch.tensor(x, dtype=torch.float32), torch.tensor(y), 400)


def impedances() -> Data:
    """Friedman's third function, an angle; columns standardized."""
    x, y = datasets.make_friedman3(1800, noise=0.02, random_state=206)
    inputs = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
    return split(inputs, torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)[:, None], 400)


def scattered(count: int = 2500) -> Data:
    """Five columns of [0, 1]; a mean that waves and a spread that grows. (n, 1)."""
    g = generator(207)
    x = torch.rand(count, 5, generator=g)
    mean = 3 * torch.sin(4 * x[:, 0]) + 4 * x[:, 1] * x[:, 2]
    noise = (0.1 + x[:, 3]) * torch.randn(count, generator=g)
    return split(x, (mean + noise)[:, None], 600)


def far_out() -> Data:
    """Ten standard columns; is the sum of their squares above its median? 1 or 0, (n, 1)."""
    x, y = datasets.make_hastie_10_2(2500, random_state=208)
    target = torch.tensor(y > 0, dtype=torch.float32)[:, None]
    return split(torch.tensor(x, dtype=torch.float32), target, 500)


def waveforms(count: int = 2000) -> Data:
    """Breiman's waveforms: 21 columns, each row two of three triangles mixed, and noise; three classes."""
    g = generator(209)
    at = torch.arange(21)
    triangles = torch.stack([(6 - (at - peak).abs()).clamp(min=0).float() for peak in (6, 14, 10)])
    kind, part = torch.randint(3, (count,), generator=g), torch.rand(count, 1, generator=g)
    x = part * triangles[kind] + (1 - part) * triangles[(kind + 1) % 3]
    return split(x + torch.randn(count, 21, generator=g), kind, 400)


def pieces(count: int = 2500) -> Data:
    """Eight columns; four linear laws, the signs of two columns say which holds. (n, 2)."""
    g = generator(210)
    x = torch.randn(count, 8, generator=g)
    which = 2 * (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    laws = torch.randn(4, 8, 2, generator=g) / 2
    y = torch.einsum("ni,nio->no", x, laws[which]) + 0.1 * torch.randn(count, 2, generator=g)
    return split(x, y, 500)


def tuned(count: int = 3000) -> Data:
    """A place, then the amplitude, frequency, phase and offset of a wave, (n, 5); its height."""
    g = generator(211)
    u = torch.rand(count, 5, generator=g)
    place, amplitude, frequency = 2 * u[:, 0] - 1, 0.5 + u[:, 1], 1 + 2 * u[:, 2]
    phase, offset = math.pi * u[:, 3], 2 * u[:, 4] - 1
    y = amplitude * torch.sin(frequency * place + phase) + offset
    return split(torch.stack([place, amplitude, frequency, phase, offset], 1), y[:, None], 600)


# functions and equations


def weave(count: int = 3000) -> Data:
    """Coordinates of [0, 1]² → red, green and blue of a woven cloth. (n, 3)."""
    x = torch.rand(count, 2, generator=generator(212))
    warp, weft = torch.sin(25 * x[:, 0]), torch.sin(19 * x[:, 1] + 2 * x[:, 0])
    colours = torch.stack([warp * weft, torch.maximum(warp, weft), 0.5 * warp + x[:, 1]], 1)
    return split(x, colours, 600)


POISSON_STEP = 0.04
"""Half-width of the stencil of Poisson's equation."""


def charges(count: int = 1200) -> Data:
    """Stencils of five points of the unit square, (n, 5, 2), and the charge in the middle, (n, 1)."""
    g = generator(213)
    middle = POISSON_STEP + (1 - 2 * POISSON_STEP) * torch.rand(count, 2, generator=g)
    moves = POISSON_STEP * torch.tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    x, y = middle.unbind(1)
    charge = 10 * torch.exp(-20 * ((x - 0.3) ** 2 + (y - 0.6) ** 2)) - 5 * x * y
    return split(middle[:, None] + moves, charge[:, None], 300)


def pendulum(count: int = 2000, small: float = 0.01) -> Data:
    """Angle and speed of a damped pendulum, and both 1.2 later. (n, 2)."""
    g = generator(214)
    start = torch.randn(count, 2, generator=g) * torch.tensor([1.2, 1.0])
    angle, speed = start.unbind(1)
    for _ in range(round(1.2 / small)):
        speed = speed - small * (2 * torch.sin(angle) + 0.3 * speed)
        angle = angle + small * speed
    return split(start, torch.stack([angle, speed], 1), 400)


# people, things, moves


def views(count: int = 2000) -> Data:
    """Two views of the same thing side by side, 16 and 12 columns; targets are not used, (n,)."""
    g = generator(215)
    thing = torch.randn(count, 4, generator=g)
    one = torch.tanh(thing @ torch.randn(4, 16, generator=g))
    two = (thing @ torch.randn(4, 12, generator=g)).abs() + thing @ torch.randn(4, 12, generator=g)
    x = torch.cat([one, two], 1)
    return split(x + 0.1 * torch.randn(count, 28, generator=g), torch.zeros(count), 256)


def seen(users: int = 50, items: int = 40, count: int = 4000) -> Data:
    """A user and a film, (n, 2), and whether it was watched to the end, 1 or 0. (n,)."""
    g = generator(216)
    pairs = torch.stack([torch.randint(size, (count,), generator=g) for size in (users, items)], 1)
    taste, film = torch.randn(users, 2, generator=g), torch.randn(items, 2, generator=g)
    known, bias = torch.randn(items, generator=g), torch.randn(users, generator=g)
    score = (taste[pairs[:, 0]] * film[pairs[:, 1]]).sum(1) + known[pairs[:, 1]] + bias[pairs[:, 0]]
    return split(pairs, (2 * score + torch.randn(count, generator=g) > 0).float(), 600)


def landings(count: int = 2500, actions: int = 4) -> Data:
    """States of a lander (n, 5); the action tried, as a one-hot, and its return. (n, 5)."""
    g = generator(217)
    state = torch.randn(count, 5, generator=g) * torch.tensor([1.0, 2.0, 0.5, 1.0, 0.2])
    action = torch.randint(actions, (count,), generator=g)
    best = torch.tanh(state @ torch.randn(5, actions, generator=g))
    value = 3 - state[:, 1].abs() - (state[:, 0] * state[:, 2]).abs()
    found = value + best[torch.arange(count), action] + 0.1 * torch.randn(count, generator=g)
    hot = functional.one_hot(action, actions).float()
    return split(state, torch.cat([hot, found[:, None]], 1), 500)


# images and signals


def bars(count: int = 1500, size: int = 8, waist: int = 5) -> Data:
    """Crossing bars, each there one time in four, and a waist's noise beside them; the bars, 0 or 1."""
    g = generator(218)
    rows, columns = (torch.rand(2, count, size, generator=g) < 0.25).unbind(0)
    image = (rows[:, :, None] | columns[:, None]).flatten(1).float()
    return split(torch.cat([image, torch.randn(count, waist, generator=g)], 1), image, 300)


def peaks(count: int = 1500, length: int = 32) -> Data:
    """Spectra of three lines of any place, width and height, (n, 1, length), asked back."""
    g = generator(219)
    place, width, height = torch.rand(3, count, 3, 1, generator=g).unbind(0)
    at = torch.arange(length) / length
    lines = (0.5 + height) * torch.exp(-(((at - place) / (0.04 + 0.1 * width)) ** 2))
    x = lines.sum(1)
    x = 2 * (x - x.mean())
    return split(x[:, None], x[:, None], 300)


@lru_cache(maxsize=1)
def cells(count: int = 800, size: int = 12) -> Data:
    """Images of discs and rings on a slope of light, (n, 1, size, size); which pixels are of discs."""
    g = generator(220)
    at = torch.arange(size).float()
    mask, image = torch.zeros(2, count, size, size).unbind(0)
    for filled in (True, True, False):
        x, y, radius = (torch.rand(3, count, 1, 1, generator=g)).unbind(0)
        far = ((at - 12 * x) ** 2 + (at[:, None] - 12 * y) ** 2).sqrt() - (1.5 + 1.5 * radius)
        inside = (far < 0).float() if filled else (far.abs() < 0.7).float()
        image, mask = torch.maximum(image, inside), torch.maximum(mask, inside * float(filled))
    slope = torch.randn(count, 1, 1, generator=g) * (at / size - 0.5)
    noisy = image + slope + 0.2 * torch.randn(count, size, size, generator=g)
    return split(noisy[:, None], mask[:, None], 200)


def glyphs(count: int = 2000, size: int = 12) -> Data:
    """A glyph of 4 × 4, one of six, at one of nine places among noise. (n, 1, 12, 12)."""
    g = generator(221)
    shapes = 2.0 * torch.randint(2, (6, 4, 4), generator=g) - 1
    kind, place = torch.randint(6, (count,), generator=g), torch.randint(9, (count,), generator=g)
    cells_ = torch.zeros(count, 9, 4, 4)
    cells_[torch.arange(count), place] = 1.5 * shapes[kind]
    image = cells_.unflatten(1, (3, 3)).permute(0, 1, 3, 2, 4).reshape(count, 1, size, size)
    return split(image + 0.5 * torch.randn(image.shape, generator=g), kind, 300)


def fields(count: int = 1500, size: int = 12) -> Data:
    """Random fields, rough to smooth, (n, 1, 12, 12); how smooth across and along, (n, 2)."""
    g = generator(222)
    smooth = 2 * torch.rand(count, 2, generator=g)
    f = torch.fft.fftfreq(size).abs() * size
    fall = torch.exp(-smooth[:, 0, None, None] * f[:, None] / 2 - smooth[:, 1, None, None] * f / 2)
    white = torch.randn(count, size, size, generator=g)
    field = torch.fft.ifft2(torch.fft.fft2(white) * fall).real
    field = field / field.flatten(1).std(1)[:, None, None]
    return split(field[:, None], smooth - 1, 300)


def beats(count: int = 1500, length: int = 40) -> Data:
    """Four kinds of heartbeats, early, late, double and none, drifting and noisy. (n, 1, length)."""
    g = generator(223)
    kind, at = torch.randint(4, (count,), generator=g), torch.arange(length).float()
    start = 8 + 8 * torch.rand(count, 1, generator=g)
    gap = torch.tensor([6.0, 14.0, 10.0, 0.0])[kind][:, None] + torch.randn(count, 1, generator=g)
    first, second = (torch.exp(-((at - p) ** 2) / 3) for p in (start, start + gap))
    third = torch.exp(-((at - start - 2 * gap) ** 2) / 3) * (kind == 2)[:, None]
    drift = torch.randn(count, 1, generator=g) * (at / length - 0.5)
    x = 3 * first - 2 * second * (kind != 3)[:, None] + 2 * third + drift
    return split((x + 0.4 * torch.randn(count, length, generator=g))[:, None], kind, 300)
