"""The edge of chaos: weights and biases at which signal and gradient both keep their size."""

from __future__ import annotations

import math
from typing import Annotated

from ..activations import activation
from ..activations.critical import CriticalPoint, critical, critical_point
from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo
from .base import Known, Scheme, SchemeRow, registry
from .scaling import fan

Activation = Annotated[str, "the activation after each layer"]
Variance = Annotated[
    float | None, "the pre-activation's variance that is to stay; None is the activation's own critical point"
]


def _point(activation_: str, q: float | None) -> CriticalPoint:
    if q is not None:
        return critical_point(activation(activation_), q=q)
    found = critical(activation(activation_))
    if found.point is None:
        raise OptionError(
            f"{activation_} has no critical point of its own",
            where="scheme 'edge_of_chaos'",
            expected="q=…, the variance to hold",
            cause=found.reason,
        )
    return found.point


def edge_of_chaos(fans: Fans, *, activation: Activation = "tanh", q: Variance = None) -> Fill:
    """N(0, σ_w/√fan_in), χ₁ = 1."""
    point, count = _point(activation, q), fan(fans, "fan_in")
    std = math.sqrt(point.weight_variance / count)
    reason = f"{activation}: σ_w² = {point.weight_variance:.6g} at q = {point.q:.6g}, fan_in {count:g}"
    return Fill.normal(0.0, std, reason=reason)


def _bias(scheme: Scheme, info: ParameterInfo) -> Fill:
    options = dict(scheme.options)
    q = options["q"]
    point = _point(str(options["activation"]), float(q) if isinstance(q, (int, float)) else None)
    variance = max(point.bias_variance, 0.0)
    return Fill.normal(0.0, math.sqrt(variance), reason=f"σ_b² = {variance:.6g} holds q = {point.q:.6g}")


registry.add(
    SchemeRow(
        name="edge_of_chaos",
        aliases=("mean_field_critical",),
        law=edge_of_chaos,
        summary="Weights and biases at which a deep plain network keeps signal and gradient both.",
        formula="N(0, σ_w/√fan_in), biases N(0, σ_b): σ_w² = 1/E[φ′²], σ_b² = q − σ_w²·E[φ²]",
        citation="brain-research/mean-field-cnns, its notebook; Poole et al. 2016, arXiv:1606.05340; "
        "Schoenholz et al. 2017, arXiv:1611.01232",
        evidence="verified in source",
        differences=(
            "The notebook of mean-field-cnns takes q = 1/depth for tanh; None here is the activation's own "
            "point, for tanh the limit q → 0: σ_w = 1, σ_b = 0.",
        ),
        avoid="residual networks and networks with norms: they have their own balance.",
        use="deep plain networks without norms and skips, where the activation has a critical point "
        "(tanh, ReLU, GELU and more).",
        suits=(
            "plain",
            "very deep",
            "tanh",
            "relu",
            "mlp",
            "cnn",
            "deep",
            "gelu",
            "silu",
            "elu",
            "without norm",
            "theory",
            "any activation",
        ),
        unsuited=("resnet", "norm", "transformer"),
        see=("auto", "delta_orthogonal", "he_normal"),
        known=(
            Known(
                (64, 64), "oi", "std", math.sqrt(2 / 64), (("activation", "relu"),), source="ReLU: σ_w² = 2"
            ),
        ),
        roles={"bias": _bias},
    )
)
