"""Sequences, sets and graphs of the third set, and the networks that read them one step after another."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from regret_problem import Data, generator, split

# data


def melodies(count: int = 1500, length: int = 12, kinds: int = 12) -> Data:
    """Melodies: the step up or down depends on the last step and the beat; what follows. (n, length)."""
    g = generator(341)
    odds = torch.softmax(2.5 * torch.randn(4, 5, 5, generator=g), -1)
    note, step = torch.randint(kinds, (count,), generator=g), torch.full((count,), 2)
    notes = [note]
    for beat in range(length):
        step = torch.multinomial(odds[beat % 4, step], 1, generator=g)[:, 0]
        note = (note + step - 2) % kinds
        notes.append(note)
    tokens = torch.stack(notes, 1)
    return split(tokens[:, :-1], tokens[:, 1:], 300)


def rounds(count: int = 1500, length: int = 12, period: int = 3, kinds: int = 10) -> Data:
    """Patterns of three tokens sung again and again, one in twenty wrong; what follows. (n, length)."""
    g = generator(342)
    pattern = torch.randint(kinds, (count, period), generator=g)
    tokens = pattern[:, torch.arange(length + 1) % period]
    wrong = torch.rand(tokens.shape, generator=g) < 0.05
    tokens = torch.where(wrong, torch.randint(kinds, tokens.shape, generator=g), tokens)
    return split(tokens[:, :-1], tokens[:, 1:], 300)


def moods(count: int = 2500, length: int = 6, kinds: int = 10) -> Data:
    """Sentences of words good or bad, meant the other way round where word 0 is anywhere; good or bad."""
    g = generator(343)
    worth = torch.randn(kinds, generator=g).index_fill(0, torch.tensor([0]), 0.0)
    tokens = torch.randint(kinds, (count, length), generator=g)
    tokens = torch.where(torch.rand(count, 1, generator=g) < 0.3, tokens.clamp(min=1), tokens)
    ironic = (tokens == 0).any(1)
    score = (worth - worth[1:].mean() * (torch.arange(kinds) > 0))[tokens].sum(1)
    return split(tokens, ((score > 0) ^ ironic).long(), 400)


def peaks_in_order(count: int = 1500, length: int = 24) -> Data:
    """Signals with three peaks, (n, 1, 24); place and height of each, from left to right, (n, 3, 2)."""
    g = generator(344)
    place = (torch.rand(count, 3, generator=g) + torch.arange(3)) / 3
    height = 0.5 + torch.rand(count, 3, generator=g)
    at = (torch.arange(length) + 0.5) / length
    signal = (height[..., None] * torch.exp(-(((at - place[..., None]) / 0.06) ** 2))).sum(1)
    signal = 2 * signal - 0.5 + 0.05 * torch.randn(count, length, generator=g)
    target = torch.stack([6 * (place - torch.arange(3) / 3) - 1, 4 * (height - 1)], -1) / 2
    return split(signal[:, None], target, 300)


def gestures(count: int = 1500, length: int = 14) -> Data:
    """Accelerations along three axes, (n, 14, 3), of five gestures, slow or fast, with drift."""
    g = generator(345)
    kind = torch.randint(5, (count,), generator=g)
    pace = (0.35 + 0.15 * torch.rand(count, 1, generator=g)) * torch.arange(length)
    phase = torch.randn(count, 1, generator=g)
    angle = pace + phase
    moves = torch.stack(
        [
            torch.stack([angle.sin(), angle.cos(), 0 * angle], -1),
            torch.stack([angle.sin(), -angle.cos(), 0 * angle], -1),
            torch.stack([angle.sin(), (2 * angle).sin(), 0 * angle], -1),
            torch.stack([angle.sin().abs(), 0 * angle, angle.cos()], -1),
            torch.stack([0 * angle, angle.sin(), angle.cos()], -1),
        ]
    )[kind, torch.arange(count)]
    drift = 0.15 * torch.randn(count, length, 3, generator=g).cumsum(1)
    return split(moves + drift + 0.3 * torch.randn(count, length, 3, generator=g), kind, 300)


def markets(count: int = 1500, length: int = 14) -> Data:
    """Returns and volumes, (n, 14, 2), and the logarithm of what volatility is after them, (n, 1)."""
    g = generator(346)
    level, rows, shown = torch.randn(count, generator=g), [], torch.randn(count, length, 2, generator=g)
    for now in range(length):
        level = 0.8 * level + 0.6 * torch.randn(count, generator=g)
        rows.append(torch.stack([shown[:, now, 0] * torch.exp(level / 2), level + shown[:, now, 1]], 1))
    return split(torch.stack(rows, 1), level[:, None], 300)


def latches(count: int = 1600, length: int = 15) -> Data:
    """A noisy stream with one pulse of up or down and a later "read": which it was, (n, 15, 2); (n,)."""
    g = generator(347)
    way = torch.randint(3, (count,), generator=g)
    when = torch.randint(0, 6, (count,), generator=g)
    x = torch.stack(
        [0.25 * torch.randn(count, length, generator=g), torch.rand(count, length, generator=g)], -1
    )
    x[torch.arange(count), when, 0] += 1.5 * (way - 1)
    x[torch.arange(count), when, 1] = -1.0
    return split(x, way, 300)


def loads(count: int = 1600, past: int = 24, ahead: int = 6) -> Data:
    """Electric loads: trend, two seasons, noise; 24 hours, (n, 24), and the 6 that follow, (n, 6)."""
    g = generator(348)
    t = torch.arange(past + ahead).float()
    trend = torch.randn(count, 1, generator=g) * (t / past - 0.5)
    phase = 6.28 * torch.rand(count, 2, generator=g)
    season = torch.sin(2 * math.pi * t / 12 + phase[:, :1]) + 0.5 * torch.sin(
        2 * math.pi * t / 6 + phase[:, 1:]
    )
    size = 0.5 + torch.rand(count, 1, generator=g)
    x = trend + size * season + 0.1 * torch.randn(count, past + ahead, generator=g)
    return split(x[:, :past], x[:, past:], 300)


def citations(count: int = 1200, nodes: int = 12, words: int = 8) -> Data:
    """Papers that cite their field, as 0 and 1, beside faint words, (n, 12, 20); each one's field of 4."""
    g = generator(349)
    field = torch.randint(4, (count, nodes), generator=g)
    odds = torch.where(field[:, :, None] == field[:, None], 0.7, 0.08)
    half = (torch.rand(count, nodes, nodes, generator=g) < odds).float().triu(1)
    faint = 0.9 * torch.randn(4, words, generator=g)[field] + 1.3 * torch.randn(
        count, nodes, words, generator=g
    )
    return split(torch.cat([half + half.mT, faint], -1), field, 240)


def molecules(count: int = 1300, nodes: int = 9) -> Data:
    """Bonds as 0 and 1 beside atoms of four kinds, (n, 9, 9 + 4); a standardized property, (n, 1)."""
    g = generator(350)
    half = (torch.rand(count, nodes, nodes, generator=g) < 0.3).float().triu(1)
    bonds = half + half.mT
    atom = torch.randint(4, (count, nodes), generator=g)
    hot = functional.one_hot(atom, 4).float()
    table = torch.randn(4, 4, generator=g)
    energy = (bonds * (hot @ (table + table.T) @ hot.mT)).sum((1, 2)) / 4
    energy = energy + torch.randn(4, generator=g)[atom].sum(1) + 0.2 * (bonds.sum(-1) == 1).sum(1)
    y = (energy - energy.mean()) / energy.std()
    return split(torch.cat([bonds, hot], -1), y[:, None], 260)


def outbreaks(count: int = 1300, nodes: int = 10) -> Data:
    """Who meets whom, as 0 and 1, beside age, fever and mask, (n, 10, 10 + 3); each one's risk, (n, 10)."""
    g = generator(351)
    half = (torch.rand(count, nodes, nodes, generator=g) < 0.35).float().triu(1)
    meets, x = half + half.mT, torch.randn(count, nodes, 3, generator=g)
    near = torch.softmax(2 * x[..., 1][:, None] + torch.where(meets > 0, 0.0, -1e9), -1) * (meets > 0)
    risk = (near @ x[..., 1:2])[..., 0] + 0.5 * x[..., 0] * torch.sigmoid(x[..., 2])
    return split(torch.cat([meets, x], -1), (risk - risk.mean()) / risk.std(), 260)


def wallets(count: int = 2000, items: int = 14) -> Data:
    """Up to 14 payments, absent ones marked 0, (n, 14, 4): mark, amount, hour; spent, most, by night."""
    g = generator(352)
    there = (torch.arange(items) < torch.randint(3, items + 1, (count, 1), generator=g)).float()
    amount, hour = torch.randn(count, items, generator=g).exp(), torch.rand(count, items, generator=g)
    around = [torch.sin(2 * math.pi * hour), torch.cos(2 * math.pi * hour)]
    x = torch.stack([there, there * amount, there * around[0], there * around[1]], -1)
    paid = there * amount
    night = (paid * (hour < 0.3)).sum(1)
    y = torch.stack([paid.sum(1), paid.amax(1), night], 1).log1p()
    return split(x, (y - y.mean(0)) / y.std(0), 400)


# recurrence


class UnrolledLstm(nn.LSTM):
    """torch's LSTM, batch first, with its forward written out: the fused one cannot be stacked by vmap."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """All states of the last layer."""
        for layer in range(self.num_layers):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            w_ih, w_hh, b_ih, b_hh = (getattr(self, f"{name}_l{layer}") for name in names)
            h = c = x.new_zeros(x.shape[0], self.hidden_size)
            into, states = functional.linear(x, w_ih, b_ih), []
            for now in into.unbind(1):
                i, f, g, o = (now + functional.linear(h, w_hh, b_hh)).chunk(4, -1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                states.append(h)
            x = torch.stack(states, 1)
        return x


class VolatilityLstm(nn.Module):
    """Two layers of LSTM, the last state read."""

    def __init__(self, columns: int = 2, hidden: int = 16) -> None:
        super().__init__()
        self.lstm = UnrolledLstm(columns, hidden, num_layers=2, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x)[:, -1])  # type: ignore[no-any-return]


class GestureGru(nn.Module):
    """torch's GRU cell, step after step; the mean of its states through a hidden layer."""

    def __init__(self, columns: int = 3, hidden: int = 24, classes: int = 5) -> None:
        super().__init__()
        self.hidden, self.cell = hidden, nn.GRUCell(columns, hidden)
        self.head = nn.Sequential(nn.Linear(hidden, 24), nn.ReLU(), nn.Linear(24, classes))

    def forward(self, x: Tensor) -> Tensor:
        h, states = x.new_zeros(x.shape[0], self.hidden), []
        for now in x.unbind(1):
            h = self.cell(now, h)
            states.append(h)
        return self.head(torch.stack(states).mean(0))  # type: ignore[no-any-return]


class LatchRnn(nn.Module):
    """h ← f·h + (1 − f)·tanh(x·W + (f·h)·U): a minimal gated unit of plain matrices (arXiv 1603.09420)."""

    def __init__(self, columns: int = 2, hidden: int = 24, classes: int = 3) -> None:
        super().__init__()
        self.W_f = nn.Parameter(0.1 * torch.randn(columns, hidden))
        self.U_f = nn.Parameter(0.1 * torch.randn(hidden, hidden))
        self.b_f = nn.Parameter(torch.ones(hidden))
        self.W_h = nn.Parameter(0.1 * torch.randn(columns, hidden))
        self.U_h = nn.Parameter(0.1 * torch.randn(hidden, hidden))
        self.b_h = nn.Parameter(torch.zeros(hidden))
        self.W_o = nn.Parameter(0.1 * torch.randn(hidden, classes))
        self.b_o = nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[0], self.U_h.shape[0])
        for now in x.unbind(1):
            f = torch.sigmoid(now @ self.W_f + h @ self.U_f + self.b_f)
            h = f * h + (1 - f) * torch.tanh(now @ self.W_h + (f * h) @ self.U_h + self.b_h)
        return h @ self.W_o + self.b_o


class NBeats(nn.Module):
    """Blocks that explain what is left of the past and add to the future (arXiv 1905.10437)."""

    def __init__(self, past: int = 24, ahead: int = 6, blocks: int = 3, width: int = 32) -> None:
        super().__init__()
        self.past, self.ahead = past, ahead
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(nn.Linear(past, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()),
                *(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, past + ahead)),
            )
            for _ in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        future = x.new_zeros(x.shape[0], self.ahead)
        for block in self.blocks:
            backcast, forecast = block(x).split([self.past, self.ahead], -1)
            x, future = x - backcast, future + forecast
        return future


# sets and graphs


class GraphConvolution(nn.Module):
    """Â·x·W + b, W (in, out) drawn within ± 1/√out, as in Kipf's first code (arXiv 1609.02907)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(after)
        self.weight = nn.Parameter(torch.empty(before, after).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(after).uniform_(-bound, bound))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return adjacency @ (x @ self.weight) + self.bias


class CitationGcn(nn.Module):
    """Two graph convolutions on D^−½·(A + I)·D^−½."""

    def __init__(self, nodes: int = 12, words: int = 8, hidden: int = 24, classes: int = 4) -> None:
        super().__init__()
        self.nodes = nodes
        self.gc1, self.gc2 = GraphConvolution(words, hidden), GraphConvolution(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        edges, h = x[..., : self.nodes] + torch.eye(self.nodes), x[..., self.nodes :]
        root = edges.sum(-1).rsqrt()
        adjacency = root[..., :, None] * edges * root[..., None, :]
        return self.gc2(torch.relu(self.gc1(h, adjacency)), adjacency)  # type: ignore[no-any-return]


class MoleculeGin(nn.Module):
    """MLP((1 + ε)·x + neighbours), batch norms inside, sums over nodes of every layer (arXiv 1810.00826)."""

    def __init__(self, nodes: int = 9, kinds: int = 4, width: int = 16, layers: int = 3) -> None:
        super().__init__()
        self.nodes = nodes
        self.eps = nn.Parameter(torch.zeros(layers))
        self.enter = nn.Linear(kinds, width, bias=False)
        self.lin1 = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, track_running_stats=False) for _ in range(layers))
        self.lin2 = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.read = nn.Linear(layers * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        edges, h, sums = x[..., : self.nodes], self.enter(x[..., self.nodes :]), []
        for k, eps in enumerate(self.eps):
            h = self.lin1[k]((1 + eps) * h + edges @ h)
            h = self.norms[k](h.flatten(0, 1)).unflatten(0, (-1, self.nodes))
            h = torch.relu(self.lin2[k](torch.relu(h)))
            sums.append(h.sum(-2))
        return self.read(torch.cat(sums, -1))  # type: ignore[no-any-return]


class EdgeAttention(nn.Module):
    """GATv2: a·leaky(W·x_i + U·x_j) for each of two heads, over neighbours (arXiv 2105.14491)."""

    def __init__(self, before: int, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.lin_l, self.lin_r = nn.Linear(before, width), nn.Linear(before, width)
        self.att = nn.Parameter(torch.empty(heads, width // heads))
        nn.init.xavier_uniform_(self.att)
        self.res = nn.Linear(before, width, bias=False)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        left = self.lin_l(x).unflatten(-1, (self.heads, -1))
        right = self.lin_r(x).unflatten(-1, (self.heads, -1))
        both = functional.leaky_relu(left[..., None, :, :] + right[..., :, None, :, :], 0.2)
        score = (both * self.att).sum(-1).masked_fill(edges[..., None] == 0, -1e9)
        mixed = torch.einsum("bijh,bjhd->bihd", score.softmax(-2), left)
        return mixed.flatten(-2) + self.res(x)  # type: ignore[no-any-return]


class OutbreakGat(nn.Module):
    """Two layers of edge attention, ELU between, a number at every node."""

    def __init__(self, nodes: int = 10, columns: int = 3, width: int = 16) -> None:
        super().__init__()
        self.nodes = nodes
        self.conv1, self.conv2 = EdgeAttention(columns, width), EdgeAttention(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        edges, h = x[..., : self.nodes] + torch.eye(self.nodes), x[..., self.nodes :]
        h = functional.elu(self.conv1(h, edges))
        return self.out(functional.elu(self.conv2(h, edges)))[..., 0]  # type: ignore[no-any-return]


class WalletSet(nn.Module):
    """Each payment through a GELU net, absent ones left out of the sum, a GELU net (arXiv 1703.06114)."""

    def __init__(self, columns: int = 4, width: int = 32) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            *(nn.Linear(columns, width), nn.GELU(), nn.Linear(width, width), nn.GELU()),
            nn.Linear(width, width),
        )
        self.rho = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.rho((self.phi(x) * x[..., :1]).sum(-2))  # type: ignore[no-any-return]
