"""ModernBERT: truncated normals, residual outputs and the prediction head over √(2L)."""

from __future__ import annotations

from typing import Annotated

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import INVERSE_ROOT_WIDTH, over_depth, positive, truncated
from .rules import Rule

Std = Annotated[float, "the configuration's initializer_range"]
Cut = Annotated[float, "initializer_cutoff_factor, in sigmas"]


def modernbert(*, std: Std = 0.02, cut: Cut = 2.0) -> tuple[Rule, ...]:
    """transformers' ModernBertPreTrainedModel."""
    positive("modernbert", cut=cut)
    out = truncated(over_depth(std), cut)
    return (
        *hf_rules(std),
        Rule(truncated(std, cut), parts=("embedding", "attention.qkv", "mlp.gate_up"), needed="all"),
        Rule(out, parts=("attention.output", "mlp.down"), needed="all"),
        Rule(out, parts=("head.transform",)),
        # the language model's decoder, where it is no table; classifiers are drawn at 1/√d
        Rule(out, names=("*decoder.weight",), roles=("weight",)),
        Rule(truncated(INVERSE_ROOT_WIDTH, cut), names=("*classifier.weight",)),
    )


registry.add(
    RecipeRow(
        name="modernbert",
        steps=modernbert,
        summary="N(0, 0.02) cut at ±2σ; residual outputs, the prediction head and the decoder "
        "0.02/√(2L); classifiers 1/√d.",
        citation="transformers, modeling_modernbert; Warner et al. 2024, arXiv:2412.13663",
        differences=(
            "A tied decoder is the table and keeps its 0.02: transformers ties after both are drawn.",
        ),
        avoid="post-norm encoders.",
        suits=("encoder", "transformer", "pre-norm", "glu", "deep", "residual branch"),
        unsuited=("post-norm",),
    )
)
