"""Schemes of a whole model: what they do lives in the room that can see models."""

from __future__ import annotations

from typing import Annotated, Literal

from ..core.errors import UnsupportedError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import SchemeRow, registry


def auto(
    fans: Fans | None,
    *,
    method: Annotated[
        Literal["calibrated", "analytic"], "calibrated passes data once, analytic needs no data"
    ] = "calibrated",
) -> Fill:
    """What `choose` chooses without a race."""
    raise UnsupportedError("scheme 'auto' decides for a whole model")


def lsuv(fans: Fans | None) -> Fill:
    """Orthogonal weights scaled layer by layer to unit variance."""
    raise UnsupportedError("scheme 'lsuv' decides for a whole model")


registry.add(
    SchemeRow(
        name="auto",
        law=auto,
        summary="What `choose` would choose without a race: gains from the activations found in the model, "
        "residual branches scaled by depth.",
        formula="per layer: std gain/√fan_in, gain from the activation before it",
        citation="initwise.choose; Schoenholz et al. 2017, arXiv:1611.01232 (depth and χ₁)",
        evidence="computed",
        differences=("No framework has it.",),
        avoid="models that cannot run on an example.",
        planner="initwise.choose.planners:auto_plan",
    )
)

registry.add(
    SchemeRow(
        name="lsuv",
        aliases=("layer_sequential_unit_variance",),
        law=lsuv,
        summary="Orthogonal weights, then each layer in forward order scaled until its output has variance 1 "
        "on one batch.",
        formula="W ← W / std(layer's output), repeated until |std − 1| ≤ 0.1",
        citation="Mishkin and Matas 2015, All you need is a good init, arXiv:1511.06422, algorithm 1",
        evidence="verified in source",
        differences=(
            "The authors' code takes orthogonal matrices from an SVD without sign fix, in module order; "
            "here from QR with the sign fixed, in execution order.",
        ),
        avoid="batches that do not look like the data.",
        planner="initwise.choose.planners:lsuv_plan",
    )
)
