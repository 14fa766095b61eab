"""Residual networks of convolutions."""

from __future__ import annotations

from math import sqrt

from recipe_bench import (
    ONE,
    ZERO,
    Expected,
    Fixture,
    N,
    T,
    U,
    called,
    conv,
    lin,
    nn,
    owner,
    tree,
)

W = 16
"""Channels."""


class BasicBlock(nn.Module):
    def __init__(self, width=W):
        super().__init__()
        self.conv1, self.bn1 = conv(width, width, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, bias=False), nn.BatchNorm2d(width)
        self.downsample = nn.Sequential(conv(width, width, 1, bias=False), nn.BatchNorm2d(width))


class Bottleneck(nn.Module):
    def __init__(self, width=W):
        super().__init__()
        for i, k in enumerate((1, 3, 1), start=1):
            self.add_module(f"conv{i}", conv(width, width, k, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(width))


def resnet():
    layers = {
        "layer1": nn.Sequential(BasicBlock(), BasicBlock()),
        "layer2": nn.Sequential(Bottleneck(), Bottleneck()),
    }
    return tree(conv1=conv(3, W, 7, bias=False), bn1=nn.BatchNorm2d(W), **layers, fc=lin(W, 10))


def resnet_v2():
    """timm's names: norms first, a convolution as the head is a matrix here."""
    stage = tree(blocks=nn.Sequential(Bottleneck(), Bottleneck()))
    return tree(
        stem=tree(conv=conv(3, W, 7, bias=False)), stages=nn.Sequential(stage), head=tree(fc=lin(W, 10))
    )


def regnet():
    def block():
        se = tree(fc1=conv(W, 4, 1), fc2=conv(4, W, 1))
        middle = {
            "a": nn.Sequential(conv(W, W, 1, bias=False)),
            "b": nn.Sequential(conv(W, W, 3, 4, bias=False)),
        }
        return tree(proj=nn.Sequential(conv(W, W, 1, bias=False)), f=tree(**middle, se=se))

    trunk = tree(block1=nn.ModuleDict({"block1-0": block(), "block1-1": block()}))
    return tree(stem=nn.Sequential(conv(3, W, bias=False)), trunk_output=trunk, fc=lin(W, 10))


def hf_regnet():
    """transformers': squeeze and excitation is called attention there."""

    def block():
        attention = nn.Sequential(conv(W, 4, 1), nn.ReLU(), conv(4, W, 1))
        return tree(layer=nn.Sequential(tree(convolution=conv(W, W, bias=False)), tree(attention=attention)))

    stages = nn.ModuleList([tree(layers=nn.Sequential(block(), block()))])
    body = tree(embedder=tree(convolution=conv(3, W, bias=False)), encoder=tree(stages=stages))
    return tree(regnet=body, classifier=nn.Sequential(nn.Flatten(), lin(W, 10)))


FIXUP = ("bias1a", "bias1b", "bias2a", "bias2b", "scale")


def fixup(last):
    def block():
        names = dict.fromkeys(FIXUP, (1,))
        return owner(names, **{f"conv{i}": conv(W, W, bias=False) for i in range(1, last + 1)})

    def first():
        made = block()
        made.add_module("downsample", conv(W, W, 1, bias=False))
        return made

    layers = {"layer1": nn.Sequential(first(), block()), "layer2": nn.Sequential(block(), block())}
    return owner({"bias1": (1,), "bias2": (1,)}, conv1=conv(3, W, bias=False), **layers, fc=lin(W, 10))


def fixup_basic():
    return fixup(2)


def fixup_bottleneck():
    return fixup(3)


def skipinit():
    block = owner({"skip_gain": ()}, conv1=conv(W, W), conv2=conv(W, W), conv_shortcut=conv(W, W, 1))
    return tree(initial_conv=conv(3, W, 7), blocks=nn.ModuleList([block]), head=lin(W, 10))


def nfnet():
    """timm's names, and squeeze and excitation of matrices, as in the original."""

    def scaled(i, k):
        made = called("ScaledStdConv2d", {})
        made = type("ScaledStdConv2d", (nn.Conv2d,), {})(i, W, k)
        made.gain = nn.Parameter(nn.Linear(1, W).bias.detach().clone())
        return made

    se = tree(fc1=lin(W, 4), fc2=lin(4, W))
    block = owner({"skipinit_gain": (), "skip_gain": ()}, conv1=scaled(W, 3), conv2=scaled(W, 3), se=se)
    return tree(
        stem=tree(conv1=scaled(3, 3)), stages=nn.Sequential(nn.Sequential(block)), head=tree(fc=lin(W, 10))
    )


def out(channels, k=3):
    """He normal by fan-out, as torch counts it."""
    return N(sqrt(2 / (channels * k * k)))


def default(fan: int) -> Expected:
    return U(fan**-0.5)


RESNET = {
    "conv1.weight": out(W, 7),
    "layer1.*.conv?.weight": out(W),
    "layer1.*.downsample.0.weight": out(W, 1),
    "layer2.*.conv[13].weight": out(W, 1),
    "layer2.*.conv2.weight": out(W),
    "fc.*": default(W),
}


def fixup_laws(power, inner, last):
    """With four blocks in all."""
    return {
        "conv1.weight": default(27),
        **{f"layer*.{name}.weight": N(sqrt(2 / (W * 9)) * 4**power) for name in inner},
        f"layer*.{last}.weight": ZERO,
        "*downsample.weight": out(W, 1),
        "fc.*": ZERO,
        "*scale": ONE,
        "*bias*": ZERO,
    }


FINE = N(0.01)

FIXTURES = (
    Fixture("resnet", "torchvision", resnet, RESNET),
    Fixture("resnet", "hf", resnet, RESNET),
    Fixture("resnet", "timm", resnet, {"layer1.*.bn2.weight": ZERO, "layer2.*.bn3.weight": ZERO, **RESNET}),
    Fixture(
        "resnet_v2",
        "",
        resnet_v2,
        {
            "stem.conv.weight": out(W, 7),
            "*conv[13].weight": out(W, 1),
            "*conv2.weight": out(W),
            "head.fc.weight": FINE,
        },
    ),
    Fixture(
        "regnet",
        "torchvision",
        regnet,
        {
            "stem.0.weight": out(W),
            "*.b.0.weight": out(W),
            "*se.fc1.weight": out(4, 1),
            "fc.weight": FINE,
            "*": out(W, 1),
        },
    ),
    Fixture(
        "regnet",
        "hf",
        hf_regnet,
        {
            "*attention.0.weight": out(4, 1),
            "*attention.2.weight": out(W, 1),
            "*attention.0.bias": default(W),
            "*attention.2.bias": default(4),
            "classifier.1.*": default(W),
            "*": out(W),
        },
    ),
    Fixture("fixup", "cifar", fixup_basic, fixup_laws(-0.5, ("conv1",), "conv2")),
    Fixture("fixup", "imagenet", fixup_bottleneck, fixup_laws(-0.25, ("conv1", "conv2"), "conv3")),
    Fixture(
        "skipinit",
        "",
        skipinit,
        {
            "*skip_gain": ZERO,
            "head.weight": ZERO,
            "initial_conv.weight": T(147**-0.5),
            "*shortcut.weight": T(W**-0.5),
            "*": T(144**-0.5),
        },
    ),
    Fixture(
        "nfnet",
        "",
        nfnet,
        {
            "*conv*.gain": ONE,
            "*_gain": ZERO,
            "*se.fc1.weight": T(W**-0.5),
            "*se.fc2.weight": T(4**-0.5),
            "head.fc.weight": FINE,
            "stem.conv1.weight": N(27**-0.5),
            "*": N(144**-0.5),
        },
    ),
)
