"""muP for GPT: stds that let hyperparameters carry over from a narrow model to a wide one."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import Formula, normal, positive
from .rules import Rule

Std = Annotated[float, "std at the base width"]
Base = Annotated[float, "width of the model the hyperparameters were found on"]
Unit = Annotated[Literal["gpt", "unit"], "muP as in Megatron and nanoGPT-mup, or unit scaling"]


def mup(*, flavor: Unit = "gpt", std: Std = 0.02, base_width: Base = 256.0) -> tuple[Rule, ...]:
    """m = d/base_width: hidden matrices over √m, residual outputs over √(2Lm), tables as at the base."""
    if flavor == "unit":
        own = ("attention.*", "mlp.*", "embedding")
        return (Rule(normal(1.0)), Rule(normal(1.0), parts=own, needed="any"))
    positive("mup", base_width=base_width)
    hidden = Formula(lambda p: std * (base_width / p.d) ** 0.5, f"{std:g}/√(d/{base_width:g})")
    outputs = Formula(
        lambda p: std * (base_width / (2 * p.L * p.d)) ** 0.5, f"{std:g}/√(2L·d/{base_width:g})"
    )
    return (
        Rule(normal(hidden)),
        Rule(normal(std), parts=("embedding", "position", "head")),
        Rule(normal(outputs), parts=("attention.output", "mlp.down"), needed="all"),
    )


registry.add(
    RecipeRow(
        name="mup",
        aliases=("mup_gpt",),
        steps=mup,
        summary="Hidden matrices N(0, 0.02/√m), residual outputs N(0, 0.02/√(2Lm)), tables N(0, 0.02), with "
        "m = d/base_width. unit: everything N(0, 1), for layers that scale at run time.",
        citation="Megatron-LM, megatron/core/utils.py; EleutherAI/nanoGPT-mup, model.py; Yang et al. 2022, "
        "arXiv:2203.03466; graphcore-research/unit-scaling",
        differences=(
            "The mup package rescales what torch drew, and recommends a zero readout and zero queries.",
        ),
        avoid="models that do not also scale their logits by 1/m and attention by 1/d_h, or optimizers "
        "without muP's learning rates.",
        suits=("language model", "transformer", "width transfer", "pre-norm"),
    )
)
