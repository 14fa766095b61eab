"""Activations that gate their own input (GELU, SiLU, Mish) or one half by the other (GLU)."""

from __future__ import annotations

import math

import numpy as np

from .base import ActivationRow, registry
from .piecewise import identity, relu
from .published import Published, nfnet, stylegan2, unit_scaling
from .quadrature import Array
from .smooth import erf, sigmoid, softplus

_UNKNOWN = "torch's calculate_gain refuses it; taking ReLU's √2 instead makes the signal shrink."
_SHAZEER = "Shazeer 2020, GLU variants improve transformer, arXiv:2002.05202"


def gelu(x: Array) -> Array:
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def gelu_tanh(x: Array) -> Array:
    result: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return result


def quick_gelu(x: Array) -> Array:
    return x * sigmoid(1.702 * x)


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def mish(x: Array) -> Array:
    return x * np.tanh(softplus(x, 1.0))


registry.add(
    ActivationRow(
        "gelu",
        gelu,
        "x·Φ(x)",
        "Hendrycks and Gimpel 2016, arXiv:1606.08415",
        aliases=("gelu_python",),
        gain_note=_UNKNOWN + " At q = 1 the fixed point repels (χ_∥ = 1.14): over depth the variance drifts.",
        published=(nfnet(1.7015043497085571), unit_scaling()),
    )
)
registry.add(
    ActivationRow(
        "gelu_tanh",
        gelu_tanh,
        "½x(1 + tanh(√(2/π)(x + 0.044715x³)))",
        "Hendrycks and Gimpel 2016, arXiv:1606.08415, sec. 2",
        aliases=(
            "gelu_new",
            "gelu_pytorch_tanh",
            "gelu_python_tanh",
            "gelu_approximate",
            "gelu_fast",
            "gelu_accurate",
        ),
        gain_note="jax.nn.gelu is this form unless told otherwise; the gains differ by 3e-5.",
    )
)
registry.add(
    ActivationRow(
        "quick_gelu", quick_gelu, "x·σ(1.702x)", "Hendrycks and Gimpel 2016, arXiv:1606.08415, sec. 2"
    )
)
registry.add(
    ActivationRow(
        "silu",
        silu,
        "x·σ(x)",
        "Elfwing et al. 2017, arXiv:1702.03118; Ramachandran et al. 2017, arXiv:1710.05941",
        aliases=("swish",),
        gain_note=_UNKNOWN + " At q = 1 the fixed point repels (χ_∥ = 1.17): over depth the variance drifts.",
        published=(
            Published("EDM2", 1 / 0.596, "rounded"),
            nfnet(1.7881293296813965),
            unit_scaling(),
            stylegan2(math.sqrt(2)),
        ),
    )
)
registry.add(ActivationRow("mish", mish, "x·tanh(softplus(x))", "Misra 2019, arXiv:1908.08681"))
registry.add(
    ActivationRow(
        "glu",
        sigmoid,
        "a·σ(b)",
        "Dauphin et al. 2016, arXiv:1612.08083",
        gated=True,
        published=(nfnet(1.8484294414520264),),
    )
)
registry.add(ActivationRow("bilinear", identity, "a·b", _SHAZEER, gated=True))
registry.add(ActivationRow("swiglu", silu, "a·silu(b)", _SHAZEER, aliases=("siglu",), gated=True))
registry.add(ActivationRow("geglu", gelu, "a·gelu(b)", _SHAZEER, gated=True))
registry.add(ActivationRow("reglu", relu, "a·relu(b)", _SHAZEER, gated=True, kinks=(0.0,)))
