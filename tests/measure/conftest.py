"""Networks that the measure tests share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

torch.set_num_threads(1)


def _fill(model: nn.Module, law, bias: float = 0.0, seed: int = 1) -> nn.Module:
    """`law(parameter, generator)` on every matrix, `bias` on every vector."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                law(parameter, generator)
            else:
                parameter.fill_(bias)
    return model


LAWS = {
    "he": lambda p, g: nn.init.kaiming_normal_(p, generator=g),
    "xavier": lambda p, g: nn.init.xavier_normal_(p, generator=g),
    "standard": lambda p, g: p.normal_(0, 1, generator=g),
    "small": lambda p, g: p.normal_(0, 0.01, generator=g),
    "zeros": lambda p, g: p.zero_(),
    "constant": lambda p, g: p.fill_(0.01),
}


@pytest.fixture
def filled():
    """filled(model, "he", bias=0.0) → the model, its matrices by that law."""
    return lambda model, law, bias=0.0: _fill(model, LAWS[law], bias)


@pytest.fixture
def mlp(filled):
    """mlp(activation class, depth, law) → Linear, activation, …, Linear(·, 10), 64 inputs."""

    def build(activation, depth, law, width=128, bias=0.0):
        layers, size = [], 64
        for _ in range(depth):
            layers += [nn.Linear(size, width), activation()]
            size = width
        return filled(nn.Sequential(*layers, nn.Linear(size, 10)), law, bias)

    return build


class Block(nn.Module):
    """A residual block as in ResNet, with in-place ReLU and in-place addition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        y += x
        return self.relu(y)


@pytest.fixture
def resnet():
    """resnet(zero_gamma=False): stem, four residual blocks with BatchNorm, pooled head."""

    def build(zero_gamma=False):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            *(Block(16) for _ in range(4)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(16, 10),
        )
        if zero_gamma:
            for block in list(model)[3:7]:
                nn.init.zeros_(block.norm2.weight)
        return model

    return build


class Transformer(nn.Module):
    """A pre-LN (or post-LN) language model with a tied head."""

    def __init__(self, depth: int, pre_norm: bool = True, width: int = 32) -> None:
        super().__init__()
        self.tokens = nn.Embedding(50, width)
        self.positions = nn.Embedding(16, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True, norm_first=pre_norm)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 50, bias=False)
        self.head.weight = self.tokens.weight
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, 0, 0.02)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


@pytest.fixture
def transformer():
    """transformer(depth, pre_norm=True): see Transformer."""

    def build(depth, pre_norm=True):
        torch.manual_seed(0)
        return Transformer(depth, pre_norm)

    return build


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM, batch_first=True) -> None:
        super().__init__()
        self.cells = kind(16, 32, 2, batch_first=batch_first)
        self.head = nn.Linear(32, 10)
        self.last = (slice(None), -1) if batch_first else -1

    def forward(self, x):
        return self.head(self.cells(x)[0][self.last])


@pytest.fixture
def recurrent():
    """recurrent(nn.LSTM, batch_first=True): two layers and a head on the last step."""

    def build(kind=nn.LSTM, batch_first=True):
        torch.manual_seed(0)
        return Recurrent(kind, batch_first)

    return build
