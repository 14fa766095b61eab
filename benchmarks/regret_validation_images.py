"""Networks of the validation set that read or draw images and signals."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def same(before: int, after: int, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that pads to keep the size."""
    return nn.Conv2d(before, after, size, stride, padding=size // 2, groups=groups)


def pooled_cnn(classes: int = 5) -> nn.Module:
    """Convolution, ReLU, maximum, twice; then two linear layers."""
    return nn.Sequential(
        *(same(1, 8), nn.ReLU(), nn.MaxPool2d(2), same(8, 16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes)),
    )


def head(channels: int, classes: int) -> list[nn.Module]:
    """The mean over places, and the classes."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


class PlainBlock(nn.Module):
    """x + W₂∗mish(W₁∗mish(x)), without a norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.act = nn.Mish()
        self.conv1, self.conv2 = same(channels, channels), same(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.act(self.conv1(self.act(x))))  # type: ignore[no-any-return]


def plain_residual(blocks: int, channels: int, classes: int = 4) -> nn.Module:
    """Residual convolutions without norms."""
    body = (PlainBlock(channels) for _ in range(blocks))
    return nn.Sequential(same(1, channels, stride=2), *body, nn.Mish(), *head(channels, classes))


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3, 1 × 1 with batch norms, added to x (He et al. 2016, arXiv 1512.03385, fig. 5)."""

    def __init__(self, channels: int, narrow: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(channels, narrow, 1, bias=False), by_batch(narrow), nn.ReLU()),
            *(nn.Conv2d(narrow, narrow, 3, padding=1, bias=False), by_batch(narrow), nn.ReLU()),
            *(nn.Conv2d(narrow, channels, 1, bias=False), by_batch(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


def by_batch(channels: int) -> nn.Module:
    """Batch norm that keeps no running statistics."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def bottlenecks(blocks: int, channels: int = 16, classes: int = 5) -> nn.Module:
    """A small ResNet of bottlenecks."""
    stem = [same(1, channels, stride=2), by_batch(channels), nn.ReLU()]
    body = (Bottleneck(channels, channels // 2) for _ in range(blocks))
    return nn.Sequential(*stem, *body, *head(channels, classes))


class NextBlock(nn.Module):
    """Depthwise 5 × 5, layer norm, up four times, GELU, down (Liu et al. 2022, arXiv 2201.03545)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = same(channels, channels, 5, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).movedim(-3, -1))
        return x + self.mlp(y).movedim(-1, -3)  # type: ignore[no-any-return]


def convnext(blocks: int, channels: int = 8, classes: int = 4) -> nn.Module:
    """Patches of 2 × 2 and depthwise residual blocks."""
    body = (NextBlock(channels) for _ in range(blocks))
    return nn.Sequential(nn.Conv2d(1, channels, 2, stride=2), *body, *head(channels, classes))


def painter(channels: int = 8) -> nn.Module:
    """From eight numbers an image of 10 × 10, by transposed convolutions."""
    return nn.Sequential(
        *(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 2 * channels * 9), nn.ReLU()),
        *(nn.Unflatten(1, (2 * channels, 3, 3)), nn.ConvTranspose2d(2 * channels, channels, 3, 2, 1)),
        *(nn.ReLU(), nn.ConvTranspose2d(channels, 1, 4, 2, 1)),
    )


class Twice(nn.Module):
    """Convolution, group norm, SiLU, twice, over time."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv1d(before, after, 3, padding=1), nn.GroupNorm(2, after), nn.SiLU()),
            *(nn.Conv1d(after, after, 3, padding=1), nn.GroupNorm(2, after), nn.SiLU()),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)  # type: ignore[no-any-return]


class SignalUNet(nn.Module):
    """A U-Net over time: halved twice by the mean, widened by transposed convolutions. (n, 1, t) both."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.one, self.two = Twice(1, channels), Twice(channels, 2 * channels)
        self.bottom, self.pool = Twice(2 * channels, 2 * channels), nn.AvgPool1d(2)
        self.up2 = nn.ConvTranspose1d(2 * channels, 2 * channels, 2, stride=2)
        self.back2 = Twice(4 * channels, channels)
        self.up1 = nn.ConvTranspose1d(channels, channels, 2, stride=2)
        self.back1, self.out = Twice(2 * channels, channels), nn.Conv1d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        whole = self.one(x)
        half = self.two(self.pool(whole))
        low = self.bottom(self.pool(half))
        half = self.back2(torch.cat([half, self.up2(low)], -2))
        return self.out(self.back1(torch.cat([whole, self.up1(half)], -2)))  # type: ignore[no-any-return]


class Vit(nn.Module):
    """Images of 10 × 10 as 25 patches behind a class token; `nn.Unfold` cuts them."""

    def __init__(self, layers: list[nn.Module], width: int, classes: int = 4) -> None:
        super().__init__()
        self.cut, self.patch = nn.Unfold(2, stride=2), nn.Linear(4, width)
        self.cls = nn.Parameter(torch.randn(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, 26, width))
        self.layers = nn.Sequential(*layers)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(self.cut(x).transpose(-1, -2))
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.norm(self.layers(x))[:, 0])  # type: ignore[no-any-return]
