"""Bags of rows of a table: their sums or means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import values
from ..algebra import average, scale
from ..axes import Array
from ..moments import Moments, uniform
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .indexing import picked, real_index

SUM, MEAN = 0, 1
"""Values of the argument `mode`."""


def _bags(call: Call, number: int) -> tuple[NDArray[np.int64], float]:
    """(indices by bag, what a sum over a bag is multiplied by); bags of one size."""
    index, mode = real_index(call["indices"]).reshape(-1), call["mode"]
    if mode not in (SUM, MEAN) or call.get("per_sample_weights") is not None:
        raise UnpredictedError("bags whose rows are weighted, or of which the largest are kept")
    if index.size % max(number, 1):
        raise UnpredictedError("bags of different sizes")
    found = index.reshape(number, -1)
    return found, 1.0 if mode == SUM else 1 / found.shape[1]


@rule("_embedding_bag", "_embedding_bag_forward_only")
def bag(call: Call) -> list[Value | None]:
    """The sum, or mean, of a bag's rows."""
    table = call.value("weight")
    index, factor = _bags(call, call.shape[0])
    moments = average(picked(table.moments, 0, index), [1], keep=False)
    moments = scale(moments, factor * index.shape[1])
    first = values.fresh(moments, spread=table.scale_spread, notes=table.notes)
    return [first, *[None] * (len(call.out) - 1)]


@rule("_embedding_bag_backward", "_embedding_bag_dense_backward")
def bag_gradient(call: Call) -> Value:
    """The gradients of all bags that a row is in, summed."""
    g = call.value("grad")
    index, factor = _bags(call, g.shape[0])
    rows = call.shape[0]
    bags = np.broadcast_to(np.arange(len(index))[:, None], index.shape)
    place, counts = np.unique(np.stack([index.reshape(-1), bags.reshape(-1)]), axis=1, return_counts=True)
    moments = scale(_to_rows(g.moments, rows, place[0], place[1], counts.astype(float)), factor)
    return values.fresh(moments, spread=g.scale_spread, notes=g.notes)


def _to_rows(g: Moments, rows: int, row: Array, bag: Array, times: Array) -> Moments:
    """Σ of each bag's g into the rows it has, `times` over: E over pairs of bags for equal and other rows."""
    g = uniform(g, 0)
    alike, other = (g.second[1], g.second[0]) if g.axes[0] else (g.second, g.second)
    by_row, by_bag = np.bincount(row, times, rows), np.bincount(bag, times, g.shape[0])
    once, whole = float((times**2).sum()), float(times.sum())
    in_row, in_bag = float((by_row**2).sum()), float((by_bag**2).sum())
    equal = (once * alike + (in_row - once) * other) / rows
    mean = (g.mean[0] if g.axes[0] else g.mean) * whole / rows
    if rows == 1:
        return Moments(((), *g.axes[1:]), equal, mean)
    differ = (in_bag - once) * alike + (whole**2 - in_row - in_bag + once) * other
    second = np.stack([differ / (rows * (rows - 1)), equal])
    return Moments((((rows,),), *g.axes[1:]), second, mean[None])
