"""Norms, and PReLU's slopes: vectors that start at a neutral value."""

from __future__ import annotations

from typing import Any

from ...core.layout import Layout
from .base import LayoutRow, Slot, Slots, registry

_TORCH = "torch.nn, shapes as its documentation gives them"


def _norm(module: Any) -> Slots:
    # LayerNorm and RMSNorm may span several axes
    axes = "o" * len(getattr(module, "normalized_shape", (1,)))
    return {
        "weight": Slot("norm_gain", Layout(axes), start=1.0),
        "bias": Slot("norm_bias", Layout(axes), start=0.0),
    }


def _prelu(module: Any) -> Slots:
    return {"weight": Slot("slope", Layout("o"), start=float(module.init))}


registry.add(
    LayoutRow(
        name="norm",
        layers=(
            "torch.nn.BatchNorm1d",
            "torch.nn.BatchNorm2d",
            "torch.nn.BatchNorm3d",
            "torch.nn.SyncBatchNorm",
            "torch.nn.InstanceNorm1d",
            "torch.nn.InstanceNorm2d",
            "torch.nn.InstanceNorm3d",
            "torch.nn.modules.batchnorm._NormBase",
            "torch.nn.LayerNorm",
            "torch.nn.GroupNorm",
            "torch.nn.RMSNorm",
        ),
        slots=_norm,
        summary="weight: the gain, 1; bias: the shift, 0.",
        citation=_TORCH,
    )
)
registry.add(
    LayoutRow(
        name="prelu",
        layers=("torch.nn.PReLU",),
        slots=_prelu,
        summary="weight: the slopes, at the layer's own start.",
        citation=_TORCH,
    )
)
