"""Funnel Transformer: Xavier over √2, attention's own vectors uniform and positive, tokens N(0, 1)."""

from __future__ import annotations

import math
from typing import Annotated

from .base import RecipeRow, registry
from .laws import between, by, normal
from .rules import Rule

Range = Annotated[float, "the configuration's initializer_range, upper bound of attention's own tensors"]

OWN = ("*.r_w_bias", "*.r_r_bias", "*.r_kernel", "*.r_s_bias", "*.seg_embed")


def funnel(*, bound: Range = 0.1) -> tuple[Rule, ...]:
    """transformers' FunnelPreTrainedModel with initializer_std unset."""
    return (
        Rule(by("xavier_normal", gain=math.sqrt(0.5))),
        Rule(normal(1.0), parts=("embedding",), needed="all"),
        Rule(between(0.0, bound), names=OWN, roles=("bare", "token", "bias", "weight"), needed="any"),
    )


registry.add(
    RecipeRow(
        name="funnel",
        steps=funnel,
        summary="Matrices N(0, 1/√(in+out)), tokens N(0, 1), the relative attention's kernels and biases "
        "U[0, 0.1).",
        citation="transformers, modeling_funnel; Dai et al. 2020, arXiv:2006.03236",
        differences=("U[0, 0.1) is not centred: the bounds given to uniform_ lack the lower one.",),
        avoid="attention without relative positions of its own.",
        suits=("encoder", "hugging face", "post-norm"),
    )
)
