"""The operating point of an activation: how large its input should be, for a network this deep.

With z ~ N(b, q) entering φ, and the next weights of variance σ_w²/fan_in with σ_w² = q/E[φ(z)²], the
next layer's input has second moment q again, whatever the mean of φ. Backward, each layer multiplies
the gradient's second moment by χ₁ = σ_w²·E[φ′(z)²] (Poole et al. 2016, arXiv:1606.05340; Schoenholz et
al. 2017, arXiv:1611.01232). Over L layers that is χ₁^L, so q is chosen with L·|ln χ₁| ≤ 1.

For tanh, GELU and their kin a small enough q does it, because they are linear there. For sigmoid and
softplus none does: their mean carries nearly all of the second moment, and χ₁ → 0 with q. A constant
bias b before them moves the working point to where the curve looks like an exponential, whose χ₁ is q
itself: for sigmoid at b = −3, q ≈ 6.3, χ₁ = 1.00, and the map of q is stable too (χ_∥ ≤ 1).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..activations import activation
from ..core.codec import JsonMixin
from ..core.errors import UnknownNameError

BUDGET = 1.0
"""Largest depth·|ln χ₁| allowed: the gradient's second moment changes by at most e over the depth."""
UNBIASED_Q = tuple(float(q) for q in np.logspace(0, -3, 31))
BIASED_Q = tuple(float(q) for q in np.logspace(-1, 1, 21))
BIASES = tuple(float(b) for b in np.arange(-6, 6.01, 0.25))
REACH, POINTS = 8.5, 2001

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoint(JsonMixin):
    """Where an activation is to work.

    Attributes:
        activation: its name; "" for a linear layer.
        depth: number of layers the signal has to pass.
        q: variance of its input around the bias.
        bias: constant bias added before it.
        second: E[φ(z)²], z ~ N(bias, q).
        chi: backward factor per layer, σ_w²·E[φ′(z)²] at σ_w² = q/second.
        stability: factor by which a small relative error of q grows per layer (χ_∥); ≤ 1 is stable.
        signal: share of `second` that varies with the input, 1 − E[φ]²/E[φ²].
    """

    activation: str
    depth: int
    q: float = 1.0
    bias: float = 0.0
    second: float = 1.0
    chi: float = 1.0
    stability: float = 1.0
    signal: float = 1.0

    @property
    def gain(self) -> float:
        """σ_w: std of the weights after the activation, times √fan_in."""
        return math.sqrt(self.q / self.second) if self.second > 0 else 1.0

    @property
    def penalty(self) -> float:
        """depth·|ln χ₁|; at most `BUDGET` where a point within the budget exists."""
        return self.depth * abs(math.log(self.chi)) if self.chi > 0 else math.inf

    @property
    def within_budget(self) -> bool:
        """Does the gradient survive the depth at this point?"""
        return self.penalty <= BUDGET + 1e-9


@functools.lru_cache(maxsize=1024)
def operating_point(name: str, depth: int, *, biased: bool = True) -> OperatingPoint:
    """The operating point of activation `name` in a chain of `depth` layers.

    First without a bias: the largest q ≤ 1 within the budget. If there is none and `biased` allows it,
    a constant bias: among the points within the budget the most stable ones, and of these the one with
    the largest share of signal. If there is none either, the point whose gradient changes least.

    Args:
        name: a registered activation; "" or an unknown one counts as linear.
        biased: whether the layer has a bias that could be set.
    """
    depth = max(depth, 1)
    if not known(name):
        return OperatingPoint("", depth)
    if activation(name).gated:
        return OperatingPoint(name, depth, second=activation(name).moments(1.0).second)
    plain = list(points(name, depth, (0.0,), UNBIASED_Q))
    for point in plain:
        if point.within_budget:
            return point
    moved = list(points(name, depth, BIASES, BIASED_Q)) if biased else []
    inside = [point for point in moved if point.within_budget]
    if not inside:
        return min(plain + moved, key=lambda point: point.penalty, default=OperatingPoint(name, depth))
    steadiest = max(1.0, min(_drift(point) for point in inside))
    return max((p for p in inside if _drift(p) <= steadiest + 1e-9), key=lambda p: (p.signal, -abs(p.bias)))


@functools.lru_cache(maxsize=1024)
def point_at(name: str, q: float = 1.0, depth: int = 1) -> OperatingPoint:
    """The operating point at a given q, without a bias."""
    if not known(name):
        return OperatingPoint("", depth, q=q, second=q)
    if activation(name).gated:
        return OperatingPoint(name, depth, q=q, second=activation(name).moments(q).second)
    return next(points(name, depth, (0.0,), (q,)), OperatingPoint(name, depth))


def known(name: str) -> bool:
    """Is `name` an activation with a formula?"""
    try:
        return bool(name) and activation(name) is not None
    except UnknownNameError:
        return False


def points(
    name: str, depth: int, biases: tuple[float, ...], variances: tuple[float, ...]
) -> Iterator[OperatingPoint]:
    """All operating points on a grid, those left out whose moments vanish or overflow."""
    z, weights = _grid()
    phi = activation(name).elementwise
    for bias in biases:
        for q in variances:
            u = bias + math.sqrt(q) * z
            value = np.asarray(phi(u), dtype=np.float64)
            # φ′ over each interval: exact at a kink that lies on a grid point, as ReLU's does
            slope = np.diff(value) / np.diff(u)
            mean, second = float(weights @ value), float(weights @ value**2)
            slope_second = float((weights[1:] + weights[:-1]) / 2 @ slope**2)
            if not (0 < second < math.inf and 0 < slope_second < math.inf):
                continue
            # q·dE[φ²]/dq, by Stein's lemma
            growth = float(weights @ (value**2 * (z**2 - 1))) / 2
            yield OperatingPoint(
                name,
                depth,
                q=q,
                bias=bias,
                second=second,
                chi=q * slope_second / second,
                stability=growth / second,
                signal=1 - mean**2 / second,
            )


def _drift(point: OperatingPoint) -> float:
    """depth·ln χ_∥, how far an error of q grows; 0 if it shrinks."""
    return max(0.0, point.depth * math.log(max(point.stability, 1e-9)))


@functools.cache
def _grid() -> tuple[Array, Array]:
    """Points of N(0, 1) and their weights: the trapezoid rule, whose error is far below 1e-4 here."""
    z = np.linspace(-REACH, REACH, POINTS)
    density = np.exp(-(z**2) / 2)
    return z, density / density.sum()
