"""Models and data of the benchmark beside the peers."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from sklearn import datasets
from torch import Tensor, nn

Make = Callable[[], nn.Module]
ACTIVATIONS: dict[str, Make] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
}


def mlp(hidden: int, activation: str, width: int, inputs: int = 64, outputs: int = 10) -> nn.Sequential:
    """`hidden` layers of `width` units, each with the activation, and a head."""
    layers: list[nn.Module] = []
    for k in range(hidden):
        layers += [nn.Linear(width if k else inputs, width), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def cnn(hidden: int, activation: str, channels: int) -> nn.Sequential:
    """A plain network of 3 × 3 convolutions on the digits, halved once to 4 × 4, without norm or shortcut."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, channels, 3, 2, 1)]
    for _ in range(hidden - 1):
        layers += [ACTIVATIONS[activation](), nn.Conv2d(channels, channels, 3, padding=1)]
    layers += [ACTIVATIONS[activation](), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*layers)


class ReZero(nn.Module):
    """h + α·relu(W·h), α = 0 at first: not T1's architecture. Bachlechner et al. 2020, arXiv:2003.04887."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(64, width), nn.Linear(width, 10)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(hidden - 1))
        self.alphas = nn.Parameter(torch.zeros(hidden - 1))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.first(x))
        for layer, alpha in zip(self.layers, self.alphas, strict=True):
            h = h + alpha * torch.relu(layer(h))
        return self.head(h)


class Reader(nn.Module):
    """A post-LN transformer encoder on tokens: T10's kind of network, small."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(32, 32)
        layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(32, 32)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(tokens)))


@functools.cache
def digits() -> tuple[Tensor, Tensor]:
    """1,797 handwritten digits of 8 × 8, standardized over all pixels, shuffled; labels."""
    x, y = datasets.load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32)[order], torch.tensor(y)[order]


@functools.cache
def waves(points: int = 512) -> tuple[Tensor, Tensor]:
    """Points of U[−2, 2]² and sin(3x)·cos(3y)."""
    at = torch.rand(points, 2, generator=torch.Generator().manual_seed(0)) * 4 - 2
    return at, torch.sin(3 * at[:, :1]) * torch.cos(3 * at[:, 1:])


def normal(rows: int, width: int) -> Tensor:
    """Standard normal inputs."""
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(0))
