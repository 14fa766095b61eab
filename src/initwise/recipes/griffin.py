"""RecurrentGemma (Griffin): readers by width, residual outputs by depth, everything else 0.05."""

from __future__ import annotations

import math
from typing import Annotated

from .base import RecipeRow, registry
from .laws import INVERSE_ROOT_WIDTH, ZERO, Formula, mapped, normal
from .rules import Rule, neutral

Scale = Annotated[float, "the configuration's w_init_variance_scale"]
Width = Annotated[float, "the configuration's conv1d_width"]

OUT = Formula(lambda p: (2 / (p.L * p.fan_in)) ** 0.5, "√(2/(L·fan_in))")
# the square of the decay exp(−softplus(Λ)) is uniform, from 0.9² to 0.999²
DECAY = mapped("log_of_inverse_root_uniform", 0.9**2 + 1e-8, 0.999**2 + 1e-8)
READERS = ("*.q_proj.weight", "*.k_proj.weight", "*.v_proj.weight", "*.linear_x.weight", "*.linear_y.weight")
GATES = ("*.input_gate_weight", "*.recurrent_gate_weight")
BARE = ("bare", "token", "weight")


def recurrent_gemma(*, scale: Scale = 0.01, conv_width: Width = 4.0) -> tuple[Rule, ...]:
    """transformers' RecurrentGemmaPreTrainedModel."""
    # one gate matrix per head: (heads, size, size)
    gate = Formula(lambda p: (scale / p.info.shape[-1]) ** 0.5, f"√({scale:g}/block)")
    return (
        Rule(normal(math.sqrt(scale / conv_width))),
        Rule(normal(INVERSE_ROOT_WIDTH), names=READERS, roles=("weight",), needed="any"),
        Rule(normal(OUT), names=("*.o_proj.weight", "*.linear_out.weight"), roles=("weight",), needed="any"),
        Rule(normal(gate), names=GATES, roles=BARE, needed="any"),
        Rule(ZERO, names=("*.input_gate_bias", "*.recurrent_gate_bias"), roles=("bare", "token", "bias")),
        Rule(DECAY, names=("*.recurrent_param",), roles=("bare", "token", "weight", "bias")),
        Rule(neutral(0.0), layers=("*RMSNorm",), roles=("norm_gain",)),
    )


registry.add(
    RecipeRow(
        name="recurrent_gemma",
        aliases=("griffin",),
        steps=recurrent_gemma,
        summary="Queries, keys, values and the recurrent block's two branches N(0, 1/√d), what writes "
        "into the "
        "stream N(0, √(2/(L·fan_in))), gates N(0, √(0.01/block)), decays ln(1/√U − 1), all else N(0, 0.05); "
        "norms compute 1 + w.",
        citation="transformers, modeling_recurrent_gemma; De et al. 2024, arXiv:2402.19427",
        differences=("The table is drawn at 0.05 and its output multiplied by √d.",),
        avoid="other recurrences: the decay's law is that of this one's formula.",
        suits=("rnn", "language model", "hugging face", "pre-norm"),
    )
)
