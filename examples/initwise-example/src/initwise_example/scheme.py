"""Kumar's law: the variance that keeps the signal, from the activation's value and slope at 0."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from initwise import Fans, Fill
from initwise.schemes import Known, SchemeRow

AT_ZERO = {"sigmoid": (0.5, 0.25), "softplus": (math.log(2), 0.5), "tanh": (0.0, 1.0)}
"""Activation → its value and its slope at 0."""

Activation = Annotated[Literal["sigmoid", "softplus", "tanh"], "what follows the weights"]


def kumar(fans: Fans, *, activation: Activation = "sigmoid") -> Fill:
    """N(0, v), v² = 1/(fan_in · g′(0)² · (1 + g(0)²))."""
    value, slope = AT_ZERO[activation]
    std = 1 / math.sqrt(fans.fan_in * slope**2 * (1 + value**2))
    why = f"fan_in {fans.fan_in:g}, {activation} has value {value:.4g} and slope {slope:g} at 0"
    return Fill.normal(0.0, std, reason=why)


row = SchemeRow(
    name="kumar",
    law=kumar,
    summary="One law for all activations that are differentiable at 0.",
    formula="N(0, v), v² = 1/(fan_in · g′(0)² · (1 + g(0)²))",
    citation="Kumar 2017, On weight initialization in deep neural networks, arXiv:1704.08863",
    evidence="recalled",
    differences=("For the sigmoid it is 3.6/√fan_in; Xavier's law has nothing about g.",),
    use="sigmoid, softplus and tanh in plain networks.",
    avoid="ReLU, which has no slope at 0: use he_normal.",
    suits=("sigmoid", "tanh", "mlp", "plain"),
    unsuited=("relu", "leaky relu"),
    see=("xavier_normal", "he_normal"),
    known=(
        Known((256, 64), "oi", "std", 0.4472135955, source="√(16/1.25)/√64, the paper's 3.6/√fan_in"),
        Known((256, 64), "oi", "std", 0.125, (("activation", "tanh"),), source="1/√64"),
    ),
)
