"""T5: attention's 1/√d_kv lies in the queries' std, tables at std 1."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import (
    INVERSE_ROOT_FAN_IN,
    INVERSE_ROOT_WIDTH,
    Formula,
    Law,
    by,
    constant,
    corrected,
    normal,
    positive,
    times,
)
from .rules import Rule
from .structure import Place

Flavor = Annotated[Literal["hf", "t5x"], "transformers (normal), or t5x (corrected truncated normal)"]
Factor = Annotated[float, "the configuration's initializer_factor"]


def _head_size(p: Place) -> float:
    return p.fan_out / p.h


QUERY = Formula(lambda p: (p.fan_in * _head_size(p)) ** -0.5, "1/√(d·d_kv)")


def t5(*, flavor: Flavor = "hf", factor: Factor = 1.0) -> tuple[Rule, ...]:
    """The number of heads is read from the table of relative positions, or from the option heads."""
    positive("t5", factor=factor)
    if flavor == "t5x":
        return _t5x()
    by_fan, by_width = normal(times(factor, INVERSE_ROOT_FAN_IN)), normal(times(factor, INVERSE_ROOT_WIDTH))
    body = ("attention.key", "attention.value", "attention.output", "mlp.up", "mlp.gate", "mlp.down")
    experts = ("expert.up", "expert.gate", "expert.down")
    return (
        # what its own code does not name falls to transformers' default, whose std is the factor
        Rule(normal(factor)),
        Rule(normal(factor), parts=("embedding", "head", "router")),
        Rule(normal(times(factor, QUERY)), parts=("attention.query",), needed="all"),
        Rule(by_fan, parts=(*body, *experts), needed="any"),
        Rule(by_width, parts=("relative_position", "head.transform")),
        Rule(by_fan, names=("*qa_outputs.weight", "*classification_head.*.weight")),
        Rule(constant(factor), roles=("norm_gain",)),
    )


def _t5x() -> tuple[Rule, ...]:
    scaled = corrected(INVERSE_ROOT_FAN_IN)
    return (
        Rule(scaled),
        Rule(normal(1.0), parts=("embedding",)),
        Rule(corrected(QUERY), parts=("attention.query",), needed="all"),
        Rule(scaled, parts=("attention.key", "attention.value", "mlp.down"), needed="all"),
        Rule(_relative(), parts=("relative_position",)),
    )


def _relative() -> Law:
    """variance_scaling(1, fan_avg, uniform) on the table (heads, distances)."""
    law = by("variance_scaling", scale=1.0, mode="fan_avg", distribution="uniform")
    bound = Formula(lambda p: math.sqrt(6 / sum(p.info.shape)), "√(6/(distances + heads))")
    from .laws import uniform

    made = uniform(bound)
    return Law(made.make, f"{law}: {made}")


registry.add(
    RecipeRow(
        name="t5",
        aliases=("mt5", "umt5", "longt5", "switch_transformers"),
        steps=t5,
        summary="Tables N(0, 1); queries N(0, 1/√(d·d_kv)), all other matrices N(0, 1/√fan_in); relative "
        "positions N(0, 1/√d); norms 1. In t5x truncated and corrected, relative positions uniform.",
        citation="transformers, modeling_t5; google-research/t5x, examples/t5; "
        "Raffel et al. 2019, arXiv:1910.10683",
        differences=(
            "transformers draws a relative position at 1/√d, t5x uniformly by fan_avg.",
            "A head that no rule of transformers names gets std 1, by its default.",
        ),
        avoid="attention that divides its logits by √d_kv: T5 does not, its queries are that much smaller.",
        suits=("transformer", "language model", "pre-norm", "hugging face", "moe"),
    )
)
