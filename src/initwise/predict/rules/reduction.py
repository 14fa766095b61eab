"""Sums and means over axes, and losses that are made of them."""

from __future__ import annotations

import math

from .. import values
from ..algebra import average, scale
from ..values import Value
from .calling import Call, rule


def reduced(x: Value, dims: list[int], keep: bool, factor: float = 1.0) -> Value:
    """factor · the mean over `dims`; it is remembered as the mean of that x."""
    moments = average(x.moments, dims, keep=keep)
    term = x.terms[0]
    plain = len(x.terms) == 1 and len(term.factors) == 1 and term.factors[0].values is None
    if not plain or not keep or term.coefficient == 0:
        return values.scaled(values.fresh(moments, spread=x.scale_spread, notes=x.notes), factor)
    origin = ("average", term.factors[0].base, tuple(dims))
    of_base = scale(moments, 1 / term.coefficient)
    value = values.fresh(of_base, spread=x.scale_spread, notes=x.notes, origin=origin)
    return values.scaled(value, factor * term.coefficient)


@rule("mean")
def mean(call: Call) -> Value:
    """The mean over axes."""
    x = call.value("self")
    return reduced(x, call.dims(len(x.shape)), len(call.shape) == len(x.shape) and bool(call.shape))


@rule("sum")
def total(call: Call) -> Value:
    """The sum over axes."""
    x = call.value("self")
    dims = call.dims(len(x.shape))
    factor = math.prod(x.shape[d] for d in dims)
    return reduced(x, dims, len(call.shape) == len(x.shape) and bool(call.shape), factor)
