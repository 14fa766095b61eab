"""Code as people write it: parameters, own gradients, checkpoints, loops: name → (constructor, example)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils import parametrizations, weight_norm
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

Built = Callable[[], nn.Module]
FLAT, IMAGES = "f32[64,48]", "f32[8,3,16,16]"


class Parameters(nn.Module):
    """Weights as parameters, F.linear on them."""

    def __init__(self, depth: int = 4) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(48, 48) * (2 / 48) ** 0.5) for _ in range(depth)
        )
        self.gain = nn.Parameter(torch.ones(48))

    def forward(self, x: Tensor) -> Tensor:
        for weight in self.weights:
            x = F.relu(F.linear(x, weight)) * self.gain
        return x


class Functional(nn.Module):
    """Convolution, norm and pooling as functions of parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(nn.init.kaiming_normal_(torch.empty(32, 3, 3, 3)))
        self.scale, self.shift = nn.Parameter(torch.ones(32)), nn.Parameter(torch.zeros(32))
        self.matrix = nn.Parameter(torch.randn(32, 10) / 6)
        self.register_buffer("mean", torch.zeros(32))
        self.register_buffer("variance", torch.ones(32))

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.kernel, padding=1)
        x = F.batch_norm(x, self.mean, self.variance, self.scale, self.shift, training=self.training)
        return F.adaptive_avg_pool2d(F.gelu(x), 1).flatten(1) @ self.matrix


def layers(depth: int = 3) -> nn.Sequential:
    return nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(48, 48), nn.Tanh())))


class Checkpointed(nn.Module):
    """torch.utils.checkpoint."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant, self.first, self.body, self.last = (
            reentrant,
            nn.Linear(48, 48),
            layers(),
            nn.Linear(48, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.last(checkpoint(self.body, self.first(x), use_reentrant=self.reentrant))


class Pieces(nn.Module):
    """checkpoint_sequential, two pieces, dropout inside."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.body = nn.Linear(48, 48), nn.Sequential(*layers(), nn.Dropout(0.2), *layers())

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint_sequential(self.body, 2, self.first(x), use_reentrant=False)


class Straight(torch.autograd.Function):
    """The sign, and the gradient of the identity (Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class Reversed(torch.autograd.Function):
    """The identity, the gradient times -λ (Ganin & Lempitsky 2014)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradients[0], None


class Swish(torch.autograd.Function):
    """x·sigmoid(x) that saves x alone and has its own backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        gate = torch.sigmoid(x)
        return gradients[0] * gate * (1 + x * (1 - gate))


class Own(nn.Module):
    """A function with its own gradient between two layers."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.function, self.last = nn.Linear(48, 64), function, nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x)))


class Binary(nn.Module):
    """Binary weights with a straight-through gradient (Courbariaux et al. 2015), by detach."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 64, bias=False), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.first.weight
        sign = (weight.sign() * weight.abs().mean() - weight).detach() + weight
        return self.last(F.linear(x, sign).relu())


class Tied(nn.Module):
    """One matrix as table and as head."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.inner, self.head = (
            nn.Embedding(200, 48),
            nn.Linear(48, 48),
            nn.Linear(48, 200, bias=False),
        )
        nn.init.normal_(self.table.weight, std=0.02)
        self.head.weight = self.table.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.inner(self.table(ids)).tanh())


class Shared(nn.Module):
    """One layer five times (ALBERT, Lan et al. 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(48, 48), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(5):
            x = x + self.layer(x).tanh()
        return self.last(x)


def normed(kind: str) -> Built:
    """Weight norm, old and new, and spectral norm."""

    def build() -> nn.Module:
        norm: Any = {"weight": parametrizations.weight_norm, "old": weight_norm}.get(
            kind, parametrizations.spectral_norm
        )
        return nn.Sequential(
            norm(nn.Linear(48, 64)), nn.ReLU(), norm(nn.Linear(64, 64)), nn.ReLU(), nn.Linear(64, 10)
        )

    return build


class Hyper(nn.Module):
    """Weights that a net makes of a code (Ha et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(16))
        self.make, self.last = nn.Linear(16, 48 * 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.linear(x, self.make(self.code).view(32, 48)).tanh())


class Conditioned(nn.Module):
    """FiLM (Perez et al. 2017): scale and shift of features by another input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.film, self.last = nn.Linear(48, 64), nn.Linear(12, 128), nn.Linear(64, 10)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        scale, shift = self.film(code).chunk(2, -1)
        return self.last(F.relu((1 + scale) * self.first(x) + shift))


class Shaped(nn.Module):
    """What runs depends on the shape."""

    def __init__(self) -> None:
        super().__init__()
        self.small, self.large = nn.Linear(48, 10), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.large(x) if x.shape[0] > 32 and x.dim() == 2 else self.small(x.flatten(1))


class Early(nn.Module):
    """A loop that ends when little changes: .item() on data."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.step, self.last = nn.Linear(48, 48), nn.Linear(48, 48), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        for _ in range(10):
            new = (h + self.step(h)).tanh()
            if (new - h).abs().mean().item() < 0.3:
                break
            h = new
        return self.last(h)


class Branching(nn.Module):
    """One of two branches, by the sign of a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.one, self.other = nn.Linear(48, 48), nn.Linear(48, 10), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).relu()
        return self.one(h) if h.mean() > 0 else self.other(h)


CODE: dict[str, tuple[Built, Any]] = {
    "parameters and F.linear": (Parameters, FLAT),
    "functional convolution": (Functional, IMAGES),
    "checkpoint": (lambda: Checkpointed(False), FLAT),
    "checkpoint, reentrant": (lambda: Checkpointed(True), FLAT),
    "checkpoint, sequential": (Pieces, FLAT),
    "sign, straight through": (lambda: Own(Straight.apply), FLAT),
    "reversed gradient": (lambda: Own(lambda x: Reversed.apply(x, 0.5)), FLAT),
    "own backward": (lambda: Own(Swish.apply), FLAT),
    "binary weights": (Binary, FLAT),
    "tied weights": (Tied, "i64[8,12]<200"),
    "shared layer": (Shared, FLAT),
    "weight norm": (normed("weight"), FLAT),
    "weight norm, old": (normed("old"), FLAT),
    "spectral norm": (normed("spectral"), FLAT),
    "hypernetwork": (Hyper, FLAT),
    "FiLM": (Conditioned, (FLAT, "f32[64,12]")),
    "conditional on shape": (Shaped, FLAT),
    "loop that ends early": (Early, FLAT),
    "branch on a mean": (Branching, FLAT),
    "dropout in training": (
        lambda: nn.Sequential(
            nn.Linear(48, 64), nn.Dropout(0.3), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 9)
        ),
        FLAT,
    ),
}
