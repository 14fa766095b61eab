"""What Lasagne's layers draw."""

from __future__ import annotations

from ..core.fill import Fill
from ..core.layout import Fans, recounted
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .framework_rules import fixed
from .lasagne import lasagne_glorot_uniform
from .roles import keep

CITATION = "lasagne/layers and lasagne/init.py"


def lasagne_default(fans: Fans) -> Fill:
    """U(±√(6/(fan_in + fan_out))), fans from the stored shape: dense and convolution layers."""
    return lasagne_glorot_uniform(recounted(fans, "lasagne") if fans.layout is not None else fans)


def _recurrent(scheme: Scheme, info: ParameterInfo) -> Fill:
    if info.gates:
        return Fill.normal(0.0, 0.1, reason="Lasagne's gates: N(0, 0.1)", citation=CITATION)
    return Fill.uniform(-0.01, 0.01, reason="Lasagne's plain recurrent layer: U(±0.01)", citation=CITATION)


def _weight(scheme: Scheme, info: ParameterInfo) -> Fill:
    return _recurrent(scheme, info) if info.fan_hidden else scheme.fill(info.fans)


registry.add(
    SchemeRow(
        name="lasagne_default",
        aliases=("lasagne",),
        law=lasagne_default,
        summary="Lasagne's defaults: Glorot's uniform law, N(0, 0.1) for gates, biases zero.",
        formula="U(±√(6/(fan_in + fan_out))); gates N(0, 0.1); plain recurrent U(±0.01); tables N(0, 0.01)",
        citation=CITATION,
        evidence="verified in source",
        differences=("Lasagne sums the first two axes of the stored shape: groups are not divided out.",),
        avoid="deep ReLU networks without normalisation.",
        use="comparing with, or porting, networks built with Lasagne.",
        suits=("lasagne", "mlp", "cnn", "tanh", "shallow"),
        unsuited=("very deep",),
        see=("lasagne_glorot_uniform",),
        known=(
            Known((256, 64), "oi", "high", 0.1369306394, source="√(6/320)"),
            Known((128, 32, 3, 3), "oihw", "high", 0.0645497224, source="√(6/1440)"),
        ),
        roles={
            "weight": _weight,
            "recurrent": _recurrent,
            "embedding": fixed(
                Fill.normal(0.0, 0.01, reason="Lasagne's tables: N(0, 0.01)", citation=CITATION)
            ),
            "token": keep,
        },
    )
)
