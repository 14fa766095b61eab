"""The records: what an activation does to a normal signal, and the gains that make up for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..core.codec import LATER, JsonMixin


@dataclass(frozen=True)
class Moments(JsonMixin):
    """What an activation φ does to a normal signal x = √q·z, z ~ N(0, 1).

    For a gate a·φ(b) with independent a, b ~ N(0, √q) the output is a·φ(b), and what stands for E[φ′²]
    is the mean square of both derivatives together, E[φ(b)²] + q·E[φ′(b)²].

    Attributes:
        q: variance of the pre-activation.
        mean: E[φ]. second: E[φ²]. variance: Var[φ].
        derivative_mean: E[φ′]. derivative_second: E[φ′²], φ′ taken almost everywhere; inf if it diverges.
        second_slope: dE[φ²]/dq, how the output's second moment follows the input's variance.
        error: bound on the largest absolute error among the finite ones.
        second_error, derivative_error: bounds on the absolute errors of `second` and `derivative_second`.
        evaluations: how many values of φ it took.
    """

    q: float
    mean: float
    second: float
    variance: float
    derivative_mean: float
    derivative_second: float
    second_slope: float
    error: float
    second_error: float = field(default=0.0, metadata=LATER)
    derivative_error: float = field(default=0.0, metadata=LATER)
    evaluations: int = field(default=0, metadata=LATER)

    @property
    def gain(self) -> float:
        """√(q/E[φ²]): with weights of std gain/√fan_in the next pre-activation has variance q again."""
        return math.sqrt(self.q / self.second) if self.second else math.inf

    @property
    def backward_gain(self) -> float:
        """1/√E[φ′²]: with weights of std gain/√fan_out the gradient keeps its second moment."""
        return 1 / math.sqrt(self.derivative_second) if self.derivative_second else math.inf

    @property
    def centred_gain(self) -> float:
        """√(q/Var[φ]): when the mean is removed, by a norm or by standardised weights."""
        return math.sqrt(self.q / self.variance) if self.variance else math.inf

    def chi(self, weight_variance: float | None = None) -> float:
        """χ₁ = σ_w²·E[φ′²], the gradient's factor per layer (Schoenholz et al. 2017, arXiv:1611.01232).

        Args:
            weight_variance: σ_w², fan_in times the weights' variance; None means gain².
        """
        return (self.gain**2 if weight_variance is None else weight_variance) * self.derivative_second

    def chi_parallel(self, weight_variance: float | None = None) -> float:
        """χ_∥ = σ_w²·dE[φ²]/dq: below 1 the variance returns to q after a disturbance, above 1 it drifts."""
        return (self.gain**2 if weight_variance is None else weight_variance) * self.second_slope


@dataclass(frozen=True)
class Gains(JsonMixin):
    """Every gain of an activation at one variance. A gain multiplies 1/√fan; inf where there is none.

    Attributes:
        activation: its name. q: variance of the pre-activation.
        forward: √(q/E[φ²]), keeps the second moment of the signal.
        variance: √(q/Var[φ]), keeps the variance where the mean is removed.
        backward: 1/√E[φ′²], keeps the second moment of the gradient.
        weight_variance, bias_variance: (σ_w², σ_b²) that hold the variance at q with χ₁ = 1; a negative
            σ_b² says that there is no such pair at this q.
        chi, chi_parallel: χ₁ and χ_∥ at the forward gain without biases.
        error: bound on the relative error of the finite ones among the three gains.
        evaluations: how many values of φ it took.
    """

    activation: str
    q: float
    forward: float
    variance: float
    backward: float
    weight_variance: float
    bias_variance: float
    chi: float
    chi_parallel: float
    error: float
    evaluations: int


def gains_of(name: str, moments: Moments) -> Gains:
    """All gains from the moments."""
    critical = moments.backward_gain**2
    return Gains(
        activation=name,
        q=moments.q,
        forward=moments.gain,
        variance=moments.centred_gain,
        backward=moments.backward_gain,
        weight_variance=critical,
        bias_variance=moments.q - critical * moments.second if math.isfinite(critical) else math.nan,
        chi=moments.chi(),
        chi_parallel=moments.chi_parallel(),
        error=_relative_error(moments),
        evaluations=moments.evaluations,
    )


def _relative_error(moments: Moments) -> float:
    """√ halves relative errors; the variance inherits those of E[φ²] and E[φ]."""
    variance_error = moments.second_error + 2 * abs(moments.mean) * moments.error
    parts = (
        (moments.second_error, moments.second),
        (variance_error, moments.variance),
        (moments.derivative_error, moments.derivative_second),
    )
    found = [error / value / 2 for error, value in parts if value > 0 and math.isfinite(value)]
    return max((part for part in found if math.isfinite(part)), default=0.0)
