"""Residual convolutional networks: ResNet, RegNet, and those without norms (Fixup, SkipInit, NF-Nets)."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .laws import INVERSE_ROOT_FAN_IN, ONE, ZERO, Formula, by, by_role, normal
from .rules import Rule

Flavor = Annotated[Literal["torchvision", "timm", "hf"], "whose defaults: timm starts the last gains at 0"]
RegnetFlavor = Annotated[Literal["torchvision", "hf"], "whose defaults"]
FixupFlavor = Annotated[Literal["cifar", "imagenet"], "two convolutions in a branch, or three"]

KAIMING_OUT = Formula(lambda p: (2 / (p.outputs * p.field)) ** 0.5, "√(2/(k²·out))")
"""He's fan-out as torch counts it, not divided by groups."""
DEFAULT = by_role("torch_default")
CONVS = ("conv", "conv.*", "stem", "patch")
LAST_NORM = "*.norm.last"


def resnet(
    *,
    flavor: Flavor = "torchvision",
    zero_gamma: Annotated[
        Literal["default", "on", "off"], "start the last gain of each branch at 0: timm does, torchvision not"
    ] = "default",
) -> tuple[Rule, ...]:
    """Goyal et al.'s zero γ is an option of both libraries, with opposite defaults."""
    zero = zero_gamma == "on" or (zero_gamma == "default" and flavor == "timm")
    rules = (
        Rule(normal(KAIMING_OUT), parts=CONVS, needed="any"),
        Rule(DEFAULT, parts=("head",), roles=("weight", "bias")),
    )
    return (*rules, Rule(ZERO, parts=("norm.last",), roles=("norm_gain",), needed="all")) if zero else rules


def resnet_v2() -> tuple[Rule, ...]:
    """timm's ResNetV2 (BiT)."""
    return (Rule(normal(KAIMING_OUT), parts=CONVS, needed="any"), Rule(normal(0.01), parts=("head",)))


def regnet(*, flavor: RegnetFlavor = "torchvision") -> tuple[Rule, ...]:
    """torchvision's RegNet, or transformers', which is its ResNet's rule."""
    if flavor == "hf":
        # its own code passes over the biases of convolutions: torch's default stays
        squeeze = Rule(DEFAULT, parts=("conv.squeeze",), roles=("bias",))
        return (*resnet(flavor="hf"), squeeze)
    return (Rule(normal(KAIMING_OUT), parts=CONVS, needed="any"), Rule(normal(0.01), parts=("head",)))


def fixup(*, flavor: FixupFlavor = "cifar") -> tuple[Rule, ...]:
    """First convolutions of a branch of m shrink by L^(−1/(2m−2)), the last is 0."""
    power, last = (-0.5, "conv2") if flavor == "cifar" else (-0.25, "conv3")
    first = Formula(lambda p: (2 / (p.outputs * p.field)) ** 0.5 * p.L**power, f"√(2/(k²·out))·L^{power:g}")
    inside = ("*.conv1.weight", "*.conv2.weight")[: 1 if flavor == "cifar" else 2]
    return (
        Rule(normal(first), names=inside, roles=("weight",), needed="any"),
        Rule(ZERO, names=(f"*.{last}.weight",), roles=("weight",), needed="any"),
        Rule(normal(KAIMING_OUT), parts=("conv.shortcut",)),
        Rule(DEFAULT, parts=("stem", "patch")),
        Rule(ZERO, parts=("head",)),
        Rule(ZERO, names=("*bias[0-9]*", "*.bias"), roles=("bare", "bias")),
        Rule(ONE, names=("*.scale",), roles=("bare",)),
    )


def skipinit() -> tuple[Rule, ...]:
    """A factor 0 at the end of each branch."""
    return (
        Rule(by("haiku_default"), parts=CONVS, needed="any"),
        Rule(ZERO, parts=("residual_scale",), needed="all"),
        Rule(ZERO, parts=("head",)),
    )


def nfnet() -> tuple[Rule, ...]:
    """Scaled weight standardisation: the drawn scale hardly matters, its gain does."""
    return (
        Rule(normal(INVERSE_ROOT_FAN_IN), parts=CONVS, needed="any"),
        Rule(ONE, names=("*.gain",), roles=("bare", "norm_gain")),
        Rule(ZERO, parts=("residual_scale",)),
        Rule(normal(0.01), parts=("head",)),
        Rule(by("haiku_default"), parts=("conv.squeeze",), layers=("Linear",)),
    )


registry.add(
    RecipeRow(
        name="resnet",
        aliases=("resnext", "wide_resnet", "bit"),
        steps=resnet,
        summary="Convolutions He normal by fan-out, norms 1 and 0, the classifier as torch's Linear; with "
        "zero_gamma the last gain of each branch 0 (timm's default, not torchvision's).",
        citation="torchvision, models/resnet.py; timm, models/resnet.py; transformers, modeling_resnet; "
        "He et al. 2015, arXiv:1512.03385; Goyal et al. 2017, arXiv:1706.02677",
        differences=("torchvision: zero_init_residual=False; timm: zero_init_last=True.",),
        avoid="residual networks without norms: fixup, skipinit, nfnet.",
        suits=("cnn", "resnet", "batchnorm", "relu", "deep", "torch"),
        unsuited=("without norm",),
    )
)
registry.add(
    RecipeRow(
        name="resnet_v2",
        steps=resnet_v2,
        summary="Convolutions He normal by fan-out, classifier N(0, 0.01).",
        citation="timm, models/resnetv2.py",
        differences=("Its last gains are not 0, unlike timm's ResNet.",),
        avoid="networks without norms.",
        suits=("cnn", "resnet", "norm", "batchnorm", "relu", "deep"),
        unsuited=("without norm",),
    )
)
registry.add(
    RecipeRow(
        name="regnet",
        steps=regnet,
        summary="Convolutions N(0, √(2/(k²·out))), groups not divided, classifier N(0, 0.01).",
        citation="torchvision, models/regnet.py",
        differences=('transformers keeps torch\'s Linear for the classifier: flavor="hf".',),
        avoid="networks without norms.",
        suits=("cnn", "resnet", "batchnorm", "relu", "deep", "torch"),
        unsuited=("without norm",),
    )
)
registry.add(
    RecipeRow(
        name="fixup",
        steps=fixup,
        summary="First convolutions of a branch He × L^(−1/(2m−2)), the last 0, classifier 0, the branch's "
        "scalar biases 0 and multiplier 1.",
        citation="hongyi-zhang/Fixup, cifar and imagenet models; Zhang et al. 2019, arXiv:1901.09321",
        differences=("The code counts He by fan-out; its first layer keeps torch's default, not He.",),
        avoid="models with norms, or without the scalar biases.",
        suits=("resnet", "cnn", "without norm", "relu", "deep", "very deep", "residual branch"),
        unsuited=("norm", "transformer"),
    )
)
registry.add(
    RecipeRow(
        name="skipinit",
        steps=skipinit,
        summary="Haiku's default convolutions, the factor at the end of each branch 0, classifier 0.",
        citation="deepmind-research, nfnets/skipinit_resnet.py; De and Smith 2020, arXiv:2002.10444",
        differences=("NF-Nets call the factor skip_gain.",),
        avoid="models without that factor.",
        suits=("resnet", "cnn", "without norm", "deep", "very deep", "residual branch", "haiku"),
        unsuited=("batchnorm",),
    )
)
registry.add(
    RecipeRow(
        name="nfnet",
        aliases=("nf_resnet",),
        steps=nfnet,
        summary="Convolutions N(0, 1/√fan_in) behind weight standardisation with gain 1, skip_gain 0, "
        "classifier N(0, 0.01).",
        citation="deepmind-research, nfnets/base.py, nfnets/nfnet.py; Brock et al. 2021, arXiv:2102.06171",
        differences=("timm draws the convolutions kaiming_normal with linear gain, the same std.",),
        avoid="models without scaled weight standardisation.",
        suits=("cnn", "resnet", "without norm", "weight norm", "deep", "residual branch"),
        unsuited=("batchnorm",),
    )
)
