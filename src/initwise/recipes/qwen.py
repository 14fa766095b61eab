"""Qwen: transformers' and torchtitan's Qwen3, and Qwen3-Next with its two kinds of norm."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import ONE, mapped, normal, over_depth
from .rules import Rule

Flavor = Annotated[Literal["hf", "torchtitan"], "what transformers draws, or torchtitan's training recipe"]


def qwen3(*, flavor: Flavor = "hf") -> tuple[Rule, ...]:
    """Everything 0.02; torchtitan scales the outputs of mixtures of experts by depth."""
    rules = (*hf_rules(0.02), Rule(normal(0.02), parts=("attention.*", "mlp.*"), needed="any"))
    if flavor == "hf":
        return rules
    scaled = normal(over_depth(0.02))
    # attention's output is scaled in the variants with experts only
    return (*rules, Rule(scaled, parts=("expert.down",)))


def qwen3_moe() -> tuple[Rule, ...]:
    """torchtitan's mixtures of experts."""
    return (
        Rule(normal(0.02)),
        Rule(normal(0.02), parts=("router", "expert.gate_up", "expert.gate", "expert.up"), needed="any"),
        Rule(normal(over_depth(0.02)), parts=("attention.output", "expert.down"), needed="any"),
    )


def qwen3_next() -> tuple[Rule, ...]:
    """As Qwen3; the DeltaNet's dt_bias is 1, A_log = ln U(0.01, 16)."""
    return (
        *hf_rules(0.02),
        Rule(normal(0.02), parts=("ssm.in", "ssm.out", "ssm.conv"), needed="any"),
        Rule(ONE, parts=("ssm.dt_bias",)),
        Rule(mapped("log_of_uniform", 0.01, 16.0), parts=("ssm.A",)),
    )


registry.add(
    RecipeRow(
        name="qwen3",
        aliases=("qwen2", "qwen2_moe"),
        steps=qwen3,
        summary="Everything N(0, 0.02), norms of queries and keys included among the norms.",
        citation="transformers, modeling_qwen3; torchtitan, models/qwen3/__init__.py",
        differences=("torchtitan's dense Qwen3 scales nothing by depth either.",),
        avoid="deep models from scratch: nothing is scaled by depth.",
        suits=("language model", "transformer", "pre-norm", "glu", "silu", "hugging face"),
        unsuited=("very deep",),
    )
)
registry.add(
    RecipeRow(
        name="qwen3_moe",
        steps=qwen3_moe,
        summary="As qwen3; attention's output and the experts' down matrices N(0, 0.02/√(2L)).",
        citation="torchtitan, models/qwen3/__init__.py",
        differences=('transformers draws everything at 0.02: recipe("qwen3").',),
        avoid="models without experts: qwen3.",
        suits=("language model", "moe", "pre-norm", "glu", "residual branch", "deep"),
    )
)
registry.add(
    RecipeRow(
        name="qwen3_next",
        steps=qwen3_next,
        summary="Everything N(0, 0.02); norms that compute 1 + w start at 0, the DeltaNet's gated norm "
        "at 1; A_log = ln U(0.01, 16), dt's bias 1.",
        citation="transformers, modeling_qwen3_next",
        differences=("The two kinds of RMSNorm are told apart by what they compute, not by their names.",),
        avoid="other linear attentions: their dt_bias is drawn.",
        suits=("language model", "moe", "ssm", "pre-norm", "hugging face"),
    )
)
