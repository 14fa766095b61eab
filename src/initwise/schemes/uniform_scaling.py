"""Haiku's and early TensorFlow's uniform scaling: the bound, not the variance, is what scale multiplies."""

from __future__ import annotations

from typing import Annotated

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import Flavor, haiku
from .scaling import squared, variance_scaling


def uniform_scaling(
    fans: Fans, *, scale: Annotated[float, "a factor on the bound, not on the variance"] = 1.0
) -> Fill:
    """U(±scale·√(3/fan_in))."""
    return variance_scaling(fans, scale=squared(scale), mode="fan_in", distribution="uniform")


registry.add(
    SchemeRow(
        name="uniform_scaling",
        aliases=("uniform_unit_scaling",),
        law=uniform_scaling,
        summary="LeCun's uniform law with a factor on its bound: scale 1 keeps a linear layer's signal.",
        formula="U(±scale · √(3 / fan_in))",
        citation="Haiku, haiku/_src/initializers.py, UniformScaling; Sussillo and Abbott 2014, "
        "Random walk initialization, arXiv:1412.6558 (TensorFlow's reference)",
        evidence="verified in source",
        differences=(
            "Haiku and TensorFlow 1 divide by the product of all stored axes but the last: of a transposed "
            "convolution that is out·kernel, of stacked experts the experts too.",
            "scale multiplies the bound; in variance_scaling it multiplies the variance.",
        ),
        avoid="ReLU networks without normalisation at scale 1: the signal halves per layer; √2 fits those.",
        use="linear networks; with scale √2 ReLU networks, and porting TensorFlow 1 or Haiku code "
        "that names it.",
        suits=("keras", "haiku", "linear", "mlp", "bounded"),
        see=("lecun_uniform", "variance_scaling"),
        known=(
            Known((256, 64), "oi", "high", 0.2165063509, source="√(3/64)"),
            Known((256, 64), "oi", "high", 0.4330127019, (("scale", 2.0),), source="2·√(3/64)"),
            Known((8, 64, 256), "bio", "high", 0.0765465545, (("flavor", "haiku"),), source="√(3/512)"),
            Known((256, 64), "oi", "high", 0.2165063509, (("flavor", "tensorflow"),), source="√(3/64)"),
        ),
        flavors=(
            haiku("UniformScaling(1.0)"),
            Flavor(
                "tensorflow",
                "tf.uniform_unit_scaling_initializer(factor=1.0)",
                "haiku",
                evidence="recalled",
                note="Gone since TensorFlow 2.",
            ),
        ),
    )
)
