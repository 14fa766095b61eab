"""Piecewise linear (and quadratic) activations."""

from __future__ import annotations

import math

import numpy as np

from .base import ActivationRow, registry
from .published import Published, nfnet, stylegan2, torch_gain
from .quadrature import Array

_HE = "He et al. 2015, arXiv:1502.01852"


def identity(x: Array) -> Array:
    return x


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def relu6(x: Array) -> Array:
    return np.clip(x, 0.0, 6.0)


def leaky_relu(x: Array, negative_slope: float) -> Array:
    return np.where(x > 0, x, negative_slope * x)


def relu_squared(x: Array) -> Array:
    return np.maximum(x, 0.0) ** 2


def hard_tanh(x: Array, min_val: float, max_val: float) -> Array:
    return np.clip(x, min_val, max_val)


def hard_sigmoid(x: Array, slope: float) -> Array:
    return np.clip(slope * x + 0.5, 0.0, 1.0)


def hard_swish(x: Array) -> Array:
    return x * hard_sigmoid(x, 1 / 6)


def soft_shrink(x: Array, threshold: float) -> Array:
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0.0)


def hard_shrink(x: Array, threshold: float) -> Array:
    return np.where(np.abs(x) > threshold, x, 0.0)


registry.add(
    ActivationRow(
        "identity",
        identity,
        "x",
        "LeCun et al. 1998, Efficient BackProp",
        aliases=(
            "linear",
            "none",
            *(f"conv{n}d" for n in (1, 2, 3)),
            *(f"conv_transpose{n}d" for n in (1, 2, 3)),
        ),
        published=(torch_gain(1.0, "exact"), nfnet(1.0), stylegan2(1.0)),
    )
)
registry.add(
    ActivationRow(
        "relu",
        relu,
        "max(x, 0)",
        f"{_HE}, eq. 10",
        kinks=(0.0,),
        published=(
            torch_gain(math.sqrt(2), "exact"),
            Published("Lasagne, gain='relu'", math.sqrt(2), "exact"),
            nfnet(1.7139588594436646),
            stylegan2(math.sqrt(2)),
        ),
    )
)
registry.add(
    ActivationRow(
        "relu6",
        relu6,
        "min(max(x, 0), 6)",
        "Howard et al. 2017, arXiv:1704.04861",
        kinks=(0.0, 6.0),
        published=(nfnet(1.7131484746932983),),
    )
)
registry.add(
    ActivationRow(
        "leaky_relu",
        leaky_relu,
        "max(x, 0) + a·min(x, 0)",
        "Maas et al. 2013, Rectifier nonlinearities improve neural network acoustic models",
        aliases=("lrelu", "leakyrelu"),
        parameters={"negative_slope": 0.01},
        kinks=(0.0,),
        gain_note="The default slope is 0.01 in torch and JAX, 0.2 in Keras. torch's calculate_gain takes "
        "0.01 unless told, its kaiming_* functions 0.",
        published=(torch_gain(math.sqrt(2 / (1 + 0.01**2)), "exact"), nfnet(1.70590341091156)),
    )
)
registry.add(
    ActivationRow(
        "prelu",
        leaky_relu,
        "max(x, 0) + a·min(x, 0), a learned",
        f"{_HE}, eq. 15",
        parameters={"negative_slope": 0.25},
        kinks=(0.0,),
    )
)
registry.add(
    ActivationRow(
        "relu_squared",
        relu_squared,
        "max(x, 0)²",
        "So et al. 2021, Primer, arXiv:2109.08668",
        aliases=("relu2", "squared_relu"),
        kinks=(0.0,),
    )
)
registry.add(ActivationRow("abs", np.abs, "|x|", "closed form: E[|z|²] = 1", kinks=(0.0,)))
registry.add(
    ActivationRow(
        "hard_tanh",
        hard_tanh,
        "min(max(x, l), h)",
        "Collobert 2004, Large Scale Machine Learning",
        aliases=("hardtanh",),
        parameters={"min_val": -1.0, "max_val": 1.0},
        kinks=lambda min_val, max_val: (min_val, max_val),
    )
)
registry.add(
    ActivationRow(
        "hard_sigmoid",
        hard_sigmoid,
        "min(max(a·x + ½, 0), 1)",
        "Howard et al. 2019, arXiv:1905.02244",
        aliases=("hardsigmoid",),
        parameters={"slope": 1 / 6},
        kinks=lambda slope: (-0.5 / slope, 0.5 / slope) if slope else (),
        gain_note="The slope is 1/6 in torch, JAX and Keras 3; it was 0.2 in Keras 2, and is in ONNX.",
    )
)
registry.add(
    ActivationRow(
        "hard_swish",
        hard_swish,
        "x · hard_sigmoid(x)",
        "Howard et al. 2019, arXiv:1905.02244, sec. 5.2",
        aliases=("hardswish", "hard_silu"),
        kinks=(-3.0, 3.0),
    )
)
registry.add(
    ActivationRow(
        "soft_shrink",
        soft_shrink,
        "sign(x)·max(|x| − t, 0)",
        "Donoho 1995, De-noising by soft-thresholding",
        aliases=("softshrink",),
        parameters={"threshold": 0.5},
        kinks=lambda threshold: (-threshold, threshold),
    )
)
registry.add(
    ActivationRow(
        "hard_shrink",
        hard_shrink,
        "x if |x| > t, else 0",
        "Donoho and Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
        aliases=("hardshrink",),
        parameters={"threshold": 0.5},
        kinks=lambda threshold: (-threshold, threshold),
    )
)
