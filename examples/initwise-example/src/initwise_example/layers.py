"""A layer that initwise does not know: block-diagonal, gate and up in one tensor."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BlockGatedLinear(nn.Module):
    """silu(x·G)·(x·U) in independent blocks: weight (blocks, in/blocks, 2·out/blocks), gates first."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.blocks, self.half = blocks, outputs // blocks
        self.weight = nn.Parameter(torch.empty(blocks, inputs // blocks, 2 * self.half))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) → (…, out)."""
        split = x.unflatten(-1, (self.blocks, -1))
        gate, up = torch.einsum("...bi,bio->...bo", split, self.weight).split(self.half, dim=-1)
        return (nn.functional.silu(gate) * up).flatten(-2) + self.bias
