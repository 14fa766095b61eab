"""GPT-NeoX-20B and Pythia: small init for what reads the residual stream, Wang init for what writes."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import Formula, normal
from .rules import Rule

Flavor = Annotated[Literal["neox", "hf"], "the training configuration, or what transformers draws"]

SMALL = Formula(lambda p: (2 / (5 * p.d)) ** 0.5, "√(2/(5d))")
WANG = Formula(lambda p: 2 / (p.L * p.d**0.5), "2/(L√d)")


def gpt_neox(*, flavor: Flavor = "neox") -> tuple[Rule, ...]:
    """small_init and wang_init, by the model's width d, not by fan-in."""
    if flavor == "hf":
        return (*hf_rules(0.02), Rule(normal(0.02), parts=("attention.output", "mlp.down"), needed="all"))
    return (Rule(normal(SMALL)), Rule(normal(WANG), parts=("attention.output", "mlp.down"), needed="all"))


registry.add(
    RecipeRow(
        name="gpt_neox",
        aliases=("pythia", "small_init_wang_init"),
        steps=gpt_neox,
        summary="Every matrix and table N(0, √(2/(5d))), residual outputs N(0, 2/(L√d)); d is the model's "
        "width even for the matrix from the MLP's inside.",
        citation="gpt-neox, configs/20B.yml, configs/pythia, megatron/model/init_functions.py; "
        "Nguyen and Salazar 2019, arXiv:1910.05895",
        differences=('transformers draws N(0, 0.02) for the same model: flavor="hf".',),
        avoid="models with tied embeddings: the logits start with std √(2/5).",
        suits=("language model", "transformer", "pre-norm", "gelu", "deep", "residual branch"),
    )
)
