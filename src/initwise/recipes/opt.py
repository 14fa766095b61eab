"""OPT: N(0, 0.006), residual outputs divided by √(2L), as Meta described it."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import normal, over_depth
from .rules import Rule

Flavor = Annotated[Literal["meta", "hf"], "as described by Meta, or what transformers draws"]


def opt(*, flavor: Flavor = "meta") -> tuple[Rule, ...]:
    """Second-hand: the report itself was not read."""
    if flavor == "hf":
        return (*hf_rules(0.02), Rule(normal(0.02), parts=("attention.output", "mlp.down"), needed="all"))
    return (
        Rule(normal(0.006)),
        Rule(normal(over_depth(0.006)), parts=("attention.output", "mlp.down"), needed="all"),
    )


registry.add(
    RecipeRow(
        name="opt",
        steps=opt,
        summary="Every matrix and table N(0, 0.006), residual outputs N(0, 0.006/√(2L)).",
        citation="Zhang et al. 2022, arXiv:2205.01068, as quoted in public repositories; "
        "transformers, modeling_opt",
        evidence="second-hand",
        differences=('transformers\' configuration says init_std 0.02: flavor="hf".',),
        avoid="models without warm-up: 0.006 was chosen for its own learning rate.",
        suits=("language model", "transformer", "pre-norm", "relu", "residual branch"),
        unsuited=("without warm-up",),
    )
)
