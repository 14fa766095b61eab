"""MLP-Mixer."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import INVERSE_ROOT_FAN_IN, ONE, ZERO, by, corrected, normal
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
        Rule(lecun, parts=("patch", "conv", "stem")),
        head,
    )


def gmlp() -> tuple[Rule, ...]:
    """timm's gMixer and gMLP: as its Mixer, and a gate that starts open, at almost exactly 1."""
    gate = ("*.gate.proj.weight", "*.sgu.proj.weight", "*spatial_proj.weight", "*spatial_gating*.proj.weight")
    biases = tuple(name.replace("weight", "bias") for name in gate)
    return (
        *mixer(flavor="timm"),
        Rule(normal(1e-6), names=gate, roles=("weight",), needed="any"),
        Rule(ONE, names=biases, roles=("bias",)),
    )


registry.add(
    RecipeRow(
        name="gmlp",
        aliases=("gmixer",),
        steps=gmlp,
        summary="As mixer in timm; the spatial gate's matrix N(0, 1e-6) and its bias 1, so that each "
        "block starts "
        "as an MLP without a gate.",
        citation="timm, models/mlp_mixer.py; Liu et al. 2021, arXiv:2105.08050",
        differences=("The paper says near zero and 1, timm which numbers.",),
        avoid="gates that multiply with a sigmoid: a bias of 1 is not open there.",
        suits=("mixer", "mlp", "pre-norm", "gelu"),
    )
)
registry.add(
    RecipeRow(
        name="mixer",
        aliases=("mlp_mixer",),
        steps=mixer,
        summary="Everything lecun_normal, head 0; in timm Xavier uniform with MLP biases N(0, 1e-6).",
        citation="google-research/vision_transformer, models_mixer.py; timm, models/mlp_mixer.py",
        differences=("gMLP's gate starts with weights N(0, 1e-6) and bias 1: gmlp.",),
        avoid="gMLP: gmlp.",
        suits=("mixer", "mlp", "pre-norm", "gelu"),
    )
)
