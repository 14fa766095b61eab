"""The learning rate that weights ask for, told from the plan alone.

One step of Adam at rate η moves every weight by about η. If its signs agree with the input's, the output of
a layer of n inputs moves by η·n·rms(x), where it is σ·√n·rms(x): relative to itself by η·√n/σ. What a
network's function then feels is the sum over its weights,

    S = Σ √fan_in / σ,

and the best rates of a grid on the development and wide problems of benchmarks/regret.py fall with it as
η = RATES[0]·S^−RATES[1], the exponents fitted (benchmarks/learning_rates.py). It is a range, not a number:
data, batch size and length of training move it too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from .facts import Structure

RATES = {"adam": (0.13, 0.58), "sgd": (0.115, 0.40)}
"""Optimizer → factor and exponent; "sgd" has momentum 0.9."""
WIDTH = math.sqrt(10)
"""The range reaches from the fitted rate over this to the fitted rate times this."""
NAMES = {"adam": "Adam", "sgd": "SGD with momentum 0.9"}
KINDS = {"adam": "adam", "adamw": "adam", "nadam": "adam", "radam": "adam", "sgd": "sgd"}


def sensitivity(plan: Plan, structure: Structure, parameters: Sequence[ParameterInfo]) -> float:
    """S = Σ √fan_in/σ over the weights that ran; 0 where none has a law with a spread."""
    infos = {info.name: info for info in parameters}
    total = 0.0
    for facts in structure:
        info, fill = infos.get(facts.name), plan.get(facts.name)
        if (
            fill is None
            or info is None
            or info.fans is None
            or not (facts.order >= 0 or not structure.traced)
        ):
            continue
        if math.isfinite(fill.std) and fill.std > 0:
            total += math.sqrt(info.fans.fan_in) / fill.std
    return total


def rate_range(sensitive: float, optimizer: str = "adam") -> tuple[float, float] | None:
    """Smallest and largest learning rate worth trying, or None for an optimizer without a fit.

    Args:
        sensitive: see `sensitivity`.
        optimizer: a name of `KINDS`.
    """
    if optimizer not in KINDS or not sensitive > 0:
        return None
    factor, exponent = RATES[KINDS[optimizer]]
    middle: float = factor * sensitive**-exponent
    return middle / WIDTH, middle * WIDTH


def advised(sensitive: float, optimizer: str, rate: float | None) -> str:
    """The range in a sentence, and where the user's own `rate` lies; "" where nothing is known."""
    wanted = {KINDS.get(optimizer, ""): None} if optimizer else RATES
    ranges = {kind: found for kind in wanted if (found := rate_range(sensitive, kind)) is not None}
    if not ranges:
        return ""
    told = "; ".join(f"{low:.1g} to {high:.1g} with {NAMES[kind]}" for kind, (low, high) in ranges.items())
    text = f"Learning rates worth trying with these weights: {told} (S = Σ √fan_in/σ = {sensitive:.3g})."
    return text + _placed(rate, ranges)


def _placed(rate: float | None, ranges: Mapping[str, tuple[float, float]]) -> str:
    if rate is None or len(ranges) != 1:
        return ""
    low, high = next(iter(ranges.values()))
    if low <= rate <= high:
        return f" Yours, {rate:g}, lies among them."
    side = "above: steps may undo the start" if rate > high else "below: training may be slow"
    return f" Yours, {rate:g}, lies {side}."
