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
    "bert_generation",
    "big_bird",
    "camembert",
    "convbert",
    "data2vec_text",
    "deberta",
    "deberta_v2",
    "distilbert",
    "dpr",
    "ernie",
    "esm",
    "fnet",
    "layoutlm",
    "longformer",
    "luke",
    "megatron_bert",
    "mobilebert",
    "mpnet",
    "nystromformer",
    "rembert",
    "roformer",
    "squeezebert",
    "xlm_roberta",
    "xmod",
    "yoso",
)
"""Encoders of which transformers draws everything as BERT's, uncut."""


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


def roberta(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """fairseq's init_bert_params and transformers' default."""
    need = Rule(normal(std), parts=("embedding", "mlp.down"), needed="all")
    return (*hf_rules(std), need, Rule(normal(std), parts=("relative_position", "attention.key")))


registry.add(
    RecipeRow(
        name="roberta",
        aliases=KIN,
        steps=roberta,
        summary="Every matrix and table N(0, 0.02), not cut, padding row 0; biases 0, norms as themselves.",
        citation="fairseq, modules/transformer_sentence_encoder.py; transformers, modeling_roberta; "
        "Liu et al. 2019, arXiv:1907.11692",
        differences=("BERT's original code cuts at ±2σ: bert.",),
        avoid="deep post-norm encoders without warm-up.",
        suits=("encoder", "transformer", "post-norm", "gelu", "hugging face", "embedding"),
        unsuited=("without warm-up",),
    )
)
registry.add(
    RecipeRow(
        name="bert",
        aliases=("albert", "electra"),
        steps=bert,
        summary="Every matrix and table N(0, 0.02) cut at ±2σ, so that the written std is 0.01759; biases 0, "
        "norms as themselves. In transformers not cut, padding row 0.",
        citation="google-research/bert, modeling.py, run_pretraining.py; transformers, modeling_bert",
        differences=(
            'transformers draws the uncut normal: flavor="hf".',
            "RoBERTa (fairseq) draws the uncut normal too.",
        ),
        avoid="deep post-norm encoders without warm-up.",
        suits=("encoder", "transformer", "post-norm", "hugging face", "embedding"),
    )
)
