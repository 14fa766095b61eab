"""Coordinate networks: sines and Fourier features."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import positive
from .scaling import fan, variance_scaling
from .xavier import xavier_normal

SITZMANN = "Sitzmann et al. 2020, Implicit neural representations with periodic activations, arXiv:2006.09661"

ELU = 1.5505188080679277
"""The authors' factor for ELU: 1/E[elu(z)²] is 1.550519."""


def siren_first(fans: Fans) -> Fill:
    """U(±1/fan_in)."""
    count = fan(fans, "fan_in")
    return Fill.uniform(-1 / count, 1 / count, reason=f"±1/fan_in, fan_in {count:g}: ω₀ spreads the phases")


def siren_hidden(fans: Fans, *, w0: Annotated[float, "ω₀, the factor inside the sine"] = 30.0) -> Fill:
    """U(±√(6/fan_in)/ω₀)."""
    count = fan(fans, "fan_in")
    bound = math.sqrt(6 / count) / positive("siren_hidden", w0=w0)
    return Fill.uniform(-bound, bound, reason=f"±√(6/{count:g})/{w0:g}: the sine's argument stays N(0, 1)")


def siren_companion(
    fans: Fans,
    *,
    activation: Annotated[
        Literal["relu", "softplus", "tanh", "sigmoid", "selu", "elu"], "the activation after the layer"
    ] = "relu",
) -> Fill:
    """He for relu and softplus, Xavier for tanh and sigmoid, 1/fan_in for selu, 1.5505188/fan_in for elu."""
    if activation in ("tanh", "sigmoid"):
        return xavier_normal(fans)
    scale = {"relu": 2.0, "softplus": 2.0, "selu": 1.0, "elu": ELU}[activation]
    return variance_scaling(fans, scale=scale, mode="fan_in", distribution="normal")


def fourier_features(
    fans: Fans | None, *, sigma: Annotated[float, "bandwidth, in cycles per unit of the coordinates"] = 10.0
) -> Fill:
    """N(0, sigma)."""
    sigma = positive("fourier_features", sigma=sigma)
    return Fill.normal(0.0, sigma, reason=f"frequencies of std {sigma:g} for sin(2πBx) and cos(2πBx)")


registry.add(
    SchemeRow(
        name="siren_first",
        law=siren_first,
        summary="The first layer of a network of sines; the recipe siren does the whole network.",
        formula="U(±1/fan_in)",
        citation=f"{SITZMANN}; vsitzmann/siren, modules.py",
        evidence="verified in source",
        differences=("Audio uses ω₀ = 3000 in this layer; the law does not contain it.",),
        avoid="hidden layers, and networks without sines.",
        use="the first layer of a SIREN, which sets the range of frequencies.",
        suits=("coordinate", "sine", "bounded", "mlp"),
        unsuited=("relu", "tanh"),
        see=("siren_hidden", "fourier_features"),
        known=(Known((256, 2), "oi", "high", 0.5, source="1/2"),),
    )
)
registry.add(
    SchemeRow(
        name="siren_hidden",
        law=siren_hidden,
        summary="Hidden layers and the last one of a network of sines sin(ω₀·(Wx + b)).",
        formula="U(±√(6/fan_in)/ω₀)",
        citation=f"{SITZMANN}, theorem 1.8; vsitzmann/siren, modules.py",
        evidence="verified in source",
        differences=(
            "ω₀ multiplies inside the sine: a network that has it and an init without /ω₀ is chaos.",
            "The authors leave biases at torch's U(±1/√fan_in); here they are 0 unless a rule names them.",
        ),
        avoid="networks that do not multiply by ω₀ inside the sine.",
        use="all other layers of a SIREN with the same ω₀ inside the sine.",
        suits=("coordinate", "sine", "bounded", "mlp", "deep"),
        unsuited=("relu", "tanh"),
        see=("siren_first",),
        known=(Known((256, 256), "oi", "high", 0.0051031036, source="√(6/256)/30"),),
    )
)
registry.add(
    SchemeRow(
        name="siren_companion",
        law=siren_companion,
        summary="What the SIREN authors give the networks they compare with, by activation.",
        formula="relu, softplus N(0, √(2/fan_in)); tanh, sigmoid N(0, √(2/(fan_in + fan_out))); selu N(0, "
        "1/√fan_in); "
        "elu N(0, √(1.5505188/fan_in))",
        citation=f"{SITZMANN}; vsitzmann/siren, modules.py",
        evidence="verified in source",
        differences=(
            'Softplus gets ReLU\'s law there; its own gain, by initwise.gain("softplus"), is smaller.',
            "Biases keep torch's default in the authors' code; here they are 0.",
        ),
        avoid="networks of sines: siren_first and siren_hidden, or the recipe siren.",
        use="coordinate networks without sines, compared with SIREN on the authors' terms.",
        suits=("reproduce", "coordinate", "mlp", "relu", "tanh", "sigmoid", "selu", "elu"),
        unsuited=("sine",),
        see=("siren_hidden", "he_normal"),
        known=(
            Known((256, 64), "oi", "std", 0.1767766953, source="√(2/64)"),
            Known((256, 64), "oi", "std", 0.0790569415, (("activation", "tanh"),), source="√(2/320)"),
            Known((256, 64), "oi", "std", 0.125, (("activation", "selu"),), source="1/√64"),
            Known((256, 64), "oi", "std", 0.1556497876, (("activation", "elu"),), source="√(1.5505188/64)"),
        ),
    )
)
registry.add(
    SchemeRow(
        name="fourier_features",
        aliases=("random_fourier_features",),
        law=fourier_features,
        summary="Frozen frequencies that let a network see fine detail in coordinates.",
        formula="N(0, sigma), for features sin(2πBx), cos(2πBx)",
        citation="Tancik et al. 2020, Fourier features let networks learn high frequency functions, "
        "arXiv:2006.10739; the authors' Demo.ipynb",
        evidence="verified in source",
        differences=(
            "In the authors' code B is a buffer, not a parameter: init_ does not reach it, fill does.",
        ),
        avoid="weights that are trained: sigma is a bandwidth, not a gain; 1, 10 and 100 were compared.",
        use="frozen input features of coordinates for images, volumes and fields; choose sigma by "
        "the detail wanted.",
        suits=("positions", "coordinate"),
        see=("siren_first",),
        known=(Known((256, 2), "oi", "std", 10.0, source="Demo.ipynb, the best of three"),),
        elementwise=True,
    )
)
