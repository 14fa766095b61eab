"""Mixtral, gpt-oss and other mixtures of experts in transformers: 0.02 everywhere, routers too."""

from __future__ import annotations

from typing import Annotated

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import normal
from .rules import Rule

Std = Annotated[float, "the configuration's initializer_range"]


def mixtral(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """Experts and routers as every other matrix."""
    return (*hf_rules(std), Rule(normal(std), parts=("router", "expert.*"), needed="any"))


def gpt_oss(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """As Mixtral; the router's bias and attention's sinks are drawn too."""
    return (
        *mixtral(std=std),
        Rule(normal(std), parts=("router",), roles=("bias",)),
        Rule(normal(std), parts=("attention.sink",), needed="any"),
    )


registry.add(
    RecipeRow(
        name="mixtral",
        aliases=("olmoe", "granitemoe", "ernie4_5_moe", "phimoe", "minimax"),
        steps=mixtral,
        summary="Everything N(0, 0.02): experts and routers as every other matrix.",
        citation="transformers, modeling_mixtral",
        differences=(
            "torchtitan scales what writes into the residual stream by depth: qwen3_moe, deepseek_v3.",
        ),
        avoid="deep models from scratch: nothing is scaled by depth.",
        suits=("language model", "moe", "pre-norm", "hugging face", "glu"),
        unsuited=("very deep",),
    )
)
registry.add(
    RecipeRow(
        name="gpt_oss",
        steps=gpt_oss,
        summary="As mixtral; the router's bias and attention's sinks N(0, 0.02), the experts' biases 0.",
        citation="transformers, modeling_gpt_oss",
        differences=("Other routers have no bias, or one that starts at 0.",),
        avoid="deep models from scratch: nothing is scaled by depth.",
        suits=("language model", "moe", "pre-norm", "hugging face"),
        unsuited=("very deep",),
    )
)
