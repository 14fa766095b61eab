"""Networks of the validation set that read sequences, sets and graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# attention


class SelfAttention(nn.Module):
    """Attention of `heads` heads; keys and values may have fewer, shared between queries."""

    def __init__(self, width: int, heads: int, shared: int, causal: bool, rotary: bool) -> None:
        super().__init__()
        self.heads, self.shared, self.causal, self.rotary = heads, shared, causal, rotary
        size = width // heads
        self.wq = nn.Linear(width, width, bias=not rotary)
        self.wk = nn.Linear(width, shared * size, bias=not rotary)
        self.wv = nn.Linear(width, shared * size, bias=not rotary)
        self.wo = nn.Linear(width, width, bias=not rotary)

    def forward(self, x: Tensor) -> Tensor:
        q = self.wq(x).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        k = self.wk(x).unflatten(-1, (self.shared, -1)).transpose(-2, -3)
        v = self.wv(x).unflatten(-1, (self.shared, -1)).transpose(-2, -3)
        if self.rotary:
            q, k = turned(q), turned(k)
        times = self.heads // self.shared
        k, v = k.repeat_interleave(times, -3), v.repeat_interleave(times, -3)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if self.causal:
            later = torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -1e9)
        return self.wo((scores.softmax(-1) @ v).transpose(-2, -3).flatten(-2))  # type: ignore[no-any-return]


def turned(x: Tensor) -> Tensor:
    """Rotary positions of (…, length, size) (Su et al. 2021, arXiv 2104.09864)."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[-2])[:, None] / 10000 ** (torch.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


class Block(nn.Module):
    """Attention and MLP with layer norms first or last."""

    def __init__(self, width: int, heads: int, causal: bool = False, last: bool = False) -> None:
        super().__init__()
        self.last = last
        self.attention = SelfAttention(width, heads, heads, causal, rotary=False)
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        act = nn.ReLU() if last else nn.GELU()
        self.ffn = nn.Sequential(nn.Linear(width, 3 * width), act, nn.Linear(3 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        if self.last:
            x = self.ln1(x + self.attention(x))
            return self.ln2(x + self.ffn(x))  # type: ignore[no-any-return]
        x = x + self.attention(self.ln1(x))
        return x + self.ffn(self.ln2(x))  # type: ignore[no-any-return]


class Tokens(nn.Module):
    """Tokens and learned places through `body`, then the odds of each token; the head may share the table."""

    def __init__(
        self, kinds: int, length: int, width: int, body: list[nn.Module], norm: bool, tied: bool
    ) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(kinds, width), nn.Embedding(length, width)
        self.body = nn.Sequential(*body)
        self.norm: nn.Module = nn.LayerNorm(width) if norm else nn.Identity()
        self.head = None if tied else nn.Linear(width, kinds)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.norm(self.body(self.wte(ids) + self.wpe.weight))
        return x @ self.wte.weight.T if self.head is None else self.head(x)  # type: ignore[no-any-return]


class LlamaBlock(nn.Module):
    """RMSNorm first, rotary attention with shared keys, SwiGLU; no biases (arXiv 2302.13971, 2305.13245)."""

    def __init__(self, width: int, heads: int, shared: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention = SelfAttention(width, heads, shared, causal=True, rotary=True)
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        y = self.ffn_norm(x)
        return x + self.down_proj(functional.silu(self.gate_proj(y)) * self.up_proj(y))  # type: ignore[no-any-return]


def llama(layers: int, kinds: int, width: int = 32) -> nn.Module:
    """A decoder of four query heads on two key heads."""
    body = (LlamaBlock(width, 4, 2, 48) for _ in range(layers))
    table, head = nn.Embedding(kinds, width), nn.Linear(width, kinds, bias=False)
    return nn.Sequential(table, *body, nn.RMSNorm(width), head)


class TokenMixer(nn.Module):
    """Layer norms, an MLP across places and one across channels (arXiv 2105.01601)."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.places = nn.Sequential(nn.Linear(length, 32), nn.GELU(), nn.Linear(32, length))
        self.channels = nn.Sequential(nn.Linear(width, 48), nn.GELU(), nn.Linear(48, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.places(self.ln1(x).mT).mT
        return x + self.channels(self.ln2(x))  # type: ignore[no-any-return]


# recurrence


class GruCell(nn.Module):
    """One step of a gated recurrent unit, a matrix for each gate (Cho et al. 2014, arXiv 1406.1078)."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.update, self.reset = nn.Linear(before + width, width), nn.Linear(before + width, width)
        self.new = nn.Linear(before + width, width)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        both = torch.cat([x, h], -1)
        z, r = torch.sigmoid(self.update(both)), torch.sigmoid(self.reset(both))
        return (1 - z) * h + z * torch.tanh(self.new(torch.cat([x, r * h], -1)))


class Forecast(nn.Module):
    """A GRU over the past; from its last state the future."""

    def __init__(self, columns: int = 3, width: int = 24) -> None:
        super().__init__()
        self.width, self.cell, self.head = width, GruCell(columns, width), nn.Linear(width, columns)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[0], self.width)
        for now in x.unbind(1):
            h = self.cell(now, h)
        return self.head(h)  # type: ignore[no-any-return]


class Tagger(nn.Module):
    """Tokens through an LSTM, a class at every place."""

    def __init__(self, kinds: int, classes: int, width: int = 20) -> None:
        super().__init__()
        self.width, self.embed = width, nn.Embedding(kinds, 8)
        self.gates, self.head = nn.Linear(8 + width, 4 * width), nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        x, states = self.embed(ids), []
        h = c = x.new_zeros(x.shape[0], self.width)
        for now in x.unbind(1):
            i, f, o, g = self.gates(torch.cat([now, h], -1)).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return self.head(torch.stack(states, 1))  # type: ignore[no-any-return]


# sets and graphs


class PointNet(nn.Module):
    """Each point through an MLP, the maximum over points through another (arXiv 1612.00593)."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.point = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 48), nn.ReLU())
        self.cloud = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.cloud(self.point(x).amax(-2))  # type: ignore[no-any-return]


class Isomorphism(nn.Module):
    """MLP(x + sum of neighbours), layer by layer; the mean over nodes is read (arXiv 1810.00826)."""

    def __init__(self, nodes: int = 12, features: int = 2, width: int = 24, layers: int = 3) -> None:
        super().__init__()
        self.nodes = nodes
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(before, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
            for before in [features, *[width] * (layers - 1)]
        )
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        edges, h = x[..., : self.nodes], x[..., self.nodes :]
        for layer in self.layers:
            h = layer(h + edges @ h)
        return self.head(h.mean(-2))  # type: ignore[no-any-return]
