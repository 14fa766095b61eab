"""Classics of detection and segmentation, rebuilt small from their papers: name → (constructor, example)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from coverage_classics_vision import IMAGES, Built, Residual, conv


class Pyramid(nn.Module):
    """Feature pyramid (Lin et al. 2016): laterals, upsampled from the top, 3×3 at each level."""

    def __init__(self, widths: Sequence[int] = (24, 48, 96), out: int = 32) -> None:
        super().__init__()
        self.stem = conv(3, 24, 3)
        self.stages = nn.ModuleList(conv(i, o, 3, 2) for i, o in zip((24, *widths), widths, strict=False))
        self.laterals = nn.ModuleList(nn.Conv2d(w, out, 1) for w in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(out, out, 3, padding=1) for _ in widths)

    def features(self, x: Tensor) -> list[Tensor]:
        found, x = [], self.stem(x)
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> list[Tensor]:
        *lower, top = [lateral(f) for lateral, f in zip(self.laterals, self.features(x), strict=True)]
        levels = [top]
        for lateral in reversed(lower):
            levels.insert(0, lateral + F.interpolate(levels[0], scale_factor=2, mode="nearest"))
        return [smooth(level) for smooth, level in zip(self.smooth, levels, strict=True)]


class Detector(nn.Module):
    """SSD (Liu et al. 2015): classes and boxes from every level, joined."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid = Pyramid()
        self.classes, self.boxes = nn.Conv2d(32, 3 * 10, 3, padding=1), nn.Conv2d(32, 3 * 4, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        levels = self.pyramid(x)
        classes = [self.classes(f).permute(0, 2, 3, 1).flatten(1) for f in levels]
        boxes = [self.boxes(f).permute(0, 2, 3, 1).flatten(1) for f in levels]
        return {
            "classes": torch.cat(classes, 1).unflatten(1, (-1, 10)),
            "boxes": torch.cat(boxes, 1).unflatten(1, (-1, 4)),
        }


class Yolo(nn.Module):
    """YOLO-like: leaky residual stages, a grid of sigmoid boxes, exponential sizes."""

    def __init__(self) -> None:
        super().__init__()

        def leaky() -> nn.Module:
            return nn.LeakyReLU(0.1)

        def block(width: int) -> nn.Module:
            return Residual(
                nn.Sequential(conv(width, width // 2, 1, act=leaky), conv(width // 2, width, 3, act=leaky))
            )

        self.body = nn.Sequential(
            conv(3, 32, 3, act=leaky),
            conv(32, 64, 3, 2, act=leaky),
            block(64),
            conv(64, 96, 3, 2, act=leaky),
            block(96),
        )
        self.last = nn.Conv2d(96, 3 * 9, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(self.body(x)).unflatten(1, (3, 9)).permute(0, 1, 3, 4, 2)
        place, size, rest = y.split([2, 2, 5], -1)
        return torch.cat([place.sigmoid() * 2 - 0.5, size.exp(), rest.sigmoid()], -1)


class Atrous(nn.Module):
    """DeepLab's pyramid (Chen et al. 2017): dilated branches, one of the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 32, 3, 2), conv(32, 48, 3))
        self.branches = nn.ModuleList([conv(48, 24, 1), *(conv(48, 24, 3, dilation=d) for d in (2, 4, 6))])
        self.whole, self.join = conv(48, 24, 1), conv(120, 32, 1)
        self.last = nn.Conv2d(32, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        f = self.stem(x)
        whole = F.interpolate(self.whole(F.adaptive_avg_pool2d(f, 1)), f.shape[2:], mode="bilinear")
        y = self.last(self.join(torch.cat([*(branch(f) for branch in self.branches), whole], 1)))
        return F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=False)


def fcn() -> nn.Module:
    """Long et al. 2014: 1×1 scores, a transposed convolution back to full size."""
    down = [conv(3, 32, 3, 2), conv(32, 64, 3, 2), nn.Dropout2d()]
    return nn.Sequential(*down, nn.Conv2d(64, 8, 1), nn.ConvTranspose2d(8, 8, 8, 4, 2, bias=False))


class UNet(nn.Module):
    """Ronneberger et al. 2015: down, up, joined by skips."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        sizes = (width, 2 * width, 4 * width)
        self.down = nn.ModuleList(self.double(i, o) for i, o in zip((3, *sizes), sizes, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(o, o // 2, 2, 2) for o in (4 * width, 2 * width))
        self.joined = nn.ModuleList(self.double(o, o // 2) for o in (4 * width, 2 * width))
        self.last = nn.Conv2d(width, 2, 1)

    @staticmethod
    def double(inner: int, outer: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.Conv2d(outer, outer, 3, padding=1), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for stage in self.down:
            x = stage(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for up, joined, skip in zip(self.up, self.joined, reversed(skips[:-1]), strict=True):
            x = joined(torch.cat([skip, up(x)], 1))
        return self.last(x)


DENSE: dict[str, tuple[Built, Any]] = {
    "FPN": (Pyramid, IMAGES),
    "SSD": (Detector, IMAGES),
    "YOLO": (Yolo, IMAGES),
    "DeepLab ASPP": (Atrous, IMAGES),
    "FCN": (fcn, IMAGES),
    "U-Net": (UNet, IMAGES),
}
