"""Sums and means over axes, and losses that are made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

import numpy as np

from .. import kin, values
from ..algebra import average, scale
from ..moments import Moments
from ..parts import known_parts, of_parts
from ..values import Value
from .calling import Call, rule


def reduced(x: Value, dims: list[int], keep: bool, factor: float = 1.0) -> Value:
    """factor · the mean over `dims`; it is remembered as the mean of that x."""
    moments = average(x.moments, dims, keep=keep)
    term = x.terms[0]
    plain = len(x.terms) == 1 and len(term.factors) == 1 and term.factors[0].values is None
    if not plain or not keep or term.coefficient == 0:
        squared = _squared(x) if keep else None
        known: tuple[object, ...] = ("square", squared) if squared is not None else ()
        if "along" in x.memo:
            known = (*x.memo["along"], dims)
        value = values.fresh(moments, spread=x.scale_spread, notes=x.notes, origin=known)
        kin.remember(value, kin.Linear(x, *_averaged(dims, keep)))
        return values.scaled(value, factor)
    origin = ("average", term.factors[0].base, tuple(dims))
    of_base = scale(moments, 1 / term.coefficient)
    value = values.fresh(of_base, spread=x.scale_spread, notes=x.notes, origin=origin)
    plain_x = values.scaled(x, 1 / term.coefficient)
    kin.remember(value, kin.Linear(plain_x, *_averaged(dims, keep)))
    return values.scaled(value, factor * term.coefficient)


def _averaged(dims: list[int], keep: bool) -> tuple[Hashable, Callable[[Moments], Moments]]:
    """The mean over `dims`, as `kin` remembers it."""
    return ("mean", tuple(dims), keep), lambda moments: average(moments, dims, keep=keep)


def _squared(x: Value) -> int | None:
    """The number of the base that x is the square of, up to a factor."""
    factor = x.single
    if factor is None or factor.values is None:
        return None
    grid = factor.base.grid
    size = float(np.abs(factor.on_grid).max())
    share = size / max(float(np.abs(grid).max()) ** 2, 1e-300)
    return factor.base.number if np.allclose(factor.on_grid, share * grid**2, atol=1e-6 * size) else None


@rule("mean")
def mean(call: Call) -> Value:
    """The mean over axes."""
    x = call.value("self")
    by_parts = _by_parts(call, x, 1.0)
    if by_parts is not None:
        return by_parts
    return reduced(x, call.dims(len(x.shape)), len(call.shape) == len(x.shape) and bool(call.shape))


def _by_parts(call: Call, x: Value, factor: float) -> Value | None:
    """Of a complex tensor whose parts are known."""
    known = known_parts(x)
    if known is None:
        return None
    keep = len(call.shape) == len(x.shape) and bool(call.shape)
    return of_parts(*(reduced(part, call.dims(len(x.shape)), keep, factor) for part in known))


@rule("sum")
def total(call: Call) -> Value:
    """The sum over axes."""
    x = call.value("self")
    dims = call.dims(len(x.shape))
    if x.memo.get("hit"):  # one of each kind
        return values.fixed(call.shape, 1.0)
    factor = math.prod(x.shape[d] for d in dims)
    by_parts = _by_parts(call, x, factor)
    if by_parts is not None:
        return by_parts
    return reduced(x, dims, len(call.shape) == len(x.shape) and bool(call.shape), factor)
