"""Gemma: N(0, 0.02), norms that compute 1 + w start at 0."""

from __future__ import annotations

from typing import Annotated

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import ZERO
from .rules import Rule, neutral

Std = Annotated[float, "the configuration's initializer_range"]


def gemma(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """Gemma 1, 2 and 3."""
    return (
        *hf_rules(std),
        Rule(neutral(0.0), layers=("*RMSNorm",), roles=("norm_gain",), needed="any"),
        Rule(ZERO, layers=("*MultiModalProjector",)),
    )


registry.add(
    RecipeRow(
        name="gemma",
        aliases=("gemma2", "gemma3"),
        steps=gemma,
        summary="Everything N(0, 0.02); the RMSNorms compute 1 + w, so that w starts at 0; Gemma 3's image "
        "projector 0.",
        citation="transformers, modeling_gemma, modeling_gemma2, modeling_gemma3",
        differences=("The table's output is multiplied by √d in the forward pass, as T5 never does.",),
        avoid="models whose norms compute w instead of 1 + w: they would put out nothing.",
        suits=("language model", "transformer", "pre-norm", "glu", "hugging face"),
    )
)
