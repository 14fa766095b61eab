"""LeCun: variance 1/fan_in."""

from __future__ import annotations

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import TRUNCATED, Flavor, haiku, jax_and_flax, keras, lasagne, torch
from .scaling import Normal, variance_scaling

PAPER = "LeCun, Bottou, Orr, Müller 1998, Efficient BackProp, sec. 4.6"
_AVOID = "ReLU networks without normalisation: the signal's second moment halves per layer."


def lecun_normal(fans: Fans, *, distribution: Normal = "normal") -> Fill:
    """N(0, 1/√fan_in). LeCun et al. 1998, eq. 16."""
    return variance_scaling(fans, scale=1.0, mode="fan_in", distribution=distribution)


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
        citation=f"{PAPER}, eq. 16; Klambauer et al. 2017, arXiv:1706.02515 (with SELU)",
        evidence="verified in source",
        differences=(
            "Keras, JAX, Haiku, timm and Hugging Face: a truncated normal of this std. The SELU paper: a "
            "plain one, as here.",
            "torch has no such function; kaiming_normal_(nonlinearity='linear') is this law.",
        ),
        avoid=_AVOID,
        known=(
            Known((256, 64), "oi", "std", 0.125, source="1/√64"),
            Known((256, 64), "oi", "std", 0.125, (("flavor", "jax"),), source="JAX"),
            Known((256, 64), "oi", "high", 0.2842118086, (("flavor", "jax"),), source="2/(0.8796·√64)"),
        ),
        flavors=(
            torch("kaiming_normal_(nonlinearity='linear')"),
            keras("LecunNormal()", **TRUNCATED),
            *jax_and_flax("lecun_normal()", **TRUNCATED),
            haiku("VarianceScaling(1.0, 'fan_in', 'truncated_normal')", **TRUNCATED),
            lasagne("HeNormal()"),
            Flavor(
                "timm", "timm lecun_normal_", "torch", TRUNCATED, note="Hugging Face has the same function."
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
        citation=PAPER,
        evidence="verified in source",
        differences=(
            "Caffe2 and Detectron call this law XavierFill.",
            "Haiku's UniformScaling is this law with the leading axes flattened.",
        ),
        avoid=_AVOID,
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
