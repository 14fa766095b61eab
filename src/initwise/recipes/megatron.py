"""Megatron-LM: N(0, 0.02), what writes into the residual stream divided by √(2L)."""

from __future__ import annotations

import math
from typing import Annotated

from .base import RecipeRow, registry
from .laws import Formula, normal, over_depth
from .rules import Rule

Std = Annotated[float, "init_method_std"]
EmbeddingStd = Annotated[float, "embedding_init_method_std; 0 means the same"]
Hybrid = Annotated[bool, "blocks with a state space have one residual branch: √L in place of √(2L)"]


def megatron(
    *, std: Std = 0.02, embedding_std: EmbeddingStd = 0.0, hybrid: Hybrid = False
) -> tuple[Rule, ...]:
    """init_method_normal and scaled_init_method_normal."""
    scaled = Formula(lambda p: std / math.sqrt(p.L), f"{std:g}/√L") if hybrid else over_depth(std)
    return (
        Rule(normal(std)),
        Rule(normal(embedding_std or std), parts=("embedding", "position", "token_type")),
        Rule(normal(std), parts=("router", "expert.gate_up", "expert.up", "expert.gate")),
        Rule(normal(scaled), parts=("attention.output", "mlp.down", "expert.down", "ssm.out"), needed="any"),
    )


registry.add(
    RecipeRow(
        name="megatron",
        aliases=("megatron_lm",),
        steps=megatron,
        summary="Every matrix and table N(0, 0.02); residual outputs N(0, 0.02/√(2L)), in hybrid models "
        "N(0, 0.02/√L); the router N(0, 0.02).",
        citation="Megatron-LM, megatron/core/transformer/transformer_config.py, megatron/core/utils.py",
        differences=(
            "Its documentation suggests an embedding std near 1 against loss spikes: embedding_std.",
        ),
        avoid="post-norm models.",
        suits=("language model", "transformer", "moe", "pre-norm", "deep", "residual branch"),
        unsuited=("post-norm",),
    )
)
