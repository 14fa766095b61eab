"""Random numbers of other laws than normal and uniform, and of laws whose parameters vary."""

from __future__ import annotations

import math

import numpy as np

from .. import quadrature, values
from ..moments import independent
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .complex import applied


@rule("log_normal_", "log_normal")
def log_normal(call: Call) -> Value:
    """e^N(mean, std)."""
    mean, variance = float(call["mean"]), float(call["std"]) ** 2
    level = math.exp(mean + variance / 2)
    spread = level * math.sqrt(math.expm1(variance))
    law = (np.exp(mean + math.sqrt(variance) * quadrature.GRID) - level) / max(spread, 1e-300)
    return values.fresh(independent(call.shape, level, spread**2), law)


@rule("geometric_", "geometric")
def geometric(call: Call) -> Value:
    """Trials up to the first success."""
    p = float(call["p"])
    return values.fresh(independent(call.shape, 1 / p, (1 - p) / p**2))


@rule("random_", "random")
def whole_numbers(call: Call) -> Value:
    """Whole numbers from `from` to below `to`, all alike."""
    low, high = call.get("from", 0) or 0, call.get("to")
    if high is None:
        raise UnpredictedError("whole numbers up to the largest of their dtype")
    return values.fresh(independent(call.shape, (low + high - 1) / 2, ((high - low) ** 2 - 1) / 12))


@rule("poisson", "_standard_gamma")
def of_own_variance(call: Call) -> Value:
    """Counts of mean λ and variance λ, and gamma variables of shape α likewise: λ + √λ·ε."""
    rate = call.value("self")
    if (rate.moments.mean <= 0).any():
        raise UnpredictedError(f"{call.name} of rates that may be negative")
    root = applied(rate, lambda x: np.sqrt(np.maximum(x, 0.0)))
    noise = values.fresh(independent(call.shape, 0.0, 1.0))
    return values.plus(rate, values.times(root, noise))
