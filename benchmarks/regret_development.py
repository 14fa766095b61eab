"""The development problems: rules may be tuned on these, and are judged on others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from regret_problem import (
    Problem,
    chain,
    digits,
    few_rows,
    own_digits,
    picture,
    product_of_waves,
    raw_digits,
    recalled,
    token_loss,
    waves,
)

Activation = Callable[[], nn.Module]


class Sine(nn.Module):
    """sin(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


def mlp(sizes: list[int], activation: Activation) -> nn.Module:
    """Linear layers with an activation between."""
    layers: list[nn.Module] = []
    for k, (before, after) in enumerate(itertools.pairwise(sizes)):
        layers += [nn.Linear(before, after)] + ([activation()] if k < len(sizes) - 2 else [])
    return nn.Sequential(*layers)


def deep(depth: int, activation: Activation, width: int = 48) -> Callable[[], nn.Module]:
    """An MLP of `depth` weights on the digits."""
    return lambda: mlp([64, *[width] * (depth - 1), 10], activation)


def cnn(depth: int, channels: int, activation: Activation) -> Callable[[], nn.Module]:
    """A plain convolutional network on the digits: two strides, then `depth` layers of 4 × 4."""

    def build() -> nn.Module:
        layers: list[nn.Module] = [
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, channels, 3, padding=1, stride=2),
            activation(),
        ]
        for _ in range(depth - 1):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), activation()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))

    return build


def cnn_on_waves(depth: int, channels: int) -> Callable[[], nn.Module]:
    """A plain convolutional network on one-dimensional signals."""

    def build() -> nn.Module:
        layers: list[nn.Module] = [nn.Conv1d(1, channels, 3, padding=1, stride=2), nn.ReLU()]
        layers += [nn.Conv1d(channels, channels, 3, padding=1, stride=2), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv1d(channels, channels, 3, padding=1), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, 10))

    return build


class Residual(nn.Module):
    """x + W₂·φ(W₁·x), without a norm."""

    def __init__(self, width: int, activation: Activation) -> None:
        super().__init__()
        self.first, self.activation, self.last = (
            nn.Linear(width, width),
            activation(),
            nn.Linear(width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(self.activation(self.first(x)))


def residual(blocks: int, activation: Activation, width: int = 40) -> Callable[[], nn.Module]:
    """A residual MLP on the digits."""
    return lambda: nn.Sequential(
        nn.Linear(64, width), *(Residual(width, activation) for _ in range(blocks)), nn.Linear(width, 10)
    )


class ConvBlock(nn.Module):
    """A residual block of two convolutions, with a norm after each or without."""

    def __init__(self, channels: int, norm: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=not norm)
        self.last = nn.Conv2d(channels, channels, 3, padding=1, bias=not norm)
        self.norm1: nn.Module = over_batch(channels) if norm else nn.Identity()
        self.norm2: nn.Module = over_batch(channels) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm2(self.last(torch.relu(self.norm1(self.first(x))))))


def over_batch(channels: int) -> nn.Module:
    """Batch norm by the batch's own statistics, always: running ones cannot be stacked."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def conv_residual(blocks: int, channels: int, norm: bool) -> Callable[[], nn.Module]:
    """A residual convolutional network on the digits."""

    def build() -> nn.Module:
        stem = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, channels, 3, padding=1, stride=2)]
        body = [ConvBlock(channels, norm) for _ in range(blocks)]
        return nn.Sequential(*stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))

    return build


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._heads(layer(x)) for layer in (self.query, self.key, self.value))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        length = x.shape[-2]
        allowed = torch.ones(length, length, dtype=torch.bool).tril()
        weights = torch.softmax(scores.masked_fill(~allowed, -1e9), -1)
        return self.out((weights @ v).transpose(-2, -3).flatten(-2))  # type: ignore[no-any-return]

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)


class Layer(nn.Module):
    """A transformer's layer, norms before or after."""

    def __init__(self, width: int, heads: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.rise, self.fall = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def mlp(self, x: Tensor) -> Tensor:
        return self.fall(functional.gelu(self.rise(x)))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        if self.first:
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.mlp(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """A small GPT: tokens to the odds of the next."""

    def __init__(self, layers: int, first: bool, width: int = 32, vocabulary: int = 24) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(24, width)
        self.layers = nn.ModuleList(Layer(width, 4, first) for _ in range(layers))
        self.norm: nn.Module = nn.LayerNorm(width) if first else nn.Identity()
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places.weight[: ids.shape[-1]]
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """A tanh RNN by hand, its last state read out."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.width = width
        self.into, self.again, self.head = nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(*x.shape[:-2], self.width)
        for t in range(x.shape[-2]):
            h = torch.tanh(self.into(x[..., t, :]) + self.again(h))
        return self.head(h)  # type: ignore[no-any-return]


class Gated(nn.Module):
    """An LSTM by hand: one matrix for the input's gates, one for the state's."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.width = width
        self.into, self.again = nn.Linear(2, 4 * width), nn.Linear(width, 4 * width, bias=False)
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(*x.shape[:-2], self.width)
        for t in range(x.shape[-2]):
            i, f, g, o = (self.into(x[..., t, :]) + self.again(h)).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.head(h)  # type: ignore[no-any-return]


class Siren(nn.Module):
    """Coordinates to brightness through sines of a high frequency."""

    def __init__(self, width: int = 48, depth: int = 4, frequency: float = 15.0) -> None:
        super().__init__()
        self.frequency = frequency
        sizes = [2, *[width] * (depth - 1)]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.sin(self.frequency * layer(x))
        return self.head(x)  # type: ignore[no-any-return]


def autoencoder() -> nn.Module:
    """Nine tanh layers through a waist of 6."""
    return mlp([64, 48, 32, 24, 16, 6, 16, 24, 32, 64], nn.Tanh)


MSE = functional.mse_loss

PROBLEMS = (
    Problem("mlp3-relu-digits", "shallow", deep(3, nn.ReLU), digits, optimizer="sgd"),
    Problem("mlp3-gelu-digits", "shallow", deep(3, nn.GELU), digits),
    Problem("mlp3-relu-raw", "shallow", deep(3, nn.ReLU), raw_digits),
    Problem("mlp4-tanh-table", "shallow", lambda: mlp([10, 32, 32, 32, 1], nn.Tanh), few_rows, MSE),
    Problem("mlp5-sin-waves", "shallow", lambda: mlp([2, 48, 48, 48, 48, 1], Sine), product_of_waves, MSE),
    Problem("mlp10-sigmoid", "deep", deep(10, nn.Sigmoid), digits),
    Problem("mlp10-relu", "deep", deep(10, nn.ReLU), digits, optimizer="sgd"),
    Problem("mlp20-selu", "deep", deep(20, nn.SELU), digits, optimizer="sgd"),
    Problem("mlp30-relu", "deep", deep(30, nn.ReLU), digits, optimizer="sgd"),
    Problem("mlp30-gelu", "deep", deep(30, nn.GELU), digits),
    Problem("mlp30-silu", "deep", deep(30, nn.SiLU), digits),
    Problem("mlp50-tanh", "deep", deep(50, nn.Tanh, 32), digits),
    Problem("mlp100-tanh", "deep", deep(100, nn.Tanh, 24), digits, steps=150),
    Problem("autoencoder9-tanh", "deep", autoencoder, own_digits, MSE),
    Problem("cnn5-relu", "cnn", cnn(5, 12, nn.ReLU), digits),
    Problem("cnn12-tanh", "cnn", cnn(12, 10, nn.Tanh), digits, steps=150),
    Problem("cnn20-relu-waves", "cnn", cnn_on_waves(20, 10), waves, steps=150),
    Problem("residual24-relu", "residual", residual(24, nn.ReLU), digits, optimizer="sgd"),
    Problem("residual6-gelu-conv", "residual", conv_residual(4, 10, norm=False), digits, steps=150),
    Problem("resnet4-batchnorm", "normed", conv_residual(4, 10, norm=True), digits, steps=150),
    Problem("gpt3-norm-first", "normed", lambda: Decoder(3, first=True), chain, token_loss, batch=24),
    Problem("gpt3-norm-last", "post_norm", lambda: Decoder(3, first=False), chain, token_loss, batch=24),
    Problem("rnn-adding", "recurrent", Recurrent, recalled, MSE),
    Problem("lstm-adding", "recurrent", Gated, recalled, MSE),
    Problem("siren-picture", "coordinates", Siren, picture, MSE),
)
