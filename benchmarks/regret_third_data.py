"""Data of the third set: tables, people, functions, points. Drawn from fixed seeds."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from regret_problem import Data, generator, split


def standard(x: Tensor) -> Tensor:
    """Columns of mean 0 and deviation 1."""
    return (x - x.mean(0)) / x.std(0)


# tables


def newswire(count: int = 2400, words: int = 500) -> Data:
    """Articles as log(1 + count) of 500 words, most of them zero; five desks."""
    g = generator(301)
    desk = torch.randint(5, (count,), generator=g)
    common = torch.arange(1, words + 1, dtype=torch.float32).reciprocal()
    favour = torch.exp(0.9 * torch.randn(5, words, generator=g))
    odds = common * favour
    length = 40 + 80 * torch.rand(count, 1, generator=g)
    counts = torch.poisson(length * (odds / odds.sum(1, keepdim=True))[desk], generator=g)
    return split(torch.log1p(counts), desk, 400)


def trips(count: int = 2500) -> Data:
    """Hour as sine and cosine, weekday flags, four weather columns; bicycles lent in the hour. (n, 1)."""
    g = generator(302)
    hour, weather = 2 * math.pi * torch.rand(count, generator=g), torch.randn(count, 4, generator=g)
    day = torch.randint(7, (count,), generator=g)
    rush = torch.exp(-8 * (1 - torch.cos(hour - 2))) + torch.exp(-8 * (1 - torch.cos(hour - 4.5)))
    rate = 0.8 + 1.5 * rush * (day < 5) + 0.6 * torch.cos(hour - 3.5) + 0.4 * torch.tanh(weather[:, 0])
    rate = rate - 0.5 * torch.relu(weather[:, 1]) + 0.2 * weather[:, 2] * (day >= 5)
    x = torch.cat([hour.sin()[:, None], hour.cos()[:, None], functional.one_hot(day, 7), weather], 1)
    return split(x, torch.poisson(rate.exp(), generator=g)[:, None], 500)


def dials(count: int = 2200) -> Data:
    """Seven instruments' standard readings; which of four states the engine is in."""
    g = generator(303)
    x = torch.randn(count, 7, generator=g)
    heat, load = x[:, 0] + x[:, 1] * x[:, 2], x[:, 3] - 0.7 * x[:, 4] ** 2 + 0.5
    return split(x, (heat > 0).long() + 2 * (load > 0).long(), 400)


def knots(count: int = 2400) -> Data:
    """Points along three tangled closed curves of space, with noise; which curve."""
    g = generator(304)
    kind, t = torch.randint(3, (count,), generator=g), 2 * math.pi * torch.rand(count, generator=g)
    trefoil = [t.sin() + 2 * (2 * t).sin(), t.cos() - 2 * (2 * t).cos(), -(3 * t).sin()]
    wide = 2 + (2 * t).cos()
    eight = [wide * (3 * t).cos(), wide * (3 * t).sin(), (4 * t).sin()]
    ring = [2.2 * t.cos(), 0.5 * t.sin(), 2.2 * t.sin()]
    curves = torch.stack([torch.stack(curve, 1) for curve in (trefoil, eight, ring)])
    x = curves[kind, torch.arange(count)] + 0.15 * torch.randn(count, 3, generator=g)
    return split(x / 1.5, kind, 400)


def ledger(count: int = 2200) -> Data:
    """Twenty-four standardized columns of a company's books, five factors behind; fails, thrives or holds."""
    g = generator(305)
    factor = torch.randn(count, 5, generator=g)
    x = factor @ torch.randn(5, 24, generator=g) + 0.7 * torch.randn(count, 24, generator=g)
    score = factor[:, 0] + torch.relu(factor[:, 1]) - factor[:, 2].abs() + 0.5 * factor[:, 3]
    return split(standard(x), torch.bucketize(score, score.quantile(torch.tensor([0.3, 0.7]))), 400)


def spirals(count: int = 2000) -> Data:
    """Three arms of a spiral in the plane, a little noise; which arm."""
    g = generator(306)
    arm, far = torch.randint(3, (count,), generator=g), torch.rand(count, generator=g).sqrt()
    angle = 4.2 * far + 2 * math.pi / 3 * arm + 0.15 * torch.randn(count, generator=g)
    return split(2 * torch.stack([far * angle.cos(), far * angle.sin()], 1), arm, 400)


def tides(count: int = 2000) -> Data:
    """Time of [0, 1] → height of the sea: three periods and a surge, standardized."""
    g = generator(307)
    t = torch.rand(count, 1, generator=g)
    sea = torch.sin(31 * t) + 0.5 * torch.sin(16 * t + 1) + 0.3 * torch.sin(62 * t) * t
    sea = sea + torch.exp(-200 * (t - 0.6) ** 2) + 0.05 * torch.randn(count, 1, generator=g)
    return split(2 * t - 1, standard(sea), 400)


def fares(count: int = 2500) -> Data:
    """Pick-up, drop-off, hour and passengers, standardized; the fare as paid, 3 to 60 or so. (n, 1)."""
    g = generator(308)
    a, b = torch.randn(2, count, 2, generator=g)
    hour, people = torch.rand(count, generator=g), torch.randint(1, 6, (count,), generator=g)
    way = (a - b).abs().sum(1)
    late = 1 + 0.4 * torch.sin(2 * math.pi * hour) ** 2
    airport = 9.0 * (b[:, 0] > 1.3)
    fare = 3 + 4 * way * late + airport + (0.5 * torch.randn(count, generator=g)).exp()
    x = torch.cat([a, b, hour[:, None], people[:, None].float()], 1)
    return split(standard(x), fare[:, None], 500)


def strain(count: int = 1800) -> Data:
    """Load and temperature of a beam, standardized → its strain as measured, about ± .05. (n, 1)."""
    g = generator(309)
    load, heat = torch.randn(2, count, 1, generator=g)
    y = 0.02 * load + 0.015 * torch.tanh(3 * load) * heat + 0.02 * torch.sin(2 * heat)
    return split(torch.cat([load, heat], 1), y + 0.001 * torch.randn(count, 1, generator=g), 300)


def flows(count: int = 2500) -> Data:
    """Network flows as logged: bytes, packets, seconds (Pareto tails), ports by thousands; four services."""
    g = generator(310)
    kind = torch.randint(4, (count,), generator=g)
    scale = torch.tensor([[2.0, 0.5, 0.2], [20.0, 4.0, 0.3], [1.0, 0.3, 5.0], [8.0, 2.0, 1.0]])[kind]
    tails = torch.rand(count, 3, generator=g).clamp(min=1e-3) ** (-1 / 1.6)
    port = torch.tensor([0.05, 8.0, 0.4, 3.0])[kind] + 2 * torch.rand(count, generator=g) ** 4
    return split(torch.cat([scale * tails, port[:, None]], 1), kind, 500)


def claims(count: int = 3000) -> Data:
    """Four categories as numbers, then five standard columns, (n, 9); does the policy claim? (n, 1)."""
    g = generator(311)
    sizes = (12, 5, 30, 3)
    fields = torch.stack([torch.randint(size, (count,), generator=g) for size in sizes], 1)
    x = torch.randn(count, 5, generator=g)
    effect = [torch.randn(size, generator=g)[fields[:, k]] for k, size in enumerate(sizes)]
    score = sum(effect) + x[:, 0] * effect[1] + x[:, 1].abs() - 0.8 + 0.5 * x[:, 2]
    claimed = torch.rand(count, generator=g) < torch.sigmoid(1.5 * score)
    return split(torch.cat([fields.float(), x], 1), claimed.float()[:, None], 600)


def rents(count: int = 2500) -> Data:
    """Eight standard columns of a flat; the rent, standardized: products, thresholds, a wave. (n, 1)."""
    g = generator(312)
    x = torch.randn(count, 8, generator=g)
    y = x[:, 0] + x[:, 1] * (x[:, 2] > 0) + torch.sin(2 * x[:, 3]) + 0.5 * x[:, 4] * x[:, 5]
    return split(x, standard(y + 0.1 * torch.randn(count, generator=g))[:, None], 500)


def crops(count: int = 2500) -> Data:
    """Ten standard columns of a field; its yield, its crop of four, and blight or none, (n, 3)."""
    g = generator(313)
    x = torch.randn(count, 10, generator=g)
    h = torch.tanh(x @ torch.randn(10, 6, generator=g) / 2)
    gain = standard(h @ torch.randn(6, generator=g) + 0.1 * torch.randn(count, generator=g))
    crop = (h @ torch.randn(6, 4, generator=g)).argmax(1)
    blight = (h[:, 0] * h[:, 1] + 0.3 * x[:, 2] > 0).float()
    return split(x, torch.stack([gain, crop.float(), blight], 1), 500)


def reach(count: int = 2500) -> Data:
    """Where an arm's hand is → its shoulder's angle, elbow up or down: two answers. (n, 1)."""
    g = generator(314)
    shoulder = 1.5 * torch.rand(count, generator=g) - 0.75
    elbow = (0.4 + 1.8 * torch.rand(count, generator=g)) * (torch.rand(count, generator=g) < 0.5).float().mul(
        2
    ).sub(1)
    hand = torch.stack(
        [shoulder.cos() + (shoulder + elbow).cos(), shoulder.sin() + (shoulder + elbow).sin()], 1
    )
    return split(standard(hand), standard(shoulder)[:, None] + 0.02 * torch.randn(count, 1, generator=g), 500)


def law(count: int = 2000) -> Data:
    """Four columns of [−1, 1]; exp(sin(πa) + b²) + c·d, standardized: a law to be found. (n, 1)."""
    g = generator(315)
    x = 2 * torch.rand(count, 4, generator=g) - 1
    y = torch.exp(torch.sin(math.pi * x[:, 0]) + x[:, 1] ** 2) / 2 + x[:, 2] * x[:, 3]
    return split(x, standard(y)[:, None], 400)


def radar(count: int = 2200) -> Data:
    """Thirty-four returns of a pulse, real and imaginary; one of four targets by its phase's run."""
    g = generator(316)
    kind = torch.randint(4, (count,), generator=g)
    turn = torch.tensor([0.2, 0.5, 0.9, 1.3])[kind][:, None] + 0.1 * torch.randn(count, 1, generator=g)
    angle = turn * torch.arange(17) + 0.8 * torch.randn(count, 1, generator=g)
    x = torch.cat([angle.cos(), angle.sin()], 1)
    return split(x + 0.5 * torch.randn(count, 34, generator=g), kind, 400)


def regions(count: int = 2500) -> Data:
    """Six standard columns in five regions; each has its own bent law. (n, 2), standardized."""
    g = generator(317)
    x = torch.randn(count, 6, generator=g)
    centre = 1.5 * torch.randn(5, 6, generator=g)
    where = torch.cdist(x, centre).argmin(1)
    inner = torch.einsum("ni,nio->no", x, torch.randn(5, 6, 3, generator=g)[where])
    y = torch.einsum("ni,nio->no", torch.tanh(inner / 2), torch.randn(5, 3, 2, generator=g)[where])
    return split(x, standard(y + 0.05 * torch.randn(count, 2, generator=g)), 500)


def mazes(count: int = 2400, length: int = 10) -> Data:
    """Ten moves −1 or 1 across walls at ± 2 that throw back: where one ends, −2 to 2, five classes."""
    g = generator(318)
    moves = 2 * torch.randint(2, (count, length), generator=g) - 1
    place = torch.zeros(count, dtype=torch.long)
    for move in moves.unbind(1):
        place = (place + move).clamp(-2, 2)
    return split(moves.float(), place + 2, 400)


def curves(count: int = 2500, shots: int = 6) -> Data:
    """Six points of an unknown curve, as (place, height), then a place: its height there. (n, 1)."""
    g = generator(319)
    amplitude, phase = 0.5 + torch.rand(count, 1, generator=g), 3 * torch.rand(count, 1, generator=g)
    tilt = torch.randn(count, 1, generator=g) / 2
    place = 2 * torch.rand(count, shots + 1, generator=g) - 1
    place[:, :shots] = place[:, :shots].sort(1).values
    height = amplitude * torch.sin(2 * place + phase) + tilt * place
    seen = torch.stack([place[:, :shots], height[:, :shots]], -1).flatten(1)
    return split(torch.cat([seen, place[:, shots:]], 1), height[:, shots:], 500)


# densities


def crescents(count: int = 3000) -> Data:
    """Two crescents beside two columns that follow them, (n, 4): a density; targets are not used."""
    g = generator(320)
    t = math.pi * torch.rand(count, generator=g)
    side = 2.0 * torch.randint(2, (count,), generator=g) - 1
    moon = torch.stack([side * (t.cos() - 0.5), side * (t.sin() - 0.3)], 1)
    moon = moon + 0.08 * torch.randn(count, 2, generator=g)
    rest = torch.stack([moon[:, 0] * moon[:, 1], moon[:, 0] ** 2 - 0.5], 1)
    x = torch.cat([1.5 * moon, rest + 0.15 * torch.randn(count, 2, generator=g)], 1)
    return split(x, torch.zeros(count), 600)


def swirl(count: int = 4000) -> Data:
    """Points of a spiral under noise, and the noise's logarithm, (n, 3); the noise, standard, (n, 2)."""
    g = generator(321)
    far = torch.rand(count, generator=g).sqrt()
    clean = 2 * far[:, None] * torch.stack([(9 * far).cos(), (9 * far).sin()], 1)
    level = torch.exp(-3.0 + 3.0 * torch.rand(count, 1, generator=g))
    noise = torch.randn(count, 2, generator=g)
    return split(torch.cat([clean + level * noise, level.log()], 1), noise, 800)


# people, things, moves


def episodes(count: int = 2500, actions: int = 3) -> Data:
    """States of a boat, (n, 6); action taken as a one-hot, its old log odds, advantage, return. (n, 6)."""
    g = generator(322)
    state = torch.randn(count, 6, generator=g)
    good = state[:, :3] + torch.tanh(state[:, 3:])
    odds = torch.log_softmax(0.3 * torch.randn(count, actions, generator=g), 1)
    taken = torch.multinomial(odds.exp(), 1, generator=g)
    value = torch.sin(state[:, 0]) + 0.5 * state[:, 4]
    gain = good.gather(1, taken)[:, 0] - good.mean(1)
    advantage = gain + 0.2 * torch.randn(count, generator=g)
    parts = [functional.one_hot(taken[:, 0], actions), odds.gather(1, taken), standard(advantage)[:, None]]
    return split(state, torch.cat([*parts, (value + gain)[:, None]], 1), 500)


def impressions(count: int = 6000) -> Data:
    """Five fields of eight values and three skewed columns, (n, 8); clicked or not. (n,)."""
    g = generator(323)
    fields = torch.randint(8, (count, 5), generator=g)
    dense = torch.log1p(torch.randn(count, 3, generator=g).exp())
    vector = torch.randn(5, 8, 2, generator=g)[torch.arange(5), fields]
    score = (vector[:, 0] * vector[:, 1]).sum(1) + (vector[:, 2] * vector[:, 3]).sum(1) + vector[:, 4, 0]
    score = score + (dense[:, 0] - 0.9) * vector[:, 4, 1] - dense[:, 1]
    clicked = torch.rand(count, generator=g) < torch.sigmoid(2 * score)
    return split(torch.cat([fields.float(), dense], 1), clicked.float(), 600)


def baskets(users: int = 80, items: int = 60, count: int = 4000) -> Data:
    """A buyer, what was bought last, and what is bought now, (n, 3); targets are not used."""
    g = generator(324)
    who, last = torch.randint(users, (count,), generator=g), torch.randint(items, (count,), generator=g)
    taste, kind = torch.randn(users, 4, generator=g), torch.randn(items, 4, generator=g)
    score = (taste[who] + kind[last]) @ kind.T
    now = torch.multinomial(torch.softmax(score, 1), 1, generator=g)[:, 0]
    return split(torch.stack([who, last, now], 1), torch.zeros(count), 512)


def voices(count: int = 2000, speakers: int = 12) -> Data:
    """Two takes of one voice and one of another, (n, 3, 20); targets are not used."""
    g = generator(325)
    voice, mix = torch.randn(speakers, 5, generator=g), torch.randn(10, 20, generator=g) / 3
    mine = torch.randint(speakers, (count,), generator=g)
    other = (mine + torch.randint(1, speakers, (count,), generator=g)) % speakers
    who = torch.stack([mine, mine, other], 1)
    said = 0.8 * torch.randn(count, 3, 5, generator=g)
    heard = torch.sin(torch.cat([voice[who] + 0.1 * said, said], -1) @ mix * 2)
    return split(heard + 0.1 * torch.randn(count, 3, 20, generator=g), torch.zeros(count), 400)


# functions and equations

BURGERS_STEP = 0.05
"""Half-width of the stencil of Burgers' equation, in place and time."""


def burgers(count: int = 1200) -> Data:
    """Stencils (place, time), (n, 8, 2): here, left, right, before, after, first, both ends; first height."""
    g = generator(326)
    h = BURGERS_STEP
    place, time = (
        (2 * torch.rand(count, generator=g) - 1) * (1 - h),
        h + (0.6 - h) * torch.rand(count, generator=g),
    )
    one = torch.ones(count)
    places = [place, place - h, place + h, place, place, place, -one, one]
    times = [time, time, time, time - h, time + h, 0 * one, time, time]
    first = -torch.sin(math.pi * place)
    return split(torch.stack([torch.stack(places, 1), torch.stack(times, 1)], -1), first[:, None], 240)


def terrain(count: int = 3000) -> Data:
    """Coordinates of [−1, 1]² → height of a ridged land, standardized. (n, 1)."""
    g = generator(327)
    x = 2 * torch.rand(count, 2, generator=g) - 1
    wave, turn = 3.0 * 1.7 ** torch.arange(4), torch.randn(4, 2, generator=g)
    ridge = 1 - torch.sin(x @ (wave[:, None] * functional.normalize(turn, dim=1)).T).abs()
    return split(x, standard(ridge @ wave.reciprocal())[:, None], 600)
