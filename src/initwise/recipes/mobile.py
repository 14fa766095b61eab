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
BOTH = Formula(lambda p: (p.fan_in + p.fan_out) ** -0.5, "1/√(in+out)")
SIGMOID_OUT = Formula(lambda p: (3 / p.fan_out) ** 0.5, "√(3/out)")
DEFAULT = by_role("torch_default")


def efficientnet(*, flavor: Flavor = "tpu") -> tuple[Rule, ...]:
    """Depthwise kernels are where the sources differ, by √channels."""
    if flavor == "hf":
        return (
            *hf_rules(0.02),
            Rule(normal(0.02), parts=("conv.depthwise",), needed="all"),
            Rule(normal(0.02), layers=("BatchNorm2d",), roles=("norm_gain",)),
        )
    conv = normal(KAIMING_OUT if flavor == "torchvision" else PER_GROUP)
    return (
        Rule(conv, parts=CONVS, needed="any"),
        Rule(conv, parts=("conv.depthwise",), needed="all"),
        Rule(uniform(OUT), parts=("head",)),
        *((Rule(uniform(BOTH), names=("*routing_fn.weight",)),) if flavor == "timm" else ()),
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
    """torchvision's Inception v3: the auxiliary classifier alone reads a std of its own."""
    return (
        Rule(truncated_at(std)),
        Rule(truncated_at(std), parts=CONVS, needed="any"),
        Rule(truncated_at(std / 100), names=("AuxLogits.fc.weight", "*.AuxLogits.fc.weight")),
    )


def googlenet(*, std: Std = 0.01) -> tuple[Rule, ...]:
    """torchvision's GoogLeNet."""
    return (Rule(truncated_at(std)), Rule(truncated_at(std), parts=CONVS, needed="any"))


def mnasnet() -> tuple[Rule, ...]:
    """torchvision's MNASNet: Kaiming by fan-out throughout, at the classifier with a sigmoid's gain of 1."""
    return (
        Rule(normal(KAIMING_OUT), parts=CONVS, needed="any"),
        Rule(normal(KAIMING_OUT), parts=("conv.depthwise",), needed="all"),
        Rule(uniform(SIGMOID_OUT), parts=("head",)),
    )


def maxvit() -> tuple[Rule, ...]:
    """torchvision's MaxViT: one std for everything, relative positions too."""
    return (
        Rule(normal(0.02)),
        Rule(normal(0.02), parts=("conv.depthwise",), needed="all"),
        Rule(truncated_at(0.02), parts=("relative_position",)),
    )


def alexnet() -> tuple[Rule, ...]:
    """torchvision's AlexNet and ShuffleNetV2: torch's defaults."""
    return (
        Rule(DEFAULT, roles=("weight", "bias")),
        Rule(DEFAULT, parts=(*CONVS, "feature"), roles=("weight",), needed="any"),
    )


def squeezenet() -> tuple[Rule, ...]:
    """torchvision's SqueezeNet: the last convolution is the classifier."""
    return (
        Rule(by("he_uniform"), parts=(*CONVS, "feature", "mlp.up", "mlp.down"), needed="any"),
        Rule(normal(0.01), parts=("head",), needed="all"),
    )


registry.add(
    RecipeRow(
        name="efficientnet",
        aliases=("efficientnetv2",),
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
        aliases=("inception_v3",),
        steps=inception,
        summary="Convolutions and matrices N(0, 0.1), cut at ±2 in weight units; the auxiliary "
        "classifier at 0.001.",
        citation="torchvision, models/inception.py",
        differences=(
            "The auxiliary tower's last convolution is marked with a std of 0.01 (stddev), but on the "
            "module around "
            "it, where the code that draws does not look: it gets 0.1.",
            "GoogLeNet draws everything at 0.01: googlenet.",
        ),
        avoid="networks without norms.",
        suits=("cnn", "batchnorm", "relu", "torch"),
        unsuited=("without norm",),
    )
)
registry.add(
    RecipeRow(
        name="googlenet",
        steps=googlenet,
        summary="Convolutions and matrices N(0, 0.01), cut at ±2 in weight units.",
        citation="torchvision, models/googlenet.py",
        differences=("Inception v3 draws at 0.1: inception.",),
        avoid="networks without norms: 0.01 is far below He.",
        suits=("cnn", "batchnorm", "relu", "torch"),
    )
)
registry.add(
    RecipeRow(
        name="mnasnet",
        steps=mnasnet,
        summary="Convolutions He normal by fan-out, groups not divided, classifier U(±√(3/out)) with bias 0.",
        citation="torchvision, models/mnasnet.py",
        differences=("The classifier is kaiming_uniform_ by fan-out with a sigmoid's gain, which is 1.",),
        avoid="networks without norms: a depthwise kernel's std is √channels too small.",
        suits=("cnn", "depthwise", "batchnorm", "relu"),
    )
)
registry.add(
    RecipeRow(
        name="maxvit",
        steps=maxvit,
        summary="Convolutions and matrices N(0, 0.02), depthwise ones included, relative positions N(0, "
        "0.02), "
        "biases 0.",
        citation="torchvision, models/maxvit.py; Tu et al. 2022, arXiv:2204.01697",
        differences=("The cut of the relative positions at ±2 in weight units cuts nothing.",),
        avoid="networks without norms.",
        suits=("vit", "cnn", "batchnorm", "depthwise"),
    )
)
registry.add(
    RecipeRow(
        name="alexnet",
        aliases=("shufflenet", "shufflenet_v2"),
        steps=alexnet,
        summary="torch's defaults: convolutions and matrices U(±1/√fan_in), biases too.",
        citation="torchvision, models/alexnet.py, models/shufflenetv2.py",
        differences=("Krizhevsky et al. 2012 drew N(0, 0.01) with biases 1 in some layers.",),
        avoid="deep networks without norms: torch's default shrinks ReLU signals.",
        suits=("cnn", "relu", "torch", "shallow"),
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
