"""XLNet, XLM and FlauBERT as transformers draws them."""

from __future__ import annotations

from typing import Annotated

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import normal
from .rules import Rule

Std = Annotated[float, "the configuration's initializer_range or init_std"]
TableStd = Annotated[float, "embed_init_std, of the tables"]


def xlnet(*, std: Std = 0.02) -> tuple[Rule, ...]:
    """Attention's tensors (d, heads, head size) are no Linear; biases of its scores are drawn too."""
    law = normal(std)
    return (
        *hf_rules(std),
        Rule(law, layers=("XLNetRelativeAttention",), roles=("bare", "token", "embedding"), needed="any"),
        Rule(law, parts=("mask_token",)),
    )


def xlm(*, std: Std = 0.02, embed_std: TableStd = 2048**-0.5) -> tuple[Rule, ...]:
    """Tables at 1/√2048, matrices at 0.02."""
    tables = Rule(normal(embed_std), roles=("embedding",))
    return (*hf_rules(std), tables, Rule(normal(std), parts=("attention.output", "mlp.down"), needed="all"))


registry.add(
    RecipeRow(
        name="xlnet",
        steps=xlnet,
        summary="Every matrix, table, attention tensor and bias of attention scores N(0, 0.02).",
        citation="transformers, modeling_xlnet; Yang et al. 2019, arXiv:1906.08237",
        differences=("Other models start biases of attention scores at 0.",),
        avoid="models without relative attention: roberta.",
        suits=("encoder", "transformer", "post-norm", "hugging face"),
    )
)
registry.add(
    RecipeRow(
        name="xlm",
        aliases=("flaubert",),
        steps=xlm,
        summary="Tables N(0, 1/√2048), matrices N(0, 0.02), padding row 0.",
        citation="transformers, modeling_xlm; Conneau and Lample 2019, arXiv:1901.07291",
        differences=("The tables' std does not follow the width.",),
        avoid="widths far from 2048: pass embed_std.",
        suits=("encoder", "transformer", "post-norm", "embedding", "hugging face"),
    )
)
