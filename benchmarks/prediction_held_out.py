"""Models that no rule was tuned on: name → (constructor, example).

Whoever mends a rule by one of these moves it to `prediction_models`, as Swin, ALBERT and the two-layer GRU
were; the last four were added after that.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from prediction_models import IDS, SIZES, TOKENS, Built, family


class Mixer(nn.Module):
    """An MLP-Mixer on patches."""

    def __init__(self, width: int = 64, tokens: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.tokens = nn.ModuleList(mlp(tokens, 2 * tokens) for _ in range(depth))
        self.channels = nn.ModuleList(mlp(width, 4 * width) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        for i, (tokens, channels) in enumerate(zip(self.tokens, self.channels, strict=True)):
            x = x + tokens(self.norms[2 * i](x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(self.norms[2 * i + 1](x))
        return self.head(x.mean(1))


def mlp(width: int, inner: int) -> nn.Sequential:
    """Two linear layers around a GELU."""
    return nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))


class Sets(nn.Module):
    """Deep sets: the same layers for every element, a sum, more layers."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.all = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.all(self.each(x).mean(1))


class UNet(nn.Module):
    """A U-Net with skips, joined by concatenation."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.down1, self.down2 = self.block(3, width), self.block(width, 2 * width)
        self.middle = self.block(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.join2, self.join1 = self.block(4 * width, 2 * width), self.block(2 * width, width)
        self.head = nn.Conv2d(width, 2, 1)

    @staticmethod
    def block(inner: int, outer: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inner, outer, 3, 1, 1), nn.BatchNorm2d(outer), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        low = self.middle(F.max_pool2d(two, 2))
        two = self.join2(torch.cat([self.up2(low), two], 1))
        return self.head(self.join1(torch.cat([self.up1(two), one], 1)))


class BothWays(nn.Module):
    """A recurrent layer in both directions, all its states."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(12, 64), nn.Linear(96, 5)
        self.core = nn.LSTM(64, 48, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.core(self.first(x))[0])


class Alike(nn.Module):
    """One network on two inputs, and what its outputs differ by."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(24, 96), nn.GELU(), nn.Linear(96, 96), nn.GELU(), nn.Linear(96, 48)
        )
        self.head = nn.Linear(48, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x[:, 0]) - self.body(x[:, 1]))


def squeeze() -> nn.Module:
    """AlexNet's kind: large strides, max pools, dropout, no norm."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, 2, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(32, 64, 3, 1, 1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64 * 3 * 3, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


FEW: dict[str, Any] = {"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4}

HELD_OUT: dict[str, tuple[Built, str]] = {
    "Gemma": (family("Gemma", num_key_value_heads=2, head_dim=24, use_cache=False, **SIZES, **TOKENS), IDS),
    "GPT-NeoX": (family("GPTNeoX", use_cache=False, **SIZES, **TOKENS), IDS),
    "Falcon": (family("Falcon", use_cache=False, **FEW, **TOKENS), IDS),
    "Phi": (family("Phi", use_cache=False, **SIZES, **TOKENS), IDS),
    "ELECTRA": (family("Electra", embedding_size=64, max_position_embeddings=64, **SIZES, **TOKENS), IDS),
    "ModernBERT": (family("ModernBert", **SIZES, **TOKENS), IDS),
    "ViT": (family("ViT", image_size=32, patch_size=8, **SIZES), "f32[4,3,32,32]"),
    "MLP-Mixer": (Mixer, "f32[4,3,32,32]"),
    "U-Net with skips": (UNet, "f32[4,3,32,32]"),
    "deep sets": (Sets, "f32[16,20,8]"),
    "AlexNet's kind": (squeeze, "f32[8,3,32,32]"),
    "Swin 2": (
        family(
            "Swinv2",
            image_size=32,
            patch_size=2,
            embed_dim=24,
            depths=[2, 2],
            num_heads=[2, 4],
            window_size=4,
        ),
        "f32[4,3,32,32]",
    ),
    "DINOv2, registers": (
        family("Dinov2WithRegisters", image_size=32, patch_size=8, num_register_tokens=3, **FEW),
        "f32[4,3,32,32]",
    ),
    "LSTM, both ways": (BothWays, "f32[16,10,12]"),
    "two inputs": (Alike, "f32[16,2,24]"),
}
