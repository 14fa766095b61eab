"""What a BlockGatedNet starts from."""

from __future__ import annotations

from typing import Annotated

from initwise.recipes import RecipeRow, Rule
from initwise.recipes.laws import INVERSE_ROOT_FAN_IN, ZERO, normal, over_depth

Std = Annotated[float, "std of the matrices that write into the residual stream, before ÷√(2L)"]


def steps(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """LeCun's law everywhere, small branches, a head of zeros."""
    return (
        Rule(normal(INVERSE_ROOT_FAN_IN)),
        Rule(normal(INVERSE_ROOT_FAN_IN), layers=("BlockGatedLinear",), roles=("weight",), needed="any"),
        Rule(normal(over_depth(std)), names=("blocks.*.down.weight",), needed="any"),
        Rule(ZERO, names=("head.weight",)),
    )


row = RecipeRow(
    name="block_gated",
    steps=steps,
    summary="N(0, 1/√fan_in), branches N(0, 0.02/√(2L)), the head 0.",
    citation="initwise_example.model",
    evidence="computed",
)
