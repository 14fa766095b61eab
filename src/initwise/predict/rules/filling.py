"""Constants, random numbers and dropout: where randomness comes from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from .. import quadrature, values
from ..moments import independent
from ..values import Value
from .calling import Call, Outcome, rule
from .pointwise import elementwise


def number(call: Call, given: Any) -> float:
    """A scalar argument, which may be a tensor of one element."""
    return call.of(given).moments.overall_mean if isinstance(given, Tensor) else float(given)


@rule("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted")
def uninitialized(call: Call) -> Outcome:
    """Nothing is known yet."""
    return None


@rule("zeros", "zeros_like", "new_zeros", "zero", "zero_")
def zeros(call: Call) -> Value:
    """Zeros."""
    return values.fixed(call.shape, 0.0)


@rule("ones", "ones_like", "new_ones")
def ones(call: Call) -> Value:
    """Ones."""
    return values.fixed(call.shape, 1.0)


@rule("full", "full_like", "new_full", "scalar_tensor")
def full(call: Call) -> Value:
    """One number everywhere."""
    return values.fixed(call.shape, number(call, call.get("fill_value", call.get("s"))))


@rule("fill", "fill_")
def filled(call: Call) -> Value:
    """One number everywhere."""
    return values.fixed(call.shape, number(call, call["value"]))


@rule("normal", "normal_")
def normal(call: Call) -> Value:
    """N(mean, std)."""
    return values.fresh(independent(call.shape, number(call, call["mean"]), number(call, call["std"]) ** 2))


@rule("uniform", "uniform_")
def uniform(call: Call) -> Value:
    """U(from, to)."""
    return values.uniform(call.shape, float(call["from"]), float(call["to"]))


@rule("randn", "randn_like")
def standard_normal(call: Call) -> Value:
    """N(0, 1)."""
    return values.fresh(independent(call.shape, 0.0, 1.0))


@rule("rand", "rand_like")
def standard_uniform(call: Call) -> Value:
    """U(0, 1)."""
    return values.uniform(call.shape, 0.0, 1.0)


@rule("exponential", "exponential_")
def exponential(call: Call) -> Value:
    """Exponential of mean 1/lambd."""
    scale = 1 / float(call["lambd"])
    return values.fresh(independent(call.shape, scale, scale**2), -np.log1p(-quadrature.QUANTILES) - 1)


@rule("bernoulli", "bernoulli_")
def bernoulli(call: Call) -> Value:
    """1 with probability p, else 0."""
    p = call.get("p")
    share = call.value("self").moments.overall_mean if p is None else number(call, p)
    return values.fresh(independent(call.shape, share, share * (1 - share)))


@rule("native_dropout")
def dropout(call: Call) -> list[Value]:
    """x·mask/(1 − p), and the mask."""
    x, p = call.value("input"), float(call["p"])
    if call["train"] is False or p == 0:
        return [x, values.fixed(x.shape, 1.0)]
    if p == 1:
        return [values.fixed(x.shape, 0.0), values.fixed(x.shape, 0.0)]
    keep = values.fresh(independent(x.shape, 1 - p, p * (1 - p)))
    return [values.times(x, values.scaled(keep, 1 / (1 - p))), keep]


@rule("native_dropout_backward")
def dropout_gradient(call: Call) -> Value:
    """g·mask·scale."""
    return values.scaled(values.times(call.value("grad_output"), call.value("mask")), float(call["scale"]))


@rule("linalg_qr")
def orthogonal(call: Call) -> list[Value]:
    """Q of a random matrix: uncorrelated entries, mean 0, variance 1/max(rows, columns); ‖R‖² = ‖A‖²."""
    q, r = (tuple(one.shape) for one in call.out)
    given = call.of(call["A"])
    size = given.moments.mean_square * math.prod(given.shape) / max(math.prod(r), 1)
    parts = (independent(q, 0.0, 1 / max(*q[-2:], 1)), independent(r, 0.0, size))
    return [values.fresh(part) for part in parts]


@rule("erfinv", "erfinv_")
def inverse_error(call: Call) -> Value:
    """√½·Φ⁻¹((x + 1)/2): of values uniform on (−1, 1), N(0, √½); any others by quadrature."""
    moments = call.value("self").moments
    if abs(moments.overall_mean) > 1e-9 or abs(moments.mean_square - 1 / 3) > 1e-9:
        return elementwise(call)
    return values.fresh(independent(call.shape, 0.0, 0.5))
