"""What Haiku's and Sonnet's layers draw."""

from __future__ import annotations

import math

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .framework_rules import fixed
from .roles import keep
from .scaling import fan
from .torch_default import kernel_count

CITATION = (
    "haiku/_src/basic.py, conv.py, recurrent.py; sonnet/src/linear.py: each layer's default initializers"
)


def haiku_default(fans: Fans) -> Fill:
    """N(0, 1/√fan_in) cut at two sigmas and left at the smaller std, 0.8796/√fan_in."""
    # Haiku's layers count in·kernel themselves, as Flax does; its initializers would swap a transposed one
    count = fan(kernel_count(fans, "flax"), "fan_in")
    parent = 1 / math.sqrt(count)
    fill = Fill.truncated_normal(0.0, parent, -2 * parent, 2 * parent)
    return fill.because(f"parent std 1/√{count:g} = {parent:.6g}, cut at two sigmas", CITATION)


_TABLE = Fill.truncated_normal(
    0.0, 1.0, -2.0, 2.0, reason="Haiku's tables: N(0, 1) cut at two sigmas", citation=CITATION
)

registry.add(
    SchemeRow(
        name="haiku_default",
        aliases=("haiku", "sonnet_default"),
        law=haiku_default,
        summary="Haiku's defaults: LeCun's law truncated at two sigmas without making up for the lost tails.",
        formula="N(0, 1/√fan_in) redrawn until |w| < 2/√fan_in: std 0.8796/√fan_in",
        citation=CITATION,
        evidence="verified in source",
        differences=(
            "Flax corrects the std, Haiku and Sonnet do not: 12 % smaller.",
            "Haiku's LSTM adds 1 to the forget gate at run time; its bias parameter is 0.",
        ),
        avoid="deep networks without normalisation: the signal shrinks by 0.77 per linear layer.",
        use="comparing with what Haiku's and Sonnet's layers start from.",
        suits=("haiku", "mlp", "cnn", "norm", "shallow"),
        unsuited=("very deep",),
        see=("flax_default", "lecun_normal"),
        known=(
            Known((64, 256), "io", "std", 0.1099532076, source="0.8796·0.125"),
            Known((64, 256), "io", "high", 0.25, source="2/√64"),
        ),
        roles={"embedding": fixed(_TABLE), "token": keep},
    )
)
