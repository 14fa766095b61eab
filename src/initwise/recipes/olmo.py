"""OLMo and OLMo-core: eight published ways to start one model."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import (
    INVERSE_ROOT_FAN_IN,
    INVERSE_ROOT_WIDTH,
    Formula,
    Law,
    Number,
    at,
    normal,
    over_depth,
    over_index,
    positive,
    say,
    truncated,
)
from .llama import BODY
from .rules import Rule

Flavor = Annotated[
    Literal["normal", "full_megatron", "mitchell", "hf"],
    "OLMo's init_fn, or what transformers draws",
]
CoreFlavor = Annotated[
    Literal["normal", "llama", "llama_depth", "fan_in", "normalized"], "OLMo-core's InitMethod"
]

EmbeddingStd = Annotated[float, "emb_init_std, the table's std; 0 means as the flavor has it"]
Scaled = Annotated[bool, "scale_emb_init, the table's std times √d"]
EmbeddingScale = Annotated[float, "embed_scale, by which the forward pass multiplies tokens (fan_in)"]

MITCHELL_OUT = Formula(lambda p: (2 * p.d * (p.l + 1)) ** -0.5, "1/√(2d(l+1))")
MITCHELL_DOWN = Formula(lambda p: (2 * p.fan_in * (p.l + 1)) ** -0.5, "1/√(2·fan_in·(l+1))")
OUTPUTS = ("attention.output", "mlp.down")


def olmo(
    *, flavor: Flavor = "normal", embedding_std: EmbeddingStd = 0.0, scale_embedding: Scaled = False
) -> tuple[Rule, ...]:
    """OLMo's model.py; 52 of its 57 published configurations say normal, 5 mitchell."""
    rules = _olmo(flavor)
    if not embedding_std and not scale_embedding:
        return rules
    std: Number = INVERSE_ROOT_WIDTH if flavor == "mitchell" else 0.02
    table = embedding_std or (times_root_width(std) if scale_embedding else std)
    law = normal(table) if flavor in ("normal", "hf") else truncated(table, 3.0)
    return (*rules, Rule(law, parts=("embedding",)))


def times_root_width(std: Number) -> Formula:
    """std·√d."""
    return Formula(lambda p: at(std, p) * p.d**0.5, f"{say(std)}·√d")


def _olmo(flavor: str) -> tuple[Rule, ...]:
    if flavor in ("normal", "hf"):
        return (*hf_rules(0.02), Rule(normal(0.02), parts=OUTPUTS, needed="all"))
    if flavor == "full_megatron":
        return (
            Rule(truncated(0.02, 3.0)),
            Rule(truncated(over_depth(0.02), 3.0), parts=OUTPUTS, needed="all"),
            Rule(truncated(INVERSE_ROOT_WIDTH, 3.0), parts=("head",)),
        )
    return (
        Rule(truncated(INVERSE_ROOT_WIDTH, 3.0)),
        Rule(truncated(MITCHELL_OUT, 3.0), parts=("attention.output",), needed="all"),
        Rule(truncated(MITCHELL_DOWN, 3.0), parts=("mlp.down",), needed="all"),
    )


def olmo_core(*, flavor: CoreFlavor = "llama", embedding_scale: EmbeddingScale = 1.0) -> tuple[Rule, ...]:
    """OLMo-core's nn/transformer/init.py."""
    positive("olmo_core", embedding_scale=embedding_scale)
    first, scaled, head, table = _core(flavor)
    table = normal(1 / embedding_scale) if flavor == "fan_in" else table
    outputs = (*OUTPUTS, "mlp.up") if flavor in ("llama", "llama_depth") else OUTPUTS
    return (
        Rule(first, parts=(*BODY, "mlp.gate", *(() if "mlp.up" in outputs else ("mlp.up",)))),
        Rule(scaled, parts=outputs, needed="any"),
        Rule(head, parts=("head",)),
        Rule(table, parts=("embedding",)),
    )


def _core(flavor: str) -> tuple[Law, Law, Law, Law]:
    """Laws of first matrices, scaled outputs, head and table."""
    plain, by_width = truncated(0.02, 3.0), truncated(INVERSE_ROOT_WIDTH, 3.0)
    if flavor == "normal":
        return plain, plain, plain, plain
    if flavor == "fan_in":
        by_fan = truncated(INVERSE_ROOT_FAN_IN, 3.0)
        return by_fan, by_fan, by_width, normal(1.0)
    if flavor == "normalized":
        return by_width, truncated(over_depth(INVERSE_ROOT_WIDTH), 3.0), by_width, normal(INVERSE_ROOT_WIDTH)
    over = over_depth(0.02) if flavor == "llama" else over_index(0.02)
    return plain, truncated(over, 3.0), by_width, normal(1.0)


registry.add(
    RecipeRow(
        name="olmo",
        aliases=("olmo2", "olmo3"),
        steps=olmo,
        summary="normal: everything N(0, 0.02). full_megatron: cut at ±3σ, residual outputs over √(2L), head "
        "1/√d. mitchell: everything 1/√d, outputs over √(2(l+1)), all cut at ±3σ.",
        citation="OLMo, olmo/model.py",
        differences=("The two options of the table's std are off in all published configurations here.",),
        avoid="normal for deep models: nothing is scaled by depth.",
        suits=("language model", "transformer", "pre-norm", "residual branch"),
    )
)
registry.add(
    RecipeRow(
        name="olmo_core",
        steps=olmo_core,
        summary="normal, llama (over √(2L)), llama_depth (over √(2(l+1))), fan_in (1/√fan_in) and normalized "
        "(1/√d, as nGPT); all cut at ±3σ but the tables.",
        citation="OLMo-core, olmo_core/nn/transformer/init.py, nn/attention/__init__.py",
        differences=(
            "The up projection is scaled like an output in llama and llama_depth, as in torchtitan.",
        ),
        avoid="fan_in for deep models: nothing is scaled by depth.",
        suits=("language model", "transformer", "moe", "pre-norm", "residual branch"),
    )
)
