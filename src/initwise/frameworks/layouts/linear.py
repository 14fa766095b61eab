"""Linear maps and tables: torch stores (out, in), an embedding (rows, width)."""

from __future__ import annotations

from typing import Any

from ...core.layout import Layout
from .base import LayoutRow, Slot, Slots, registry
from .parts import bias, weight

_TORCH = "torch.nn, shapes as its documentation gives them"


def _linear(module: Any) -> Slots:
    return {"weight": weight("oi"), "bias": bias("weight")}


def _attention_output(module: Any) -> Slots:
    return {"weight": weight("oi"), "bias": bias("weight", start=0.0)}


def _transposed(module: Any) -> Slots:
    return {"weight": weight("io"), "bias": bias("weight", start=0.0)}


def _bilinear(module: Any) -> Slots:
    return {"weight": weight("oii"), "bias": bias("weight")}


def _embedding(module: Any) -> Slots:
    return {"weight": Slot("embedding", Layout("vo"), zero_row=module.padding_idx)}


registry.add(
    LayoutRow(
        name="linear",
        layers=("torch.nn.Linear",),
        slots=_linear,
        summary="weight (out, in), bias by its weight.",
        citation=_TORCH,
    )
)
registry.add(
    LayoutRow(
        name="attention_output",
        layers=("torch.nn.modules.linear.NonDynamicallyQuantizableLinear",),
        slots=_attention_output,
        summary="weight (out, in), bias 0: the output of torch's attention, a Linear under a private name.",
        citation=_TORCH,
        kind="Linear",
    )
)
registry.add(
    LayoutRow(
        name="transposed_linear",
        layers=("Conv1D",),
        slots=_transposed,
        summary="weight (in, out), bias 0: the Linear that GPT-2 is made of.",
        citation="transformers, pytorch_utils.Conv1D",
    )
)
registry.add(
    LayoutRow(
        name="bilinear",
        layers=("torch.nn.Bilinear",),
        slots=_bilinear,
        summary="weight (out, in, in), bias by its weight.",
        citation=_TORCH,
    )
)
registry.add(
    LayoutRow(
        name="embedding",
        layers=("torch.nn.Embedding", "torch.nn.EmbeddingBag"),
        slots=_embedding,
        summary="weight (rows, width), the padding row zero.",
        citation=_TORCH,
    )
)
