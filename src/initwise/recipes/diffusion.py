"""Diffusion models: DDPM, ADM, EDM, DiT, Flux."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import ZERO, by, by_role, normal, uniform
from .rules import Rule
from .vit import PATCH_XAVIER

Flavor = Annotated[Literal["song", "dhariwal"], "DDPM++ and NCSN++, or ADM's network, as EDM has them"]

LAST_DDPM = ("*conv2.weight", "*proj_out.weight", "*conv_out.weight", "*to_out.0.weight")
LAST_ADM = ("*out_layers.3.*", "*proj_out.*", "out.2.*")
LAST_EDM = ("*conv1.weight", "*proj.weight", "*out_conv.weight", "*aux_conv.weight")
BOTH = ("weight", "bias")


def ddpm() -> tuple[Rule, ...]:
    """Ho et al.: variance_scaling(1, fan_avg, uniform), at 1e-10 for what ends a branch."""
    tiny = by("variance_scaling", scale=1e-10, mode="fan_avg", distribution="uniform")
    return (
        Rule(by("variance_scaling", scale=1.0, mode="fan_avg", distribution="uniform")),
        Rule(tiny, names=LAST_DDPM, roles=("weight",), needed="any"),
    )


def adm() -> tuple[Rule, ...]:
    """guided-diffusion: torch's defaults, and zero modules at the end of each branch."""
    return (
        Rule(by_role("torch_default"), roles=("weight", "bias", "embedding")),
        Rule(ZERO, names=LAST_ADM, roles=BOTH, needed="any"),
    )


def edm(*, flavor: Flavor = "song") -> tuple[Rule, ...]:
    """SongUNet: Xavier uniform; DhariwalUNet: torch's default, with exact zeros."""
    if flavor == "dhariwal":
        return (
            Rule(by_role("torch_default"), roles=BOTH),
            Rule(ZERO, names=LAST_EDM, roles=("weight",), needed="any"),
            Rule(ZERO, names=tuple(name.replace("weight", "bias") for name in LAST_EDM), roles=("bias",)),
            Rule(normal(1.0), names=("*map_label.weight",)),
        )
    xavier = by("xavier_uniform")
    return (
        Rule(xavier),
        Rule(by("xavier_uniform", gain=1e-5), names=LAST_EDM, roles=("weight",), needed="any"),
        Rule(by("xavier_uniform", gain=math.sqrt(0.2), whole=True), parts=("attention.qkv",)),
    )


def dit() -> tuple[Rule, ...]:
    """adaLN-zero: what modulates starts at 0, so that each block starts as the identity."""
    xavier = by("xavier_uniform", whole=True)
    return (
        Rule(xavier),
        Rule(uniform(PATCH_XAVIER), parts=("patch",)),
        Rule(normal(0.02), parts=("label", "timestep")),
        Rule(ZERO, parts=("modulation",), roles=BOTH, needed="all"),
        Rule(ZERO, names=("final_layer.linear.*",), roles=BOTH),
    )


def flux() -> tuple[Rule, ...]:
    """torchtitan's Flux."""
    return (
        Rule(by("xavier_uniform", whole=True)),
        Rule(ZERO, parts=("modulation",), roles=BOTH, needed="all"),
        Rule(normal(0.02), parts=("timestep",)),
        Rule(ZERO, names=("final_layer.*",), roles=BOTH),
    )


registry.add(
    RecipeRow(
        name="ddpm",
        aliases=("unet",),
        steps=ddpm,
        summary="Every convolution and matrix uniform by fan_avg (Xavier), biases 0; what ends a residual or "
        "attention branch and the network at scale 1e-10.",
        citation="hojonathanho/diffusion, diffusion_tf/nn.py, models/unet.py; Ho et al. 2020, "
        "arXiv:2006.11239",
        differences=("ADM and EDM write exact zeros or 1e-5 there.",),
        avoid="networks whose branches do not end in conv2 or proj_out: name them with assign or rules.",
        suits=("diffusion", "cnn", "norm", "residual branch"),
    )
)
registry.add(
    RecipeRow(
        name="adm",
        aliases=("guided_diffusion",),
        steps=adm,
        summary="torch's defaults; the last convolution of each block, attention's proj_out and the final "
        "convolution 0.",
        citation="openai/guided-diffusion, guided_diffusion/unet.py; Dhariwal and Nichol 2021, "
        "arXiv:2105.05233",
        differences=("DDPM's original draws Xavier uniform.",),
        avoid="networks with other names for what ends a branch.",
        suits=("diffusion", "cnn", "norm"),
    )
)
registry.add(
    RecipeRow(
        name="edm",
        steps=edm,
        summary="song: Xavier uniform, branch ends × 1e-5, attention's qkv × √0.2, biases 0. dhariwal: "
        "torch's default, branch ends 0, labels N(0, 1).",
        citation="NVlabs/edm, training/networks.py; Karras et al. 2022, arXiv:2206.00364",
        differences=("EDM's kaiming has gain 1, not √2.",),
        avoid="EDM2, whose weights are normalised in every forward pass.",
        suits=("diffusion", "cnn", "norm"),
    )
)
registry.add(
    RecipeRow(
        name="dit",
        aliases=("adaln_zero",),
        steps=dit,
        summary="Matrices Xavier uniform (packed qkv as one), patches as one matrix, labels and timestep MLP "
        "N(0, 0.02), every modulation and the final layer 0.",
        citation="facebookresearch/DiT, models.py; Peebles and Xie 2022, arXiv:2212.09748",
        differences=("Positions are fixed sines and frozen.",),
        avoid="transformers without modulation: nothing would start as the identity.",
        suits=("diffusion", "vit", "transformer", "residual branch", "deep"),
    )
)
registry.add(
    RecipeRow(
        name="flux",
        steps=flux,
        summary="Xavier uniform, modulations and final layer 0, embedders of time and vector N(0, 0.02).",
        citation="torchtitan, models/flux/__init__.py",
        differences=("What Black Forest Labs trained with is not published.",),
        avoid="models without modulation.",
        suits=("diffusion", "transformer"),
    )
)
