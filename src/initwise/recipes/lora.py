"""LoRA: adapters that start as nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import KEPT, ZERO, Formula, normal, uniform
from .rules import Rule

Flavor = Annotated[Literal["default", "gaussian"], "A uniform by fan-in, or normal by rank"]

A = ("*lora_A*", "*lora_a*")
B = ("*lora_B*", "*lora_b*")
EVERY_ROLE = (
    "weight",
    "recurrent",
    "embedding",
    "bias",
    "recurrent_bias",
    "norm_gain",
    "norm_bias",
    "slope",
    "token",
    "magnitude",
    "bare",
)
BY_FAN = Formula(lambda p: p.info.shape[1] ** -0.5, "1/√in")
BY_RANK = Formula(lambda p: 1 / p.info.shape[0], "1/rank")


def lora(*, flavor: Flavor = "default") -> tuple[Rule, ...]:
    """Only the adapters: everything else is left as it is."""
    law = uniform(BY_FAN) if flavor == "default" else normal(BY_RANK)
    roles, tables = ("weight", "bare"), ("*lora_embedding_A*",)
    return (
        Rule(law, names=A, roles=roles, needed="any"),
        Rule(ZERO, names=B, roles=roles, needed="any"),
        Rule(ZERO, names=tables, roles=("bare", "embedding", "weight")),
        Rule(normal(1.0), names=("*lora_embedding_B*",), roles=("bare", "embedding", "weight")),
        Rule(ZERO, names=("*lora_[Bb]*",), roles=("bias",)),
        Rule(KEPT, roles=EVERY_ROLE, reason="lora is about adapters: the model they are in stays as it is"),
    )


registry.add(
    RecipeRow(
        name="lora",
        steps=lora,
        summary="A U(±1/√in), B 0, so that the adapter starts as nothing; of tables A 0 and B N(0, 1).",
        citation="peft, tuners/lora/layer.py; Hu et al. 2021, arXiv:2106.09685",
        differences=("PEFT's gaussian draws A at 1/rank, not 1/√rank.",),
        avoid="adapters whose A and B both start at 0: they would never move.",
        suits=("adapter", "fine-tuning"),
        gaps=("PiSSA, OLoRA, LoftQ, EVA and the like: schemes of those names, by the base weight or data.",),
    )
)
