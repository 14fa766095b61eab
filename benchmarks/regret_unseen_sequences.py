"""Networks and data of the unseen set for sequences, sets and graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from regret_problem import Data, generator, split

# data


def power(count: int = 1500, past: int = 16, ahead: int = 4) -> Data:
    """Loads of four coupled grids, 16 moments (n, 16, 4) and the 4 that follow (n, 4, 4)."""
    g = generator(231)
    t = torch.arange(past + ahead).float()[:, None]
    phase = 2 * math.pi * torch.rand(count, 1, 1, generator=g)
    daily = torch.sin(2 * math.pi * t / 8 + phase + torch.arange(4))
    slow = torch.randn(count, 1, 4, generator=g) * (t / past - 0.5)
    x = daily * (1 + 0.5 * torch.randn(count, 1, 4, generator=g)) + slow
    x = x + 0.1 * torch.randn(count, past + ahead, 4, generator=g)
    return split(x[:, :past], x[:, past:], 300)


def levels(count: int = 1200, length: int = 24, kinds: int = 12) -> Data:
    """Two tones cut into twelve levels, and the next level at every time. (n, length) both."""
    g = generator(232)
    t = torch.arange(length + 1).float()
    rate, phase = (2 * torch.rand(2, count, 2, 1, generator=g)).unbind(0)
    tones = torch.sin((0.3 + 0.5 * rate) * t + math.pi * phase)
    tokens = ((0.7 * tones[:, 0] + 0.3 * tones[:, 1] + 1) / 2 * kinds).long().clamp(0, kinds - 1)
    return split(tokens[:, :-1], tokens[:, 1:], 240)


def meters(count: int = 1800, length: int = 14) -> Data:
    """A flow and a reset button, (n, length, 2): what the meter shows at the end, (n, 1)."""
    g = generator(233)
    flow = torch.rand(count, length, generator=g)
    reset = (torch.rand(count, length, generator=g) < 0.15).float()
    total = torch.zeros(count)
    for now in range(length):
        total = total * (1 - reset[:, now]) + flow[:, now]
    return split(torch.stack([flow, reset], -1), (total / 2 - 1)[:, None], 400)


def words(count: int = 1200, length: int = 20) -> Data:
    """Text of twelve words of two to five letters with spaces, and the next letters. (n, length) both."""
    g = generator(234)
    lexicon = [
        [*torch.randint(1, 11, (2 + k % 4,), generator=g).tolist(), 0] for k in range(12)
    ]  # 0 is the space
    rows = []
    for _ in range(count):
        order = torch.randint(12, (length,), generator=g).tolist()
        text = [letter for word in order for letter in lexicon[word]]
        rows.append(text[: length + 1])
    tokens = torch.tensor(rows)
    return split(tokens[:, :-1], tokens[:, 1:], 240)


def delayed(count: int = 1800, length: int = 16, ahead: int = 5) -> Data:
    """Mackey and Glass's equation, delay 17: sixteen moments 3 apart, (n, 16, 1); 15 later, (n, 1)."""
    g = generator(235)
    series = [1.2 + 0.1 * float(v) for v in torch.randn(18, generator=g)]
    while len(series) < 9000:
        late = series[-18]
        series.append(series[-1] + 0.2 * late / (1 + late**10) - 0.1 * series[-1])
    x = torch.tensor(series)
    start = torch.randint(500, len(series) - 3 * (length + ahead), (count,), generator=g)
    window = 4 * (x[start[:, None] + 3 * torch.arange(length + ahead)] - 0.9)
    return split(window[:, :length, None], window[:, -1:], 400)


def sums(count: int = 1500, length: int = 14, kinds: int = 5) -> Data:
    """Each token is the sum of the two before modulo 5, one in twenty at random; what follows."""
    g = generator(236)
    tokens = torch.randint(kinds, (count, length + 1), generator=g)
    slip = torch.rand(count, length + 1, generator=g) < 0.05
    for t in range(2, length + 1):
        following = (tokens[:, t - 1] + tokens[:, t - 2]) % kinds
        tokens[:, t] = torch.where(slip[:, t], tokens[:, t], following)
    return split(tokens[:, :-1], tokens[:, 1:], 300)


def phrases(count: int = 1500, clauses: int = 4) -> Data:
    """Clauses of subject, verb, object, stop; verbs agree with subjects, objects with verbs. 20 tokens."""
    g = generator(237)
    agree = torch.softmax(2.5 * torch.randn(6, 6, generator=g), -1)
    takes = torch.softmax(2.5 * torch.randn(6, 7, generator=g), -1)
    parts = []
    for _ in range(clauses):
        subject = torch.randint(6, (count,), generator=g)
        verb = torch.multinomial(agree[subject], 1, generator=g)[:, 0]
        thing = torch.multinomial(takes[verb], 1, generator=g)[:, 0]
        parts += [subject, 6 + verb, 12 + thing, torch.full((count,), 19)]
    tokens = torch.stack(parts, 1)
    return split(tokens[:, :-1], tokens[:, 1:], 300)


def twins(count: int = 2000, length: int = 10, kinds: int = 14) -> Data:
    """Tokens, and at every place whether the same is met elsewhere, 1 or 0. (n, length) both."""
    tokens = torch.randint(kinds, (count, length), generator=generator(238))
    same = (tokens[:, :, None] == tokens[:, None]).sum(-1) > 1
    return split(tokens, same.long(), 300)


def visits(count: int = 2000, points: int = 16) -> Data:
    """Measurements at irregular times, (n, 16, 2): time and value; their line's level and slope, (n, 2)."""
    g = generator(239)
    line, time = torch.randn(count, 2, 1, generator=g), 2 * torch.rand(count, points, generator=g) - 1
    wild = 3 * torch.randn(count, points, generator=g) * (torch.rand(count, points, generator=g) < 0.1)
    value = line[:, 0] + line[:, 1] * time + wild + 0.1 * torch.randn(count, points, generator=g)
    return split(torch.stack([time, value], -1), line[..., 0], 400)


def networks(count: int = 1200, nodes: int = 10) -> Data:
    """Neighbours as 0 and 1 beside three properties, (n, 10, 10 + 3); bonds' energies added, (n, 1)."""
    g = generator(240)
    half = (torch.rand(count, nodes, nodes, generator=g) < 0.3).float().triu(1)
    edges, x = half + half.mT, torch.randn(count, nodes, 3, generator=g)
    bond = torch.tanh(x[..., :1] * x[..., 1:2].mT)
    energy = (edges * (bond + bond.mT) / 2).sum((1, 2)) / 3 + torch.relu(x[..., 2]).sum(1) / 2
    return split(torch.cat([edges, x], -1), (energy - energy.mean())[:, None], 300)


def gossip(count: int = 1200, nodes: int = 10) -> Data:
    """Neighbours beside two properties, (n, 10, 10 + 2); at every node what its neighbours say, (n, 10)."""
    g = generator(242)
    half = (torch.rand(count, nodes, nodes, generator=g) < 0.35).float().triu(1)
    edges, x = half + half.mT, torch.randn(count, nodes, 2, generator=g)
    near = edges / edges.sum(-1, keepdim=True).clamp(min=1)
    heard = near @ torch.sin(2 * x[..., :1]) + (near @ x[..., 1:]) * x[..., :1]
    return split(torch.cat([edges, x], -1), heard[..., 0], 240)


def crowds(count: int = 2000, points: int = 12) -> Data:
    """Points of a plane, (n, 12, 2): the sides of their box and the farthest's distance, (n, 3)."""
    g = generator(241)
    x = torch.randn(count, points, 2, generator=g) * (0.5 + torch.rand(count, 1, 2, generator=g))
    box = x.amax(1) - x.amin(1)
    return split(x, torch.cat([box, x.norm(dim=-1).amax(1, keepdim=True)], 1), 400)


# mixing and convolution over time


class SeriesMixer(nn.Module):
    """Residual mixing of times, then of columns, twice; a layer from past times to future ones."""

    def __init__(self, past: int = 16, columns: int = 4, ahead: int = 4) -> None:
        super().__init__()
        self.times = nn.ModuleList(nn.Linear(past, past) for _ in range(2))
        self.columns = nn.ModuleList(
            nn.Sequential(nn.Linear(columns, 16), nn.ReLU(), nn.Linear(16, columns)) for _ in range(2)
        )
        self.ahead = nn.Linear(past, ahead)

    def forward(self, x: Tensor) -> Tensor:
        for time, column in zip(self.times, self.columns, strict=True):
            x = x + torch.relu(time(x.mT)).mT
            x = x + column(x)
        return self.ahead(x.mT).mT  # type: ignore[no-any-return]


class WaveNet(nn.Module):
    """Dilated causal convolutions, tanh · sigmoid, skips added up (arXiv 1609.03499, fig. 4)."""

    def __init__(self, kinds: int = 12, width: int = 12) -> None:
        super().__init__()
        self.embed, self.dilations = nn.Embedding(kinds, width), (1, 2, 4)
        self.dilated = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=d) for d in self.dilations)
        self.skip = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in self.dilations)
        self.keep = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in self.dilations[1:])
        self.out1, self.out2 = nn.Conv1d(width, width, 1), nn.Conv1d(width, kinds, 1)

    def forward(self, ids: Tensor) -> Tensor:
        x, skips = self.embed(ids).mT, []
        for k, d in enumerate(self.dilations):
            a, b = self.dilated[k](functional.pad(x, (d, 0))).chunk(2, -2)
            gated = torch.tanh(a) * torch.sigmoid(b)
            skips.append(self.skip[k](gated))
            if k < len(self.keep):
                x = x + self.keep[k](gated)
        y = self.out1(torch.relu(torch.stack(skips).sum(0)))
        return self.out2(torch.relu(y)).mT  # type: ignore[no-any-return]


# recurrence


class MeterGru(nn.Module):
    """A GRU with its gates' input and state matrices stacked, as torch's cell lays them out."""

    def __init__(self, columns: int = 2, hidden: int = 20) -> None:
        super().__init__()
        self.hidden = hidden
        self.w_ih = nn.Parameter(torch.empty(3 * hidden, columns).uniform_(-1, 1) / math.sqrt(hidden))
        self.w_hh = nn.Parameter(torch.empty(3 * hidden, hidden).uniform_(-1, 1) / math.sqrt(hidden))
        self.b_ih, self.b_hh = nn.Parameter(torch.zeros(3 * hidden)), nn.Parameter(torch.zeros(3 * hidden))
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[0], self.hidden)
        for t in range(x.shape[1]):
            ir, iz, new = functional.linear(x[:, t], self.w_ih, self.b_ih).chunk(3, -1)
            hr, hz, hn = functional.linear(h, self.w_hh, self.b_hh).chunk(3, -1)
            z = torch.sigmoid(iz + hz)
            h = z * h + (1 - z) * torch.tanh(new + torch.sigmoid(ir + hr) * hn)
        return self.readout(h)  # type: ignore[no-any-return]


class LetterLstm(nn.Module):
    """Letters through an LSTM of a layer for each gate; the next letter at every place."""

    def __init__(self, kinds: int = 11, hidden: int = 24) -> None:
        super().__init__()
        self.hidden, self.letters = hidden, nn.Embedding(kinds, 12)
        self.inp, self.forget, self.outp, self.cand = (nn.Linear(12 + hidden, hidden) for _ in range(4))
        self.to_letter = nn.Linear(hidden, kinds)

    def forward(self, ids: Tensor) -> Tensor:
        e, outs = self.letters(ids), []
        h = c = e.new_zeros(e.shape[0], self.hidden)
        for t in range(ids.shape[1]):
            u = torch.cat([e[:, t], h], -1)
            c = torch.sigmoid(self.forget(u)) * c + torch.sigmoid(self.inp(u)) * torch.tanh(self.cand(u))
            h = torch.sigmoid(self.outp(u)) * torch.tanh(c)
            outs.append(h)
        return self.to_letter(torch.stack(outs, 1))  # type: ignore[no-any-return]


class ElmanRnn(nn.Module):
    """h ← tanh(W·x + U·h), U without a bias; the last state is read."""

    def __init__(self, columns: int = 1, hidden: int = 28) -> None:
        super().__init__()
        self.w, self.u = nn.Linear(columns, hidden), nn.Linear(hidden, hidden, bias=False)
        self.v = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.w(x[:, 0]))
        for t in range(1, x.shape[1]):
            h = torch.tanh(self.w(x[:, t]) + self.u(h))
        return self.v(h)  # type: ignore[no-any-return]
