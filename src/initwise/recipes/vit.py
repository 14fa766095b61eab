"""Vision transformers: seven published ways to start the same model."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import (
    INVERSE_ROOT_FAN_IN,
    ZERO,
    Formula,
    by,
    by_role,
    constant,
    corrected,
    normal,
    over_index,
    truncated_at,
    uniform,
)
from .rules import Rule

Flavor = Annotated[
    Literal["jax", "big_vision", "timm", "timm_jax", "moco", "torchvision", "hf"],
    "whose code: the original (jax), big_vision, timm's modes '', 'jax' and 'moco', torchvision, "
    "transformers",
]
Classes = Annotated[float, "negative log of the number of classes as the head's bias, 0 for bias 0"]
LayerScale = Annotated[float, "value of per-channel factors, in models that have them (timm's init_values)"]
Fix = Annotated[bool, "timm's fix_init_weight: what writes into the stream over √(2(l+1))"]

SMALL = normal(1e-6)
OWN_WIDTH = Formula(lambda p: p.info.shape[-1] ** -0.5, "1/√d")
PATCH_XAVIER = Formula(lambda p: (6 / (p.fan_in + p.outputs)) ** 0.5, "√(6/(fan_in + d))")
"""Xavier's bound for patches as one matrix (d, channels·p²)."""
STEM = Formula(lambda p: (2 / p.outputs) ** 0.5, "√(2/out)")
MOCO_QKV = Formula(lambda p: (6 / (p.fan_out / 3 + p.fan_in)) ** 0.5, "√(6/(out/3 + in))")
XAVIER = by("xavier_uniform")
TABS = truncated_at(0.02)
ATTENTION = Rule(XAVIER, parts=("attention.*",), needed="any")
DEFAULT = by_role("torch_default")


def vit(
    *, flavor: Flavor = "jax", nlhb: Classes = 0.0, fix_init: Fix = False, layer_scale: LayerScale = 1e-5
) -> tuple[Rule, ...]:
    """One function per source."""
    return (*_vit(flavor, nlhb, fix_init), Rule(constant(layer_scale), parts=("layer_scale",)))


def _vit(flavor: str, nlhb: float, fix_init: bool) -> tuple[Rule, ...]:
    if flavor == "hf":
        return _hf()
    if flavor in ("jax", "big_vision"):
        return _jax(flavor)
    if flavor == "torchvision":
        return _torchvision()
    return (*_timm(flavor, nlhb), *(_fixed() if fix_init else ()))


def _hf() -> tuple[Rule, ...]:
    return (
        *hf_rules(0.02),
        Rule(normal(0.02), parts=("patch", "attention.output", "mlp.down"), needed="all"),
        Rule(TABS, parts=("position", "class_token")),
        Rule(ZERO, parts=("mask_token",)),
    )


def _jax(flavor: str) -> tuple[Rule, ...]:
    position = normal(0.02) if flavor == "jax" else normal(OWN_WIDTH)
    return (
        ATTENTION,
        Rule(XAVIER, parts=("mlp.up", "mlp.down"), needed="all"),
        Rule(SMALL, parts=("mlp.up", "mlp.down"), roles=("bias",)),
        Rule(corrected(INVERSE_ROOT_FAN_IN), parts=("patch", "conv", "stem"), needed="any"),
        Rule(corrected(INVERSE_ROOT_FAN_IN), parts=("head.transform",)),
        Rule(position, parts=("position",)),
        Rule(ZERO, parts=("class_token", "head")),
    )


def _timm(flavor: str, nlhb: float) -> tuple[Rule, ...]:
    tokens = (Rule(TABS, parts=("position",)), Rule(SMALL, parts=("class_token", "register_token")))
    if flavor == "timm":
        return (
            *tokens,
            Rule(TABS),
            Rule(TABS, parts=("attention.output", "mlp.down"), needed="all"),
            # a convolution of patches keeps what its constructor gave it
            Rule(DEFAULT, parts=("patch",), roles=("weight", "bias"), needed="any"),
        )
    if flavor == "moco":
        return (
            *tokens,
            Rule(XAVIER),
            Rule(uniform(MOCO_QKV), parts=("attention.qkv",), needed="all"),
            Rule(uniform(PATCH_XAVIER), parts=("patch",)),
        )
    return (
        *tokens,
        Rule(XAVIER),
        Rule(by("xavier_uniform", whole=True), parts=("attention.*",), needed="any"),
        Rule(SMALL, parts=("mlp.*",), roles=("bias",)),
        Rule(corrected(INVERSE_ROOT_FAN_IN), parts=("patch", "conv")),
        Rule(ZERO, parts=("head",)),
        Rule(constant(-nlhb), parts=("head",), roles=("bias",)),
    )


def _torchvision() -> tuple[Rule, ...]:
    by_fan = truncated_at(INVERSE_ROOT_FAN_IN)
    return (
        Rule(by_fan, parts=("patch", "head.transform")),
        Rule(by("xavier_uniform", whole=True), parts=("attention.qkv",), needed="all"),
        Rule(DEFAULT, parts=("attention.output",), roles=("weight",)),
        Rule(XAVIER, parts=("mlp.up", "mlp.down"), needed="all"),
        Rule(SMALL, parts=("mlp.up", "mlp.down"), roles=("bias",)),
        Rule(normal(0.02), parts=("position",)),
        Rule(ZERO, parts=("class_token", "head")),
        # a stem of convolutions: the last one makes the tokens, the others keep torch's default
        Rule(DEFAULT, names=("*conv_proj.conv_bn_relu_*.weight",), roles=("weight",)),
        Rule(normal(STEM), names=("*conv_proj.conv_last.weight",), roles=("weight",)),
        Rule(ZERO, names=("*conv_proj.conv_last.bias",), roles=("bias",)),
    )


def _fixed() -> tuple[Rule, ...]:
    """fix_init divides after drawing, so that every law has it; here for timm's normal."""
    return (Rule(truncated_at(over_index(0.02)), names=("*.attn.proj.weight", "*.mlp.fc2.weight")),)


def mae() -> tuple[Rule, ...]:
    """Masked autoencoders: Xavier everywhere, positions fixed sines."""
    return (
        Rule(XAVIER),
        Rule(XAVIER, parts=("attention.output", "mlp.down"), needed="all"),
        Rule(uniform(PATCH_XAVIER), parts=("patch",), needed="all"),
        Rule(normal(0.02), parts=("class_token", "mask_token")),
    )


def mae_hf() -> tuple[Rule, ...]:
    """transformers' ViTMAEPreTrainedModel."""
    return (
        *hf_rules(0.02),
        Rule(uniform(PATCH_XAVIER), parts=("patch",), needed="all"),
        Rule(normal(0.02), parts=("class_token",)),
        Rule(ZERO, names=("decoder.mask_token",)),
    )


registry.add(
    RecipeRow(
        name="vit",
        aliases=("vision_transformer",),
        steps=vit,
        summary="jax: Xavier uniform, MLP biases N(0, 1e-6), patches lecun_normal, positions N(0, "
        "0.02), class "
        "token and head 0. timm: everything N(0, 0.02), patches as torch's Conv2d. transformers: everything "
        "N(0, 0.02). Others in between.",
        citation="google-research/vision_transformer, models_vit.py; big_vision, models/vit.py; timm, "
        "models/vision_transformer.py; torchvision, models/vision_transformer.py; transformers, "
        "modeling_vit; "
        "Dosovitskiy et al. 2020, arXiv:2010.11929",
        differences=(
            "The head starts at 0 in JAX and torchvision, drawn in timm's default and in transformers.",
            "timm's truncation at ±2 is in weight units: at std 0.02 it cuts nothing.",
            "Attention's biases are 0 in all of them but torch's own layers' defaults.",
        ),
        avoid='training from a zero head with flavor="jax" when features are to be read before training.',
        suits=("vit", "pre-norm", "gelu"),
    )
)
registry.add(
    RecipeRow(
        name="mae",
        steps=mae,
        summary="Every matrix Xavier uniform, patches as one matrix, class and mask token N(0, 0.02), "
        "positions fixed sines.",
        citation="facebookresearch/mae, models_mae.py; He et al. 2021, arXiv:2111.06377",
        evidence="recalled",
        differences=('transformers draws the matrices N(0, 0.02): recipe("mae_hf").',),
        avoid="models with learned positions: they would be left as they are.",
        suits=("vit", "pre-norm", "autoencoder", "positions"),
    )
)
registry.add(
    RecipeRow(
        name="mae_hf",
        aliases=("vit_mae",),
        steps=mae_hf,
        summary="Matrices N(0, 0.02), patches Xavier uniform as one matrix, class token N(0, 0.02), the "
        "decoder's mask token 0.",
        citation="transformers, modeling_vit_mae",
        differences=('The original draws every matrix Xavier uniform: recipe("mae").',),
        avoid="models with learned positions: they would be left as they are.",
        suits=("vit", "pre-norm", "autoencoder", "positions", "hugging face"),
    )
)
