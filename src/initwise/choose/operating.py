"""The operating point of an activation: how large its input should be, for a network this deep.

With z ~ N(b, q) entering φ, and the next weights of variance σ_w²/fan_in with σ_w² = q/E[φ(z)²], the
next layer's input has second moment q again, whatever the mean of φ. Two factors tell what depth does
(Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232):

- χ₁ = σ_w²·E[φ′(z)²], by which each layer multiplies the gradient's second moment;
- χ_∥ = σ_w²·dE[φ²]/dq, by which a deviation of q from its target grows: inputs differ in norm, so where
  χ_∥^L is large a few inputs drown all others (GELU and SiLU at q = 1: ×1.14 and ×1.17 per layer).

Over L layers L·|ln χ₁| ≤ 1 and L·ln χ_∥ ≤ 0.5 are asked for. For tanh, GELU and their kin a small enough
q does it, because they are linear there. For sigmoid and softplus none does: their mean carries nearly
all of the second moment, and χ₁ → 0 with q. Two ways out need no data and no drawn number:

- *centred*: identity weights of gain g = 1/φ′(0) and the constant bias −g·φ(0) cancel the mean exactly,
  because every row of the weight then sums to g. Each unit's signal then follows the map
  z ← g·(φ(z) − φ(0)), which is iterated here to see what depth does to it and its derivative.
- *biased*: a constant bias b before the activation moves it to where the curve looks like an exponential,
  whose χ₁ is q itself: for sigmoid at b = −3, q = 6.3, χ₁ = 1.00 and χ_∥ = 0.97.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..activations import activation
from ..core.codec import JsonMixin
from ..core.errors import UnknownNameError

BUDGET = 1.0
"""Largest depth·|ln χ₁| allowed: the gradient's second moment changes by at most e over the depth."""
DRIFT = 0.5
"""Largest depth·ln χ_∥ allowed: inputs differ in norm, and each layer adds noise of its own."""
FLAT = 0.45
"""Largest share of inputs that a biased point may put where the activation is flat."""
PLAIN_Q = tuple(float(q) for q in np.logspace(0, -6, 61))
BIASED_Q = tuple(float(q) for q in np.logspace(-1, 2, 31))
BIASES = tuple(float(b) for b in np.arange(-6, 6.01, 0.25))
REACH, POINTS = 8.5, 2001
UNITS_REACH = 4.0
"""A layer has some thousand units at most: none starts farther out than this many standard deviations."""

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


@dataclass(frozen=True)
class OperatingPoint(JsonMixin):
    """Where an activation is to work.

    Attributes:
        activation: its name; "" for a linear layer.
        depth: number of layers the signal has to pass.
        q: variance of its input around the bias.
        bias: constant bias added before it.
        centred: its mean is taken out by the next layer's bias, exactly (see the module's text).
        mirrored: units come in pairs ±z, and what counts is half of φ(z) − φ(−z) (see `mirror`).
        mean, second: E[φ(z)] and E[φ(z)²], z ~ N(bias, q).
        slope_second: E[φ′(z)²].
        growth: q·dE[φ²]/dq.
        flat: share of inputs at which |φ′| is below 5 % of its maximum.
    """

    activation: str
    depth: int
    q: float = 1.0
    bias: float = 0.0
    centred: bool = False
    mirrored: bool = False
    mean: float = 0.0
    second: float = 1.0
    slope_second: float = 1.0
    growth: float = 1.0
    flat: float = 0.0

    @property
    def carried(self) -> float:
        """What of φ's second moment reaches the next layer: its variance if centred, else all of it."""
        return self.second - self.mean**2 if self.centred else self.second

    @property
    def gain(self) -> float:
        """σ_w: std of the weights after the activation, times √fan_in."""
        return math.sqrt(self.q / self.carried)

    @property
    def chi(self) -> float:
        """χ₁, the factor on the gradient's second moment per layer."""
        return self.q * self.slope_second / self.carried

    @property
    def stability(self) -> float:
        """χ_∥, the factor on a relative deviation of q per layer; at most 1 is stable."""
        return self.growth / self.carried

    @property
    def signal(self) -> float:
        """Share of E[φ²] that varies with the input, 1 − E[φ]²/E[φ²]."""
        return 1 - self.mean**2 / self.second

    @property
    def penalty(self) -> float:
        """depth·|ln χ₁|."""
        return self.depth * abs(math.log(self.chi))

    @property
    def drift(self) -> float:
        """depth·ln χ_∥, or 0 if deviations shrink."""
        return max(0.0, self.depth * math.log(max(self.stability, 1e-9)))

    @property
    def within_budget(self) -> bool:
        """Does the gradient survive the depth at this point?"""
        return self.penalty <= BUDGET + 1e-9


@functools.lru_cache(maxsize=1024)
def operating_point(name: str, depth: int, *, centred: bool = False, biased: bool = True) -> OperatingPoint:
    """The operating point of activation `name` in a chain of `depth` layers.

    First the plain way: the largest q ≤ 1 with both factors within the budget. Failing that, centred, if
    the network allows it: the largest q ≤ 1 with both within the budget. Failing that, biased: of the
    points whose χ₁ is within the budget and that are not saturated the steadiest, and of these the one with
    the largest share of signal. Failing all, the point whose gradient changes least.

    Args:
        name: a registered activation; "" or an unknown one counts as linear.
        depth: layers in the chain, at least 1.
        centred: the weights after it may be identities with biases.
        biased: the layer before it has a bias that may be set.
    """
    depth = max(depth, 1)
    if not known(name):
        return OperatingPoint("", depth)
    if activation(name).gated:
        return OperatingPoint(name, depth, second=activation(name).moments(1.0).second)
    plain = list(points(name, depth, (0.0,), PLAIN_Q))
    steady = [point for point in plain if point.within_budget and point.drift <= DRIFT]
    if steady:
        return steady[0]
    point = centred_point(name, depth) if centred else None
    if point is not None:
        return point
    moved = list(points(name, depth, BIASES, BIASED_Q)) if biased else []
    inside = [point for point in plain + moved if point.within_budget and point.flat <= FLAT]
    # powers of z have the same factors at every scale: of what is as good to 1 %, the one of usual size
    if not inside:
        best = min((point.penalty for point in plain + moved), default=0.0)
        alike = [point for point in plain + moved if point.penalty <= 1.01 * best + 1e-9]
        return min(alike, key=_unusual, default=OperatingPoint(name, depth))
    steadiest = max(DRIFT, 1.01 * min(point.drift for point in inside))
    steadier = [point for point in inside if point.drift <= steadiest + 1e-9]
    best = max(point.signal for point in steadier)
    return min((point for point in steadier if point.signal >= 0.99 * best), key=_unusual)


def _unusual(point: OperatingPoint) -> float:
    """How far from z ~ N(0, 1), in the logarithm of q and in the bias."""
    return abs(math.log(point.q)) + abs(point.bias)


def centred_point(name: str, depth: int) -> OperatingPoint | None:
    """The largest q ≤ 1 at which `depth` identity layers keep signal and gradient, or None.

    `chi` and `stability` of the point are geometric means per layer, over the units of a layer that
    starts as N(0, q).
    """
    phi = activation(name).elementwise
    step = 1e-4
    low, start, high = (float(v) for v in phi(np.array([-step, 0.0, step])))
    slope = (high - low) / (2 * step)
    if not abs(slope) > 1e-3:
        return None
    for q in PLAIN_Q:
        signal, gradient = _iterated(phi, 1 / slope, start, q, depth)
        if abs(math.log(gradient)) <= BUDGET and abs(math.log(signal)) <= BUDGET:
            carried = q * slope**2
            return OperatingPoint(
                name,
                depth,
                q=q,
                centred=True,
                mean=start,
                second=start**2 + carried,
                slope_second=gradient ** (1 / depth) * slope**2,
                growth=signal ** (1 / depth) * carried,
            )
    return None


def _iterated(phi: Function, gain: float, start: float, q: float, depth: int) -> tuple[float, float]:
    """Second moment of z and of its derivative after `depth` steps z ← gain·(φ(z) − start), over those
    at the beginning; tiny or huge numbers instead of 0 and infinity."""
    nodes, weights = grid()
    inner = np.abs(nodes) <= UNITS_REACH
    z, weights = math.sqrt(q) * nodes[inner], weights[inner] / weights[inner].sum()
    first = float(weights @ z**2)
    slope = np.ones_like(z)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(depth):
            step = 1e-5 * (1 + np.abs(z))
            slope = slope * gain * (phi(z + step) - phi(z - step)) / (2 * step)
            z = gain * (phi(z) - start)
        moments = weights @ z**2 / first, weights @ slope**2
    signal, gradient = (float(np.clip(np.nan_to_num(m, nan=1e300), 1e-300, 1e300)) for m in moments)
    return signal, gradient


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
    phi, steepest = activation(name).elementwise, activation(name).max_slope
    for bias in biases:
        for q in variances:
            point = point_of_function(name, depth, phi, steepest, q=q, bias=bias)
            if point is not None:
                yield point


def point_of_function(
    name: str,
    depth: int,
    phi: Function,
    steepest: float,
    *,
    q: float,
    bias: float = 0.0,
    mirrored: bool = False,
) -> OperatingPoint | None:
    """The operating point of φ at z ~ N(bias, q), by quadrature; None if its moments vanish or overflow."""
    z, weights = grid()
    u = bias + math.sqrt(q) * z
    value = np.asarray(phi(u), dtype=np.float64)
    # φ′ over each interval: exact at a kink that lies on a grid point, as ReLU's does
    slope = np.diff(value) / np.diff(u)
    middle = (weights[1:] + weights[:-1]) / 2
    point = OperatingPoint(
        name,
        depth,
        q=q,
        bias=bias,
        mirrored=mirrored,
        flat=float(middle @ (np.abs(slope) < 0.05 * steepest)),
        mean=float(weights @ value),
        second=float(weights @ value**2),
        slope_second=float(middle @ slope**2),
        # q·dE[φ²]/dq, by Stein's lemma
        growth=float(weights @ (value**2 * (z**2 - 1))) / 2,
    )
    return point if _usable(point) else None


def _usable(point: OperatingPoint) -> bool:
    numbers = (point.second, point.slope_second)
    return all(1e-300 < number < math.inf for number in numbers) and point.second > point.mean**2


@functools.cache
def grid() -> tuple[Array, Array]:
    """Points of N(0, 1) and their weights: the trapezoid rule, whose error is far below 1e-4 here."""
    z = np.linspace(-REACH, REACH, POINTS)
    density = np.exp(-(z**2) / 2)
    return z, density / density.sum()
