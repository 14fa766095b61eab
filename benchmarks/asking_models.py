"""The models of benchmarks/asking.py, each with a batch: what `choose` is asked about."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

Made = tuple[nn.Module, Tensor]


def mlp(depth: int, width: int = 64, batch: int = 64) -> Callable[[], Made]:
    """`depth` ReLU layers of `width`."""

    def made() -> Made:
        hidden = [layer for _ in range(depth - 1) for layer in (nn.Linear(width, width), nn.ReLU())]
        return nn.Sequential(*hidden, nn.Linear(width, 10)), torch.randn(batch, width)

    return made


def cnn() -> Made:
    """Three convolutions, each halved."""
    layers: list[nn.Module] = []
    for before, after in pairwise((3, 32, 64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 10)), torch.randn(32, 3, 32, 32)


class Residual(nn.Module):
    """Two convolutions with batch norms beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        same = before == after and stride == 1
        projection = (nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.skip = nn.Identity() if same else nn.Sequential(*projection)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.skip(x) + self.norm2(self.two(torch.relu(self.norm1(self.one(x)))))
        return torch.relu(made)


def resnet18() -> Made:
    """ResNet-18 with the stem for 32 × 32 pixels."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    for before, after, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [Residual(before, after, stride), Residual(after, after, 1)]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    return nn.Sequential(*layers, *head), torch.randn(32, 3, 32, 32)


class Block(nn.Module):
    """Attention and MLP behind norms."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape
        packed = self.qkv(self.norm1(x)).reshape(*size[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*packed.unbind())
        x = x + self.out(mixed.transpose(1, 2).reshape(size))
        made: Tensor = x + self.mlp(self.norm2(x))
        return made


class Vit(nn.Module):
    """A vision transformer over patches of 16 × 16 of 224 × 224 pixels."""

    def __init__(self, width: int, heads: int, depth: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 197, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.places
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits


def vit(width: int, heads: int, batch: int = 8) -> Callable[[], Made]:
    """Vit(width, heads) and images."""
    return lambda: (Vit(width, heads), torch.randn(batch, 3, 224, 224))


class Lstm(nn.Module):
    """Tokens, two LSTM layers, a head over the vocabulary."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(1000, 256), nn.Linear(512, 1000)
        self.lstm = nn.LSTM(256, 512, 2, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(self.embedding(tokens))[0])
        return logits


class Timed(nn.Module):
    """Two convolutions behind group norms, the time added between them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, before), nn.GroupNorm(8, after)
        self.one, self.two = nn.Conv2d(before, after, 3, 1, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.time = nn.Linear(256, after)
        self.skip = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.one(nn.functional.silu(self.norm1(x))) + self.time(time)[..., None, None]
        made: Tensor = self.skip(x) + self.two(nn.functional.silu(self.norm2(h)))
        return made


class Diffusion(nn.Module):
    """A U-Net over noisy images whose first number says how noisy they are."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        sizes = (width, width, 2 * width, 4 * width)
        self.first = nn.Conv2d(3, width, 3, 1, 1)
        self.time = nn.Sequential(nn.Linear(64, 256), nn.SiLU(), nn.Linear(256, 256))
        self.down = nn.ModuleList(Timed(a, b) for a, b in pairwise(sizes))
        self.middle = Timed(sizes[-1], sizes[-1])
        self.up = nn.ModuleList(Timed(2 * b, a) for a, b in reversed(list(pairwise(sizes))))
        self.norm, self.last = nn.GroupNorm(8, width), nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        angle = x[:, 0, 0, :1] * torch.exp(-0.2 * torch.arange(32.0))
        time = self.time(torch.cat([angle.sin(), angle.cos()], -1))
        h, kept = self.first(x), []
        for block in self.down:
            kept.append(block(h, time))
            h = nn.functional.avg_pool2d(kept[-1], 2)
        h = self.middle(h, time)
        for block in self.up:
            h = block(torch.cat([nn.functional.interpolate(h, scale_factor=2.0), kept.pop()], 1), time)
        made: Tensor = self.last(nn.functional.silu(self.norm(h)))
        return made


def gpt2(length: int, batch: int) -> Callable[[], Made]:
    """GPT-2 small, of transformers."""

    def made() -> Made:
        from transformers import GPT2Config, GPT2LMHeadModel

        model: nn.Module = GPT2LMHeadModel(GPT2Config(use_cache=False))
        return model, torch.randint(0, 50257, (batch, length))

    return made


def llama8b() -> Made:
    """Llama 3 8B, of transformers, without values."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        use_cache=False,
    )
    with torch.device("meta"):
        return LlamaForCausalLM(config), torch.randint(0, 128256, (1, 128), device="cpu")


MODELS: dict[str, Callable[[], Made]] = {
    "MLP, 3 layers of 64": mlp(3),
    "MLP, 30 layers of 64": mlp(30),
    "MLP, 100 layers of 64": mlp(100),
    "MLP, 6 layers of 4,096": mlp(7, 4096),
    "CNN, 3 convolutions": cnn,
    "ResNet-18, 32 × 32 pixels": resnet18,
    "ViT-tiny": vit(192, 3),
    "ViT-small": vit(384, 6),
    "LSTM, 2 layers of 512": lambda: (Lstm(), torch.randint(0, 1000, (16, 64))),
    "diffusion U-Net": lambda: (Diffusion(), torch.randn(8, 3, 32, 32)),
    "GPT-2 small, (4, 256) tokens": gpt2(256, 4),
    "GPT-2 small, (1, 1024) tokens": gpt2(1024, 1),
    "Llama 8B on the meta device": llama8b,
}
