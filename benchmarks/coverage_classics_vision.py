"""Classics of image recognition, rebuilt small from their papers: name → (constructor, example)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Built = Callable[[], nn.Module]
IMAGES, LARGER = "f32[8,3,32,32]", "f32[4,3,64,64]"


def conv(
    inner: int,
    outer: int,
    size: int = 3,
    stride: int = 1,
    groups: int = 1,
    act: Callable[[], nn.Module] = nn.ReLU,
    dilation: int = 1,
) -> nn.Sequential:
    """Convolution, batch norm, activation."""
    pad = dilation * (size // 2)
    layer = nn.Conv2d(inner, outer, size, stride, pad, dilation, groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outer), act())


def head(width: int, classes: int = 10) -> nn.Sequential:
    """Mean over the places, and a Linear."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def alexnet() -> nn.Module:
    """Krizhevsky et al. 2012: large filters, overlapping pools, local response norm, dropout."""
    return nn.Sequential(
        nn.Conv2d(3, 24, 7, 2, 3), nn.ReLU(), nn.LocalResponseNorm(5, k=2), nn.MaxPool2d(3, 2),
        nn.Conv2d(24, 48, 5, 1, 2, groups=2), nn.ReLU(), nn.LocalResponseNorm(5, k=2), nn.MaxPool2d(3, 2),
        nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(64, 48, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(),
        nn.Dropout(), nn.Linear(48 * 9, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10),
    )  # fmt: skip


def vgg(norm: bool) -> Built:
    """Simonyan & Zisserman 2014: 3×3 convolutions and pools."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        inner = 3
        for stage in ((16, 16), (32, 32), (64, 64, 64)):
            for width in stage:
                layers += [nn.Conv2d(inner, width, 3, padding=1)]
                layers += [nn.BatchNorm2d(width)] if norm else []
                layers += [nn.ReLU(inplace=True)]
                inner = width
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 96), nn.ReLU(True), nn.Linear(96, 10))

    return build


class Residual(nn.Module):
    """body(x) + shortcut(x), then `last`."""

    def __init__(
        self, body: nn.Module, shortcut: nn.Module | None = None, last: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.body, self.shortcut, self.last = body, shortcut or nn.Identity(), last or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x) + self.shortcut(x))


def bottleneck(inner: int, outer: int, stride: int, groups: int, middle: int) -> nn.Module:
    """1×1, 3×3 in groups, 1×1, around a projected shortcut (He et al. 2015; Xie et al. 2016)."""
    body = nn.Sequential(
        conv(inner, middle, 1),
        conv(middle, middle, 3, stride, groups),
        conv(middle, outer, 1, act=nn.Identity),
    )
    plain = inner == outer and stride == 1
    return Residual(body, None if plain else conv(inner, outer, 1, stride, act=nn.Identity), nn.ReLU())


def resnet50ish(groups: int = 1, middle: float = 0.5) -> Built:
    """Stages of bottlenecks: ResNet, ResNeXt (groups), Wide ResNet (a wide middle), RegNet-X."""

    def build() -> nn.Module:
        widths = (24, 48, 96)
        blocks: list[nn.Module] = [conv(3, 24, 3, 1)]
        for inner, outer in zip((24, *widths), widths, strict=False):
            for n in range(2):
                size = int(outer * middle)
                blocks.append(bottleneck(outer if n else inner, outer, 1 if n else 2, groups, size))
        return nn.Sequential(*blocks, head(96))

    return build


class Dense(nn.Module):
    """Every layer sees all before it (Huang et al. 2016)."""

    def __init__(self, inner: int, growth: int, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(inner + n * growth),
                nn.ReLU(),
                nn.Conv2d(inner + n * growth, growth, 3, padding=1, bias=False),
            )
            for n in range(count)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


def densenet() -> nn.Module:
    down = nn.Sequential(nn.BatchNorm2d(72), nn.ReLU(), nn.Conv2d(72, 36, 1, bias=False), nn.AvgPool2d(2))
    last = nn.Sequential(nn.BatchNorm2d(84), nn.ReLU())
    stem = nn.Conv2d(3, 24, 3, padding=1, bias=False)
    return nn.Sequential(stem, Dense(24, 12, 4), down, Dense(36, 12, 4), last, head(84))


class Branches(nn.Module):
    """The outputs of several branches side by side."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def inception(inner: int, norm: bool) -> nn.Module:
    """1×1, 3×3, 5×5 and a pool (Szegedy et al. 2014); with `norm` two 3×3, and 1×7 by 7×1 (2015)."""

    def layer(i: int, o: int, size: int) -> nn.Module:
        if norm:
            return conv(i, o, size)
        return nn.Sequential(nn.Conv2d(i, o, size, padding=size // 2), nn.ReLU())

    third = nn.Sequential(layer(inner, 8, 1), layer(8, 16, 5))
    if norm:
        long = nn.Sequential(
            nn.Conv2d(8, 8, (1, 7), padding=(0, 3)), nn.Conv2d(8, 16, (7, 1), padding=(3, 0))
        )
        third = nn.Sequential(layer(inner, 8, 1), long, nn.BatchNorm2d(16), nn.ReLU())
    return Branches(
        layer(inner, 16, 1),
        nn.Sequential(layer(inner, 16, 1), layer(16, 24, 3)),
        third,
        nn.Sequential(nn.MaxPool2d(3, 1, 1), layer(inner, 8, 1)),
    )


def googlenet(norm: bool) -> Built:
    return lambda: nn.Sequential(
        conv(3, 32, 3) if norm else nn.Conv2d(3, 32, 3, padding=1),
        nn.MaxPool2d(3, 2, 1),
        inception(32, norm),
        inception(64, norm),
        nn.MaxPool2d(3, 2, 1),
        inception(64, norm),
        nn.Dropout(0.4),
        head(64),
    )


def fire(inner: int) -> nn.Module:
    """Squeeze, then expand 1×1 and 3×3 (Iandola et al. 2016)."""
    squeeze = nn.Sequential(nn.Conv2d(inner, 16, 1), nn.ReLU())
    one = nn.Sequential(nn.Conv2d(16, 32, 1), nn.ReLU())
    return nn.Sequential(squeeze, Branches(one, nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU())))


def squeezenet() -> nn.Module:
    stem = [nn.Conv2d(3, 32, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)]
    tail = [nn.Dropout(), nn.Conv2d(64, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, fire(32), fire(64), fire(64), *tail)


def mobilenet1() -> nn.Module:
    """Howard et al. 2017: depthwise, then pointwise."""
    layers: list[nn.Module] = [conv(3, 32, 3, 2)]
    for inner, outer, stride in ((32, 48, 1), (48, 64, 2), (64, 96, 1)):
        layers += [conv(inner, inner, 3, stride, inner), conv(inner, outer, 1)]
    return nn.Sequential(*layers, head(96))


class Squeeze(nn.Module):
    """Squeeze and excitation (Hu et al. 2017)."""

    def __init__(self, width: int, act: type[nn.Module], gate: type[nn.Module]) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)
        self.act, self.gate = act(), gate()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.up(self.act(self.down(x.mean((2, 3), keepdim=True)))))


def inverted(
    inner: int, outer: int, stride: int, act: type[nn.Module], size: int, squeeze: type[nn.Module] | None
) -> nn.Module:
    """Expand, depthwise, project, linear at its end (Sandler et al. 2018)."""
    middle = 4 * inner
    parts: list[nn.Module] = [
        conv(inner, middle, 1, act=act),
        conv(middle, middle, size, stride, middle, act),
    ]
    parts += [Squeeze(middle, act, squeeze)] if squeeze else []
    body = nn.Sequential(*parts, conv(middle, outer, 1, act=nn.Identity))
    return Residual(body) if inner == outer and stride == 1 else body


def mobile(act: type[nn.Module], size: int = 3, squeeze: type[nn.Module] | None = None) -> Built:
    """MobileNet v2 (ReLU6), v3 (hard-swish, squeeze), MNASNet (5×5), EfficientNet (SiLU, squeeze)."""

    def build() -> nn.Module:
        widths = ((16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1))
        blocks = [inverted(i, o, s, act, size, squeeze) for i, o, s in widths]
        return nn.Sequential(conv(3, 16, 3, 1, act=act), *blocks, conv(40, 96, 1, act=act), head(96))

    return build


class Shuffled(nn.Module):
    """ShuffleNet v1 (Zhang et al. 2017): grouped 1×1, channels shuffled."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.first, self.last = (
            conv(width, width, 1, groups=groups),
            conv(width, width, 1, groups=groups, act=nn.Identity),
        )
        self.depthwise, self.groups = conv(width, width, 3, groups=width, act=nn.Identity), groups

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        b, c, *places = h.shape
        h = h.view(b, self.groups, c // self.groups, *places).transpose(1, 2).reshape(b, c, *places)
        return F.relu(x + self.last(self.depthwise(h)))


class Split(nn.Module):
    """ShuffleNet v2 (Ma et al. 2018): half the channels pass, then shuffled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            conv(half, half, 1), conv(half, half, 3, groups=half, act=nn.Identity), conv(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1)
        return F.channel_shuffle(torch.cat([left, self.branch(right)], 1), 2)


def shufflenet(block: Callable[[int], nn.Module]) -> Built:
    return lambda: nn.Sequential(conv(3, 48, 3, 2), block(48), block(48), block(48), head(48))


class Repeated(nn.Module):
    """RepVGG (Ding et al. 2021): 3×3, 1×1 and identity, each with its norm, summed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.large, self.small = (
            conv(width, width, 3, act=nn.Identity),
            conv(width, width, 1, act=nn.Identity),
        )
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.large(x) + self.small(x) + self.norm(x))


class ConvNextBlock(nn.Module):
    """Liu et al. 2022: 7×7 depthwise, LayerNorm over channels, an inverted MLP, layer scale."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.down(F.gelu(self.up(h)))).permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    stem = [nn.Conv2d(3, 32, 4, 4), nn.GroupNorm(1, 32)]
    down = [nn.GroupNorm(1, 32), nn.Conv2d(32, 64, 2, 2)]
    blocks = [ConvNextBlock(32, 0.1), ConvNextBlock(32, 0.1), *down, ConvNextBlock(64, 0.1)]
    return nn.Sequential(
        *stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(64), nn.Linear(64, 9)
    )


VISION: dict[str, tuple[Built, Any]] = {
    "AlexNet": (alexnet, LARGER),
    "VGG": (vgg(False), IMAGES),
    "VGG, batch norm": (vgg(True), IMAGES),
    "ResNet, bottlenecks": (resnet50ish(), IMAGES),
    "ResNeXt": (resnet50ish(4, 0.5), IMAGES),
    "Wide ResNet": (resnet50ish(1, 2.0), IMAGES),
    "RegNet-X": (resnet50ish(3, 1.0), IMAGES),
    "DenseNet": (densenet, IMAGES),
    "GoogLeNet": (googlenet(False), IMAGES),
    "Inception v3": (googlenet(True), IMAGES),
    "SqueezeNet": (squeezenet, LARGER),
    "MobileNet v1": (mobilenet1, IMAGES),
    "MobileNet v2": (mobile(nn.ReLU6), IMAGES),
    "MobileNet v3": (mobile(nn.Hardswish, 3, nn.Hardsigmoid), IMAGES),
    "MNASNet": (mobile(nn.ReLU, 5), IMAGES),
    "EfficientNet": (mobile(nn.SiLU, 3, nn.Sigmoid), IMAGES),
    "RegNet-Y": (mobile(nn.ReLU, 3, nn.Sigmoid), IMAGES),
    "ShuffleNet v1": (shufflenet(lambda width: Shuffled(width, 4)), IMAGES),
    "ShuffleNet v2": (shufflenet(Split), IMAGES),
    "RepVGG": (shufflenet(Repeated), IMAGES),
    "ConvNeXt": (convnext, LARGER),
}
