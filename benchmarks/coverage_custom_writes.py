"""Writes in place, buffers, derivatives as outputs, draws in forward: name → (constructor, example)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from coverage_custom_code import FLAT, Built


class Written(nn.Module):
    """Slices written one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.last = nn.Linear(48, 32), nn.Linear(48, 32), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.empty(x.shape[0], 64)
        out[:, :32] = self.one(x)
        out[:, 32:] = self.other(x).relu()
        return self.last(out)


class Steps(nn.Module):
    """Results of a loop written into a tensor, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(48, 48), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = torch.zeros(4, *x.shape)
        for n in range(4):
            x = self.layer(x).tanh()
            out[n] = x
        return self.last(out)


class Counting(nn.Module):
    """A buffer that forward updates: an average of what passed, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 64), nn.Linear(64, 10)
        self.register_buffer("average", torch.zeros(64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        with torch.no_grad():
            self.average.mul_(0.9).add_(h.mean(0), alpha=0.1)
            self.seen += 1
        return self.last((h - self.average).relu())


class Mapped(nn.Module):
    """torch.vmap over an ensemble's stacked weights."""

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(count, 64, 48) / 7)
        self.second = nn.Parameter(torch.randn(count, 10, 64) / 8)

    def forward(self, x: Tensor) -> Tensor:
        def one(first: Tensor, second: Tensor) -> Tensor:
            return F.linear(F.relu(F.linear(x, first)), second)

        return torch.vmap(one)(self.first, self.second).mean(0)


class Derived(nn.Module):
    """A gradient as output: forces of an energy, by torch.autograd.grad."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(48, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(self.net(x).sum(), x, create_graph=True)[0]


class Slope(nn.Module):
    """The same by torch.func: a Jacobian-vector product."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(48, 64), nn.Tanh(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        value, slope = torch.func.jvp(self.net, (x,), (torch.ones_like(x),))
        return value + slope


class Low(nn.Module):
    """LoRA (Hu et al. 2021): a frozen layer beside a product of two thin ones."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.last = nn.Linear(48, 64), nn.Linear(64, 10)
        self.base.requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.randn(4, 48) / 7), nn.Parameter(torch.zeros(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.last((self.base(x) + x @ self.down.T @ self.up.T).relu())


class Noisy(nn.Module):
    """Noise on weights (Fortunato et al. 2017), and Gumbel's on choices."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.scale = (
            nn.Parameter(torch.randn(64, 48) / 7),
            nn.Parameter(torch.full((64, 48), 0.02)),
        )
        self.choose, self.last = nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = F.linear(x, self.mean + self.scale * torch.randn_like(self.scale)).relu()
        return self.last(F.gumbel_softmax(self.choose(h), tau=1.0))


class Quantized(nn.Module):
    """VQ-VAE (van den Oord et al. 2017): the nearest code, a straight-through gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.codes, self.last = nn.Linear(48, 16), nn.Embedding(32, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        nearest = torch.cdist(h, self.codes.weight).argmin(-1)
        return self.last(h + (self.codes(nearest) - h).detach())


class Contrast(nn.Module):
    """CLIP's logits (Radford et al. 2021): unit vectors, a learned temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(48, 32), nn.Linear(48, 32)
        self.scale = nn.Parameter(torch.tensor(2.6593))

    def forward(self, x: Tensor) -> Tensor:
        one, other = F.normalize(self.one(x), dim=-1), F.normalize(self.other(x), dim=-1)
        return self.scale.exp() * one @ other.T


WRITES: dict[str, tuple[Built, Any]] = {
    "slices written": (Written, FLAT),
    "rows written in a loop": (Steps, FLAT),
    "buffers updated": (Counting, FLAT),
    "vmap over an ensemble": (Mapped, FLAT),
    "gradient as output": (Derived, FLAT),
    "torch.func.jvp": (Slope, FLAT),
    "LoRA": (Low, FLAT),
    "noisy weights, Gumbel": (Noisy, FLAT),
    "vector quantization": (Quantized, FLAT),
    "contrastive logits": (Contrast, FLAT),
}
