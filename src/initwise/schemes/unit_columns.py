"""Unit columns: every output's incoming weights have one length."""

from __future__ import annotations

from typing import Annotated

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import shaped


def normc(
    fans: Fans, *, std: Annotated[float, "length of each output's incoming weights, ≥ 0"] = 1.0
) -> Fill:
    """std · z/‖z‖ over each output's incoming weights, z standard normal."""
    if std < 0:
        raise OptionError(f"std={std!r}", where="scheme 'normc'", expected="a length ≥ 0")
    if std == 0:
        return Fill.constant(0.0, reason="columns of length 0")
    fill = Fill.whole("unit_outputs", gain=std, **shaped(fans))
    return fill.because(
        f"each output's incoming weights have length {std:g} exactly, their direction is uniform"
    )


registry.add(
    SchemeRow(
        name="normc",
        aliases=("normalized_columns",),
        law=normc,
        summary="Normal weights, each output's divided by their length: every output sees inputs at the "
        "same scale.",
        formula="w[o, :] = std · z[o, :]/‖z[o, :]‖, z ~ N(0, 1)",
        citation="OpenAI baselines, common/tf_util.py, normc_initializer",
        evidence="verified in source",
        differences=(
            "baselines calls the length std and divides along axis 0 of (in, out); of a kernel (h, w, in, "
            "out) "
            "that is one axis of the kernel, here all of an output's weights.",
            "The rms of a weight is std/√fan_in: std 1 is LeCun's scale, with no spread between outputs.",
        ),
        avoid="hidden ReLU layers: length 1 halves the signal's mean square at each, std 1.414 keeps it.",
        use="heads of policies and values that are to start alike and small: std 0.01 for a policy's, 1 "
        "for a value's.",
        suits=("head", "rl", "linear", "tanh", "shallow"),
        unsuited=("relu", "very deep"),
        see=("orthogonal", "lecun_normal"),
        known=(
            Known((256, 64), "oi", "std", 0.125, source="1/√64"),
            Known((64, 6), "io", "std", 0.00125, (("std", 0.01),), source="0.01/√64, a policy's head"),
            Known((256, 64), "oi", "high", 0.01, (("std", 0.01),), source="one weight alone"),
            Known((32, 16, 3, 3), "oihw", "std", 0.0833333333, source="1/√144"),
        ),
    )
)
