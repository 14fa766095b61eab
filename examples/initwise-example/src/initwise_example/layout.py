"""How a BlockGatedLinear stores its parameters: (block, in, gate + up)."""

from __future__ import annotations

from typing import Any

from initwise import Layout
from initwise.frameworks.layouts import LayoutRow, Slot


def slots(layer: Any) -> dict[str, Slot]:
    """The weight's blocks are independent matrices, and each is two, side by side."""
    parts = (("gate", layer.half), ("up", layer.half))
    return {
        "weight": Slot("weight", Layout("bio", parts=parts), gates=parts),
        "bias": Slot("bias", Layout("o"), start=0.0),
    }


row = LayoutRow(
    name="block_gated_linear",
    layers=("initwise_example.layers.BlockGatedLinear",),
    slots=slots,
    summary="weight (blocks, in/blocks, gate + up), bias 0.",
    citation="initwise_example.layers",
)
