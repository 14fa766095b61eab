"""Activations that thin out or square off: thresholds, random slopes, sparse and square-root ramps."""

from __future__ import annotations

import math

import numpy as np

from .base import ActivationRow, registry
from .piecewise import leaky_relu
from .quadrature import Array

_XU = "Xu et al. 2015, arXiv:1505.00853"
_MARTINS = "Martins and Astudillo 2016, arXiv:1602.02068"


def threshold(x: Array, threshold: float, value: float) -> Array:
    return np.where(x > threshold, x, value)


def rrelu(x: Array, lower: float, upper: float) -> Array:
    return leaky_relu(x, (lower + upper) / 2)


def rrelu_spread(x: Array, lower: float, upper: float) -> Array:
    """A slope drawn from U(lower, upper) has std (upper − lower)/√12."""
    return (upper - lower) / math.sqrt(12) * np.maximum(-x, 0.0)


def sparse_plus(x: Array) -> Array:
    return np.where(x >= 1, x, np.clip(x + 1, 0.0, 2.0) ** 2 / 4)


def sparse_sigmoid(x: Array) -> Array:
    return np.clip((x + 1) / 2, 0.0, 1.0)


def squareplus(x: Array, b: float) -> Array:
    root = np.sqrt(x * x + b)
    # for negative x the sum cancels
    result: Array = np.where(x > 0, (x + root) / 2, b / np.maximum(2 * (root - x), 1e-300))
    return result


registry.add(
    ActivationRow(
        "threshold",
        threshold,
        "x if x > t, else v",
        "Konda, Memisevic, Krueger 2014, arXiv:1402.3337",
        parameters={"threshold": 0.0, "value": 0.0},
        kinks=lambda threshold, value: (threshold,),
        gain_note="torch and Keras have no default threshold; 0 makes it relu.",
    )
)
registry.add(
    ActivationRow(
        "rrelu",
        rrelu,
        "max(x, 0) + ā·min(x, 0), ā = (l + u)/2",
        _XU,
        parameters={"lower": 1 / 8, "upper": 1 / 3},
        kinks=(0.0,),
        gain_note="This is evaluation, with the mean slope; in training, with slopes drawn anew for every "
        "number, it is 'rrelu_train'.",
    )
)
registry.add(
    ActivationRow(
        "rrelu_train",
        rrelu,
        "max(x, 0) + a·min(x, 0), a ~ U(l, u)",
        _XU,
        parameters={"lower": 1 / 8, "upper": 1 / 3},
        kinks=(0.0,),
        spread=rrelu_spread,
    )
)
registry.add(
    ActivationRow(
        "sparse_plus",
        sparse_plus,
        "0 if x ≤ −1, ¼(x + 1)² if x < 1, else x",
        f"{_MARTINS} (the integral of sparse_sigmoid)",
        kinks=(-1.0, 1.0),
    )
)
registry.add(
    ActivationRow(
        "sparse_sigmoid",
        sparse_sigmoid,
        "min(max((x + 1)/2, 0), 1)",
        f"{_MARTINS} (sparsemax of two logits)",
        kinks=(-1.0, 1.0),
    )
)
registry.add(
    ActivationRow(
        "squareplus",
        squareplus,
        "(x + √(x² + b))/2",
        "Barron 2021, arXiv:2112.11687",
        parameters={"b": 4.0},
    )
)
