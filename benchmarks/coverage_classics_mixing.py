"""Classics that mix tokens: vision transformers and those without attention; sound; scenes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Built = Callable[[], nn.Module]
IMAGES, SOUND = "f32[4,3,32,32]", "f32[4,1,128]"


class Patches(nn.Module):
    """Patches of an image as tokens."""

    def __init__(self, width: int, size: int = 4) -> None:
        super().__init__()
        self.project = nn.Conv2d(3, width, size, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention with one packed projection; a bias on the scores if given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.packed, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.packed(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v, bias).transpose(1, 2).reshape(b, n, d))


def perceptron(width: int, middle: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, middle), nn.GELU(), nn.Linear(middle, width))


class Block(nn.Module):
    """Pre-norm: mixing over tokens, then an MLP."""

    def __init__(self, width: int, mixing: nn.Module, middle: int = 0) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixing, self.mlp = mixing, perceptron(width, middle or 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixing(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """ViT (Dosovitskiy et al. 2020) with a class token; DeiT adds one for distillation."""

    def __init__(self, extra: int = 1, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.patches, self.extra = Patches(width), nn.Parameter(torch.zeros(1, extra, width))
        self.places = nn.Parameter(torch.zeros(1, 64 + extra, width))
        nn.init.trunc_normal_(self.places, std=0.02)
        nn.init.trunc_normal_(self.extra, std=0.02)
        self.blocks = nn.Sequential(*(Block(width, Attention(width, 4)) for _ in range(depth)))
        self.norm, self.heads = (
            nn.LayerNorm(width),
            nn.ModuleList(nn.Linear(width, 10) for _ in range(extra)),
        )

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x)
        tokens = torch.cat([self.extra.expand(tokens.shape[0], -1, -1), tokens], 1) + self.places
        found = self.norm(self.blocks(tokens))
        return torch.stack([head(found[:, i]) for i, head in enumerate(self.heads)]).mean(0)


class Window(nn.Module):
    """Swin (Liu et al. 2021): attention in windows, shifted by a roll, with relative biases."""

    def __init__(self, width: int, size: int, shift: int) -> None:
        super().__init__()
        self.size, self.shift, self.attention = size, shift, Attention(width, 4)
        self.table = nn.Parameter(torch.zeros((2 * size - 1) ** 2, 4))
        nn.init.trunc_normal_(self.table, std=0.02)
        at = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).flatten(1)
        apart = at[:, :, None] - at[:, None] + size - 1
        self.register_buffer("places", apart[0] * (2 * size - 1) + apart[1])

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, d = x.shape
        s = self.size
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2)) if self.shift else x
        windows = x.view(b, h // s, s, w // s, s, d).transpose(2, 3).reshape(-1, s * s, d)
        bias = self.table[self.places].permute(2, 0, 1)
        y = self.attention(windows, bias).view(b, h // s, w // s, s, s, d).transpose(2, 3)
        y = y.reshape(b, h, w, d)
        return torch.roll(y, (self.shift, self.shift), (1, 2)) if self.shift else y


class Merging(nn.Module):
    """2×2 neighbours become one token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduce(self.norm(torch.cat(parts, -1)))


class Swin(nn.Module):
    """Two stages of shifted windows."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 2, 2)
        stages = [Block(width, Window(width, 4, shift)) for shift in (0, 2)]
        deeper = [Block(2 * width, Window(2 * width, 4, shift)) for shift in (0, 2)]
        self.body = nn.Sequential(*stages, Merging(width), *deeper, nn.LayerNorm(2 * width))
        self.head = nn.Linear(2 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.patches(x).permute(0, 2, 3, 1)).mean((1, 2)))


class Tokens(nn.Module):
    """Patches, a body, the mean token."""

    def __init__(self, body: nn.Module, width: int = 64) -> None:
        super().__init__()
        self.patches, self.body, self.norm = Patches(width), body, nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.body(self.patches(x))).mean(1))


class Across(nn.Module):
    """A module that works on the last axis, over tokens instead."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.transpose(1, 2)).transpose(1, 2)


class GatedTokens(nn.Module):
    """gMLP (Liu et al. 2021): half of the channels gate the other half over tokens."""

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.Linear(2 * width, width),
        )
        self.inner, self.mix = nn.LayerNorm(2 * width), nn.Conv1d(tokens, tokens, 1)
        nn.init.normal_(self.mix.weight, std=1e-3)
        nn.init.ones_(self.mix.bias)

    def forward(self, x: Tensor) -> Tensor:
        one, other = F.gelu(self.up(self.norm(x))).chunk(2, -1)
        return x + self.down(one * self.mix(self.inner(other)))


class Affine(nn.Module):
    """ResMLP's norm without statistics (Touvron et al. 2021)."""

    def __init__(self, width: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.full((width,), scale)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.shift


class ResMlp(nn.Module):
    """One layer over tokens, an MLP over channels, each scaled."""

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.before1, self.before2 = Affine(width), Affine(width)
        self.after1, self.after2 = Affine(width, 0.1), Affine(width, 0.1)
        self.tokens, self.mlp = Across(nn.Linear(tokens, tokens)), perceptron(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.after1(self.tokens(self.before1(x)))
        return x + self.after2(self.mlp(self.before2(x)))


class Pooling(nn.Module):
    """PoolFormer (Yu et al. 2021): the mean of the neighbours minus oneself."""

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        grid = x.transpose(1, 2).reshape(b, d, 8, n // 8)
        return (F.avg_pool2d(grid, 3, 1, 1, count_include_pad=False) - grid).flatten(2).transpose(1, 2)


class Coat(nn.Module):
    """CoAtNet-like (Dai et al. 2021): convolutional stages, then attention with relative bias."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.GELU())
        middle = [nn.Conv2d(width, 2 * width, 1), nn.BatchNorm2d(2 * width), nn.GELU()]
        depthwise = nn.Conv2d(2 * width, 2 * width, 3, 2, 1, groups=2 * width)
        self.middle = nn.Sequential(
            nn.BatchNorm2d(width),
            *middle,
            depthwise,
            nn.BatchNorm2d(2 * width),
            nn.GELU(),
            nn.Conv2d(2 * width, width, 1),
        )
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, 4)
        self.bias, self.head = nn.Parameter(torch.randn(4, 64, 64) * 0.02), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.max_pool2d(x, 2) + self.middle(x)
        tokens = x.flatten(2).transpose(1, 2)
        return self.head((tokens + self.attention(self.norm(tokens), self.bias)).mean(1))


class Causal(nn.Module):
    """A dilated causal convolution over time."""

    def __init__(self, inner: int, outer: int, dilation: int, size: int = 2) -> None:
        super().__init__()
        self.pad, self.conv = dilation * (size - 1), nn.Conv1d(inner, outer, size, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (self.pad, 0)))


class WaveNet(nn.Module):
    """van den Oord et al. 2016: gated dilated convolutions, residuals and skips."""

    def __init__(self, width: int = 32, depth: int = 5) -> None:
        super().__init__()
        self.first = Causal(1, width, 1)
        self.both = nn.ModuleList(Causal(width, 2 * width, 2**n) for n in range(depth))
        self.out = nn.ModuleList(nn.Conv1d(width, 2 * width, 1) for _ in range(depth))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 64, 1))

    def forward(self, x: Tensor) -> Tensor:
        x, skips = self.first(x), []
        for both, out in zip(self.both, self.out, strict=True):
            value, gate = both(x).chunk(2, 1)
            more, skip = out(value.tanh() * gate.sigmoid()).chunk(2, 1)
            x = x + more
            skips.append(skip)
        return self.last(torch.stack(skips).sum(0))


class Temporal(nn.Module):
    """A TCN's block (Bai et al. 2018): two causal convolutions with weight norm and dropout."""

    def __init__(self, inner: int, outer: int, dilation: int) -> None:
        super().__init__()
        one, other = Causal(inner, outer, dilation, 3), Causal(outer, outer, dilation, 3)
        for part in (one, other):
            nn.utils.parametrizations.weight_norm(part.conv)
        self.body = nn.Sequential(one, nn.ReLU(), nn.Dropout(0.1), other, nn.ReLU(), nn.Dropout(0.1))
        self.shortcut = nn.Conv1d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class Separator(nn.Module):
    """Conv-TasNet-like (Luo & Mesgarani 2018): encode, mask for each speaker, decode."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.encode, self.decode = (
            nn.Conv1d(1, width, 8, 4, bias=False),
            nn.ConvTranspose1d(width, 1, 8, 4, bias=False),
        )
        layers: list[nn.Module] = [nn.GroupNorm(1, width), nn.Conv1d(width, 32, 1)]
        for n in range(3):
            depthwise = nn.Conv1d(64, 64, 3, padding=2**n, dilation=2**n, groups=64)
            body = [nn.Conv1d(32, 64, 1), nn.PReLU(), nn.GroupNorm(1, 64), depthwise, nn.PReLU()]
            layers.append(_Add(nn.Sequential(*body, nn.GroupNorm(1, 64), nn.Conv1d(64, 32, 1))))
        self.masks = nn.Sequential(*layers, nn.PReLU(), nn.Conv1d(32, 2 * width, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        code = F.relu(self.encode(x))
        parts = code.unsqueeze(1) * self.masks(code).unflatten(1, (2, -1))
        return self.decode(parts.flatten(0, 1)).unflatten(0, (-1, 2))


class _Add(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Speech(nn.Module):
    """Deep Speech 2-like (Amodei et al. 2015): convolutions over a spectrogram, GRUs both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 8, (11, 5), (2, 1), (5, 2)), nn.BatchNorm2d(8), nn.Hardtanh(0, 20)
        )
        self.core = nn.GRU(8 * 16, 48, num_layers=2, bidirectional=True, batch_first=True)
        self.last = nn.Linear(96, 29)

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv(x)
        return self.last(self.core(found.flatten(1, 2).transpose(1, 2))[0]).log_softmax(-1)


class Nerf(nn.Module):
    """Mildenhall et al. 2020: sines of places, an MLP with a skip, density and colour."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.register_buffer("bands", 2.0 ** torch.arange(6) * math.pi)
        self.first = nn.ModuleList([nn.Linear(39, width), *(nn.Linear(width, width) for _ in range(3))])
        self.second = nn.ModuleList(
            [nn.Linear(width + 39, width), *(nn.Linear(width, width) for _ in range(2))]
        )
        self.density, self.colour = nn.Linear(width, 1), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        angles = (x[..., None] * self.bands).flatten(-2)
        code = torch.cat([x, angles.sin(), angles.cos()], -1)
        h = code
        for layer in self.first:
            h = F.relu(layer(h))
        h = torch.cat([h, code], -1)
        for layer in self.second:
            h = F.relu(layer(h))
        return torch.cat([self.colour(h).sigmoid(), F.relu(self.density(h))], -1)


class Siren(nn.Module):
    """Sitzmann et al. 2020: sines of 30·(Wx + b), weights uniform by their fan-in."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, width), *(nn.Linear(width, width) for _ in range(4))])
        self.last = nn.Linear(width, 1)
        for n, layer in enumerate([*self.layers, self.last]):
            bound = math.sqrt(6 / width) / 30 if n else 1 / 2
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.sin(30 * layer(x))
        return self.last(x)


def mixer() -> nn.Module:
    """MLP-Mixer (Tolstikhin et al. 2021)."""
    return Tokens(nn.Sequential(*(Block(64, Across(perceptron(64, 32))) for _ in range(3))))


MIXING: dict[str, tuple[Built, Any]] = {
    "ViT, class token": (Vit, IMAGES),
    "DeiT, two tokens": (lambda: Vit(2), IMAGES),
    "Swin": (Swin, IMAGES),
    "MLP-Mixer": (mixer, IMAGES),
    "gMLP": (lambda: Tokens(nn.Sequential(*(GatedTokens(64, 64) for _ in range(3)))), IMAGES),
    "ResMLP": (lambda: Tokens(nn.Sequential(*(ResMlp(64, 64) for _ in range(3)))), IMAGES),
    "PoolFormer": (lambda: Tokens(nn.Sequential(*(Block(64, Pooling()) for _ in range(3)))), IMAGES),
    "CoAtNet": (Coat, IMAGES),
    "WaveNet": (WaveNet, SOUND),
    "TCN": (
        lambda: nn.Sequential(
            Temporal(1, 32, 1), Temporal(32, 32, 2), Temporal(32, 32, 4), nn.Conv1d(32, 4, 1)
        ),
        SOUND,
    ),
    "Conv-TasNet": (Separator, SOUND),
    "Deep Speech 2": (Speech, "f32[4,1,32,24]"),
    "NeRF": (Nerf, "f32[256,3]"),
    "SIREN": (Siren, "f32[256,2]"),
}
