"""Models to predict: name → (constructor, example). None was used to make the rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Built = Callable[[], nn.Module]


class Stack(nn.Module):
    """Two recurrent layers over linear ones, the last step's state."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(12, 64), nn.Linear(64, 5)
        self.core = nn.GRU(64, 64, num_layers=2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.core(self.first(x))[0][:, -1])


def mlp(act: Callable[[], nn.Module], gain: float, depth: int = 30, width: int = 256) -> Built:
    """A plain network of normal weights with std gain/√width."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(depth):
            linear = nn.Linear(width, width)
            nn.init.normal_(linear.weight, 0.0, gain / math.sqrt(width))
            nn.init.zeros_(linear.bias)
            layers += [linear, act()]
        return nn.Sequential(*layers, nn.Linear(width, 10))

    return build


class Block(nn.Module):
    """Two convolutions around a shortcut; the norm before or after."""

    def __init__(
        self, inner: int, outer: int, stride: int, norm: Callable[[int], nn.Module], pre: bool
    ) -> None:
        super().__init__()
        self.pre = pre
        self.norm1, self.norm2 = norm(inner if pre else outer), norm(outer)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False) if inner != outer else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if self.pre:
            h = self.conv1(F.relu(self.norm1(x)))
            return self.shortcut(x) + self.conv2(F.relu(self.norm2(h)))
        h = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.norm2(self.conv2(h)))


def resnet(norm: Callable[[int], nn.Module], pre: bool, width: int = 24) -> Built:
    """Four blocks of two stages, a pooled head."""

    def build() -> nn.Module:
        blocks = [
            Block(width, width, 1, norm, pre),
            Block(width, 2 * width, 2, norm, pre),
            Block(2 * width, 2 * width, 1, norm, pre),
            Block(2 * width, 4 * width, 2, norm, pre),
        ]
        stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10)]
        return nn.Sequential(stem, *blocks, *head)

    return build


class Recurrent(nn.Module):
    """A recurrent layer between two linear ones."""

    def __init__(self, kind: type[nn.RNNBase], width: int = 96) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(24, width), nn.Linear(width, 24)
        self.core = kind(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.core(self.first(x))[0])


class Gated(nn.Module):
    """A gated MLP with a residual stream and RMS norms."""

    def __init__(self, width: int = 128, depth: int = 6) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in range(depth))
        self.gate = nn.ModuleList(nn.Linear(width, 2 * width, bias=False) for _ in range(depth))
        self.up = nn.ModuleList(nn.Linear(width, 2 * width, bias=False) for _ in range(depth))
        self.down = nn.ModuleList(nn.Linear(2 * width, width, bias=False) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for norm, gate, up, down in zip(self.norms, self.gate, self.up, self.down, strict=True):
            h = norm(x)
            x = x + down(F.silu(gate(h)) * up(h))
        return x


def unet() -> nn.Module:
    """Down by strides, up by transposed convolutions."""
    down = [nn.Conv2d(3, 24, 3, 2, 1), nn.GroupNorm(4, 24), nn.SiLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.SiLU()]
    up = [
        nn.ConvTranspose2d(48, 24, 4, 2, 1),
        nn.GroupNorm(4, 24),
        nn.SiLU(),
        nn.ConvTranspose2d(24, 3, 4, 2, 1),
    ]
    return nn.Sequential(*down, *up)


def depthwise() -> nn.Module:
    """Depthwise and pointwise convolutions."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1)]
    for _ in range(4):
        layers += [nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.BatchNorm2d(32), nn.ReLU6()]
        layers += [nn.Conv2d(32, 32, 1), nn.BatchNorm2d(32), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def encoder(pre: bool, own: bool = True) -> Built:
    """torch's own transformer encoder, which copies one layer; with `own` each layer is drawn by itself."""

    def build() -> nn.Module:
        layer = nn.TransformerEncoderLayer(96, 4, 384, 0.0, batch_first=True, norm_first=pre)
        made = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        if own:
            made.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(96, 4, 384, 0.0, batch_first=True, norm_first=pre)
                for _ in range(4)
            )
        return made

    return build


def family(name: str, **sizes: Any) -> Built:
    """A family of transformers, from its configuration."""

    def build() -> nn.Module:
        import transformers

        transformers.logging.set_verbosity_error()
        config = getattr(transformers, f"{name}Config")(**sizes)
        model: nn.Module = transformers.AutoModel.from_config(config, attn_implementation="eager")
        return model.eval()

    return build


SIZES = {"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 256}
TOKENS = {"vocab_size": 501, "pad_token_id": 500, "bos_token_id": 1, "eos_token_id": 2}
IDS = "i64[4,48]<500"
"""No padding among them: a norm of a padding row, which is 0, multiplies gradients by 1/√ε, a thousand."""

MODELS: dict[str, tuple[Built, str]] = {
    "ReLU, 30 layers": (mlp(nn.ReLU, math.sqrt(2)), "f32[64,256]"),
    "tanh, 30 layers": (mlp(nn.Tanh, 1.1), "f32[64,256]"),
    "Mish, 30 layers": (mlp(nn.Mish, 1.4), "f32[64,256]"),
    "ELU, 30 layers": (mlp(nn.ELU, 1.2), "f32[64,256]"),
    "Softplus, 10 layers": (mlp(nn.Softplus, 1.0, depth=10), "f32[64,256]"),
    "Hardswish, 20 layers": (mlp(nn.Hardswish, 1.6, depth=20), "f32[64,256]"),
    "ResNet, batch norm after": (resnet(nn.BatchNorm2d, pre=False), "f32[8,3,24,24]"),
    "ResNet, batch norm before": (resnet(nn.BatchNorm2d, pre=True), "f32[8,3,24,24]"),
    "ResNet, group norm before": (resnet(lambda c: nn.GroupNorm(4, c), pre=True), "f32[8,3,24,24]"),
    "ResNet, no norm": (resnet(lambda c: nn.Identity(), pre=True), "f32[8,3,24,24]"),
    "U-Net without skips": (unet, "f32[4,3,32,32]"),
    "depthwise, batch norm": (depthwise, "f32[8,3,32,32]"),
    "gated MLP, RMS norm": (Gated, "f32[64,128]"),
    "encoder, norm first": (encoder(True), "f32[4,40,96]"),
    "encoder, norm last": (encoder(False), "f32[4,40,96]"),
    "encoder, norm first, copies of a layer": (encoder(True, own=False), "f32[4,40,96]"),
    "encoder, norm last, copies of a layer": (encoder(False, own=False), "f32[4,40,96]"),
    "RNN": (lambda: Recurrent(nn.RNN), "f32[8,16,24]"),
    "GRU": (lambda: Recurrent(nn.GRU), "f32[8,16,24]"),
    "LSTM": (lambda: Recurrent(nn.LSTM), "f32[8,16,24]"),
    "GRU, two layers": (Stack, "f32[16,12,12]"),
    "OPT": (
        family("OPT", hidden_size=96, num_hidden_layers=4, num_attention_heads=4, ffn_dim=256,
               word_embed_proj_dim=96, max_position_embeddings=64, use_cache=False, dropout=0.0, **TOKENS),
        IDS,
    ),
    "Mistral": (family("Mistral", num_key_value_heads=2, use_cache=False, **SIZES, **TOKENS), IDS),
    "Qwen 3": (family("Qwen3", num_key_value_heads=2, head_dim=24, use_cache=False, **SIZES, **TOKENS), IDS),
    "Gemma 2": (
        family("Gemma2", num_key_value_heads=2, head_dim=24, use_cache=False, **SIZES, **TOKENS),
        IDS,
    ),
    "ALBERT": (family("Albert", embedding_size=64, **SIZES, **TOKENS), IDS),
    "RoBERTa": (family("Roberta", max_position_embeddings=64, **SIZES, **{**TOKENS, "pad_token_id": 1}), IDS),
    "DeiT": (family("DeiT", image_size=32, patch_size=8, **SIZES), "f32[4,3,32,32]"),
    "Swin": (
        family(
            "Swin", image_size=32, patch_size=2, embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4
        ),
        "f32[4,3,32,32]",
    ),
    "ConvNeXt": (
        family("ConvNext", hidden_sizes=[16, 32, 64, 96], depths=[1, 1, 2, 1], image_size=64),
        "f32[4,3,64,64]",
    ),
}  # fmt: skip
