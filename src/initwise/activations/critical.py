"""The edge of chaos: the pairs (σ_w², σ_b²) at which a deep network keeps both signal and gradient.

With weights of variance σ_w²/fan_in and biases of variance σ_b², the variance q stays where it is if
q = σ_w²·E[φ²] + σ_b², and the gradient keeps its second moment if χ₁ = σ_w²·E[φ′²] = 1 (Poole et al.
2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232). At each q that leaves one pair,

    σ_w² = 1/E[φ′²],    σ_b² = q − E[φ²]/E[φ′²],

if that σ_b² is not negative. Where χ_∥ = σ_w²·dE[φ²]/dq is 1 too, q neither returns nor drifts: the
doubly critical point (Roberts, Yaida, Hanin 2022, The Principles of Deep Learning Theory, ch. 5).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from ..core.codec import JsonMixin
from ..core.errors import OptionError
from .base import Activation, activation
from .roots import root

LINE_Q = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""The variances at which the critical line is tabulated, and between which roots are looked for."""
SMALL_Q = 1e-8
"""Where the limit q → 0 is read off, with steps of √q."""
SAME = 1e-9
"""How close to 1, or to 0 in units of q, counts as equal."""


@dataclass(frozen=True)
class CriticalPoint(JsonMixin):
    """A pair on the critical line, where χ₁ = 1.

    Attributes:
        q: the variance it holds; 0 for the limit q → 0.
        weight_variance: σ_w², fan_in times the weights' variance. bias_variance: σ_b².
        chi_parallel: χ_∥; above 1 the variance drifts away from q.
    """

    q: float
    weight_variance: float
    bias_variance: float
    chi_parallel: float


@dataclass(frozen=True)
class Criticality(JsonMixin):
    """Where an activation is critical.

    Attributes:
        activation: its name.
        kind: "every q" (scale-free: one pair holds any variance), "doubly critical" (χ_∥ = χ₁ = 1 at
            `point`), "q → 0" (`point` is the limit of the line), "line" (pairs, but no such point), "none".
        point: the pair to use, if there is one by itself.
        limit: the pair as q → 0, if the line ends there with σ_b² = 0.
        line: pairs with σ_b² ≥ 0, at the variances of LINE_Q.
        reason: one sentence.
    """

    activation: str
    kind: str
    point: CriticalPoint | None
    limit: CriticalPoint | None
    line: tuple[CriticalPoint, ...]
    reason: str


def critical(thing: Any, **parameters: float) -> Criticality:
    """Where `thing` is critical, for q from 0.01 to 100 and in the limit q → 0.

    Args:
        thing: an activation, as `activation` takes it. parameters: its parameters.

    Raises:
        UnknownNameError, OptionError: see `activation`.

    >>> round(critical("gelu").point.weight_variance, 6)
    1.983058
    """
    chosen = activation(thing, **parameters)
    pairs = [pair for q in LINE_Q if (pair := _pair(chosen, q)) is not None]
    if not pairs:
        return Criticality(chosen.name, "none", None, None, (), _no_slope(chosen))
    same = _same(chosen)
    line = tuple(pair for pair in pairs if pair.bias_variance >= -same * pair.q)
    if all(_scale_free(pair, same) for pair in pairs):
        return _every_q(chosen, pairs[0], line)
    limit, double = _limit(chosen), _double(chosen, pairs)
    if double:
        return _doubly(chosen, double, limit, line)
    if limit and line:
        reason = "As q → 0 it is linear; at a finite q the pair needs a small σ_b²."
        return Criticality(chosen.name, "q → 0", limit, limit, line, reason)
    return _only_line(chosen, pairs, line)


def critical_point(
    thing: Any, *, q: float | None = None, bias_variance: float | None = None, **parameters: float
) -> CriticalPoint:
    """The critical pair at a variance, or with a given σ_b².

    Args:
        thing: an activation, as `activation` takes it. parameters: its parameters.
        q: the variance to hold. bias_variance: σ_b² > 0, at which q is looked for between 1e-6 and
            1e4; the smallest such q counts. Give one of the two.

    Raises:
        OptionError: neither or both are given; there is no such pair, because σ_b² would be negative.

    >>> round(critical_point("tanh", bias_variance=0.05).weight_variance, 6)
    1.760955
    """
    chosen = activation(thing, **parameters)
    if (q is None) == (bias_variance is None):
        raise OptionError("q and bias_variance", where="critical_point", expected="one of the two")
    if q is None:
        q = _q_for(chosen, _checked(bias_variance))
    pair = _pair(chosen, q)
    if pair is None or pair.bias_variance < -_same(chosen) * pair.q:
        needed = _no_slope(chosen) if pair is None else f"σ_b² would be {pair.bias_variance:.4g}"
        raise OptionError(f"activation {chosen.name!r} has no critical pair at q = {q:g}", cause=needed)
    return pair


def _checked(bias_variance: Any) -> float:
    if not isinstance(bias_variance, (int, float)) or not 0 < bias_variance < math.inf:
        raise OptionError(
            f"bias_variance={bias_variance!r}",
            expected="a finite number > 0",
            fix="The pairs without biases are critical(…).limit and .point.",
        )
    return float(bias_variance)


def _q_for(chosen: Activation, bias_variance: float) -> float:
    def excess(log_q: float) -> float:
        pair = _pair(chosen, math.exp(log_q))
        return -bias_variance if pair is None else pair.bias_variance - bias_variance

    steps = [math.log(10) * exponent / 2 for exponent in range(-12, 9)]
    values = [excess(step) for step in steps]
    for low, high, before, after in zip(steps, steps[1:], values, values[1:], strict=False):
        if before < 0 <= after:
            return math.exp(root(excess, low, high))
    raise OptionError(
        f"activation {chosen.name!r} has no critical pair with σ_b² = {bias_variance:g}",
        cause=f"for q from 1e-6 to 1e4 the pairs have σ_b² up to {max(values) + bias_variance:.4g}",
    )


def _pair(chosen: Activation, q: float) -> CriticalPoint | None:
    """The pair with χ₁ = 1 at q, whatever the sign of σ_b²; None where a moment is zero or infinite."""
    try:
        moments = chosen.moments(q)
    except OptionError:
        # it may grow too fast for large q only; a function that is none at all says so at q = 1
        chosen.moments(1.0)
        return None
    weight = moments.backward_gain**2
    if not 0 < weight < math.inf:
        return None
    return CriticalPoint(q, weight, q - weight * moments.second, moments.chi_parallel(weight))


def _same(chosen: Activation) -> float:
    """SAME, or what a function of less precision allows."""
    return max(SAME, chosen.tolerance)


def _scale_free(pair: CriticalPoint, same: float) -> bool:
    return abs(pair.chi_parallel - 1) < same and abs(pair.bias_variance) < same * pair.q


def _limit(chosen: Activation) -> CriticalPoint | None:
    """The pair as q → 0, by extrapolation in √q; None unless σ_b²/q → 0 and χ_∥ → 1."""
    near, far = _pair(chosen, SMALL_Q), _pair(chosen, 4 * SMALL_Q)
    if near is None or far is None:
        return None
    if abs(near.bias_variance) > 1e-3 * SMALL_Q or abs(near.chi_parallel - 1) > 1e-3:
        return None
    return CriticalPoint(0.0, 2 * near.weight_variance - far.weight_variance, 0.0, 1.0)


def _double(chosen: Activation, pairs: list[CriticalPoint]) -> CriticalPoint | None:
    """The point with χ_∥ = 1 and σ_b² ≥ 0, between two of the tabulated ones."""

    def drift(log_q: float) -> float:
        pair = _pair(chosen, math.exp(log_q))
        return math.nan if pair is None else pair.chi_parallel - 1

    for low, high in itertools.pairwise(pairs):
        ends = low.chi_parallel - 1, high.chi_parallel - 1
        if min(map(abs, ends)) > _same(chosen) and (ends[0] > 0) != (ends[1] > 0):
            found = _pair(chosen, math.exp(root(drift, math.log(low.q), math.log(high.q))))
            if found is not None and found.bias_variance >= 0:
                return found
    return None


def _every_q(chosen: Activation, pair: CriticalPoint, line: tuple[CriticalPoint, ...]) -> Criticality:
    point = CriticalPoint(1.0, pair.weight_variance, 0.0, 1.0)
    limit = CriticalPoint(0.0, pair.weight_variance, 0.0, 1.0)
    reason = "It is scale-free: this one pair holds every variance."
    return Criticality(chosen.name, "every q", point, limit, line, reason)


def _doubly(
    chosen: Activation,
    point: CriticalPoint,
    limit: CriticalPoint | None,
    line: tuple[CriticalPoint, ...],
) -> Criticality:
    below = next((pair for pair in reversed(line) if pair.q < point.q), None)
    side = "below" if below is not None and below.chi_parallel > 1 else "above"
    reason = f"χ_∥ = χ₁ = 1 at q = {point.q:.6g}; for q {side} it χ_∥ > 1, and the fixed point repels."
    return Criticality(chosen.name, "doubly critical", point, limit, line, reason)


def _only_line(
    chosen: Activation, pairs: list[CriticalPoint], line: tuple[CriticalPoint, ...]
) -> Criticality:
    if not line:
        reason = (
            "None found: for every q from 0.01 to 100 the pair with χ₁ = 1 needs a negative σ_b², because "
            "E[φ²] > q·E[φ′²]. Remove the mean, by a norm layer or a centred variant."
        )
        return Criticality(chosen.name, "none", None, None, (), reason)
    reason = "No point stands out."
    if line[0].q > pairs[0].q:
        start = _start(chosen, line[0].q)
        needed = _pair(chosen, start)
        weight = needed.weight_variance if needed else math.nan
        reason = f"Pairs exist only from q = {start:.4g} (σ_w² = {weight:.4g}) on; below, σ_b² is negative."
    return Criticality(chosen.name, "line", None, None, line, reason)


def _start(chosen: Activation, first: float) -> float:
    """The q below `first` at which σ_b² becomes 0."""

    def bias(log_q: float) -> float:
        pair = _pair(chosen, math.exp(log_q))
        return math.nan if pair is None else pair.bias_variance

    return math.exp(root(bias, math.log(LINE_Q[LINE_Q.index(first) - 1]), math.log(first)))


def _no_slope(chosen: Activation) -> str:
    derivative = chosen.moments(1.0).derivative_second
    size = "infinite" if derivative else "zero"
    return f"E[φ′²] is {size}, so no weights make χ₁ = 1."
