"""EfficientNet, MobileNet and other classical convolutional networks."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import RecipeRow, registry
from .hf_default import hf_rules
from .laws import Formula, by, by_role, normal, truncated_at, uniform
from .resnet import CONVS, KAIMING_OUT
from .rules import Rule

Flavor = Annotated[
    Literal["tpu", "timm", "torchvision", "hf"], "the original on TPUs, timm, torchvision or transformers"
]
MobileFlavor = Annotated[Literal["torchvision", "hf"], "whose defaults"]
Std = Annotated[float, "of the truncated normal"]

PER_GROUP = Formula(lambda p: (2 / p.fan_out) ** 0.5, "√(2·groups/(k²·out))")
"""He's true fan-out: divided by groups, so that a depthwise kernel counts k²."""
OUT = Formula(lambda p: p.fan_out**-0.5, "1/√out")


def efficientnet(*, flavor: Flavor = "tpu") -> tuple[Rule, ...]:
    """Depthwise kernels are where the sources differ, by √channels."""
    if flavor == "hf":
        return (*hf_rules(0.02), Rule(normal(0.02, mean=0.0), layers=("BatchNorm2d",), roles=("norm_gain",)))
    conv = normal(KAIMING_OUT if flavor == "torchvision" else PER_GROUP)
    return (
        Rule(conv, parts=CONVS, needed="any"),
        Rule(conv, parts=("conv.depthwise",), needed="all"),
        Rule(uniform(OUT), parts=("head",)),
    )


def mobilenet(*, flavor: MobileFlavor = "torchvision") -> tuple[Rule, ...]:
    """torchvision's MobileNetV2 and V3; transformers draws everything at 0.02."""
    if flavor == "hf":
        return (*hf_rules(0.02), Rule(normal(0.02), parts=("conv.depthwise",), needed="all"))
    return (
        Rule(normal(KAIMING_OUT), parts=CONVS, needed="any"),
        Rule(normal(KAIMING_OUT), parts=("conv.depthwise",), needed="all"),
        Rule(normal(0.01), parts=("head", "head.transform")),
    )


def vgg() -> tuple[Rule, ...]:
    """torchvision's VGG: convolutions He by fan-out, classifier N(0, 0.01)."""
    return (
        Rule(normal(KAIMING_OUT), parts=(*CONVS, "feature"), needed="any"),
        Rule(normal(0.01), parts=("head",)),
    )


def densenet() -> tuple[Rule, ...]:
    """torchvision's DenseNet: He by fan-in."""
    return (
        Rule(by("he_normal"), parts=(*CONVS, "feature"), needed="any"),
        Rule(by_role("torch_default"), parts=("head",), roles=("weight",)),
    )


def inception(*, std: Std = 0.1) -> tuple[Rule, ...]:
    """torchvision's Inception v3 and GoogLeNet (std=0.01)."""
    return (Rule(truncated_at(std)), Rule(truncated_at(std), parts=CONVS, needed="any"))


def squeezenet() -> tuple[Rule, ...]:
    """torchvision's SqueezeNet: the last convolution is the classifier."""
    return (
        Rule(by("he_uniform"), parts=(*CONVS, "feature", "mlp.up", "mlp.down"), needed="any"),
        Rule(normal(0.01), parts=("head",), needed="all"),
    )


registry.add(
    RecipeRow(
        name="efficientnet",
        aliases=("efficientnetv2", "mnasnet"),
        steps=efficientnet,
        summary="Convolutions N(0, √(2/fan_out)) with the true fan-out, depthwise kernels √(2/k²); "
        "classifier "
        "U(±1/√out).",
        citation="tensorflow/tpu, efficientnet_model.py; timm, models/_efficientnet_builder.py; torchvision, "
        "models/efficientnet.py",
        differences=(
            "torchvision does not divide by groups: its depthwise std is √channels smaller "
            '(flavor="torchvision").',
            "transformers draws everything N(0, 0.02), norms' gains included.",
        ),
        avoid="networks without norms.",
        suits=("cnn", "depthwise", "batchnorm", "silu", "deep"),
        unsuited=("without norm",),
    )
)
registry.add(
    RecipeRow(
        name="mobilenet",
        aliases=("mobilenet_v1", "mobilenet_v2", "mobilenet_v3"),
        steps=mobilenet,
        summary="Convolutions He normal by fan-out, groups not divided, classifiers N(0, 0.01).",
        citation="torchvision, models/mobilenetv2.py, models/mobilenetv3.py",
        differences=("TensorFlow's original draws truncated normals at 0.09 and regularises strongly.",),
        avoid="networks without norms: a depthwise kernel's std is √channels too small.",
        suits=("cnn", "depthwise", "batchnorm", "relu"),
        unsuited=("without norm",),
    )
)
registry.add(
    RecipeRow(
        name="vgg",
        steps=vgg,
        summary="Convolutions He normal by fan-out, classifier N(0, 0.01), biases 0.",
        citation="torchvision, models/vgg.py; Simonyan and Zisserman 2014, arXiv:1409.1556",
        differences=("The paper started deep ones from shallow ones, at N(0, 0.01).",),
        avoid="classifiers without dropout: 0.01 is far below He for 4096 inputs.",
        suits=("cnn", "relu", "plain", "without norm", "batchnorm", "dropout", "torch"),
    )
)
registry.add(
    RecipeRow(
        name="densenet",
        steps=densenet,
        summary="Convolutions He normal by fan-in, classifier as torch's Linear with bias 0.",
        citation="torchvision, models/densenet.py",
        differences=("ResNets count by fan-out.",),
        avoid="networks without norms.",
        suits=("cnn", "batchnorm", "relu", "deep"),
        unsuited=("without norm",),
    )
)
registry.add(
    RecipeRow(
        name="inception",
        aliases=("googlenet", "inception_v3"),
        steps=inception,
        summary="Convolutions and matrices N(0, 0.1), cut at ±2 in weight units; GoogLeNet at 0.01.",
        citation="torchvision, models/inception.py, models/googlenet.py",
        differences=(
            "Some of Inception's layers carry stds of their own (stddev), which are not in this recipe.",
        ),
        avoid="networks without norms.",
        suits=("cnn", "batchnorm", "relu", "torch"),
        unsuited=("without norm",),
        gaps=("Layers with a stddev attribute of their own: the auxiliary head.",),
    )
)
registry.add(
    RecipeRow(
        name="squeezenet",
        steps=squeezenet,
        summary="Convolutions He uniform, the last one N(0, 0.01), biases 0.",
        citation="torchvision, models/squeezenet.py",
        differences=("No norms at all, and no classifier matrix.",),
        avoid="networks whose classifier is a matrix.",
        suits=("cnn", "relu", "without norm", "torch"),
    )
)
