"""LeCun: variance 1/fan_in."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import TRUNCATED, Flavor, haiku, jax_and_flax, keras, lasagne, torch
from .scaling import TRUNCATED_STD, fan, variance_scaling

PAPER = "LeCun, Bottou, Orr, Müller 1998, Efficient BackProp, sec. 4.6"
_AVOID = "ReLU networks without normalisation: the signal's second moment halves per layer."


Kind = Annotated[
    Literal["normal", "truncated_normal", "widened_normal"],
    "normal, without bounds; truncated_normal, cut at two sigmas and widened to the same std; "
    "widened_normal, widened so but cut at ±2 in weight units, which is no cut",
]


def lecun_normal(fans: Fans, *, distribution: Kind = "normal") -> Fill:
    """N(0, 1/√fan_in). LeCun et al. 1998, eq. 16."""
    if distribution != "widened_normal":
        return variance_scaling(fans, scale=1.0, mode="fan_in", distribution=distribution)
    std = 1 / math.sqrt(fan(fans, "fan_in"))
    fill = Fill.truncated_normal(0.0, std / TRUNCATED_STD, -2.0, 2.0)
    return fill.because(f"{std:.6g}/0.8796 = {fill.std:.6g}, widened for a truncation that does not happen")


def lecun_uniform(fans: Fans) -> Fill:
    """U(±√(3/fan_in)): the same variance, bounded."""
    return variance_scaling(fans, scale=1.0, mode="fan_in", distribution="uniform")


registry.add(
    SchemeRow(
        name="lecun_normal",
        aliases=("lecun",),
        law=lecun_normal,
        summary="A sum of fan_in products keeps its input's variance: right for linear layers and SELU.",
        formula="N(0, 1/√fan_in)",
        citation="keras/src/initializers/random_initializers.py; jax/_src/nn/initializers.py; "
        "bioinf-jku/SNNs, "
        f"README (with SELU); {PAPER}, eq. 16; Klambauer et al. 2017, arXiv:1706.02515",
        evidence="verified in source",
        differences=(
            "Keras, JAX, Haiku and timm: a truncated normal of this std. The SELU paper: a plain one.",
            "transformers 5 widens for a truncation at two sigmas, then truncates at ±2 in weight units, "
            "that is, not at all: std 1.137/√fan_in.",
            "torch has no such function; kaiming_normal_(nonlinearity='linear') is this law.",
        ),
        avoid=_AVOID,
        use="linear layers, SELU networks, and any layer behind a norm, which rescales its input.",
        suits=("selu", "linear", "mlp", "tanh", "norm", "pre-norm", "transformer", "cnn", "deep"),
        unsuited=("relu", "leaky relu"),
        see=("lecun_uniform", "xavier_normal", "he_normal", "variance_scaling"),
        known=(
            Known((256, 64), "oi", "std", 0.125, source="1/√64"),
            Known((256, 64), "oi", "std", 0.125, (("flavor", "jax"),), source="JAX"),
            Known((256, 64), "oi", "high", 0.2842118086, (("flavor", "jax"),), source="2/(0.8796·√64)"),
            Known(
                (256, 64), "oi", "scale", 0.1421059043, (("flavor", "huggingface"),), source="0.125/0.8796"
            ),
            Known(
                (256, 64), "oi", "std", 0.1421059043, (("flavor", "huggingface"),), source="cut at 14 sigmas"
            ),
        ),
        flavors=(
            torch("kaiming_normal_(nonlinearity='linear')"),
            keras("LecunNormal()", **TRUNCATED),
            *jax_and_flax("lecun_normal()", **TRUNCATED),
            haiku("VarianceScaling(1.0, 'fan_in', 'truncated_normal')", **TRUNCATED),
            lasagne("HeNormal()"),
            Flavor("timm", "timm lecun_normal_", "torch", TRUNCATED),
            Flavor(
                "huggingface",
                "transformers.initialization.lecun_normal_",
                "torch",
                {"distribution": "widened_normal"},
                note="Its bounds are ±2 in weight units, meant in sigmas: std 13.7 % too large.",
            ),
        ),
    )
)

registry.add(
    SchemeRow(
        name="lecun_uniform",
        aliases=("c2_xavier_fill",),
        law=lecun_uniform,
        summary="LeCun's variance with bounded values.",
        formula="U(±√(3 / fan_in))",
        citation="keras/src/initializers/random_initializers.py; jax/_src/nn/initializers.py; "
        f"fvcore/nn/weight_init.py, c2_xavier_fill; {PAPER}",
        evidence="verified in source",
        differences=(
            "Caffe2 and Detectron call this law XavierFill.",
            "Haiku's UniformScaling is this law with the leading axes flattened.",
        ),
        avoid=_AVOID,
        use="linear and tanh layers when no weight shall be an outlier; a query or key matrix behind a norm.",
        suits=("linear", "tanh", "mlp", "selu", "cnn", "norm", "bounded"),
        unsuited=("relu", "leaky relu"),
        see=("lecun_normal", "uniform_scaling", "xavier_uniform"),
        known=(Known((256, 64), "oi", "high", 0.2165063509, source="√(3/64)"),),
        flavors=(
            torch("kaiming_uniform_(nonlinearity='linear')"),
            keras("LecunUniform()"),
            *jax_and_flax("lecun_uniform()"),
            haiku("VarianceScaling(1.0, 'fan_in', 'uniform')"),
            lasagne("HeUniform()"),
            Flavor("caffe2", "Caffe2 XavierFill, fvcore c2_xavier_fill", "torch"),
        ),
    )
)
