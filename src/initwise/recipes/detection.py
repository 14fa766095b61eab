"""Detection heads: RetinaNet, FCOS, region proposals, boxes and masks."""

from __future__ import annotations

import math
from typing import Annotated

from ..core.errors import OptionError
from .base import RecipeRow, registry
from .laws import Formula, by, constant, normal, positive
from .resnet import KAIMING_OUT
from .rules import Rule

Prior = Annotated[float, "probability π of an object that the class bias starts at"]

MASKS = (
    "*mask_head.[0-9]*.weight",
    "*mask_fcn[0-9]*.weight",
    "*mask_head.deconv.weight",
    "*conv5_mask.weight",
)
XAVIER_FILL = by("lecun_uniform")
"""fvcore's c2_xavier_fill, which is LeCun uniform, not Xavier."""


def detection(*, prior: Prior = 0.01) -> tuple[Rule, ...]:
    """Everything but the backbone, which is left as it is."""
    positive("detection", prior=prior)
    if not prior < 1:
        raise OptionError(f"prior={prior!r}", where="recipe 'detection'", expected="0 < prior < 1")
    bias = Formula(lambda p: -math.log((1 - prior) / prior), "−ln((1−π)/π)")
    small = normal(0.01)
    return (
        Rule(small, names=_heads("weight"), roles=("weight",), needed="any"),
        Rule(constant(bias), names=("*cls_logits.bias", "*cls_score_map.bias"), roles=("bias",)),
        Rule(
            normal(0.001),
            names=("*bbox_pred.weight", "*box_predictor.bbox_pred.weight"),
            layers=("*Predictor", "FastRCNN*"),
        ),
        Rule(small, names=("*cls_score.weight",)),
        Rule(normal(KAIMING_OUT), names=("*box_head.conv*.weight",)),
        # SSD's additional layers, and both of its heads
        Rule(
            by("xavier_uniform"), names=("*backbone.extra.*.weight", "*ssd_head*.weight"), roles=("weight",)
        ),
        Rule(XAVIER_FILL, names=("*fpn.*.weight", "*fpn_*.weight", "*box_head.fc*.weight")),
        Rule(normal(KAIMING_OUT), names=MASKS),
        Rule(normal(0.001), names=("*mask_predictor.*logits.weight", "*mask_head.predictor.weight")),
    )


def _heads(end: str) -> tuple[str, ...]:
    towers = (
        "*classification_head*",
        "*regression_head*",
        "*rpn*",
        "*proposal_generator*",
        "*head.cls_*",
        "*head.bbox_*",
    )
    return tuple(f"{tower}.{end}" for tower in towers)


registry.add(
    RecipeRow(
        name="detection",
        aliases=("retinanet", "fcos", "faster_rcnn"),
        steps=detection,
        summary="Towers and outputs N(0, 0.01), the class logits' bias −ln((1−π)/π) with π = 0.01, feature "
        "pyramid and box head LeCun uniform, box deltas and mask logits N(0, 0.001).",
        citation="torchvision, models/detection; detectron2, modeling; Lin et al. 2017, arXiv:1708.02002",
        differences=("Caffe2's XavierFill is LeCun uniform; elsewhere Xavier means another law.",),
        avoid="the backbone, which comes from a checkpoint and is not touched.",
        suits=("detection", "cnn", "head", "imbalance", "fine-tuning"),
    )
)
