"""The small nets that modules of torch.nn are put into; see coverage_zoo.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Built = Callable[[], nn.Module]

FLAT, WIDE, SEQUENCE = "f32[32,48]", "f32[16,16,48]", "f32[8,16,48]"
CHANNELS = 32
SPATIAL = {1: "f32[8,4,32]", 2: "f32[8,4,16,16]", 3: "f32[4,4,8,8,8]"}
CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def flat(layer: Callable[[], nn.Module], out: int = 48) -> tuple[Built, str]:
    """Linear, the layer, Linear, on vectors."""
    return lambda: nn.Sequential(nn.Linear(48, 48), layer(), nn.Linear(out, 24)), FLAT


def spatial(rank: int, layer: Callable[[], nn.Module], out: int = CHANNELS) -> tuple[Built, str]:
    """Convolution, the layer, convolution."""
    conv = CONVOLUTIONS[rank]
    return (
        lambda: nn.Sequential(conv(4, CHANNELS, 3, padding=1), layer(), conv(out, 16, 3, padding=1)),
        SPATIAL[rank],
    )


class Loss(nn.Module):
    """A Linear, and a loss of its output: the losses of torch.nn are modules, too."""

    def __init__(
        self, loss: nn.Module, target: Callable[[], Tensor], squash: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.first, self.loss, self.squash = nn.Linear(48, 10), loss, squash
        self.register_buffer("target", target())

    def forward(self, x: Tensor) -> Tensor:
        return self.loss(self.squash(self.first(x)), self.target)


def same(x: Tensor) -> Tensor:
    return x


def classes() -> Tensor:
    return torch.arange(32) % 10


def signs() -> Tensor:
    return 1 - 2 * (torch.arange(320) % 2).reshape(32, 10).float()


def bits() -> Tensor:
    return (torch.arange(320) % 2).reshape(32, 10).float()


def numbers() -> Tensor:
    return torch.linspace(-1, 1, 320).reshape(32, 10)


def shares() -> Tensor:
    return torch.softmax(numbers(), 1)


def loss(
    make: Callable[[], nn.Module], target: Callable[[], Tensor], squash: Callable[[Tensor], Tensor] = same
) -> tuple[Built, str]:
    return lambda: Loss(make(), target, squash), FLAT


class Pair(nn.Module):
    """Two Linear layers into one module: distances, losses on pairs and triples."""

    def __init__(self, layer: nn.Module, count: int, *, target: bool = False) -> None:
        super().__init__()
        self.sides = nn.ModuleList(nn.Linear(48, 24) for _ in range(count))
        self.layer, self.target = layer, target
        self.register_buffer("signs", 1 - 2 * (torch.arange(32) % 2).float())

    def forward(self, x: Tensor) -> Tensor:
        sides = [side(x) for side in self.sides]
        return self.layer(*sides, self.signs) if self.target else self.layer(*sides)


def pair(make: Callable[[], nn.Module], count: int = 2, *, target: bool = False) -> tuple[Built, str]:
    return lambda: Pair(make(), count, target=target), FLAT


class Bilinear(nn.Module):
    """Two sides, multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(48, 24), nn.Linear(48, 24)
        self.both, self.last = nn.Bilinear(24, 24, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.both(self.one(x), self.other(x)))


class Variances(nn.Module):
    """GaussianNLLLoss takes a mean, a target and a variance."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.scale, self.loss = nn.Linear(48, 10), nn.Linear(48, 10), nn.GaussianNLLLoss()
        self.register_buffer("target", numbers())

    def forward(self, x: Tensor) -> Tensor:
        return self.loss(self.mean(x), self.target, nn.functional.softplus(self.scale(x)))


class Ctc(nn.Module):
    """CTCLoss on 16 steps of 10 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.loss = nn.Linear(48, 10), nn.CTCLoss()
        self.register_buffer("target", 1 + torch.arange(40).reshape(8, 5) % 9)

    def forward(self, x: Tensor) -> Tensor:
        logs = self.first(x).log_softmax(-1).transpose(0, 1)
        return self.loss(logs, self.target, torch.full((8,), 16), torch.full((8,), 5))


class Adaptive(nn.Module):
    """AdaptiveLogSoftmaxWithLoss: clusters of a large vocabulary."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(48, 48)
        self.loss = nn.AdaptiveLogSoftmaxWithLoss(48, 100, [20, 60])
        self.register_buffer("target", torch.arange(32) * 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.loss(self.first(x), self.target).loss


class LinearLoss(nn.Module):
    """LinearCrossEntropyLoss: a projection and its loss in one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.loss = nn.Linear(48, 48), nn.LinearCrossEntropyLoss(48, 10)
        self.register_buffer("target", classes())

    def forward(self, x: Tensor) -> Tensor:
        return self.loss(self.first(x), self.target)


class Unpooled(nn.Module):
    """A pool that tells its places, and its inverse."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        conv = CONVOLUTIONS[rank]
        self.first, self.last = conv(4, CHANNELS, 3, padding=1), conv(CHANNELS, 16, 3, padding=1)
        self.pool = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1](2, return_indices=True)
        self.unpool = (nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d)[rank - 1](2)

    def forward(self, x: Tensor) -> Tensor:
        pooled, places = self.pool(self.first(x))
        return self.last(self.unpool(pooled, places))


class Stepped(nn.Module):
    """A recurrent cell in a loop."""

    def __init__(self, cell: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.first, self.cell, self.last = nn.Linear(48, 32), cell(32, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for step in self.first(x).unbind(1):
            state = self.cell(step, state)
        return self.last(state[0] if isinstance(state, tuple) else state)


class Recurrent(nn.Module):
    """A recurrent layer between two linear ones."""

    def __init__(self, kind: Callable[..., nn.Module], **options: Any) -> None:
        super().__init__()
        self.first, self.core = nn.Linear(48, 32), kind(32, 32, batch_first=True, **options)
        self.last = nn.Linear(64 if options.get("bidirectional") else 32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.core(self.first(x))[0])


class Attended(nn.Module):
    """Self-attention by nn.MultiheadAttention."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 48), nn.Linear(48, 10)
        self.attention = nn.MultiheadAttention(48, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(self.attention(x, x, x, need_weights=False)[0])


class Translated(nn.Module):
    """nn.Transformer or its decoder: a source and a target made of one input."""

    def __init__(self, core: nn.Module) -> None:
        super().__init__()
        self.source, self.target, self.core = nn.Linear(48, 48), nn.Linear(48, 48), core

    def forward(self, x: Tensor) -> Tensor:
        return self.core(self.source(x), self.target(x))


class Listed(nn.Module):
    """Layers and parameters in lists and dicts."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "ModuleList":
            self.items: Any = nn.ModuleList([nn.Linear(48, 48) for _ in range(3)])
        elif kind == "ModuleDict":
            self.items = nn.ModuleDict({name: nn.Linear(48, 48) for name in "abc"})
        elif kind == "ParameterList":
            self.items = nn.ParameterList([nn.Parameter(torch.randn(48, 48) / 7) for _ in range(3)])
        else:
            self.items = nn.ParameterDict({name: nn.Parameter(torch.randn(48, 48) / 7) for name in "abc"})
        self.last = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        for item in self.items.values() if self.kind.endswith("Dict") else self.items:
            x = (x @ item if isinstance(item, Tensor) else item(x)).tanh()
        return self.last(x)


class Bagged(nn.Module):
    """EmbeddingBag, mean over 4 words."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.last = nn.EmbeddingBag(100, 48), nn.Linear(48, 10)

    def forward(self, ids: Tensor) -> Tensor:
        return self.last(self.bag(ids))


def lazy(layer: Callable[[], nn.Module], rank: int) -> tuple[Built, str]:
    """A lazy layer that has met its first batch, as torch asks for."""
    sizes = {0: (2, 48), 1: (2, 4, 32), 2: (2, 4, 16, 16), 3: (2, 4, 8, 8, 8)}

    def build() -> nn.Module:
        net = nn.Sequential(layer(), nn.Tanh())
        with torch.no_grad():
            net(torch.zeros(sizes[rank]))
        return net

    return build, SPATIAL[rank] if rank else FLAT


def encoder_layer(**options: Any) -> nn.Module:
    return nn.TransformerEncoderLayer(48, 4, 96, 0.0, batch_first=True, **options)


def decoder_layer() -> nn.Module:
    return nn.TransformerDecoderLayer(48, 4, 96, 0.0, batch_first=True)


class Summed(nn.Module):
    """A loss on one number per input."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, one: Tensor, other: Tensor, signs: Tensor) -> Tensor:
        return self.inner(one.sum(1), other.sum(1), signs)
