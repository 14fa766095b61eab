"""torch.nn.MultiheadAttention: queries, keys and values packed along the outputs, or apart."""

from __future__ import annotations

from typing import Any

from ...core.layout import Layout
from .base import LayoutRow, Slot, Slots, registry
from .parts import bias


def _attention(module: Any) -> Slots:
    parts = tuple((name, module.embed_dim) for name in "qkv")
    separate = tuple(f"{name}_proj_weight" for name in "qkv")
    of = ("in_proj_weight",) if module._qkv_same_embed_dim else separate
    token = Slot("token", Layout("ooo"))
    return {
        "in_proj_weight": Slot("weight", Layout("oi", parts=parts), gates=parts),
        **{name: Slot("weight", Layout("oi")) for name in separate},
        "in_proj_bias": bias(*of, start=0.0, gates=parts),
        "bias_k": token,
        "bias_v": token,
    }


registry.add(
    LayoutRow(
        name="multihead_attention",
        layers=("torch.nn.MultiheadAttention",),
        slots=_attention,
        summary="in_proj_weight (q + k + v, in), or q, k and v (out, in) each; biases 0; bias_k and bias_v.",
        citation="torch.nn.MultiheadAttention",
    )
)
