"""BERT and its kin: a normal at 0.02, truncated at Google, not truncated in transformers."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import normal, truncated
from .rules import Rule

Flavor = Annotated[Literal["google", "hf"], "cut at ±2σ as in the original code, or uncut as in transformers"]
Std = Annotated[float, "the configuration's initializer_range"]

KIN = (
    "albert",
    "big_bird",
    "camembert",
    "deberta",
    "deberta_v2",
    "distilbert",
    "electra",
    "ernie",
    "layoutlm",
    "longformer",
    "mpnet",
    "roberta",
    "xlm_roberta",
)


def bert(*, flavor: Flavor = "google", std: Std = 0.02) -> tuple[Rule, ...]:
    """All matrices and the tables of tokens, positions and segments alike."""
    if flavor == "hf":
        return (
            *hf_rules(std),
            Rule(normal(std), parts=("embedding", "attention.output", "mlp.down"), needed="all"),
        )
    return (
        Rule(truncated(std)),
        Rule(truncated(std), parts=("embedding", "attention.output", "mlp.down"), needed="all"),
    )


registry.add(
    RecipeRow(
        name="bert",
        aliases=KIN,
        steps=bert,
        summary="Every matrix and table N(0, 0.02) cut at ±2σ, so that the written std is 0.01759; biases 0, "
        "norms as themselves. In transformers not cut, padding row 0.",
        citation="google-research/bert, modeling.py, run_pretraining.py; transformers, modeling_bert",
        differences=(
            'transformers draws the uncut normal: flavor="hf".',
            "RoBERTa (fairseq) draws the uncut normal too.",
        ),
        avoid="deep post-norm encoders without warm-up.",
    )
)
