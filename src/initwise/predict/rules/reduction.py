"""Sums and means over axes, and losses that are made of them."""

from __future__ import annotations

import math

from .. import values
from ..algebra import average
from ..values import Value
from .calling import Call, rule


def reduced(x: Value, dims: list[int], keep: bool, factor: float = 1.0) -> Value:
    """factor · the mean over `dims`; it is remembered as the mean of that x."""
    single = x.single
    origin = ("average", single.base, tuple(dims)) if single is not None and single.values is None else ()
    origin = origin if keep and factor == 1.0 else ()
    value = values.fresh(
        average(x.moments, dims, keep=keep), spread=x.scale_spread, notes=x.notes, origin=origin
    )
    return values.scaled(value, factor)


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
