"""Plain networks for the bundled problems, with readable layer names."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


def mlp(activation: str, *, inputs: int = 64, width: int = 64, depth: int = 10, outputs: int = 10) -> Any:
    """`depth` linear layers with the activation (a class name in torch.nn) between them.

    The layers are called layer1 … layer{depth−1} and head; nothing normalises the signal.
    """
    from torch import nn

    layers: OrderedDict[str, Any] = OrderedDict()
    for index in range(1, depth):
        layers[f"layer{index}"] = nn.Linear(inputs if index == 1 else width, width)
        layers[f"act{index}"] = getattr(nn, activation)()
    layers["head"] = nn.Linear(width, outputs)
    return nn.Sequential(layers)


def cnn(*, channels: int = 16, depth: int = 10, outputs: int = 10) -> Any:
    """`depth` 3 × 3 convolutions with ReLU, the second with stride 2; then the mean and a linear head.

    For images of shape (batch, 1, 8, 8). No normalisation and no shortcuts.
    """
    from torch import nn

    layers: OrderedDict[str, Any] = OrderedDict()
    for index in range(1, depth + 1):
        stride = 2 if index == 2 else 1
        before = 1 if index == 1 else channels
        layers[f"conv{index}"] = nn.Conv2d(before, channels, 3, stride=stride, padding=1)
        layers[f"act{index}"] = nn.ReLU()
    layers["mean"] = nn.AdaptiveAvgPool2d(1)
    layers["flat"] = nn.Flatten()
    layers["head"] = nn.Linear(channels, outputs)
    return nn.Sequential(layers)
