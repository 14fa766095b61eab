"""Putting elements among others by index: added to what is there, or in its place.

What is added is summed at its place. What is put is taken·x + (1 − taken)·target with a mask of real
numbers, which places are taken, and x as if there were as many of it as places: all of it is alike. Of
several put at one place the last counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import maps, values
from ..axes import start
from ..moments import Moments, measured
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .extremes import LARGEST, where_largest
from .indexing import (
    ANY_PLACE,
    along_dim,
    gathered_sums,
    kept,
    linear,
    one_of,
    others_cut,
    picked,
    real_index,
    resized,
)
from .masks import HIDDEN, chosen_by, either, masked
from .views import joined, ranged


def _taken(shape: Sequence[int], mask: NDArray[np.bool_]) -> Value:
    """1 at places of `shape` where `mask`, which broadcasts, holds; else 0."""
    return values.expanded(values.fresh(measured(mask.astype(float))), tuple(shape))


def _put(x: Moments, source: Value, target: Value, taken: Value) -> Value:
    """Elements like those of `x`, moments of `source`, where `taken`; `target` elsewhere."""
    shape = taken.shape
    for dim, size in enumerate(shape):
        x = maps.resize(x, dim, size)
    return either(kept(x, source), target, taken, shape)


# along one axis, the same on all others


def _line(call: Call, index: NDArray[np.int64]) -> tuple[int, NDArray[np.bool_]]:
    """(the axis, which of its places are taken, among axes of size 1)."""
    rank = len(call.shape)
    dim = call["dim"] % max(rank, 1)
    taken = np.zeros(call.shape[dim] if rank else 1, bool)
    taken[index.reshape(-1)] = True
    return dim, taken.reshape([-1 if d == dim else 1 for d in range(rank)])


@rule("index_fill")
def index_fill(call: Call) -> Value:
    """A number at places of an axis."""
    number = call["value"]
    filled = call.of(number).moments.overall_mean if isinstance(number, Tensor) else float(number)
    _, taken = _line(call, real_index(call["index"]))
    return chosen_by(call.value("self"), _taken(call.shape, ~taken), filled, call.shape)


def _last(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which elements of an index count: the last for each place."""
    flipped = index.reshape(-1)[::-1]
    return np.sort(index.size - 1 - np.unique(flipped, return_index=True)[1])


@rule("index_copy")
def index_copy(call: Call) -> Value:
    """Elements of another tensor at places of an axis."""
    x, index = call.value("source"), real_index(call["index"])
    dim, taken = _line(call, index)
    return _put(picked(x.moments, dim, _last(index)), x, call.value("self"), _taken(call.shape, taken))


@rule("index_put", "_unsafe_index_put")
def index_put(call: Call) -> Value:
    """Values put at indices of some axes, or added there: the gradient of `index`."""
    given = call["indices"]
    if any(tensor is not None and tensor.numel() == 0 for tensor in given):
        return call.value("self")  # nowhere
    x = call.value("values")
    places = [d for d, tensor in enumerate(given) if tensor is not None]
    order = [*places, *(d for d in range(len(call.shape)) if d not in places)]
    apart = places != list(range(places[0], places[-1] + 1))
    shape = tuple(call.shape[d] for d in order) if apart else call.shape
    first = 0 if apart else places[0]
    after = first + len(places)
    where, rows = linear([given[d] for d in places], shape[first:after])
    placed = values.expanded(x, (*shape[:first], *where.shape, *shape[after:])).moments
    placed = maps.reshape(placed, (*shape[:first], where.size, *shape[after:]))
    where, target = where.reshape(-1), call.value("self")
    if call.get("accumulate"):
        summed = maps.reshape(gathered_sums(placed, first, where, rows), shape)
        return values.plus(target, kept(_ordered(summed, order) if apart else summed, x))
    mask = np.zeros(rows, bool)
    mask[where] = True
    mask = mask.reshape([call.shape[d] if d in places else 1 for d in range(len(call.shape))])
    whole = maps.resize(picked(placed, first, _last(where)), first, rows)
    placed = maps.reshape(whole, shape)
    return _put(_ordered(placed, order) if apart else placed, x, target, _taken(call.shape, mask))


def _ordered(x: Moments, order: Sequence[int]) -> Moments:
    """Axes that were put in `order`, as they were."""
    return maps.permute(x, [order.index(d) for d in range(len(order))])


@rule("put")
def put(call: Call) -> Value:
    """Values put at places of the tensor read as one axis, or added there."""
    x, index = call.value("source"), real_index(call["index"])
    size, target = math.prod(call.shape), call.value("self")
    index = index.reshape(-1) % max(size, 1)
    placed = maps.reshape(x.moments, (index.size,))
    if call["accumulate"]:
        summed = gathered_sums(placed, 0, index, size)
        return values.plus(target, kept(maps.reshape(summed, call.shape), x))
    mask = np.zeros(size, bool)
    mask[index] = True
    placed = maps.reshape(maps.resize(picked(placed, 0, _last(index)), 0, size), call.shape)
    return _put(placed, x, target, _taken(call.shape, mask.reshape(call.shape)))


@rule("masked_scatter")
def masked_scatter(call: Call) -> Value:
    """Elements of another tensor, in order, where a real mask holds."""
    if isinstance(call["mask"], FakeTensor):
        raise UnpredictedError("values are put where values that are not there say")
    source = call.value("source")
    taken = _taken(call.shape, call["mask"].detach().cpu().numpy())
    placed = maps.reshape(maps.resize(_flat(source), 0, math.prod(call.shape)), call.shape)
    return _put(placed, source, call.value("self"), taken)


def _flat(x: Value) -> Moments:
    return maps.reshape(x.moments, (math.prod(x.shape),))


@rule("masked_scatter_backward")
def masked_scatter_gradient(call: Call) -> Value:
    """The gradient where the mask holds, in order, and zeros after it."""
    if isinstance(call["mask"], FakeTensor):
        raise UnpredictedError("values are put where values that are not there say")
    g, mask = call.value("grad_output"), call["mask"].detach().cpu().numpy()
    mask = np.broadcast_to(mask, g.shape).reshape(-1)
    size = math.prod(call.shape)
    found = picked(_flat(g), 0, np.flatnonzero(mask)[:size])
    missing = size - found.shape[0]
    found = maps.pad(found, 0, 0, missing) if missing > 0 else found
    return kept(maps.reshape(found, call.shape), g)


# along one axis, element by element


@rule("scatter_add", "scatter")
def scatter(call: Call) -> Value:
    """Elements added, or put, each where its index says, along one axis."""
    if isinstance(call["index"], FakeTensor):
        return _somewhere(call)
    if call.get("reduce") not in (None, "add"):
        raise UnpredictedError(f"{call.name} by {call['reduce']}")
    index, target = real_index(call["index"]), call.value("self")
    if isinstance(call.get("src"), Tensor) and call.value("src").memo.get("hit"):
        return values.fixed(call.shape, 1.0)
    dim = call["dim"] % max(len(call.shape), 1)
    adding = call.name.startswith("scatter_add") or call.get("reduce") == "add"
    if not isinstance(call.get("src"), Tensor):
        if adding:
            raise UnpredictedError("scatter of a number that is added")
        return chosen_by(target, _untouched(call), float(call["value"]), call.shape)
    x = call.value("src")
    cut = maps.resize(others_cut(x.moments, dim, index.shape), dim, index.shape[dim])
    if not adding and target.moments.overall_mean < HIDDEN:
        return masked(resized(kept(cut, x), call.shape), ~_untouched_places(call))
    if not adding and target.moments.mean_square > 0:
        return _put(cut, x, target, _complement(_untouched(call)))
    moments = others_cut(_scattered(cut, dim, index, call.shape[dim]), dim, call.shape)
    return values.plus(target, kept(moments, x))


def _complement(mask: Value) -> Value:
    return values.shifted(values.scaled(mask, -1.0), 1.0)


def _untouched(call: Call) -> Value:
    """1 at places that no index says, else 0."""
    return values.fresh(measured(_untouched_places(call).to(torch.float64).numpy()))


def _untouched_places(call: Call) -> Tensor:
    whole = torch.ones(call.shape, dtype=torch.bool)
    return whole.scatter(call["dim"], call["index"].detach().cpu(), False)


def _somewhere(call: Call) -> Value:
    """One element for each line, at a place along the axis that is not known: all places alike."""
    dim, index = call["dim"] % max(len(call.shape), 1), call["index"]
    whole = tuple(size for d, size in enumerate(call.shape) if d != dim)
    if tuple(s for d, s in enumerate(index.shape) if d != dim) != whole:
        raise UnpredictedError("its indices depend on values that are not there")
    if index.shape[dim] != 1:
        return _anywhere(call, dim, index.shape[dim])
    source = call["src"] if "src" in call.arguments else call["value"]
    shape = (*call.shape[:dim], 1, *call.shape[dim + 1 :])
    given = call.of(source) if isinstance(source, Tensor) else values.fixed(shape, float(source))
    placed = _placed(resized(values.expanded(given, shape), call.shape), call.of(index), dim)
    target = call.value("self")
    if target.moments.mean_square == 0:
        return placed
    if call.name.startswith("scatter_add"):
        return values.plus(target, placed)
    return either(
        resized(values.expanded(given, shape), call.shape), target, _one(call.shape, dim), call.shape
    )


def _placed(x: Value, index: Value, dim: int) -> Value:
    """x at one place of each line: of an index that says where others are largest, where those are large."""
    origin = index.terms[0].factors[0].base.origin
    if origin[:1] == (LARGEST,) and origin[1].shape == x.shape and origin[2] == (dim,):
        return where_largest(x, origin[1], dim)
    return one_of(x, dim)


def _anywhere(call: Call, dim: int, number: int) -> Value:
    """Several elements for each line, each at any place: added, m elements to n places are m/n for each."""
    if not call.name.startswith("scatter_add"):
        raise UnpredictedError("its indices depend on values that are not there")
    x, rows = call.value("src"), call.shape[dim]
    moments, same, other = along_dim(x.moments, dim)
    equal = number / rows * same + number * (number - 1) / rows**2 * other
    differ = number * (number - 1) / rows**2 * other
    place = start(moments.axes, dim)
    axes = (*moments.axes[:dim], ((rows,),) if rows > 1 else (), *moments.axes[dim + 1 :])
    second = np.stack([differ, equal], place) if rows > 1 else equal
    mean = np.full((1,) * second.ndim, moments.overall_mean * number / rows)
    placed = values.fresh(Moments(axes, second, mean), spread=x.scale_spread, notes=x.notes | {ANY_PLACE})
    return values.plus(call.value("self"), placed)


def _one(shape: tuple[int, ...], dim: int) -> Value:
    """1 at one place of each line along `dim`, else 0."""
    return one_of(values.fixed(shape, 1.0), dim)


def _scattered(x: Moments, dim: int, index: NDArray[np.int64], rows: int) -> Moments:
    """Sums along `dim` by index; what lies elsewhere on the other axes is as if its indices were any."""
    moments, same, other = along_dim(x, dim)
    lines = np.moveaxis(index, dim, -1).reshape(-1, index.shape[dim])
    counts = np.array([np.bincount(line, minlength=rows) for line in lines], float)
    size = float(index.shape[dim])
    equal, differ = (size * same + float((counts * (counts - 1)).sum(1).mean()) * other) / rows, same * 0.0
    average = (same + (size - 1) * other) / size
    if rows > 1:
        differ = float((size**2 - (counts**2).sum(1)).mean()) * other / (rows * (rows - 1))
    mine = (-1,) * same.ndim
    whole = np.stack([average * size**2 / rows**2] * 2)
    whole[(0, *mine)], whole[(1, *mine)] = differ[mine], equal[mine]
    mean = np.full((1,) * (same.ndim + (rows > 1)), moments.overall_mean * size / rows)
    axes = (*moments.axes[:dim], ((rows,),) if rows > 1 else (), *moments.axes[dim + 1 :])
    place = start(axes, dim)
    return Moments(axes, np.moveaxis(whole, 0, place) if rows > 1 else whole[1], mean)


@rule("slice_scatter")
def slice_put(call: Call) -> Value:
    """Another tensor in place of a range of an axis: what is before it, itself, what is after it."""
    x, source, rank = call.value("self"), call.value("src"), len(call.shape)
    dim = call["dim"] % rank
    size = call.shape[dim]
    begin, end, step = slice(call["start"], call["end"], call["step"]).indices(size)
    if step != 1:
        raise UnpredictedError("a tensor put at every other place")
    pieces = [ranged(x, dim, 0, begin)] if begin else []
    pieces.append(source)
    pieces += [ranged(x, dim, end, size)] if end < size else []
    return joined(pieces, dim) if len(pieces) > 1 else source


@rule("select_scatter")
def place_put(call: Call) -> Value:
    """Another tensor at one place of an axis."""
    x, rank = call.value("self"), len(call.shape)
    dim = call["dim"] % rank
    size = call.shape[dim]
    index = call["index"] % size
    pieces = [ranged(x, dim, 0, index)] if index else []
    pieces.append(values.reshaped(call.value("src"), (*call.shape[:dim], 1, *call.shape[dim + 1 :])))
    pieces += [ranged(x, dim, index + 1, size)] if index + 1 < size else []
    return joined(pieces, dim) if len(pieces) > 1 else pieces[0]
