"""He et al. 2015: variance 2/fan, for ReLU."""

from __future__ import annotations

from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .compat import Compat
from .scaling import Direction, Normal, variance_scaling

PAPER = "He, Zhang, Ren, Sun 2015, Delving Deep into Rectifiers, arXiv:1502.01852"
Slope = Annotated[float, "slope of the leaky ReLU on the negative side; 0 is the ReLU"]

_DEPTHWISE = (
    "torch counts a grouped convolution's fan_out without dividing by the groups: std too small by "
    '√groups. Here the true fan; compat="torch" gives torch\'s.',
    "torch and Keras swap the fans of a transposed convolution; here the true ones.",
)
_AVOID = (
    "tanh, sigmoid and linear layers (twice the variance they need), and GELU or SiLU, whose own gain "
    'initwise.gain("gelu") computes.'
)


def he_normal(
    fans: Fans,
    *,
    mode: Direction = "fan_in",
    negative_slope: Slope = 0.0,
    distribution: Normal = "normal",
    compat: Compat = "none",
) -> Fill:
    """N(0, √(2/((1+a²)·fan))). He et al. 2015, eq. 10 (fan_in), 14 (fan_out), 15 (slope a)."""
    scale = 2 / (1 + negative_slope**2)
    return variance_scaling(fans, scale=scale, mode=mode, distribution=distribution, compat=compat)


def he_fan_out(fans: Fans, *, distribution: Normal = "normal", compat: Compat = "none") -> Fill:
    """N(0, √(2/fan_out)). He et al. 2015, eq. 14."""
    return he_normal(fans, mode="fan_out", distribution=distribution, compat=compat)


def he_uniform(
    fans: Fans, *, mode: Direction = "fan_in", negative_slope: Slope = 0.0, compat: Compat = "none"
) -> Fill:
    """U(±√(6/((1+a²)·fan))): the variance of `he_normal`, bounded."""
    scale = 2 / (1 + negative_slope**2)
    return variance_scaling(fans, scale=scale, mode=mode, distribution="uniform", compat=compat)


registry.add(
    SchemeRow(
        name="he_normal",
        aliases=("kaiming_normal", "he", "kaiming"),
        law=he_normal,
        summary="A ReLU halves the second moment, so the variance is doubled: 2 over the fan.",
        formula="N(0, √(2 / ((1 + a²) · fan))), fan_in unless mode says fan_out",
        citation=f"{PAPER}, eq. 10, 14 and 15",
        evidence="verified in source",
        differences=(
            'torch: a plain normal, as here. Keras and JAX: distribution="truncated_normal", no value '
            "beyond 2.27 std.",
            'Lasagne\'s HeNormal() has gain 1, so variance 1/fan_in; see "lasagne_he_normal".',
            "torch reads the slope only with nonlinearity='leaky_relu'; EDM's \"kaiming_normal\" has gain 1.",
            *_DEPTHWISE,
        ),
        avoid=_AVOID,
        known=(
            Known((256, 64), "oi", "std", 0.1767766953, source="√(2/64)"),
            Known(
                (256, 64), "oi", "std", 0.1767766953, (("distribution", "truncated_normal"),), source="Keras"
            ),
            Known(
                (256, 64), "oi", "high", 0.4019361943, (("distribution", "truncated_normal"),), source="Keras"
            ),
            Known((128, 32, 3, 3), "oihw", "std", 0.0833333333, source="√(2/288)"),
            Known((128, 32, 3, 3), "oihw", "std", 0.0416666667, (("mode", "fan_out"),), source="√(2/1152)"),
            Known(
                (128, 8, 3, 3),
                "oihw",
                "std",
                0.0833333333,
                (("mode", "fan_out"),),
                groups=4,
                source="√(2/288)",
            ),
            Known(
                (128, 8, 3, 3),
                "oihw",
                "std",
                0.0416666667,
                (("mode", "fan_out"), ("compat", "torch")),
                groups=4,
                source="torch, √(2/1152)",
            ),
            Known(
                (64, 32, 4, 4),
                "iohw",
                "std",
                0.0883883476,
                stride=(2, 2),
                source="√(2/256), mean over positions",
            ),
            Known(
                (64, 32, 4, 4),
                "iohw",
                "std",
                0.0625,
                (("compat", "torch"),),
                stride=(2, 2),
                source="torch, √(2/512)",
            ),
            Known((256, 64), "oi", "std", 0.1733438113, (("negative_slope", 0.2),), source="√(2/1.04/64)"),
        ),
    )
)

registry.add(
    SchemeRow(
        name="he_fan_out",
        aliases=("msra", "msra_fill", "kaiming_fan_out"),
        law=he_fan_out,
        summary="He's variance by the fan-out: keeps the gradient's variance; torchvision's ResNets use it.",
        formula="N(0, √(2 / fan_out))",
        citation=f"{PAPER}, eq. 14",
        evidence="verified in source",
        differences=(
            "Detectron's c2_msra_fill and torchvision's ResNet are this law with torch's fan_out.",
            *_DEPTHWISE,
        ),
        avoid="networks without normalisation whose widths change a lot: the forward signal drifts.",
        known=(
            Known((128, 32, 3, 3), "oihw", "std", 0.0416666667, source="√(2/1152)"),
            Known((96, 1, 7, 7), "oihw", "std", 0.2020305089, groups=96, source="timm and TPU rule, √(2/49)"),
            Known(
                (96, 1, 7, 7),
                "oihw",
                "std",
                0.0206196525,
                (("compat", "torch"),),
                groups=96,
                source="torch, √(2/4704)",
            ),
        ),
    )
)

registry.add(
    SchemeRow(
        name="he_uniform",
        aliases=("kaiming_uniform",),
        law=he_uniform,
        summary="He's variance with bounded values.",
        formula="U(±√(6 / ((1 + a²) · fan))), fan_in unless mode says fan_out",
        citation=f"{PAPER}, eq. 10, 14 and 15",
        evidence="verified in source",
        differences=(
            "torch's Linear and Conv layers call kaiming_uniform_ with a=√5, which is U(±1/√fan_in): a sixth "
            'of He\'s variance. See "torch_default".',
            'Lasagne\'s HeUniform() has gain 1: U(±√(3/fan_in)); see "lasagne_he_uniform".',
            *_DEPTHWISE,
        ),
        avoid=_AVOID,
        known=(
            Known((256, 64), "oi", "high", 0.3061862178, source="√(6/64)"),
            Known(
                (256, 64), "oi", "high", 0.125, (("negative_slope", 5**0.5),), source="torch's a=√5, 1/√64"
            ),
        ),
    )
)
