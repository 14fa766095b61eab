"""Views: the same elements in other places. What is shared with others stays shared."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from .. import kin, maps, sharing, values
from ..algebra import scale
from ..bases import Grams
from ..moments import Moments, expand, simplified, uniform
from ..parts import known_parts, of_parts, parts
from ..values import Value
from .calling import Call, UnpredictedError, rule

PAIR = "pair"
"""The origin of two values side by side on a last axis: (PAIR, one, other)."""


def _moved(call: Call, name: str, key: Hashable, change: Callable[[Moments], Moments]) -> Value:
    x = call.value(name)
    found = values.moved(x, key, change, x.shape)
    if x.mask is None or name != "self":
        return found
    # what takes no part moves with the rest; a mask that is broadcast has no strides of its own to view
    whole, laid_out = x.mask.expand(x.shape), isinstance(key, tuple) and key[:1] == ("reshape",)
    mask = whole.reshape(call.shape) if laid_out else call.op(**{**call.arguments, "self": whole})
    return replace(found, mask=mask)


@rule(
    "alias",
    "detach",
    "clone",
    "contiguous",
    "lift",
    "lift_fresh",
    "lift_fresh_copy",
    "resolve_conj",
    "positive",
)
def same(call: Call) -> Value:
    """The tensor itself, or a copy."""
    return call.value("self")


@rule("copy", "copy_")
def copied(call: Call) -> Value:
    """`src` broadcast to the target's shape."""
    shape = call.shape
    x = call.value("src")
    return values.expanded(x, shape) if x.shape != shape else x


@rule("view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze", "unsqueeze", "flatten", "unflatten")
def reshaped(call: Call) -> Value:
    """Row-major reshaping."""
    shape = call.shape
    return _moved(call, "self", ("reshape", shape), lambda m: maps.reshape(m, shape))


@rule("permute")
def permuted(call: Call) -> Value:
    """Axes in the order of `dims`."""
    order = tuple(d % len(call["dims"]) for d in call["dims"])
    return _moved(call, "self", ("permute", order), lambda m: maps.permute(m, order))


@rule("t")
def transposed(call: Call) -> Value:
    """The transpose of a matrix."""
    order = tuple(reversed(range(len(call.shape))))
    return _moved(call, "self", ("permute", order), lambda m: maps.permute(m, order))


@rule("transpose", "swapaxes")
def swapped(call: Call) -> Value:
    """Two axes exchanged."""
    rank = len(call.shape)
    order = list(range(rank))
    a, b = (
        call.get(one, call.get(other)) % max(rank, 1) for one, other in (("dim0", "axis0"), ("dim1", "axis1"))
    )
    if rank:
        order[a], order[b] = order[b], order[a]
    return _moved(call, "self", ("permute", tuple(order)), lambda m: maps.permute(m, order))


@rule("expand")
def expanded(call: Call) -> Value:
    """Broadcast: along new axes all elements are the same one."""
    shape = call.shape
    return _moved(call, "self", ("expand", shape), lambda m: expand(m, shape))


@rule("repeat")
def repeated(call: Call) -> Value:
    """Tiled: equal elements recur."""
    times, x = tuple(call["repeats"]), call.value("self")
    lead = (1,) * (len(times) - len(x.shape)) + x.shape

    def change(moments: Moments) -> Moments:
        moments = maps.reshape(moments, lead)
        for dim, count in enumerate(times):
            moments = maps.repeat(moments, dim, count)
        return moments

    return values.moved(x, ("repeat", times), change, x.shape)


@rule("slice", "narrow")
def sliced(call: Call) -> Value:
    """A range of an axis."""
    rank, x = len(call.shape), call.value("self")
    dim = call["dim"] % rank
    begin, end, step = slice(call.get("start"), call.get("end"), call.get("step", 1)).indices(x.shape[dim])
    if call.name == "narrow":
        begin, end, step = call["start"], call["start"] + call["length"], 1
    return ranged(x, dim, begin, end, step)


def ranged(x: Value, dim: int, begin: int, end: int, step: int = 1) -> Value:
    if (begin, end, step) == (0, x.shape[dim], 1):
        return x
    key = ("slice", dim, begin, end, step)
    return values.moved(x, key, lambda m: maps.cut_out(m, dim, begin, end, step), x.shape)


@rule("select")
def selected(call: Call) -> Value:
    """One place of an axis."""
    x = call.value("self")
    dim = call["dim"] % len(x.shape)
    index = call["index"] % x.shape[dim]
    return selected_at(x, dim, index)


def selected_at(x: Value, dim: int, index: int) -> Value:
    """One place of an axis, which is gone."""
    if dim == len(x.shape) - 1 and len(x.terms) == 1 and x.single is not None and x.shape[-1] == 2:
        origin, coefficient = x.terms[0].factors[0].base.origin, x.terms[0].coefficient
        if origin[:1] == (PAIR,) and x.terms[0].factors[0].values is None:
            return values.scaled(origin[1 + index], coefficient)
    sharing.taken_apart(x, dim, index)
    return values.moved(x, ("select", dim, index), lambda m: maps.select(m, dim, index), x.shape)


@rule("unbind")
def unbound(call: Call) -> list[Value]:
    """Every place of an axis by itself."""
    x = call.value("self")
    dim = call["dim"] % len(x.shape)
    return [selected_at(x, dim, i) for i in range(x.shape[dim])]


@rule("split", "split_with_sizes", "chunk", "unsafe_split", "unsafe_chunk", "unsafe_split_with_sizes")
def split(call: Call) -> list[Value]:
    """Ranges of an axis."""
    x = call.value("self")
    dim = call["dim"] % len(x.shape)
    found, begin = [], 0
    for piece in call.out:
        end = begin + piece.shape[dim]
        found.append(ranged(x, dim, begin, end))
        begin = end
    return found


@rule("flip")
def flipped(call: Call) -> Value:
    """Axes in reverse."""
    rank = len(call.shape)
    dims = tuple(d % rank for d in call["dims"])

    def change(moments: Moments) -> Moments:
        for dim in dims:
            moments = maps.flip(moments, dim)
        return moments

    return _moved(call, "self", ("flip", dims), change)


@rule("roll")
def rolled(call: Call) -> Value:
    """Axes turned; blocks along them are averaged away."""
    rank = len(call.shape)
    dims = call.dims(rank, "dims")

    def change(moments: Moments) -> Moments:
        for dim in dims:
            moments = maps.resize(moments, dim, moments.shape[dim])
        return moments

    return _moved(call, "self", ("roll", tuple(dims), tuple(call["shifts"])), change)


def joined(pieces: Sequence[Value], dim: int) -> Value:
    """Values one after another; each keeps its own statistics, as a block."""
    if any(known_parts(piece) for piece in pieces):
        return of_parts(*(joined([parts(piece)[i] for piece in pieces], dim) for i in (0, 1)))
    moments = maps.concatenate([piece.moments for piece in pieces], dim)
    moments = simplified(sharing.side_by_side(moments, pieces, dim))
    spread = max((piece.scale_spread for piece in pieces), key=lambda luck: luck.variance)
    notes = frozenset().union(sharing.uncounted(pieces), *(piece.notes for piece in pieces))
    found = values.fresh(moments, spread=spread, notes=notes, grams=_joined_grams(pieces, dim))
    kin.remember(found, kin.Joined(tuple(pieces), moments, dim))
    return found


def _joined_grams(pieces: Sequence[Value], dim: int) -> Grams:
    """Of all roots: pieces that have nothing of one stray by nothing."""
    roots = dict.fromkeys(root for piece in pieces for root in piece.grams)
    found = {}
    for root in roots:
        grams = [piece.grams.get(root) or scale(piece.moments, 0.0) for piece in pieces]
        found[root] = simplified(maps.concatenate(grams, dim))
    return found


@rule("cat", "concat")
def concatenated(call: Call) -> Value:
    """Tensors one after another."""
    rank = len(call.shape)
    pieces = [call.of(tensor) for tensor in call["tensors"] if tensor.dim() == rank and tensor.numel()]
    if not pieces:
        raise UnpredictedError("nothing is joined")
    return joined(pieces, call["dim"] % rank) if len(pieces) > 1 else pieces[0]


@rule("stack")
def stacked(call: Call) -> Value:
    """Tensors side by side on a new axis."""
    return stacked_values([call.of(tensor) for tensor in call["tensors"]], call["dim"] % len(call.shape))


def stacked_values(given: Sequence[Value], dim: int) -> Value:
    """Values of one shape side by side on a new axis `dim`."""
    shape = given[0].shape
    pieces = [values.reshaped(x, (*shape[:dim], 1, *shape[dim:])) for x in given]
    return joined(pieces, dim) if len(pieces) > 1 else pieces[0]


def padded(x: Value, dim: int, before: int, after: int, number: float = 0.0) -> Value:
    """`x` among constants: exact, since these are blocks of their own."""
    known = known_parts(x)
    if known is not None:
        return of_parts(padded(known[0], dim, before, after, number), padded(known[1], dim, before, after))
    moments = maps.pad(x.moments, dim, before, after, number)
    found = values.fresh(moments, spread=x.scale_spread, notes=x.notes)
    if not number:
        key = ("pad", dim, before, after)
        kin.remember(found, kin.Linear(x, key, lambda m: maps.pad(m, dim, before, after)))
    return found


@rule("constant_pad_nd")
def constant_pad(call: Call) -> Value:
    """Constants around the last axes; negative padding cuts."""
    x, rank = call.value("self"), len(call.shape)
    pad = list(call["pad"])
    for i in range(len(pad) // 2):
        dim, before, after = rank - 1 - i, pad[2 * i], pad[2 * i + 1]
        begin, end = max(-before, 0), x.shape[dim] - max(-after, 0)
        x = ranged(x, dim, begin, end)
        if before > 0 or after > 0:
            x = padded(x, dim, max(before, 0), max(after, 0), float(call.get("value") or 0.0))
    return x


@rule("slice_backward")
def slice_gradient(call: Call) -> Value:
    """A range's gradient among zeros."""
    if not call["grad_output"].numel():
        return values.fixed(call.shape, 0.0)
    g, dim = call.value("grad_output"), call["dim"] % len(call.shape)
    size = call.shape[dim]
    begin, _, step = slice(call["start"], call["end"], call["step"]).indices(size)
    if step == 1:
        return padded(g, dim, begin, size - begin - g.shape[dim])
    moments = maps.resize(maps.pad(g.moments, dim, 0, size - g.shape[dim]), dim, size)
    return values.fresh(uniform(moments, dim), spread=g.scale_spread, notes=g.notes)


@rule("select_backward")
def select_gradient(call: Call) -> Value:
    """One place's gradient among zeros."""
    g, dim = call.value("grad_output"), call["dim"] % len(call.shape)
    size, shape = call.shape[dim], call.shape
    one = (*shape[:dim], 1, *shape[dim + 1 :])
    g = values.reshaped(g, one)
    index = call["index"] % size
    return padded(g, dim, index, size - 1 - index) if size > 1 else g
