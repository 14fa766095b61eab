"""CLIP and SigLIP."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import (
    INVERSE_ROOT_FAN_IN,
    INVERSE_ROOT_WIDTH,
    ZERO,
    Formula,
    by,
    by_role,
    constant,
    corrected,
    normal,
    uniform,
)
from .rules import Rule

Flavor = Annotated[Literal["openai", "hf"], "the released training code, or what transformers draws"]

NARROW = Formula(lambda p: (2 * p.d * p.L) ** -0.5, "1/√(2Ld)")
FIRST = Formula(lambda p: (2 * p.d) ** -0.5, "1/√(2d)")
OWN_WIDTH = Formula(lambda p: p.info.shape[-1] ** -0.5, "1/√d")
PROBE = Formula(lambda p: (3 / p.info.shape[-1]) ** 0.5, "√(3/d)")
"""Xavier's bound for a tensor (1, 1, d)."""
INPUTS = ("attention.query", "attention.key", "attention.value", "attention.qkv")


def clip(*, flavor: Flavor = "openai") -> tuple[Rule, ...]:
    """Both towers by their own width and depth."""
    inputs, output = (normal(INVERSE_ROOT_WIDTH), normal(NARROW))
    if flavor == "hf":
        inputs, output = output, inputs
    shared = (
        Rule(normal(0.02), parts=("embedding",)),
        Rule(normal(OWN_WIDTH), parts=("class_token",)),
        Rule(inputs, parts=INPUTS, needed="any"),
        Rule(output, parts=("attention.output",), needed="all"),
        Rule(normal(FIRST), parts=("mlp.up",), needed="all"),
        Rule(normal(NARROW), parts=("mlp.down",), needed="all"),
    )
    if flavor == "hf":
        by_fan = normal(INVERSE_ROOT_FAN_IN)
        return (
            *hf_rules(0.02),
            *shared,
            Rule(constant(2.6592), parts=("logit_scale",)),
            Rule(normal(0.02), parts=("position", "patch")),
            Rule(by_fan, parts=("projection",)),
        )
    # a projection is a bare matrix (width, shared width)
    first = Formula(lambda p: p.info.shape[0] ** -0.5, "1/√d")
    return (
        *shared,
        Rule(constant(math.log(1 / 0.07)), parts=("logit_scale",)),
        Rule(normal(0.01), parts=("position",)),
        Rule(normal(OWN_WIDTH), names=("visual.positional_embedding",)),
        Rule(normal(first), parts=("projection",)),
        *_vision_by_torch(),
        *_resnet_tower(),
    )


def _vision_by_torch() -> tuple[Rule, ...]:
    """The vision tower's blocks are not named in the code: torch's own defaults stand."""
    default, names = by_role("torch_default"), ("visual.transformer.*",)
    packed = by("xavier_uniform", whole=True)
    return (
        Rule(default, parts=("patch",)),
        Rule(default, names=names, parts=("mlp.up", "mlp.down"), roles=("weight", "bias")),
        Rule(default, names=names, parts=("attention.output",), roles=("weight",)),
        Rule(packed, names=names, parts=("attention.qkv",)),
    )


def _resnet_tower() -> tuple[Rule, ...]:
    """A vision tower of convolutions: torch's defaults, an attention pool by its width, last norms 0."""
    default, pool = by_role("torch_default"), normal(INVERSE_ROOT_FAN_IN)
    return (
        Rule(default, parts=("conv", "conv.*", "stem")),
        Rule(pool, names=tuple(f"visual.attnpool.{name}_proj.weight" for name in "qkvc")),
        Rule(default, names=("visual.attnpool.*.bias",), roles=("bias",)),
        Rule(normal(OWN_WIDTH), names=("visual.attnpool.positional_embedding",)),
        Rule(ZERO, names=("visual.layer*.bn3.weight",), roles=("norm_gain",)),
    )


def siglip() -> tuple[Rule, ...]:
    """transformers' SiglipPreTrainedModel, after big_vision."""
    small, lecun = normal(1e-6), corrected(INVERSE_ROOT_FAN_IN)
    return (
        Rule(lecun),
        Rule(normal(OWN_WIDTH), parts=("embedding", "position")),
        Rule(by("xavier_uniform", whole=True), parts=("attention.*",), needed="any"),
        # the attention pool's output is a Linear that only the general rule reaches
        Rule(lecun, layers=("MultiheadAttention",), parts=("attention.output",)),
        Rule(uniform(PROBE), names=("*.probe",), roles=("bare", "token")),
        Rule(by("xavier_uniform"), parts=("mlp.up", "mlp.down"), needed="all"),
        Rule(small, parts=("mlp.up", "mlp.down"), roles=("bias",)),
        Rule(ZERO, parts=("logit_scale", "logit_bias")),
        Rule(normal(INVERSE_ROOT_FAN_IN), names=("*classifier.weight",)),
    )


registry.add(
    RecipeRow(
        name="clip",
        aliases=("openclip", "owlvit", "clipseg"),
        steps=clip,
        summary="OpenAI: queries, keys, values N(0, 1/√d), attention's output N(0, 1/√(2Ld)), MLP "
        "1/√(2d) and "
        "1/√(2Ld); tokens 0.02, text positions 0.01; temperature ln(1/0.07). The vision tower's blocks keep "
        "torch's defaults; one of convolutions too, but its attention pool is N(0, 1/√d) and the last "
        "gain of "
        "each of its blocks 0.",
        citation="openai/CLIP, clip/model.py; transformers, modeling_clip",
        differences=(
            "transformers swaps attention's two scales (queries 1/√(2Ld), output 1/√d) and applies the "
            "rule to "
            'both towers: flavor="hf".',
        ),
        avoid="towers of other names: the vision tower is told by its name, visual.",
        suits=("vit", "transformer", "pre-norm", "hugging face", "autoencoder"),
    )
)
registry.add(
    RecipeRow(
        name="siglip",
        aliases=("siglip2",),
        steps=siglip,
        summary="Attention and MLP Xavier uniform, MLP biases N(0, 1e-6), tables N(0, 1/√d), everything else "
        "lecun_normal; temperature and bias of the loss 0.",
        citation="transformers, modeling_siglip; Zhai et al. 2023, arXiv:2303.15343",
        differences=("The paper starts the temperature at ln 10 and the bias at −10; the code at 0 and 0.",),
        avoid="training with the sigmoid loss from these: set logit_scale and logit_bias by the paper.",
        suits=("vit", "transformer", "pre-norm", "hugging face"),
    )
)
