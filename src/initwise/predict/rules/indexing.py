"""Tables and picking by index: the indices are real numbers, so who equals whom is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import maps, values
from ..axes import Array, Axes, axes_of, start
from ..moments import Moments, expand, flat, uniform
from ..values import Value
from .calling import Call, UnpredictedError, rule

ROWS = 512
"""Coincidences of indices are counted in at most this many rows of each pattern."""


def _real(index: Tensor) -> NDArray[np.int64]:
    if isinstance(index, FakeTensor):
        raise UnpredictedError("its indices depend on values that are not there")
    return index.detach().cpu().numpy().astype(np.int64)


def coincidence(index: NDArray[np.int64]) -> tuple[Axes, Array]:
    """(axes of the index tensor, share of pairs with equal index, over patterns)."""
    axes = axes_of(index.shape)
    wide = [d for d in range(index.ndim) if index.shape[d] > 1]
    found = np.empty((2,) * len(wide))
    for pattern in np.ndindex(*found.shape):
        kept = [d for d, equal in zip(wide, pattern, strict=True) if equal]
        moved = index.transpose(kept + [d for d in range(index.ndim) if d not in kept])
        rows = moved.reshape(math.prod(index.shape[d] for d in kept), -1)
        found[pattern] = np.mean([_equal(row) for row in rows[:ROWS]])
    for axis, d in enumerate(wide):
        size, half = index.shape[d], np.moveaxis(found, axis, 0)
        half[0] = (half[0] - half[1] / size) / (1 - 1 / size)
    return axes, found


def _equal(row: NDArray[np.int64]) -> float:
    counts = np.unique(row, return_counts=True)[1]
    return float(((counts / row.size) ** 2).sum())


def picked(x: Moments, dim: int, index: NDArray[np.int64]) -> Moments:
    """Axis `dim` replaced by those of `index`: the elements picked from it, blocks averaged."""
    x = uniform(flat(x, dim), dim)
    place = start(x.axes, dim)
    axes, share = coincidence(index)
    if not x.axes[dim]:
        shape = (*x.shape[:dim], *index.shape, *x.shape[dim + 1 :])
        lead = maps.reshape(x, (*x.shape[:dim], *(1,) * index.ndim, *x.shape[dim + 1 :]))
        return expand(lead, shape)
    same, other = np.take(x.second, 1, place), np.take(x.second, 0, place)
    wide = share.reshape((1,) * place + share.shape + (1,) * (same.ndim - place))
    middle = (1,) * share.ndim
    same = same.reshape(same.shape[:place] + middle + same.shape[place:])
    other = other.reshape(same.shape)
    mean = np.take(x.mean, 0, place)
    mean = mean.reshape(mean.shape[:place] + middle + mean.shape[place:])
    return Moments((*x.axes[:dim], *axes, *x.axes[dim + 1 :]), wide * same + (1 - wide) * other, mean)


def gathered_sums(x: Moments, dim: int, index: NDArray[np.int64], rows: int) -> Moments:
    """Sums of the elements along axis `dim` that go to the same of `rows` places (scatter-add)."""
    x = uniform(flat(x, dim), dim)
    place = start(x.axes, dim)
    counts = np.bincount(index.reshape(-1), minlength=rows)[:rows].astype(float)
    same = np.take(x.second, 1, place) if x.axes[dim] else x.second
    other = np.take(x.second, 0, place) if x.axes[dim] else np.zeros_like(x.second)
    equal = (counts.sum() * same + (counts * (counts - 1)).sum() * other) / rows
    mean = np.take(x.mean, 0, place) if x.axes[dim] else x.mean
    mean = mean * counts.sum() / rows
    if rows == 1:
        return Moments((*x.axes[:dim], (), *x.axes[dim + 1 :]), equal, mean)
    differ = (counts.sum() ** 2 - (counts**2).sum()) * other / (rows * (rows - 1))
    second = np.stack([differ, equal], axis=place)
    return Moments((*x.axes[:dim], ((rows,),), *x.axes[dim + 1 :]), second, np.expand_dims(mean, place))


def _kept(moments: Moments, source: Value) -> Value:
    return values.fresh(moments, spread=source.scale_spread, notes=source.notes)


@rule("embedding")
def embedding(call: Call) -> Value:
    """Rows of a table: equal ids give equal rows."""
    table = call.value("weight")
    return _kept(picked(table.moments, 0, _real(call["indices"])), table)


@rule("embedding_dense_backward")
def embedding_gradient(call: Call) -> Value:
    """The gradients of all places where a row was used, summed."""
    g, index = call.value("grad_output"), _real(call["indices"]).reshape(-1)
    flattened = maps.reshape(g.moments, (index.size, g.shape[-1]))
    return _kept(gathered_sums(flattened, 0, index, call["num_weights"]), g)


@rule("index_select")
def index_select(call: Call) -> Value:
    """Picked along one axis."""
    x = call.value("self")
    return _kept(picked(x.moments, call["dim"] % max(len(x.shape), 1), _real(call["index"])), x)


@rule("index", "_unsafe_index")
def index(call: Call) -> Value:
    """Picked by one index tensor, or by several on neighbouring axes."""
    x, given = call.value("self"), call["indices"]
    places = [d for d, tensor in enumerate(given) if tensor is not None]
    if any(given[d].dtype == torch.bool for d in places):
        return _masked(call, x, given, places)
    if places != list(range(places[0], places[-1] + 1)):
        raise UnpredictedError("several index tensors on axes that are no neighbours")
    first, last = places[0], places[-1]
    linear, flattened = _linear([given[d] for d in places], x.shape[first : last + 1])
    moments = maps.reshape(x.moments, (*x.shape[:first], flattened, *x.shape[last + 1 :]))
    return _kept(picked(moments, first, linear), x)


def _linear(indices: Sequence[Tensor], sizes: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Several index tensors as one into the axes taken together."""
    found: NDArray[np.int64] = np.zeros((), np.int64)
    for tensor, size in zip(indices, sizes, strict=True):
        found = found * size + _real(tensor) % size
    return found, math.prod(sizes)


def _masked(call: Call, x: Value, given: Sequence[Tensor], places: Sequence[int]) -> Value:
    """By one real mask: its places as indices."""
    if len(places) != 1 or isinstance(given[places[0]], FakeTensor):
        raise UnpredictedError("a mask that depends on values that are not there")
    first, mask = places[0], given[places[0]]
    flat_index = np.flatnonzero(mask.detach().cpu().numpy())
    shape = (*x.shape[:first], mask.numel(), *x.shape[first + mask.dim() :])
    return _kept(picked(maps.reshape(x.moments, shape), first, flat_index), x)


def like(x: Value, shape: tuple[int, ...]) -> Value:
    """As many elements as `shape` says, alike those there are."""
    moments = x.moments
    for dim, size in enumerate(shape):
        moments = maps.resize(moments, dim, size)
    return _kept(moments, x)


@rule("gather")
def gather(call: Call) -> Value:
    """Picked element by element."""
    return like(call.value("self"), call.shape)


def _onto_zeros(call: Call, name: str) -> None:
    if call.value(name).moments.mean_square > 0:
        raise UnpredictedError(f"{call.name} onto numbers that are not zero")


@rule("scatter", "scatter_add", "scatter_reduce")
def scatter(call: Call) -> Value:
    """Elements put, or added, at indices of one axis."""
    source = call.get("src")
    if not isinstance(source, Tensor):
        raise UnpredictedError(f"{call.name} of a number")
    dim = call["dim"] % max(len(call.shape), 1)
    x = call.value("src")
    share = math.prod(x.shape) / math.prod(call.shape)
    _onto_zeros(call, "self")
    moments = uniform(maps.pad(x.moments, dim, 0, max(call.shape[dim] - x.shape[dim], 0)), dim)
    moments = Moments(moments.axes, moments.second, moments.mean)
    if moments.shape != call.shape:
        raise UnpredictedError(f"{call.name} of a share {share:.2g} of the places")
    return _kept(moments, x)


@rule("index_add")
def index_add(call: Call) -> Value:
    """Elements along an axis added where an index says."""
    x, dim = call.value("source"), call["dim"] % len(call.shape)
    moments = gathered_sums(x.moments, dim, _real(call["index"]), call.shape[dim])
    return values.plus(call.value("self"), _kept(moments, x), float(call.get("alpha", 1)))


@rule("index_put", "_unsafe_index_put")
def index_put(call: Call) -> Value:
    """Values added at indices of the first axes: the gradient of `index`."""
    given, x = call["indices"], call.value("values")
    places = [d for d, tensor in enumerate(given) if tensor is not None]
    if places[0] != 0 or places != list(range(len(places))) or not call.get("accumulate"):
        raise UnpredictedError("values are put at indices that are not the first axes, or overwrite others")
    if any(given[d].dtype == torch.bool for d in places):
        raise UnpredictedError("values are put where a mask says")
    linear, rows = _linear([given[d] for d in places], call.shape[: len(places)])
    flattened = maps.reshape(x.moments, (linear.size, *x.shape[linear.ndim :]))
    summed = maps.reshape(gathered_sums(flattened, 0, linear, rows), call.shape)
    return values.plus(call.value("self"), _kept(summed, x))
