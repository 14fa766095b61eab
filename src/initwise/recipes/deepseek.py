"""DeepSeek-V3: as transformers draws it, as torchtitan trains it, as the reports say."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import INVERSE_ROOT_WIDTH, ZERO, halves, normal, over_index, truncated, truncated_at
from .llama import BODY
from .rules import Rule

Flavor = Annotated[
    Literal["hf", "torchtitan", "paper"],
    "what transformers draws, torchtitan's training recipe, or the reports' 0.006",
]

CORRECTION = Rule(ZERO, names=("*e_score_correction_bias",), roles=("bare", "bias"))


def deepseek_v3(*, flavor: Flavor = "hf") -> tuple[Rule, ...]:
    """Latent attention, shared and routed experts, a router with a correction that starts at 0."""
    if flavor == "paper":
        return (*hf_rules(0.006), CORRECTION, Rule(normal(0.006), parts=("expert.*",), needed="any"))
    if flavor == "hf":
        return (*hf_rules(0.02), CORRECTION, Rule(normal(0.02), parts=("expert.*",), needed="any"))
    parts = ("attention.output", "mlp.up", "mlp.down", "expert.up", "expert.down", "router")
    first, scaled = truncated_at(0.02), truncated_at(over_index(0.02))
    return (
        CORRECTION,
        Rule(normal(1.0), parts=("embedding",)),
        Rule(first, parts=(*BODY, "mlp.gate", "expert.gate"), needed="any"),
        Rule(scaled, parts=parts, needed="any"),
        Rule(halves(first, scaled), parts=("mlp.gate_up", "expert.gate_up")),
        Rule(truncated(INVERSE_ROOT_WIDTH, 3.0), parts=("head",)),
    )


registry.add(
    RecipeRow(
        name="deepseek_v3",
        aliases=("deepseek_v2", "glm4_moe", "dots1"),
        steps=deepseek_v3,
        summary="transformers: everything N(0, 0.02). torchtitan: as Llama 3 there, with experts like MLPs "
        "and the router scaled by depth. The reports: everything N(0, 0.006).",
        citation="transformers, modeling_deepseek_v3; torchtitan, models/deepseek_v3/__init__.py; "
        "DeepSeek-AI 2024, arXiv:2412.19437, as quoted in public repositories",
        differences=(
            "transformers' configurations say 0.02 because they describe loading, not training.",
            'The 0.006 of flavor="paper" is second-hand.',
            "torchtitan keeps gate and up apart; in one matrix, as transformers has them, the gate is "
            "the first "
            "half (gpt-oss, which interleaves them, is another model).",
        ),
        avoid='the "hf" flavor for training from scratch.',
        suits=("language model", "moe", "pre-norm", "hugging face"),
    )
)
