"""Sigmoidal, exponential and periodic activations."""

from __future__ import annotations

import math

import numpy as np

from .base import ActivationRow, registry
from .published import Published, nfnet, stylegan2, torch_gain
from .quadrature import Array

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_ERF = np.vectorize(math.erf, otypes=[np.float64])
_NFNET = "NFNets' constants are of the centred kind (mean removed), sampled, within 0.1 %."


def sigmoid(x: Array) -> Array:
    result: Array = 0.5 + 0.5 * np.tanh(x / 2)
    return result


def erf(x: Array) -> Array:
    return np.asarray(_ERF(x), dtype=np.float64) if x.size else x


def softsign(x: Array) -> Array:
    result: Array = x / (1 + np.abs(x))
    return result


def scaled_tanh(x: Array) -> Array:
    result: Array = 1.7159 * np.tanh(2 * x / 3)
    return result


def tanh_shrink(x: Array) -> Array:
    return x - np.tanh(x)


def elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def celu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0) / alpha))


def selu(x: Array) -> Array:
    return SELU_SCALE * elu(x, SELU_ALPHA)


def softplus(x: Array, beta: float) -> Array:
    return np.logaddexp(0.0, beta * x) / beta


def log_sigmoid(x: Array) -> Array:
    return -np.logaddexp(0.0, -x)


def sin(x: Array, frequency: float) -> Array:
    return np.sin(frequency * x)


def snake(x: Array, a: float) -> Array:
    # sin²(ax)/a, written so that a = 0 is its limit
    result: Array = x + a * (x * np.sinc(a * x / np.pi)) ** 2
    return result


def gaussian(x: Array) -> Array:
    return np.exp(-x * x)


registry.add(
    ActivationRow(
        "tanh",
        np.tanh,
        "tanh x",
        "Glorot and Bengio 2010",
        gain_note="torch's calculate_gain says 5/3, an empirical value: with it the variance settles at "
        "1.178 and gradients grow by χ₁ = 1.21 per layer. " + _NFNET,
        published=(torch_gain(5 / 3, "empirical"), nfnet(1.5939117670059204), stylegan2(1.0)),
    )
)
registry.add(
    ActivationRow(
        "sigmoid",
        sigmoid,
        "1/(1 + e⁻ˣ)",
        "Rumelhart, Hinton, Williams 1986",
        aliases=("logistic",),
        gain_note="torch's calculate_gain says 1, which keeps neither signal nor gradient: χ₁ = 0.056, "
        "gradients fall eighteenfold per layer in second moment. Its mean of ½ dominates E[φ²]: with the "
        "mean removed the gain is 4.80.",
        published=(
            torch_gain(1.0, "convention"),
            Published("Lasagne", 1.0, "convention"),
            nfnet(4.803835391998291),
            stylegan2(1.0),
        ),
    )
)
registry.add(ActivationRow("erf", erf, "erf x", "closed form: E[erf(z)²] = (2/π)·arcsin(2/3)"))
registry.add(ActivationRow("arctan", np.arctan, "arctan x", "computed from the function", aliases=("atan",)))
registry.add(
    ActivationRow(
        "softsign",
        softsign,
        "x/(1 + |x|)",
        "Bergstra et al. 2009; Glorot and Bengio 2010",
        kinks=(0.0,),
        published=(nfnet(2.338853120803833),),
    )
)
registry.add(
    ActivationRow(
        "scaled_tanh",
        scaled_tanh,
        "1.7159·tanh(2x/3)",
        "LeCun et al. 1998, Efficient BackProp, sec. 4.4",
        aliases=("lecun_tanh",),
        gain_note="1.7159 = 1/tanh(2/3) makes φ(±1) = ±1, so that an input of variance 1 gives an output of "
        "variance about 1 (LeCun); of a normal input it makes 0.75, and the gain that keeps 1 is 1.154.",
        published=(Published("LeCun et al. 1998", 1.0, "convention"),),
    )
)
registry.add(
    ActivationRow(
        "tanh_shrink", tanh_shrink, "x − tanh x", "computed from the function", aliases=("tanhshrink",)
    )
)
registry.add(
    ActivationRow(
        "elu",
        elu,
        "x if x > 0, else α(eˣ − 1)",
        "Clevert et al. 2015, arXiv:1511.07289",
        parameters={"alpha": 1.0},
        kinks=(0.0,),
        gain_note="torch's calculate_gain refuses it.",
        published=(
            Published("SIREN's code", math.sqrt(1.5505188080679277), "exact"),
            nfnet(1.2716004848480225),
            stylegan2(1.0),
        ),
    )
)
registry.add(
    ActivationRow(
        "celu",
        celu,
        "x if x > 0, else α(e^(x/α) − 1)",
        "Barron 2017, arXiv:1704.07483",
        parameters={"alpha": 1.0},
        kinks=(0.0,),
        gain_note="NFNets carry two constants for elu and celu, which at α = 1 are the same function.",
        published=(nfnet(1.270926833152771),),
    )
)
registry.add(
    ActivationRow(
        "selu",
        selu,
        "λ·elu(x, α), λ = 1.0507, α = 1.6733",
        "Klambauer et al. 2017, arXiv:1706.02515",
        kinks=(0.0,),
        gain_note="The gain is 1 by construction. torch's calculate_gain says 3/4, an empirical value that "
        "makes the variance collapse to 0.023.",
        published=(
            torch_gain(0.75, "empirical"),
            Published("Klambauer et al. 2017", 1.0, "exact"),
            nfnet(1.0008515119552612),
            stylegan2(1.0),
        ),
    )
)
registry.add(
    ActivationRow(
        "softplus",
        softplus,
        "log(1 + e^(βx))/β",
        "Dugas et al. 2001, Incorporating second-order functional knowledge",
        parameters={"beta": 1.0},
        gain_note=_NFNET,
        published=(nfnet(1.9203323125839233), stylegan2(1.0)),
    )
)
registry.add(
    ActivationRow(
        "log_sigmoid",
        log_sigmoid,
        "−log(1 + e⁻ˣ)",
        "computed from the function",
        aliases=("logsigmoid",),
        gain_note=_NFNET,
        published=(nfnet(1.9193484783172607),),
    )
)
registry.add(ActivationRow("exp", np.exp, "eˣ", "closed form: E[e^(2z)] = e²", aliases=("exponential",)))
registry.add(
    ActivationRow(
        "sin",
        sin,
        "sin(ωx)",
        "Sitzmann et al. 2020, arXiv:2006.09661",
        aliases=("sine",),
        parameters={"frequency": 1.0},
        gain_note="SIREN puts ω₀ = 30 inside the sine and divides the weights by it.",
    )
)
registry.add(
    ActivationRow("cos", np.cos, "cos x", "closed form: E[cos(z)²] = (1 + e⁻²)/2", aliases=("cosine",))
)
registry.add(
    ActivationRow(
        "snake",
        snake,
        "x + sin²(ax)/a",
        "Ziyin, Hartwig, Ueda 2020, arXiv:2006.08195",
        parameters={"a": 1.0},
        gain_note="Of a standard normal it makes the mean (1 − e^(−2a²))/(2a) and the variance "
        "1 + (1 + e^(−8a²) − 2e^(−4a²))/(8a²), which the gain with the mean removed makes up for.",
    )
)
registry.add(ActivationRow("gaussian", gaussian, "e^(−x²)", "Ramasinghe and Lucey 2022, arXiv:2111.15135"))
