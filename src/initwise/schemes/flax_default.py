"""What Flax's (linen) layers draw."""

from __future__ import annotations

import math

from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .framework_rules import rotation_by_gate
from .lecun import lecun_normal
from .roles import constant, keep
from .torch_default import kernel_count

CITATION = "flax/linen/linear.py, normalization.py, recurrent.py: each layer's default initializers"


def flax_default(fans: Fans) -> Fill:
    """N(0, 1/√fan_in) cut at two parent sigmas and widened to that std: Dense and convolutions."""
    return lecun_normal(kernel_count(fans, "flax"), distribution="truncated_normal")


def _table(scheme: Scheme, info: ParameterInfo) -> Fill:
    width = info.shape[-1]
    reason = f"Flax's tables: std 1/√{width}"
    return Fill.normal(0.0, 1 / math.sqrt(width), reason=reason, citation=CITATION)


registry.add(
    SchemeRow(
        name="flax_default",
        aliases=("flax", "linen_default"),
        law=flax_default,
        summary="Flax's defaults: LeCun's law truncated at two sigmas with the std corrected, biases zero.",
        formula="N(0, 1/√fan_in) truncated and corrected; tables N(0, 1/√width); each gate orthogonal",
        citation=CITATION,
        evidence="verified in source",
        differences=(
            "Flax's LSTM adds nothing to the forget gate; Haiku adds 1 at run time, Keras in the bias.",
            "Flax's PReLU starts at slope 0.01. Tokens and bare parameters are left as they are.",
            "Flax's fans: a transposed convolution's fan_in is in·kernel, not divided by its strides.",
        ),
        avoid="deep ReLU networks without normalisation: the signal halves per layer.",
        use="comparing with, or continuing, what Flax's layers start from; tanh and SELU layers of "
        "modest depth.",
        suits=("flax", "mlp", "cnn", "norm", "shallow", "linear", "selu", "tanh"),
        unsuited=("very deep",),
        see=("haiku_default", "lecun_normal"),
        known=(
            Known((64, 256), "io", "std", 0.125, source="1/√64"),
            Known((64, 256), "io", "high", 0.2842118086, source="2/(0.8796·√64)"),
        ),
        roles={
            "recurrent": rotation_by_gate,
            "embedding": _table,
            "slope": constant(0.01, "Flax's PReLU starts at slope 0.01", CITATION),
            "token": keep,
        },
    )
)
