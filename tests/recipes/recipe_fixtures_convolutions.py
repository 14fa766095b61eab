"""Convolutional networks and detection heads."""

from __future__ import annotations

from math import log, sqrt

from recipe_bench import (
    TA,
    C,
    Expected,
    Fixture,
    N,
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


LOGITS = C(-log(99))
FINE = N(0.01)


def lecun(fan):
    return U(sqrt(3 / fan))


FIXTURES = (
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
