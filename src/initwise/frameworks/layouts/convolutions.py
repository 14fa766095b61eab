"""Convolutions: (out, in/groups, *kernel); transposed ones (in, out/groups, *kernel)."""

from __future__ import annotations

from typing import Any

from ...core.layout import Layout
from .base import LayoutRow, Slot, Slots, registry
from .parts import bias

SPATIAL = {1: "k", 2: "hw", 3: "dhw"}
_TORCH = "torch.nn, shapes as its documentation gives them"


def _kernel(module: Any, first: str) -> Slots:
    axes = first + SPATIAL[len(module.kernel_size)]
    layout = Layout(axes, groups=module.groups, stride=tuple(module.stride))
    return {"weight": Slot("weight", layout), "bias": bias("weight")}


def _convolution(module: Any) -> Slots:
    return _kernel(module, "io" if module.transposed else "oi")


registry.add(
    LayoutRow(
        name="convolution",
        layers=(
            "torch.nn.Conv1d",
            "torch.nn.Conv2d",
            "torch.nn.Conv3d",
            "torch.nn.modules.conv._ConvNd",
        ),
        slots=_convolution,
        summary="weight (out, in/groups, *kernel), bias by its weight; groups and strides are the layer's.",
        citation=_TORCH,
    )
)
registry.add(
    LayoutRow(
        name="transposed_convolution",
        layers=("torch.nn.ConvTranspose1d", "torch.nn.ConvTranspose2d", "torch.nn.ConvTranspose3d"),
        slots=_convolution,
        summary="weight (in, out/groups, *kernel), bias by its weight; groups and strides are the layer's.",
        citation=_TORCH,
    )
)
