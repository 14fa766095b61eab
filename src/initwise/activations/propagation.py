"""What given weights and biases do to variance and gradient over depth: the mean-field fixed point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..core.codec import JsonMixin
from ..core.errors import OptionError
from .base import Activation, activation
from .roots import root

STEP = 1.25
"""Factor between the variances at which the map is looked at on the way to its fixed point."""
LEAST, MOST = 1e-9, 1e9


@dataclass(frozen=True)
class FixedPoint(JsonMixin):
    """Where the variance settles, and how fast.

    Attributes:
        q: the variance; 0 where it dies out, inf where it grows without end.
        chi: χ₁ there, the gradient's factor per layer in second moment.
        chi_parallel: χ_∥ there, the factor of a deviation of the variance.
        signal_depth: 1/|ln χ_∥|, layers over which a deviation of the variance changes e-fold.
        gradient_depth: 1/|ln χ₁|, likewise for the gradient; inf at the edge of chaos. Where χ₁ < 1 it is
            also the depth over which two inputs become alike.
    """

    q: float
    chi: float
    chi_parallel: float
    signal_depth: float
    gradient_depth: float


def fixed_point(
    thing: Any,
    weight_variance: float,
    bias_variance: float = 0.0,
    *,
    start: float = 1.0,
    **parameters: float,
) -> FixedPoint:
    """The variance that a deep network with these weights and biases settles at, from `start`.

    The map is q ← σ_w²·E[φ(√q·z)²] + σ_b² (Poole et al. 2016, arXiv:1606.05340, eq. 3), which is
    followed in the direction it moves to the next variance that it keeps.

    Args:
        thing: an activation, as `activation` takes it. parameters: its parameters.
        weight_variance: σ_w², fan_in times the weights' variance (gain²). ≥ 0.
        bias_variance: σ_b². ≥ 0. start: the variance of the first pre-activation. > 0.

    Raises:
        OptionError: a variance that is none; see `activation`.

    >>> round(fixed_point("tanh", (5 / 3) ** 2).q, 5)
    1.17848
    """
    chosen = activation(thing, **parameters)
    weight, bias = _variance("weight_variance", weight_variance), _variance("bias_variance", bias_variance)
    q = _settles(chosen, weight, bias, start)
    moments = chosen.moments(min(max(q, LEAST), MOST))
    chi, parallel = moments.chi(weight), moments.chi_parallel(weight)
    return FixedPoint(q, chi, parallel, _depth(parallel), _depth(chi))


def _settles(chosen: Activation, weight: float, bias: float, start: float) -> float:
    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        return (weight * chosen.moments(q).second + bias) / q - 1

    here = math.log(chosen.moments(start).q)
    first = excess(here)
    if abs(first) <= 1e-12:
        return math.exp(here)
    step = math.copysign(math.log(STEP), first)
    while math.log(LEAST) <= here <= math.log(MOST):
        if (excess(here + step) > 0) != (first > 0):
            return math.exp(root(excess, *sorted((here, here + step))))
        here += step
    return math.inf if first > 0 else 0.0


def _variance(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise OptionError(f"{name}={value!r}", where="fixed_point", expected="a finite number ≥ 0")
    return number


def _depth(factor: float) -> float:
    if not 0 < factor < math.inf:
        return 0.0
    return 1 / abs(math.log(factor)) if abs(factor - 1) > 1e-12 else math.inf
