"""Lasagne's names: Glorot and He with a gain that is 1 unless you say 'relu'."""

from __future__ import annotations

from typing import Annotated, Literal

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .flavors import lasagne
from .scaling import squared, variance_scaling

SOURCE = "Lasagne, lasagne/init.py"
LasagneGain = Annotated[float | Literal["relu"], "a factor on the std; 'relu' is √2"]


def _scale(gain: float | Literal["relu"]) -> float:
    return 2.0 if gain == "relu" else squared(float(gain))


def lasagne_glorot_uniform(fans: Fans, *, gain: LasagneGain = 1.0) -> Fill:
    """U(±gain·√(6/(fan_in + fan_out)))."""
    return variance_scaling(fans, scale=_scale(gain), mode="fan_avg", distribution="uniform")


def lasagne_glorot_normal(fans: Fans, *, gain: LasagneGain = 1.0) -> Fill:
    """N(0, gain·√(2/(fan_in + fan_out)))."""
    return variance_scaling(fans, scale=_scale(gain), mode="fan_avg", distribution="normal")


def lasagne_he_uniform(fans: Fans, *, gain: LasagneGain = 1.0) -> Fill:
    """U(±gain·√(3/fan_in)): with gain 1 that is LeCun's law, with 'relu' He's."""
    return variance_scaling(fans, scale=_scale(gain), mode="fan_in", distribution="uniform")


def lasagne_he_normal(fans: Fans, *, gain: LasagneGain = 1.0) -> Fill:
    """N(0, gain/√fan_in): with gain 1 that is LeCun's law, with 'relu' He's."""
    return variance_scaling(fans, scale=_scale(gain), mode="fan_in", distribution="normal")


_COUNT = (
    'Here the true fans; flavor="lasagne" takes Lasagne\'s, which knows no groups or strides and swaps a '
    'transposed convolution\'s. Its c01b storage is the layout "ihwo".'
)
_GAIN = "gain='relu' means √2; Lasagne leaves leaky slopes to the user: √(2/(1 + a²))."
_GLOROT = (
    _GAIN,
    _COUNT,
    "Lasagne's docstring gives √(6/(fan_in+fan_out)) for gain='relu'; its code, and this row, √(12/…).",
)
_HE = (
    _GAIN,
    _COUNT,
    "He's own law has gain √2: Lasagne's default is LeCun's variance under He's name.",
)
_AVOID = "deep ReLU networks without normalisation, unless gain='relu'."
_RELU = (("gain", "relu"),)

registry.add(
    SchemeRow(
        name="lasagne_glorot_uniform",
        law=lasagne_glorot_uniform,
        summary="Glorot's uniform law as Lasagne has it, its default for dense and convolution layers.",
        formula="U(±gain · √(6 / (fan_in + fan_out)))",
        citation=f"{SOURCE}, GlorotUniform; Glorot and Bengio 2010, eq. 16",
        evidence="verified in source",
        differences=_GLOROT,
        avoid=_AVOID,
        use="porting Lasagne networks: its dense and convolution layers start so unless told otherwise.",
        suits=("lasagne", "mlp", "cnn", "tanh", "linear", "shallow", "bounded"),
        unsuited=("very deep",),
        see=("xavier_uniform", "lasagne_default"),
        known=(
            Known((256, 64), "oi", "high", 0.1369306394, source="√(6/320)"),
            Known((256, 64), "oi", "high", 0.1936491673, _RELU, source="√(12/320)"),
        ),
        flavors=(lasagne("GlorotUniform()"),),
    )
)

registry.add(
    SchemeRow(
        name="lasagne_glorot_normal",
        law=lasagne_glorot_normal,
        summary="Glorot's normal law as Lasagne has it.",
        formula="N(0, gain · √(2 / (fan_in + fan_out)))",
        citation=f"{SOURCE}, GlorotNormal; Glorot and Bengio 2010, eq. 12",
        evidence="verified in source",
        differences=_GLOROT,
        avoid=_AVOID,
        use="porting Lasagne networks; with gain='relu' ReLU networks too.",
        suits=("lasagne", "mlp", "cnn", "tanh", "linear", "shallow"),
        unsuited=("very deep",),
        see=("xavier_normal", "lasagne_glorot_uniform"),
        known=(
            Known((128, 32, 3, 3), "oihw", "std", 0.0372677996, source="√(2/1440)"),
            Known((256, 64), "oi", "std", 0.1118033989, _RELU, source="√(4/320)"),
        ),
        flavors=(lasagne("GlorotNormal()"),),
    )
)

registry.add(
    SchemeRow(
        name="lasagne_he_uniform",
        law=lasagne_he_uniform,
        summary="He's uniform law as Lasagne has it: without He's factor 2 unless gain='relu'.",
        formula="U(±gain · √(3 / fan_in))",
        citation=f"{SOURCE}, HeUniform; He et al. 2015, arXiv:1502.01852",
        evidence="verified in source",
        differences=_HE,
        avoid=_AVOID,
        use="porting Lasagne networks; pass gain='relu' for the law of the paper.",
        suits=("lasagne", "mlp", "cnn", "linear", "bounded"),
        unsuited=("very deep",),
        see=("he_uniform", "lasagne_he_normal"),
        known=(
            Known((256, 64), "oi", "high", 0.2165063509, source="√(3/64)"),
            Known((256, 64), "oi", "high", 0.3061862178, _RELU, source="√(6/64)"),
        ),
        flavors=(lasagne("HeUniform()"),),
    )
)

registry.add(
    SchemeRow(
        name="lasagne_he_normal",
        law=lasagne_he_normal,
        summary="He's normal law as Lasagne has it: without He's factor 2 unless gain='relu'.",
        formula="N(0, gain / √fan_in)",
        citation=f"{SOURCE}, HeNormal; He et al. 2015, arXiv:1502.01852",
        evidence="verified in source",
        differences=_HE,
        avoid=_AVOID,
        use="porting Lasagne networks; pass gain='relu' for the law of the paper.",
        suits=("lasagne", "mlp", "cnn", "linear"),
        unsuited=("very deep",),
        see=("he_normal", "lasagne_he_uniform"),
        known=(
            Known((256, 64), "oi", "std", 0.125, source="1/√64"),
            Known((256, 64), "oi", "std", 0.1767766953, _RELU, source="√(2/64)"),
        ),
        flavors=(lasagne("HeNormal()"),),
    )
)
