"""BART and the encoder–decoders that share its code: N(0, 0.02)."""

from __future__ import annotations

from typing import Annotated

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import ZERO, normal
from .rules import Rule

Std = Annotated[float, "the configuration's init_std"]


KIN = (
    "bigbird_pegasus",
    "blenderbot",
    "blenderbot_small",
    "led",
    "m2m_100",
    "marian",
    "mbart",
    "mvp",
    "pegasus",
    "pegasus_x",
    "plbart",
    "prophetnet",
    "speech_to_text",
    "trocr",
)


def bart(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """transformers' BartPreTrainedModel."""
    return (
        *hf_rules(std),
        Rule(normal(std), parts=("embedding", "attention.output", "mlp.down"), needed="all"),
        Rule(ZERO, names=("*final_logits_bias",), roles=("bias", "bare")),
    )


registry.add(
    RecipeRow(
        name="bart",
        aliases=KIN,
        steps=bart,
        summary="Every matrix and table N(0, 0.02), padding rows 0; sinusoidal positions are no parameters.",
        citation="transformers, modeling_bart; Lewis et al. 2019, arXiv:1910.13461",
        differences=(
            "fairseq's encoder–decoders without BERT's rule are Xavier uniform: fairseq_transformer.",
        ),
        avoid="deep models without warm-up.",
        suits=("transformer", "hugging face", "speech", "post-norm"),
    )
)
