"""Distances between all pairs of rows: of d differences of variance v, Σ|x − y|ᵖ, taken as lognormal."""

from __future__ import annotations

import math

import numpy as np

from .. import maps, values
from ..algebra import add
from ..moments import Moments, expand
from ..related import dependent, seen_otherwise
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .counting import of_grid
from .indexing import kept
from .magnitudes import absolute_power, powered
from .pointwise import DEPENDENT
from .reduction import reduced


def _differences(x: Value, y: Value) -> Value:
    """(…, rows of x, rows of y, d)."""
    lead = tuple(np.broadcast_shapes(x.shape[:-2], y.shape[:-2]))
    shape = (*lead, x.shape[-2], y.shape[-2], x.shape[-1])
    one = maps.reshape(x.moments, (*x.shape[:-1], 1, x.shape[-1]))
    other = maps.reshape(y.moments, (*y.shape[:-2], 1, *y.shape[-2:]))
    moments = add(expand(one, shape), expand(other, shape), -1.0)
    spread = max((x.scale_spread, y.scale_spread), key=lambda luck: luck.variance)
    notes = {DEPENDENT.format("cdist")} if seen_otherwise(x, y) or dependent(x, y) else set()
    return values.fresh(moments, spread=spread, notes=x.notes | y.notes | notes)


def _order(call: Call) -> float:
    order = float(call["p"])
    if not 0 < order < math.inf:
        raise UnpredictedError(f"distances of order {order}")
    return order


def _lengths(apart: Value, order: float) -> Value:
    last = len(apart.shape) - 1
    sums = reduced(absolute_power(apart, order), [last], False, float(apart.shape[last]))
    return powered(sums, 1 / order)


@rule("_cdist_forward")
def distances(call: Call) -> Value:
    """(Σ |x − y|ᵖ)^(1/p) for all pairs of rows."""
    return _lengths(_differences(call.value("x1"), call.value("x2")), _order(call))


@rule("_cdist_backward")
def distances_gradient(call: Call) -> Value:
    """Σ over the rows y of g·(x − y)/D, D at its expectation, for p = 2; of g·sign(x − y) for p = 1."""
    g, order = call.value("grad"), _order(call)
    apart = _differences(call.value("x1"), call.value("x2"))
    rank, size = len(apart.shape), apart.shape[-1]
    length = apart.moments.mean_square * size
    if order == 2:
        direction = values.scaled(apart, length**-0.5)
    elif order == 1:
        direction = of_grid(apart, np.sign)
    else:
        raise UnpredictedError(f"the gradient of distances of order {order}")
    lead = values.expanded(values.reshaped(g, (*g.shape, 1)), apart.shape)
    product = values.times(lead, direction)
    return reduced(product, [rank - 2], False, float(apart.shape[-2]))


@rule("_pdist_forward")
def distances_within(call: Call) -> Value:
    """Of all pairs of different rows of one tensor, pairs as if of independent rows."""
    x = call.value("self")
    moments = _apart_within(x, call.shape[0])
    return _lengths(kept(moments, x), _order(call))


def _apart_within(x: Value, pairs: int) -> Moments:
    """(pairs, d): x_i − x_j."""
    second = x.moments.second
    axes = x.moments.axes
    same, other = (np.take(second, i, 0) for i in (1, 0)) if axes[0] else (second, second)
    if len(axes[0]) != 1 or len(axes[0][0]) != 1 or pairs < 2:
        raise UnpredictedError("distances within rows that are told apart")
    apart = 2 * (same - other)
    # of two pairs 4/n have a row in common
    rows = x.shape[0]
    common = 4 * (rows - 2) / ((rows - 2) * (rows + 1)) if rows > 2 else 0.0
    found = np.stack([apart * common / 4, apart])
    return Moments((((pairs,),), *axes[1:]), found, np.zeros_like(x.moments.mean))
