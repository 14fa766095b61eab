"""A small model of residual blocks with the layer of layers.py."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import BlockGatedLinear


class Block(nn.Module):
    """x + down(gated(norm(x)))."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gated = BlockGatedLinear(width, hidden, blocks=4)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) → (…, width)."""
        result: Tensor = x + self.down(self.gated(self.norm(x)))
        return result


class BlockGatedNet(nn.Module):
    """Classes from features."""

    def __init__(self, inputs: int = 24, width: int = 32, depth: int = 3, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(Block(width, 2 * width) for _ in range(depth))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs) → (batch, classes)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.head(x)
        return result
