"""MLP-Mixer."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import INVERSE_ROOT_FAN_IN, ZERO, by, corrected, normal
from .rules import Rule

Flavor = Annotated[Literal["jax", "timm"], "the original, or timm's default"]


def mixer(*, flavor: Flavor = "jax") -> tuple[Rule, ...]:
    """The original and timm's flax=True: Flax's defaults; timm's own default: Xavier."""
    lecun = corrected(INVERSE_ROOT_FAN_IN)
    head = Rule(ZERO, parts=("head",))
    if flavor == "jax":
        return (Rule(lecun), Rule(lecun, parts=("mlp.up", "mlp.down"), needed="all"), head)
    xavier = by("xavier_uniform")
    return (
        Rule(xavier),
        Rule(xavier, parts=("mlp.up", "mlp.down"), needed="all"),
        Rule(normal(1e-6), parts=("mlp.*",), roles=("bias",)),
        Rule(lecun, parts=("patch",)),
        head,
    )


registry.add(
    RecipeRow(
        name="mixer",
        aliases=("mlp_mixer",),
        steps=mixer,
        summary="Everything lecun_normal, head 0; in timm Xavier uniform with MLP biases N(0, 1e-6).",
        citation="google-research/vision_transformer, models_mixer.py; timm, models/mlp_mixer.py",
        differences=("gMLP's gate starts with weights N(0, 1e-6) and bias 1, which is not in this recipe.",),
        avoid="gMLP.",
        suits=("mixer", "mlp", "pre-norm", "gelu"),
    )
)
