"""Networks of the wide development set that read sequences, sets and graphs."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# attention


class Attention(nn.Module):
    """Self-attention over all places or, causal, over earlier ones; rotary on request."""

    def __init__(self, width: int, heads: int, causal: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)) for part in self.qkv(x).chunk(3, -1))
        q, k, v = (part.transpose(-2, -3) for part in (q, k, v))
        if self.causal:  # the decoder of this set is the rotary one
            q, k = rotated(q), rotated(k)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if self.causal:
            allowed = torch.ones(x.shape[-2], x.shape[-2], dtype=torch.bool).tril()
            scores = scores.masked_fill(~allowed, -1e9)
        mixed = torch.softmax(scores, -1) @ v
        return self.out(mixed.transpose(-2, -3).flatten(-2))  # type: ignore[no-any-return]


def rotated(x: Tensor) -> Tensor:
    """Rotary position embedding of (…, length, width) (Su et al. 2021, arXiv 2104.09864, eq. 34)."""
    length, half = x.shape[-2], x.shape[-1] // 2
    angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(half) / half)
    one, two = x.chunk(2, -1)
    return torch.cat([one * angle.cos() - two * angle.sin(), one * angle.sin() + two * angle.cos()], -1)


class SwiGLU(nn.Module):
    """W₃(silu(W₁x) · W₂x), without biases."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.rise = nn.Linear(width, hidden, bias=False)
        self.fall = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fall(functional.silu(self.gate(x)) * self.rise(x))  # type: ignore[no-any-return]


class LlamaLayer(nn.Module):
    """RMSNorm first, rotary causal attention, SwiGLU; no biases."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention = Attention(width, 4, causal=True, bias=False)
        self.mlp = SwiGLU(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


def llama(layers: int, width: int = 32, vocabulary: int = 24) -> nn.Module:
    """A small decoder in Llama's manner."""
    return nn.Sequential(
        nn.Embedding(vocabulary, width),
        *(LlamaLayer(width) for _ in range(layers)),
        nn.RMSNorm(width),
        nn.Linear(width, vocabulary, bias=False),
    )


class EncoderLayer(nn.Module):
    """An encoder's layer, norms before or after."""

    def __init__(self, width: int, first: bool) -> None:
        super().__init__()
        self.first, self.attention = first, Attention(width, 4)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        activation = nn.GELU() if first else nn.ReLU()
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), activation, nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        if self.first:
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.mlp(x))  # type: ignore[no-any-return]


class Vit(nn.Module):
    """Digits as 16 patches of 2 × 2 behind a class token, which is read out."""

    def __init__(self, layers: int, width: int = 32) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.layers = nn.Sequential(*(EncoderLayer(width, first=True) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x.reshape(-1, 1, 8, 8)).flatten(-2).transpose(-1, -2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], -2) + self.places
        return self.head(self.norm(self.layers(x))[:, 0])  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Tokens → class: norms last, the mean over places read out."""

    def __init__(self, layers: int, width: int = 32) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(12, width), nn.Embedding(16, width)
        self.layers = nn.Sequential(*(EncoderLayer(width, first=False) for _ in range(layers)))
        self.head = nn.Linear(width, 4)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.layers(self.tokens(ids) + self.places.weight)
        return self.head(x.mean(-2))  # type: ignore[no-any-return]


# recurrence


class Gru(nn.Module):
    """A GRU by hand, its last state read out."""

    def __init__(self, before: int, width: int, after: int) -> None:
        super().__init__()
        self.width = width
        self.into, self.again = nn.Linear(before, 3 * width), nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, after)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(*x.shape[:-2], self.width)
        for t in range(x.shape[-2]):
            reset, keep, new = self.into(x[..., t, :]).chunk(3, -1)
            reset_h, keep_h, new_h = self.again(h).chunk(3, -1)
            keep = torch.sigmoid(keep + keep_h)
            h = keep * h + (1 - keep) * torch.tanh(new + torch.sigmoid(reset + reset_h) * new_h)
        return self.head(h)  # type: ignore[no-any-return]


class Direction(nn.Module):
    """A tanh RNN that gives all its states, forward in time or backward."""

    def __init__(self, before: int, width: int, backward: bool) -> None:
        super().__init__()
        self.width, self.back = width, backward
        self.into, self.again = nn.Linear(before, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        h, states = x.new_zeros(*x.shape[:-2], self.width), []
        for t in reversed(range(x.shape[-2])) if self.back else range(x.shape[-2]):
            h = torch.tanh(self.into(x[..., t, :]) + self.again(h))
            states.append(h)
        return torch.stack(states[::-1] if self.back else states, -2)


class Bidirectional(nn.Module):
    """Layers of RNNs in both directions; the mean over time is read out."""

    def __init__(self, before: int, width: int, layers: int, after: int) -> None:
        super().__init__()
        sizes = [before, *[2 * width] * (layers - 1)]
        self.ahead = nn.ModuleList(Direction(size, width, backward=False) for size in sizes)
        self.back = nn.ModuleList(Direction(size, width, backward=True) for size in sizes)
        self.head = nn.Linear(2 * width, after)

    def forward(self, x: Tensor) -> Tensor:
        for ahead, back in zip(self.ahead, self.back, strict=True):
            x = torch.cat([ahead(x), back(x)], -1)
        return self.head(x.mean(-2))  # type: ignore[no-any-return]


# convolution in time


class Dilated(nn.Module):
    """x + two causal dilated convolutions with ReLU."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.pad = 2 * dilation
        self.first = nn.Conv1d(channels, channels, 3, dilation=dilation)
        self.last = nn.Conv1d(channels, channels, 3, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first(functional.pad(x, (self.pad, 0))))
        return torch.relu(x + self.last(functional.pad(y, (self.pad, 0))))


def tcn(channels: int = 12) -> nn.Module:
    """A temporal convolutional network: dilations 1, 2, 4, one output at each time."""
    blocks = (Dilated(channels, dilation) for dilation in (1, 2, 4))
    return nn.Sequential(nn.Conv1d(1, channels, 1), *blocks, nn.Conv1d(channels, 1, 1))


def strided(channels: int = 16) -> nn.Module:
    """Strided convolutions with GELU straight from the signal, then a hidden layer."""
    layers: list[nn.Module] = []
    for before, after, size in ((1, channels, 5), (channels, channels, 4), (channels, 2 * channels, 4)):
        layers += [nn.Conv1d(before, after, size, stride=2), nn.GELU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * channels, 32), nn.GELU(), nn.Linear(32, 10))


# sets and graphs


class DeepSet(nn.Module):
    """Each point through an MLP, the sum through another (Zaheer et al. 2017, arXiv 1703.06114)."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.each = nn.Sequential(
            nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )
        self.all = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.all(self.each(x).sum(-2))  # type: ignore[no-any-return]


class GraphNet(nn.Module):
    """φ(A·X·W), layer by layer (Kipf & Welling 2017, arXiv 1609.02907), on dense graphs of one size."""

    def __init__(self, nodes: int = 14, features: int = 6, width: int = 32, layers: int = 3) -> None:
        super().__init__()
        self.nodes = nodes
        sizes = [features, *[width] * layers]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        edges, h = x[..., : self.nodes], x[..., self.nodes :]
        for layer in self.layers:
            h = torch.relu(edges @ layer(h))
        return self.head(h)  # type: ignore[no-any-return]
