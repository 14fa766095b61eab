"""Variance scaling: Var[w] = scale / n. He, Glorot and LeCun are rows of this one law."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Literal

from ..core.errors import FillError, OptionError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import TRUNCATED, Flavor, haiku, jax_and_flax, keras, sonnet

MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
Mode = Annotated[
    Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"],
    "the fan that divides the variance: fan_avg is (fan_in+fan_out)/2, fan_geo_avg √(fan_in·fan_out)",
]
Direction = Annotated[
    Literal["fan_in", "fan_out"],
    "fan_in keeps the forward signal's variance, fan_out the gradient's",
]
Distribution = Annotated[
    Literal["normal", "truncated_normal", "uniform"],
    "truncated_normal is cut at two sigmas of its parent and widened so that its std is as declared",
]
Normal = Annotated[
    Literal["normal", "truncated_normal"],
    "normal, without bounds; truncated_normal, cut at two sigmas and widened to the same std",
]
Gain = Annotated[float, "a factor on the std"]

TRUNCATED_STD = 0.8796256610342398
"""Std of N(0, 1) given |z| < 2; Keras, JAX and TensorFlow divide by it."""


def variance_scaling(
    fans: Fans,
    *,
    scale: Annotated[float, "variance times the fan, > 0"] = 1.0,
    mode: Mode = "fan_in",
    distribution: Distribution = "truncated_normal",
) -> Fill:
    """Var[w] = scale / n, with n the fan named by `mode`.

    Args:
        fans: of the weight.
        scale: variance times fan: 1 for LeCun and Glorot, 2 for He. > 0.
        mode, distribution: see their types.

    Returns:
        N(0, √(scale/n)); or that law cut at ±2 parent sigmas and widened to the same std; or
        U(±√(3·scale/n)).

    Raises:
        OptionError: scale ≤ 0. FillError: a fan of zero.
    """
    if not 0 < scale < math.inf:
        raise OptionError(f"scale={scale!r}", where="variance_scaling", expected="a finite number > 0")
    count = fan(fans, mode)
    std = math.sqrt(scale / count)
    counted = f" as {fans.compat} counts it" if fans.compat else ""
    reason = f"std √({scale:.6g}/{count:g}) = {std:.6g} from {mode} {count:g}{counted}"
    return spread(std, distribution).because(reason)


def squared(gain: float) -> float:
    """A gain's factor on the variance. Raises OptionError for gain ≤ 0."""
    if not 0 < gain < math.inf:
        raise OptionError(
            f"gain={gain!r}", expected="a finite number > 0", fix="zeros is a scheme of its own."
        )
    return gain**2


def fan(fans: Fans, mode: str) -> float:
    """The fan named by `mode`. Raises FillError if it is zero."""
    values = (fans.fan_in, fans.fan_out, fans.average, fans.geometric)
    count = dict(zip(MODES, values, strict=True))[mode]
    if not 0 < count < math.inf:
        raise FillError(
            f"{mode} is {count:g} ({fans})",
            expected=f"{mode} > 0",
            cause="an axis of size zero, or fans made by hand",
        )
    return count


def spread(std: float, distribution: str) -> Fill:
    """The zero-mean law of this std: "normal", "truncated_normal" (realised std) or "uniform"."""
    if distribution == "uniform":
        bound = math.sqrt(3) * std
        return Fill.uniform(-bound, bound)
    if distribution == "truncated_normal":
        parent = std / TRUNCATED_STD
        return Fill.truncated_normal(0.0, parent, -2 * parent, 2 * parent)
    return Fill.normal(0.0, std)


_ALL = ("scale", "mode", "distribution")

registry.add(
    SchemeRow(
        name="variance_scaling",
        law=variance_scaling,
        summary="Zero mean and variance scale/n, so that a sum of n products keeps its variance; "
        "He, Glorot and LeCun are special cases.",
        formula="Var[w] = scale / n; normal N(0, √(scale/n)), uniform U(±√(3·scale/n))",
        citation="keras/src/initializers/random_initializers.py, VarianceScaling; "
        "jax/_src/nn/initializers.py; "
        "haiku/_src/initializers.py; LeCun et al. 1998, Efficient BackProp, sec. 4.6; "
        "He et al. 2015, arXiv:1502.01852, eq. 10",
        evidence="verified in source",
        differences=(
            "Keras and Haiku default to scale 1, fan_in, truncated_normal, as here; JAX has no defaults.",
            "timm and transformers default to a plain normal and count as torch does; transformers' own "
            "truncated one is widened for a cut at two sigmas that it does not make: see lecun_normal.",
            "JAX truncates complex weights with a constant that makes their variance 1.9 % too large.",
            "Keras on its torch backend draws four times and keeps the first draw if all lie outside: 4.3e-6 "
            "of its truncated weights are beyond two parent sigmas.",
            "fan_geo_avg exists in JAX only.",
        ),
        avoid="vectors (biases, norms): they have no fans.",
        use="any activation: pass scale = initwise.gain(φ)² and the fan whose side is to keep its variance.",
        suits=(
            "any activation",
            "gelu",
            "silu",
            "elu",
            "mlp",
            "cnn",
            "relu",
            "leaky relu",
            "tanh",
            "selu",
            "linear",
            "without norm",
            "deep",
        ),
        unsuited=("embedding", "bias"),
        see=("he_normal", "xavier_normal", "lecun_normal", "auto"),
        known=(
            Known((256, 64), "oi", "std", 0.125, source="1/√64"),
            Known((256, 64), "oi", "scale", 0.2009680971, (("scale", 2.0),), source="Keras he_normal"),
            Known((256, 64), "oi", "high", 0.4019361943, (("scale", 2.0),), source="Keras he_normal"),
            Known(
                (256, 64),
                "oi",
                "high",
                0.1369306394,
                (("mode", "fan_avg"), ("distribution", "uniform")),
                source="√(6/320)",
            ),
            Known(
                (256, 64),
                "oi",
                "std",
                0.0883883476,
                (("mode", "fan_geo_avg"), ("distribution", "normal")),
                source="1/√128",
            ),
        ),
        flavors=(
            keras("VarianceScaling(1.0, 'fan_in', 'truncated_normal')", **TRUNCATED),
            haiku("VarianceScaling(1.0, 'fan_in', 'truncated_normal')", **TRUNCATED),
            sonnet("VarianceScaling(1.0, 'fan_in', 'truncated_normal')", **TRUNCATED),
            *(
                dataclasses.replace(flavor, required=_ALL)
                for flavor in jax_and_flax("variance_scaling(scale, mode, distribution)")
            ),
            Flavor(
                "timm",
                "timm variance_scaling_(scale=1.0, mode='fan_in', distribution='normal')",
                "torch",
                {"distribution": "normal"},
            ),
        ),
    )
)
