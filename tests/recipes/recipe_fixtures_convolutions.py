"""Convolutional networks and detection heads."""

from __future__ import annotations

from math import log, sqrt

from recipe_bench import (
    ONE,
    TA,
    ZERO,
    C,
    Expected,
    Fixture,
    N,
    T,
    U,
    called,
    conv,
    extra,
    extras,
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


def mobile():
    block = nn.Sequential(
        conv(W, 32, 1, bias=False), conv(32, 32, 3, 32, bias=False), conv(32, W, 1, bias=False)
    )
    features = nn.Sequential(nn.Sequential(conv(3, W, bias=False)), tree(conv=block))
    return tree(features=features, classifier=nn.Sequential(nn.Dropout(), lin(W, 10)))


def conditional():
    """timm's CondConv: an efficient network with a router over its kernels."""
    made = mobile()
    made["routing_fn"] = lin(W, 4)
    return tree(blocks=made)


def hf_mobile():
    made = mobile()
    made["bn"], made["extras"] = nn.BatchNorm2d(W), extras()
    return made


def vgg():
    features = nn.Sequential(conv(3, W), nn.ReLU(), conv(W, W))
    return tree(features=features, classifier=nn.Sequential(lin(W, 32), nn.ReLU(), nn.Dropout(), lin(32, 10)))


def densenet():
    layer = tree(norm1=nn.BatchNorm2d(W), conv1=conv(W, 32, 1, bias=False), conv2=conv(32, 8, bias=False))
    features = tree(conv0=conv(3, W, 7, bias=False), denseblock1=tree(denselayer1=layer))
    return tree(features=features, classifier=lin(W, 10))


def inception():
    def unit(i, o, k=3):
        return tree(conv=conv(i, o, k, bias=False), bn=nn.BatchNorm2d(o))

    aux = tree(conv0=unit(W, 8, 1), conv1=unit(8, W, 5), fc=lin(W, 10))
    return tree(
        Conv2d_1a_3x3=unit(3, W), Mixed_5b=tree(branch1x1=unit(W, W, 1)), AuxLogits=aux, fc=lin(W, 10)
    )


def wrapped_inception():
    return tree(backbone=inception())


def squeezenet():
    fire = tree(squeeze=conv(W, 4, 1), expand1x1=conv(4, W, 1), expand3x3=conv(4, W, 3))
    features = nn.Sequential(conv(3, W), fire)
    return tree(features=features, classifier=nn.Sequential(nn.Dropout(), conv(W, 10, 1), nn.ReLU()))


def maxvit():
    mb = tree(
        conv_a=conv(W, 32, 1, bias=False), conv_b=conv(32, 32, 3, 32, bias=False), conv_c=conv(32, W, 1)
    )
    attn = owner({"relative_position_bias_table": (49, 4)}, to_qkv=lin(W, 48), merge=lin(W, W))
    block = tree(
        MBconv=mb, window_attention=nn.Sequential(tree(attn=attn), lin(W, 64), nn.GELU(), lin(64, W))
    )
    return tree(stem=nn.Sequential(conv(3, W)), blocks=nn.ModuleList([block]), classifier=lin(W, 10))


def faster_rcnn():
    head = tree(conv=nn.Sequential(conv(W, W)), cls_logits=conv(W, 3, 1), bbox_pred=conv(W, 12, 1))
    fpn = tree(inner_blocks=nn.ModuleList([conv(W, 8, 1)]), layer_blocks=nn.ModuleList([conv(8, 8)]))
    box = {
        "box_head": tree(conv1=conv(8, 8), fc6=lin(72, 32)),
        "box_predictor": called("FastRCNNPredictor", {}, cls_score=lin(32, 4), bbox_pred=lin(32, 12)),
    }
    mask = {
        "mask_head": tree(
            mask_fcn1=conv(8, 8), deconv=conv(8, 8), predictor=conv(8, 4, 1), **{"0": conv(8, 8)}
        ),
        "mask_predictor": tree(conv5_mask=conv(8, 8), mask_fcn_logits=conv(8, 4, 1)),
    }
    rois = tree(**box, **mask)
    return tree(
        backbone=tree(fpn=fpn, extra=nn.ModuleList([conv(8, 8)])), rpn=tree(head=head), roi_heads=rois
    )


def detectron2():
    box = called("FastRCNNOutputLayers", {}, cls_score=lin(32, 4), bbox_pred=lin(32, 12))
    heads = tree(box_head=tree(fc1=lin(72, 32)), box_predictor=box)
    proposals = tree(rpn_head=tree(conv=conv(8, 8), objectness_logits=conv(8, 3, 1)))
    retina = tree(
        cls_subnet=nn.Sequential(conv(8, 8)),
        cls_score=conv(8, 4),
        cls_score_map=conv(8, 4),
        bbox_pred=conv(8, 4),
    )
    backbone = tree(fpn_lateral2=conv(W, 8, 1), fpn_output2=conv(8, 8))
    return tree(backbone=backbone, proposal_generator=proposals, roi_heads=heads, head=retina)


def retinanet():
    def tower(**ends):
        return tree(conv=nn.Sequential(conv(8, 8)), **ends)

    head = tree(classification_head=tower(cls_logits=conv(8, 9)), regression_head=tower(bbox_reg=conv(8, 4)))
    return tree(head=head, ssd_head=tree(classification=conv(8, 4)))


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
HF = {**extra(0.02), "*": N(0.02)}


def mobile_laws(depthwise, classifier):
    return {
        "*features.0.0.weight": out(W),
        "*conv.0.weight": out(32, 1),
        "*conv.1.weight": depthwise,
        "*conv.2.weight": out(W, 1),
        "*classifier.1.weight": classifier,
    }


TRUE_DEPTHWISE, TORCH_DEPTHWISE = N(sqrt(2 / 9)), N(sqrt(2 / (32 * 9)))
BY_OUTPUTS = U(10**-0.5)


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


LOGITS = C(-log(99))
FINE = N(0.01)


def lecun(fan):
    return U(sqrt(3 / fan))


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
    Fixture("efficientnet", "tpu", mobile, mobile_laws(TRUE_DEPTHWISE, BY_OUTPUTS)),
    Fixture(
        "efficientnet",
        "timm",
        conditional,
        {"*routing_fn.weight": U(20**-0.5), **mobile_laws(TRUE_DEPTHWISE, BY_OUTPUTS)},
    ),
    Fixture("efficientnet", "torchvision", mobile, mobile_laws(TORCH_DEPTHWISE, BY_OUTPUTS)),
    Fixture("efficientnet", "hf", hf_mobile, {"bn.weight": N(0.02), **HF}),
    Fixture("mobilenet", "torchvision", mobile, mobile_laws(TORCH_DEPTHWISE, FINE)),
    Fixture("mobilenet", "hf", hf_mobile, HF),
    Fixture("vgg", "", vgg, {"features.*.weight": out(W), "classifier.*.weight": FINE}),
    Fixture(
        "densenet",
        "",
        densenet,
        {
            "features.conv0.weight": N(sqrt(2 / 147)),
            "*conv1.weight": N(sqrt(2 / W)),
            "*conv2.weight": N(sqrt(2 / 288)),
            "classifier.weight": default(W),
        },
    ),
    Fixture("inception", "", inception, {"AuxLogits.fc.weight": TA(0.001), "*": TA(0.1)}),
    Fixture("inception", "", wrapped_inception, {"*.AuxLogits.fc.weight": TA(0.001), "*": TA(0.1)}),
    Fixture("googlenet", "", inception, {"*": TA(0.01)}),
    Fixture("mnasnet", "", mobile, mobile_laws(TORCH_DEPTHWISE, U(sqrt(3 / 10)))),
    Fixture("maxvit", "", maxvit, {"*bias_table": TA(0.02), "*": N(0.02)}),
    Fixture(
        "alexnet",
        "",
        vgg,
        {
            "features.0.*": default(27),
            "features.2.*": default(144),
            "classifier.0.*": default(W),
            "classifier.3.*": default(32),
        },
    ),
    Fixture(
        "squeezenet",
        "",
        squeezenet,
        {
            "features.0.weight": U(sqrt(6 / 27)),
            "*squeeze.weight": U(sqrt(6 / W)),
            "*expand1x1.weight": U(sqrt(6 / 4)),
            "*expand3x3.weight": U(sqrt(6 / 36)),
            "classifier.1.weight": FINE,
        },
    ),
    Fixture(
        "detection",
        "",
        faster_rcnn,
        {
            "rpn.head.cls_logits.bias": LOGITS,
            "rpn.*.weight": FINE,
            "*fpn.inner_blocks.0.weight": lecun(W),
            "*fpn.layer_blocks.0.weight": lecun(72),
            "*extra.0.weight": U(sqrt(6 / 144)),
            "*box_head.conv1.weight": out(8),
            "*fc6.weight": lecun(72),
            "*cls_score.weight": FINE,
            "*bbox_pred.weight": N(0.001),
            "*mask_fcn1.weight": out(8),
            "*mask_head.0.weight": out(8),
            "*deconv.weight": out(8),
            "*conv5_mask.weight": out(8),
            "*predictor*.weight": N(0.001),
        },
    ),
    Fixture(
        "detection",
        "",
        detectron2,
        {
            "head.cls_score_map.bias": LOGITS,
            "proposal_generator.*.weight": FINE,
            "head.cls_subnet.0.weight": FINE,
            "*cls_score*.weight": FINE,
            "head.bbox_pred.weight": FINE,
            "*bbox_pred.weight": N(0.001),
            "*fpn_lateral2.weight": lecun(W),
            "*fpn_output2.weight": lecun(72),
            "*fc1.weight": lecun(72),
        },
    ),
    Fixture(
        "detection",
        "",
        retinanet,
        {"*cls_logits.bias": LOGITS, "ssd_head.*.weight": U(sqrt(6 / (12 * 9))), "*": FINE},
    ),
)
