"""Generative adversarial networks: DCGAN, BigGAN, StyleGAN2."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import ONE, ZERO, by, normal, orthogonal, positive
from .rules import Rule

Init = Annotated[Literal["ortho", "n02", "xavier"], "the code's G_init and D_init"]
OWN = ("*.const", "*affine.weight", "*torgb.weight", "*fromrgb.weight", "synthesis*.weight")
"""What only this family has."""
Rate = Annotated[float, "the mapping network's lr_mult, which multiplies at run time"]


def dcgan() -> tuple[Rule, ...]:
    """Convolutions N(0, 0.02), gains N(1, 0.02)."""
    return (
        Rule(normal(0.02), layers=("Conv*", "_Conv*"), roles=("weight",), needed="any"),
        Rule(normal(0.02, mean=1.0), layers=("BatchNorm*", "_NormBase"), roles=("norm_gain",)),
    )


def biggan(*, init: Init = "ortho") -> tuple[Rule, ...]:
    """Every convolution, matrix and table alike."""
    law = {"ortho": orthogonal(), "n02": normal(0.02), "xavier": by("xavier_uniform")}[init]
    return (Rule(law), Rule(law, layers=("*Conv*",), roles=("weight",), needed="any"))


def stylegan2(*, mapping_rate: Rate = 0.01) -> tuple[Rule, ...]:
    """Equalised learning rate: the network multiplies by 1/√fan_in in every forward pass."""
    positive("stylegan2", mapping_rate=mapping_rate)
    return (
        Rule(normal(1.0), roles=("weight", "bare")),
        Rule(normal(1.0), names=OWN, roles=("weight", "bare", "token"), needed="any"),
        Rule(normal(1 / mapping_rate), names=("*mapping.*.weight",), roles=("weight", "bare")),
        Rule(ONE, names=("*affine.bias",), roles=("bare", "bias")),
        Rule(ZERO, names=("*noise_strength",), roles=("bare",)),
    )


registry.add(
    RecipeRow(
        name="dcgan",
        steps=dcgan,
        summary="Convolutions N(0, 0.02), BatchNorm's gains N(1, 0.02), biases 0.",
        citation="pytorch/examples, dcgan/main.py; Radford et al. 2015, arXiv:1511.06434",
        differences=("Transposed convolutions get the same std: no fan is involved.",),
        avoid="networks much deeper than DCGAN.",
        suits=("gan", "cnn", "batchnorm", "relu", "leaky relu", "upsampling"),
        unsuited=("very deep",),
    )
)
registry.add(
    RecipeRow(
        name="biggan",
        steps=biggan,
        summary="Every convolution, matrix and table orthogonal; N(0, 0.02) or Xavier uniform by option.",
        citation="ajbrock/BigGAN-PyTorch, BigGAN.py",
        differences=(
            "Convolutions are orthogonal as (out, in·k²) matrices, which is no orthogonal operator.",
        ),
        avoid="networks without spectral norm.",
        suits=("gan", "cnn", "weight norm", "isometry"),
    )
)
registry.add(
    RecipeRow(
        name="stylegan2",
        aliases=("stylegan2_ada", "equalized_lr"),
        steps=stylegan2,
        summary="All weights N(0, 1), the mapping network's N(0, 1/0.01); style biases 1, others 0, constant "
        "input N(0, 1), noise strength 0.",
        citation="NVlabs/stylegan2-ada-pytorch, training/networks.py; Karras et al. 2019, arXiv:1912.04958",
        differences=("Ordinary layers must not get this: they do not multiply by 1/√fan_in.",),
        avoid="any network without the run-time factor.",
        suits=("gan", "cnn", "leaky relu", "upsampling"),
    )
)
