"""Tables and picking by index: the indices are real numbers, so who equals whom is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import maps, values
from ..axes import Array, Axes, along, atoms_of, axes_of, patterns, start
from ..echoes import again
from ..moments import Moments, expand, flat, uniform
from ..values import Value
from .calling import Call, UnpredictedError, rule

ROWS = 512
"""Coincidences of indices are counted in at most this many rows of each pattern."""


def real_index(index: Tensor) -> NDArray[np.int64]:
    """The numbers of an index tensor. Raises UnpredictedError if they are not there."""
    if isinstance(index, FakeTensor):
        later = getattr(index, "_initwise_later", None)
        if later is None:
            raise UnpredictedError("its indices depend on values that are not there")
        index = later.numbers
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
    """Axis `dim` replaced by those of `index`: what is picked from it, blocks as often as they are hit."""
    x = _by_hits(flat(x, dim), dim, index)
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


def _by_hits(x: Moments, dim: int, index: NDArray[np.int64]) -> Moments:
    """`x` with one block along axis `dim`, in which each block counts as often as `index` hits it."""
    if not x.axes[dim] or len(x.axes[dim][0]) == 1:
        return x
    atom, place = x.axes[dim][0], start(x.axes, dim)
    k, edges = len(atom), np.cumsum(atom)
    hits = np.bincount(np.searchsorted(edges, index.reshape(-1) % edges[-1], side="right"), minlength=k)
    share = hits / max(hits.sum(), 1)
    weights = np.zeros((2, k * (k + 1)))
    weights[0, : k * k], weights[1, k * k :] = np.outer(share, share).reshape(-1), share
    # a block of one element has no pair of different ones
    for block in np.flatnonzero(np.array(atom) == 1):
        weights[0, k * k + block], weights[0, block * k + block] = weights[0, block * k + block], 0.0
    axes = (*x.axes[:dim], ((int(edges[-1]),),), *x.axes[dim + 1 :])
    return Moments(axes, along(x.second, weights, place), along(x.mean, share[None], place))


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


def kept(moments: Moments, source: Value) -> Value:
    """A base of its own with the spread and the notes of `source`."""
    return values.fresh(moments, spread=source.scale_spread, notes=source.notes)


@rule("embedding")
def embedding(call: Call) -> Value:
    """Rows of a table: equal ids give equal rows."""
    table = call.value("weight")
    found = kept(picked(table.moments, 0, real_index(call["indices"])), table)
    return replace(found, notes=found.notes | again(table, call.name))


@rule("embedding_dense_backward")
def embedding_gradient(call: Call) -> Value:
    """The gradients of all places where a row was used, summed."""
    if call["scale_grad_by_freq"]:
        raise UnpredictedError("a table's gradient divided by how often each row was used")
    g, index = call.value("grad_output"), real_index(call["indices"]).reshape(-1)
    flattened = maps.reshape(g.moments, (index.size, g.shape[-1]))
    return kept(gathered_sums(flattened, 0, index, call["num_weights"]), g)


@rule("unfold")
def windows(call: Call) -> Value:
    """Windows along an axis, their places as a last axis."""
    x = call.value("self")
    dim = call["dimension"] % max(len(x.shape), 1)
    moments = picked(x.moments, dim, _windows(call.shape[dim], call["size"], call["step"]))
    order = [d for d in range(len(moments.axes)) if d != dim + 1]
    return kept(maps.permute(moments, [*order, dim + 1]), x)


def _windows(number: int, size: int, step: int) -> NDArray[np.int64]:
    return np.arange(number)[:, None] * step + np.arange(size)[None]


@rule("unfold_backward")
def windows_gradient(call: Call) -> Value:
    """The gradients at all windows that a place lies in, summed."""
    g, dim, rank = call.value("grad_in"), call["dim"] % len(call.shape), len(call.shape)
    index = _windows(g.shape[dim], call["size"], call["step"])
    order = [*range(dim + 1), rank, *range(dim + 1, rank)]
    beside = maps.permute(g.moments, order)
    flattened = maps.reshape(beside, (*g.shape[:dim], index.size, *g.shape[dim + 1 : rank]))
    return kept(gathered_sums(flattened, dim, index, call.shape[dim]), g)


@rule("index_select")
def index_select(call: Call) -> Value:
    """Picked along one axis."""
    x = call.value("self")
    return kept(picked(x.moments, call["dim"] % max(len(x.shape), 1), real_index(call["index"])), x)


@rule("index", "_unsafe_index")
def index(call: Call) -> Value:
    """Picked by one index tensor, or by several."""
    x, given = call.value("self"), call["indices"]
    places = [d for d, tensor in enumerate(given) if tensor is not None]
    moments, first = in_front(x.moments, places)
    after, shape = first + len(places), moments.shape
    where, flattened = linear([given[d] for d in places], shape[first:after])
    moments = maps.reshape(moments, (*shape[:first], flattened, *shape[after:]))
    return kept(picked(moments, first, where), x)


def in_front(x: Moments, places: Sequence[int]) -> tuple[Moments, int]:
    """Axes that are indexed as neighbours, and their first: in front of all others where they are none."""
    if list(places) == list(range(places[0], places[-1] + 1)):
        return x, places[0]
    order = [*places, *(d for d in range(len(x.axes)) if d not in places)]
    return maps.permute(x, order), 0


def linear(indices: Sequence[Tensor], sizes: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Several index tensors as one into the axes taken together."""
    found: NDArray[np.int64] = np.zeros((), np.int64)
    for tensor, size in zip(indices, sizes, strict=True):
        found = found * size + real_index(tensor) % size
    return found, math.prod(sizes)


def others_cut(x: Moments, dim: int, sizes: Sequence[int]) -> Moments:
    """`x` with the sizes of `sizes` on all axes but `dim`."""
    for other, size in enumerate(sizes):
        if other != dim:
            x = maps.resize(x, other, size)
    return x


def along_dim(x: Moments, dim: int) -> tuple[Moments, Array, Array]:
    """(`x` without blocks, E of equal and of different elements along `dim` over the other patterns)."""
    for other in range(len(x.axes)):
        x = uniform(flat(x, other), other)
    place = start(x.axes, dim)
    if not x.axes[dim]:
        return x, x.second, x.second
    return x, np.take(x.second, 1, place), np.take(x.second, 0, place)


ANY_PLACE = "places that values decide were taken as any"


@rule("gather")
def gather(call: Call) -> Value:
    """Picked element by element: pairs of equal index along `dim` are those that were equal there.

    Where the indices depend on values, each line picks any of its elements, no two the same.
    """
    x, index = call.value("self"), call["index"]
    dim = call["dim"] % max(len(x.shape), 1)
    if isinstance(index, FakeTensor):
        any_ = maps.resize(others_cut(x.moments, dim, call.shape), dim, call.shape[dim] if call.shape else 1)
        return values.fresh(any_, spread=x.scale_spread, notes=x.notes | {ANY_PLACE})
    moments, same, other = along_dim(others_cut(x.moments, dim, call.shape), dim)
    axes, share = coincidence(real_index(index))
    if axes[dim]:
        place = start(axes, dim)
        same, other = (np.expand_dims(part, place) for part in (same, other))
    mean = np.full((1,) * share.ndim, moments.overall_mean)
    found = Moments(axes, share * same + (1 - share) * other, mean)
    origin = x.terms[0].factors[0].base.origin if len(x.terms) == 1 else ()
    origin = origin if origin[:1] == ("largest",) else ()
    return values.fresh(found, spread=x.scale_spread, notes=x.notes, origin=origin)


def one_of(g: Value, dim: int, known: float = 1.0) -> Value:
    """g at one place along `dim`, zero at the others; each line of its own has its own place.

    Args:
        known: what it is to be multiplied with, of mean square 1, has this mean: that of the product is kept.
    """
    moments, size = g.moments, g.shape[dim]
    if size == 1:
        return g
    mine = range(start(moments.axes, dim), start(moments.axes, dim) + len(moments.axes[dim]))
    line, place = np.ones(moments.second.shape, bool), np.ones(moments.second.shape, bool)
    for axis, atom in enumerate(atoms_of(moments.axes)):
        equal = patterns(atom).equal.reshape([-1 if a == axis else 1 for a in range(line.ndim)])
        line, place = (line, place & equal) if axis in mine else (line & equal, place)
    mean = 1 / (size * known)
    share = np.where(line, np.where(place, 1 / size, 0.0), mean**2)
    return kept(Moments(moments.axes, moments.second * share, moments.mean * mean), g)


def resized(x: Value, shape: Sequence[int]) -> Value:
    """`x` with axes of other sizes, whose elements are alike those there are."""
    moments = x.moments
    for dim, size in enumerate(shape):
        moments = maps.resize(moments, dim, size)
    return values.fresh(moments, x.law, spread=x.scale_spread, notes=x.notes)


@rule("index_add")
def index_add(call: Call) -> Value:
    """Elements along an axis added where an index says."""
    x, dim = call.value("source"), call["dim"] % len(call.shape)
    moments = gathered_sums(x.moments, dim, real_index(call["index"]), call.shape[dim])
    return values.plus(call.value("self"), kept(moments, x), float(call.get("alpha", 1)))
