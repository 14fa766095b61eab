"""DeiT, CaiT, BEiT, DINOv2: vision transformers with tokens, scales and relative positions of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import ZERO, constant, normal, scaled, truncated_at
from .rules import Rule
from .vit import DEFAULT, TABS

Flavor = Annotated[Literal["timm", "hf"], "the original and timm, or what transformers draws"]
DinoFlavor = Annotated[Literal["hf", "timm"], "transformers (layer scale 1), or the original's 1e-5"]
Scale = Annotated[float, "value of the per-channel factors"]
HeadScale = Annotated[float, "head_init_scale, a factor on the classifier"]

BODY = Rule(TABS, parts=("attention.output", "mlp.down"), needed="all")
PATCH = Rule(DEFAULT, parts=("patch",), roles=("weight", "bias"))


def deit(*, flavor: Flavor = "timm", layer_scale: Scale = 1e-4) -> tuple[Rule, ...]:
    """DeiT and CaiT; layer_scale 1e-5 for 24 blocks, 1e-6 for more."""
    if flavor == "hf":
        tokens = ("class_token", "register_token", "position", "mask_token")
        return (*hf_rules(0.02), Rule(ZERO, parts=tokens), Rule(normal(0.02), parts=("patch",), needed="all"))
    return (
        Rule(TABS),
        BODY,
        PATCH,
        Rule(TABS, parts=("position", "class_token", "register_token")),
        Rule(constant(layer_scale), parts=("layer_scale",)),
    )


def beit(*, flavor: Flavor = "timm", layer_scale: Scale = 0.1) -> tuple[Rule, ...]:
    """layer_scale 1e-5 for the large one."""
    zeros = ("relative_position", "mask_token", *(("class_token", "position") if flavor == "hf" else ()))
    body = Rule(normal(0.02), parts=("attention.output", "mlp.down"), needed="all")
    base = (*hf_rules(0.02), body) if flavor == "hf" else (Rule(TABS), BODY, PATCH)
    tokens = () if flavor == "hf" else (Rule(TABS, parts=("position", "class_token")),)
    return (
        *base,
        *tokens,
        Rule(ZERO, parts=zeros),
        Rule(constant(layer_scale), parts=("layer_scale",)),
        Rule(ZERO, names=("*.q_bias", "*.v_bias"), roles=("bare", "bias", "token")),
    )


def dinov2(*, flavor: DinoFlavor = "hf") -> tuple[Rule, ...]:
    """transformers' Dinov2PreTrainedModel, or timm's rules with the original's layer scale."""
    scale = 1.0 if flavor == "hf" else 1e-5
    tokens = TABS if flavor == "hf" else normal(1e-6)
    return (
        Rule(TABS),
        BODY,
        Rule(TABS, parts=("position",)),
        Rule(tokens, parts=("class_token", "register_token")),
        Rule(ZERO, parts=("mask_token",)),
        Rule(constant(scale), parts=("layer_scale",)),
        *(() if flavor == "hf" else (PATCH,)),
    )


def swin(*, flavor: Flavor = "timm") -> tuple[Rule, ...]:
    """The original and timm; transformers starts positions at 0."""
    if flavor == "hf":
        zeros = Rule(ZERO, parts=("relative_position", "position", "mask_token"))
        return (
            *hf_rules(0.02),
            zeros,
            Rule(normal(0.02), parts=("attention.output", "mlp.down"), needed="all"),
        )
    return (Rule(TABS), BODY, PATCH, Rule(TABS, parts=("relative_position", "position")))


def swinv2(*, flavor: Flavor = "timm") -> tuple[Rule, ...]:
    """As swin; norms after the branch start at 0, attention's temperature at ln 10."""
    temperature = Rule(constant(2.302585092994046), parts=("logit_scale",))
    if flavor == "hf":
        return (*swin(flavor="hf"), temperature)
    zero = Rule(ZERO, names=("*blocks.*.norm1.*", "*blocks.*.norm2.*"), roles=("norm_gain", "norm_bias"))
    return (*swin(), temperature, zero)


def convnext(
    *, flavor: Flavor = "timm", layer_scale: Scale = 1e-6, head_scale: HeadScale = 1.0
) -> tuple[Rule, ...]:
    """Convolutions, depthwise ones included, and matrices alike."""
    base = hf_rules(0.02) if flavor == "hf" else (Rule(truncated_at(0.02)),)
    # scaled after it is drawn, so that the bounds are too
    head = scaled(normal(0.02) if flavor == "hf" else TABS, head_scale)
    return (
        *base,
        *((Rule(head, parts=("head",)),) if head_scale != 1 else ()),
        Rule(normal(0.02) if flavor == "hf" else TABS, parts=("conv.depthwise",), needed="all"),
        Rule(constant(layer_scale), parts=("layer_scale",)),
        # ConvNeXt V2's response norm starts as the identity
        Rule(ZERO, layers=("*GRN", "GlobalResponseNorm*"), roles=("bare", "norm_gain", "norm_bias", "token")),
    )


def hf_vision(*, layer_scale: Scale = 1e-5) -> tuple[Rule, ...]:
    """What transformers does for most vision models that it does not treat by a rule of their own."""
    tokens = ("class_token", "register_token", "mask_token", "position", "relative_position")
    return (
        *hf_rules(0.02),
        Rule(ZERO, parts=tokens, roles=("token", "bare")),
        Rule(normal(0.02), parts=("patch",), needed="all"),
        Rule(constant(layer_scale), parts=("layer_scale",)),
    )


registry.add(
    RecipeRow(
        name="hf_vision",
        aliases=(
            "audio_spectrogram_transformer",
            "dpt",
            "focalnet",
            "poolformer",
            "segformer",
            "videomae",
            "vit_msn",
            "vivit",
            "yolos",
        ),
        steps=hf_vision,
        summary="Matrices and convolutions N(0, 0.02), learned tokens and positions 0.",
        citation="transformers, modeling_vivit, modeling_dpt, modeling_segformer and others",
        differences=("The papers' own code mostly draws tokens and positions: vit, deit, swin.",),
        avoid="training from scratch with positions at 0 where they matter from the first step.",
        suits=("vit", "hugging face", "pre-norm"),
        unsuited=("very deep",),
    )
)
registry.add(
    RecipeRow(
        name="deit",
        aliases=("cait", "deit3"),
        steps=deit,
        summary="Matrices, positions and tokens N(0, 0.02), biases 0, patches as torch's Conv2d, LayerScale "
        "1e-4 (CaiT; 1e-5 and 1e-6 for deeper ones).",
        citation="facebookresearch/deit, cait_models.py; timm; transformers, modeling_deit",
        differences=('transformers starts all tokens and positions at 0: flavor="hf".',),
        avoid="fp16 with layer_scale=1e-6: the number is 1.3 % off there.",
        suits=("vit", "pre-norm", "deep", "very deep", "residual branch"),
        unsuited=("low precision",),
    )
)
registry.add(
    RecipeRow(
        name="beit",
        aliases=("data2vec_vision",),
        steps=beit,
        summary="Matrices N(0, 0.02), relative positions 0, LayerScale 0.1.",
        citation="timm, models/beit.py; transformers, modeling_beit",
        differences=("Large models use LayerScale 1e-5.",),
        avoid="models without LayerScale at this depth.",
        suits=("vit", "pre-norm", "hugging face", "residual branch", "deep"),
        unsuited=("cnn",),
    )
)
registry.add(
    RecipeRow(
        name="dinov2",
        aliases=("cvt", "dinov2_with_registers", "dinov3", "ijepa", "pvt", "timesformer", "vitdet"),
        steps=dinov2,
        summary="Matrices and convolutions N(0, 0.02), tokens and positions too, mask token 0, LayerScale 1 "
        "(transformers) or 1e-5.",
        citation="transformers, modeling_dinov2; facebookresearch/dinov2",
        differences=("transformers' LayerScale of 1 is for loading; training started at 1e-5.",),
        avoid='flavor="hf" for training from scratch at depth.',
        suits=("vit", "pre-norm", "hugging face", "residual branch"),
    )
)
registry.add(
    RecipeRow(
        name="swin",
        aliases=("swin_transformer",),
        steps=swin,
        summary="Matrices, relative and absolute positions N(0, 0.02), patches as torch's Conv2d.",
        citation="microsoft/Swin-Transformer; timm; transformers, modeling_swin",
        differences=('transformers starts all positions at 0: flavor="hf".',),
        avoid="res-post-norm models: swinv2.",
        suits=("vit", "pre-norm", "hugging face"),
    )
)
registry.add(
    RecipeRow(
        name="swinv2",
        steps=swinv2,
        summary="As swin; both norms of a block, which stand after the branch, gain and bias 0; attention's "
        "temperature ln 10.",
        citation="microsoft/Swin-Transformer, models/swin_transformer_v2.py; transformers, modeling_swinv2",
        differences=("transformers leaves the norms at 1.",),
        avoid="pre-norm models: zero norms would cut them off.",
        suits=("vit", "post-norm", "deep", "residual branch", "hugging face"),
        unsuited=("pre-norm",),
    )
)
registry.add(
    RecipeRow(
        name="convnext",
        aliases=("convnextv2",),
        steps=convnext,
        summary="Convolutions and matrices N(0, 0.02), LayerScale 1e-6, ConvNeXt V2's response norm 0.",
        citation="facebookresearch/ConvNeXt, models/convnext.py; transformers, modeling_convnext",
        differences=("Depthwise convolutions get the same std, whatever their fan-in of 49.",),
        avoid="plain convolutional networks without LayerScale.",
        suits=("cnn", "layernorm", "gelu", "depthwise", "deep", "residual branch"),
        gaps=(
            "head_init_scale, which multiplies the head and is 1 in all training recipes but fine-tuning.",
        ),
    )
)
