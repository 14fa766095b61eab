"""Small torch models, one per family that `choose` must understand."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mlp(
    depth: int, activation: type[nn.Module], width: int = 24, inputs: int = 16, outputs: int = 4
) -> nn.Module:
    sizes = [inputs, *[width] * (depth - 1), outputs]
    layers: list[nn.Module] = []
    for k in range(depth):
        layers += [nn.Linear(sizes[k], sizes[k + 1])] + ([activation()] if k < depth - 1 else [])
    return nn.Sequential(*layers)


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        inside += x
        return torch.relu(inside)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.blocks, self.head = nn.Sequential(Block(8), Block(8)), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(torch.relu(self.bn(self.stem(x))))
        return self.head(x.mean((2, 3)))


class ResidualMLP(nn.Module):
    def __init__(self, blocks: int = 8, width: int = 24) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(16, width), nn.Linear(width, 4)
        self.first = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.last = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for first, last in zip(self.first, self.last, strict=True):
            x = x + last(torch.relu(first(x)))
        return self.head(x)


class Transformer(nn.Module):
    def __init__(self, norm_first: bool, layers: int = 2, width: int = 16) -> None:
        super().__init__()
        self.tokens = nn.Embedding(40, width)
        layer = nn.TransformerEncoderLayer(
            width, 2, 32, dropout=0.1, norm_first=norm_first, batch_first=True, activation="gelu"
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width) if norm_first else nn.Identity()
        self.head = nn.Linear(width, 40)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.encoder(self.tokens(x))))


class LSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(6, 12, batch_first=True), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


class Tied(nn.Module):
    """An embedding that is the head, too."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.mix, self.norm = nn.Embedding(30, 16), nn.Linear(16, 16), nn.LayerNorm(16)
        self.head = nn.Linear(16, 30, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(torch.tanh(self.mix(self.tokens(x)))))


class Bare(nn.Module):
    """Two matrices that no layer owns, and one that has its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(16, 24) / 4), nn.Parameter(torch.randn(24, 8) / 5)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.head(torch.tanh(x @ self.a) @ self.b))


class Labels(nn.Module):
    """Returns integers beside its floats."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(3, nn.ReLU)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        scores = self.body(x)
        return {"labels": scores.argmax(-1), "scores": scores}


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 8), nn.Linear(9, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x)))


TABLE = "i64[16,6]<30"
ZOO = {
    "sigmoid": (lambda: mlp(10, nn.Sigmoid), "f32[32,16]"),
    "relu": (lambda: mlp(10, nn.ReLU), "f32[32,16]"),
    "relu_deep": (lambda: mlp(30, nn.ReLU), "f32[32,16]"),
    "cnn": (cnn, "f32[16,3,8,8]"),
    "resnet": (ResNet, "f32[16,3,8,8]"),
    "residual": (ResidualMLP, "f32[32,16]"),
    "pre_norm": (lambda: Transformer(True), TABLE),
    "post_norm": (lambda: Transformer(False), TABLE),
    "lstm": (LSTM, "f32[16,7,6]"),
    "autoencoder": (
        lambda: nn.Sequential(
            *(m for a, b in ((16, 12), (12, 4), (4, 12)) for m in (nn.Linear(a, b), nn.Tanh())),
            nn.Linear(12, 16),
        ),
        "f32[32,16]",
    ),
    "embedding": (
        lambda: nn.Sequential(nn.EmbeddingBag(30, 16), nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 3)),
        TABLE,
    ),
    "linear_only": (lambda: nn.Sequential(nn.Linear(16, 24), nn.Linear(24, 4)), "f32[32,16]"),
    "single": (lambda: nn.Linear(16, 4), "f32[32,16]"),
    "tied": (Tied, TABLE),
    "bare": (Bare, "f32[32,16]"),
    "labels": (Labels, "f32[32,16]"),
}
