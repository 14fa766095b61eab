"""LLaMA: as transformers draws it, as torchtitan trains Llama 3, and what Mistral shares with it."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import INVERSE_ROOT_WIDTH, halves, normal, over_index, truncated, truncated_at
from .rules import Rule

Flavor = Annotated[Literal["hf", "torchtitan"], "what transformers draws, or torchtitan's training recipe"]
Std = Annotated[float, "std of the matrices"]

BODY = ("attention.query", "attention.key", "attention.value", "attention.qkv", "attention.key_value")


def torchtitan_rules(std: float) -> tuple[Rule, ...]:
    """Llama 3 in torchtitan: cut at ±2 in weight units, which cuts nothing; up is scaled like an output."""
    first = truncated_at(std)
    scaled = truncated_at(over_index(std))
    return (
        Rule(normal(1.0), parts=("embedding",)),
        Rule(first, parts=(*BODY, "mlp.gate"), needed="any"),
        Rule(scaled, parts=("attention.output", "mlp.down"), needed="all"),
        Rule(scaled, parts=("mlp.up",)),
        Rule(halves(first, scaled), parts=("mlp.gate_up",)),
        Rule(truncated(INVERSE_ROOT_WIDTH, 3.0), parts=("head",)),
    )


def llama(*, flavor: Flavor = "hf", std: Std = 0.02) -> tuple[Rule, ...]:
    """transformers' LlamaForCausalLM, or torchtitan's Llama 3."""
    if flavor == "torchtitan":
        return torchtitan_rules(std)
    return (*hf_rules(std), Rule(normal(std), parts=("attention.*", "mlp.*"), needed="any"))


registry.add(
    RecipeRow(
        name="llama",
        aliases=("llama3", "mistral", "phi", "phi3", "exaone4"),
        steps=llama,
        summary="transformers: everything N(0, 0.02), nothing scaled by depth. torchtitan: tokens N(0, 1), "
        "matrices 0.02, attention's output, up and down 0.02/√(2(l+1)), head 1/√d cut at ±3σ.",
        citation="transformers, modeling_llama; torchtitan, models/llama3/__init__.py, common/param_init.py",
        differences=(
            "torchtitan scales the MLP's up projection (w3) by depth although it does not write into the "
            "residual stream.",
            "torchtitan leaves a tied table to the head's rule; here a tied table is a table.",
            "What Meta used is not published.",
        ),
        avoid='the "hf" flavor for deep models from scratch: it describes loading, not training.',
        suits=(
            "language model",
            "transformer",
            "pre-norm",
            "glu",
            "silu",
            "deep",
            "residual branch",
            "hugging face",
        ),
    )
)
