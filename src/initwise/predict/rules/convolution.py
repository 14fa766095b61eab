"""Convolutions: along each spatial axis a table over pairs of places, over channels a contraction.

Output place p sees input place p·stride + t·dilation − padding through tap t. With weights that are
independent between taps, E[y_p·y_p′] = Σ_t E[w_t²]·E[x_(p,t)·x_(p′,t)]: along an axis a matrix takes
the patterns of input pairs to those of output pairs: `lines.py`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from .. import kin, maps, values
from ..algebra import contract, scale, total
from ..axes import Array, Atom, Axes, Dim, along, block_shares, extent, patterns, single, start
from ..bases import Grams
from ..echoes import FOLLOWED, again
from ..grams import strayed
from ..lines import COUNTED, Line, edged, tables
from ..luck import Luck
from ..moments import Moments, aligned, flat, uniform
from ..picking import Picking, at_centre, every, picked, taps
from ..values import Value
from .calling import Call, rule
from .contraction import biased, one_sided

SPACE = "xyz"


def _by_group(x: Moments, dim: int, groups: int) -> Moments:
    return maps.reshape(x, (*x.shape[:dim], groups, x.shape[dim] // groups, *x.shape[dim + 1 :]))


def _ready(x: Moments, groups: int) -> Moments:
    """(batch, groups, channels, *places) with each axis of places as one atom."""
    x = _by_group(x, 1, groups)
    for dim in range(3, len(x.axes)):
        x = flat(x, dim)
        if x.shape[dim] > COUNTED:
            x = uniform(x, dim)
    return x


def _atom(x: Moments, dim: int) -> Atom:
    return x.axes[dim][0] if x.axes[dim] else (1,)


def moved_along(x: Moments, first: int, lines: Sequence[Line], *, every: bool = False) -> Moments:
    """Sums over taps along the axes from `first` on, weights aside."""
    for i, line in enumerate(lines):
        dim = first + i
        x = uniform(x, dim) if max(line.inputs, line.outputs) > COUNTED else x
        place = start(x.axes, dim)
        atom = _atom(x, dim)
        table = tables(line, atom, edged(line.outputs, line, atom))
        second, mean = x.second, x.mean
        if not x.axes[dim]:
            second, mean = _widened(second, place), np.expand_dims(mean, place)
        second = along(second, table.every if every else table.same, place)
        mean = along(mean, table.blocks, place)
        axes = (*x.axes[:dim], (table.atom,), *x.axes[dim + 1 :])
        if line.outputs == 1:
            second, mean = np.take(second, -1, axis=place), np.take(mean, 0, axis=place)
            axes = (*x.axes[:dim], (), *x.axes[dim + 1 :])
        x = Moments(axes, second, mean)
    return x


def _widened(second: Array, place: int) -> Array:
    return np.stack([second, second], axis=place)


def _kernel(w: Moments, groups: int) -> tuple[Moments, Moments | None]:
    """(groups, out, in) of a weight (groups·out, in, *kernel): through one tap, and through two."""
    w = _by_group(w, 0, groups)
    w = flat(uniform(maps.reshape(w, (*w.shape[:3], math.prod(w.shape[3:]))), 3), 3)
    if not w.axes[3]:
        return Moments(w.axes[:3], w.second, w.mean), None
    other = Moments(w.axes[:3], w.second[..., 0], w.mean[..., 0])
    between = other if np.abs(other.second).max() > 1e-12 * np.abs(w.second).max() else None
    return Moments(w.axes[:3], w.second[..., 1], w.mean[..., 0]), between


def forward(x: Moments, w: Moments, groups: int, lines: Sequence[Line]) -> Moments:
    """x (batch, channels, *places) convolved with w (groups·out, channels/groups, *kernel) along `lines`."""
    x = _ready(x, groups)
    one, between = _kernel(w, groups)
    space = SPACE[: len(lines)]
    spelled = f"ngc{space}", "goc", f"ngo{space}"
    same = moved_along(x, 3, lines)
    y = contract(same, spelled[0], one, *spelled[1:])
    if between is not None:
        every = moved_along(x, 3, lines, every=True)
        rest = Moments(every.axes, every.second - same.second, every.mean)
        y = Moments(y.axes, y.second + contract(rest, spelled[0], between, *spelled[1:]).second, y.mean)
    return maps.reshape(y, (y.shape[0], y.shape[1] * y.shape[2], *y.shape[3:]))


def turned(w: Moments, groups: int) -> Moments:
    """A weight (groups·out, in, *kernel) as (groups·in, out, *kernel)."""
    split = _by_group(w, 0, groups)
    split = maps.permute(split, [0, 2, 1, *range(3, len(split.axes))])
    return maps.reshape(split, (split.shape[0] * split.shape[1], *split.shape[2:]))


def weight_gradient(
    g: Moments, x: Moments, groups: int, lines: Sequence[Line], shape: Sequence[int]
) -> Moments:
    """Σ over batch and places of g at p times x at the place that p sees through a tap."""
    g, x = aligned(_ready(g, groups), _ready(x, groups), [(0, 0), (1, 1)])
    for dim, line in enumerate(lines, 3):
        if max(line.inputs, line.outputs) > COUNTED:
            g, x = uniform(g, dim), uniform(x, dim)
    met = [_met(line, _atom(g, 3 + i), _atom(x, 3 + i)) for i, line in enumerate(lines)]
    taps = [single(line.kernel) for line in lines]
    axes: Axes = (g.axes[1], g.axes[2], x.axes[2], *taps)
    second = _met_pairs(_full(g, len(lines)), _full(x, len(lines)), met, g, x)
    mean = _met_means(g, x, lines, taps)
    return maps.reshape(Moments(axes, second, mean), tuple(shape))


def _full(x: Moments, rank: int) -> Array:
    """`second` with an axis of patterns for every axis of places, those of size 1 too."""
    second = x.second
    for dim in range(3, 3 + rank):
        if not x.axes[dim]:
            place = sum(max(len(x.axes[d]), 1 if d >= 3 else 0) for d in range(dim))
            second = _widened(second, place)
    return second


@lru_cache(maxsize=512)
def _met(line: Line, sums: Atom, places: Atom) -> Array:
    """Pairs of sums and places seen through two taps: (taps differ or equal, sums, places), by tap."""
    table, pairs = tables(line, places, sums), patterns(sums).pairs[:, None]
    same, k = table.same * pairs, line.kernel
    if k == 1:
        return np.asarray(same[None])
    return np.stack([(table.every * pairs - same) / (k * (k - 1)), same / k])


def _met_pairs(gradient: Array, seen: Array, met: Sequence[Array], g: Moments, x: Moments) -> Array:
    """Σ over the batch and over pairs of places, for pairs of taps."""
    names = itertools.count()
    n, q, o, c = ([next(names) for _ in dim] for dim in (*g.axes[:3], x.axes[2]))
    p, r, t = ([next(names) for _ in met] for _ in range(3))
    operands: list[object] = [gradient, [*n, *q, *o, *p], seen, [*n, *q, *c, *r]]
    for atom, label in zip(g.axes[0], n, strict=True):
        operands += [patterns(atom).pairs, [label]]
    for i, table in enumerate(met):
        operands += [table, [t[i], p[i], r[i]]]
    found = np.einsum(*operands, [*q, *o, *c, *t], optimize=True)  # type: ignore[call-overload]
    return np.asarray(found.reshape([size for size in found.shape if size != 1]))


def _met_means(g: Moments, x: Moments, lines: Sequence[Line], taps: Sequence[Dim]) -> Array:
    """Σ of the products of means."""
    one, other = _by_places(g, len(lines)), _by_places(x, len(lines))
    for i, line in enumerate(lines):
        atom, seen = _atom(g, 3 + i), tables(line, _atom(x, 3 + i), _atom(g, 3 + i)).blocks
        one, other = one.swapaxes(3, 3 + i), other.swapaxes(3, 3 + i)
        # a place of g meets as many places of each block of x as it sees, over all taps
        other = along(other, np.array(atom, float)[:, None] * seen / line.kernel, 3)
        one, other = one.swapaxes(3, 3 + i), other.swapaxes(3, 3 + i)
    shares = block_shares((g.axes[0],)).reshape(-1) * extent(g.axes[0])
    letters = "xyz"[: len(lines)]
    found = np.einsum(f"nqo{letters},nqc{letters},n->qoc", one, other, shares)
    kept = [len(atom) for dim in (g.axes[1], g.axes[2], x.axes[2]) for atom in dim]
    means: Array = found.reshape(kept + [1 for dim in taps for _ in dim])
    return means


def _by_places(x: Moments, rank: int) -> Array:
    """`mean` as (batch, groups, channels, *places), one axis for each."""
    sizes = [math.prod(len(atom) for atom in dim) for dim in x.axes]
    return x.mean.reshape(sizes[: 3 + rank])


def lines_of(
    call: Call, places: Sequence[int], kernel: Sequence[int], sums: Sequence[int], turned: bool
) -> list[Line]:
    """The lines of a call whose arguments may be given once for all axes."""
    rank = len(kernel)
    given = [
        tuple(call[name]) * (rank if len(call[name]) == 1 else 1)
        for name in ("stride", "padding", "dilation")
    ]
    stride, padding, dilation = given
    return [
        Line(places[i], sums[i], kernel[i], stride[i], padding[i], dilation[i], turned) for i in range(rank)
    ]


def weighted(lines: Sequence[Line], w: Moments) -> list[Line]:
    """The lines with the shares of the taps of a weight (out, in, *kernel)."""
    return [replace(line, taps=taps(w, 2 + i)) for i, line in enumerate(lines)]


def _at_its_place(w: Value, lines: Sequence[Line], groups: int, transposed: bool) -> Picking | None:
    """The base of a weight that gives each place itself."""
    if groups > 1 or transposed:
        return None
    return at_centre(w, [(line.padding, line.dilation) for line in lines])


def _picked(x: Value, w: Value, lines: Sequence[Line], groups: int, transposed: bool) -> Value | None:
    """The convolution with a weight that gives each place, or every so-many-th, itself."""
    picks = _at_its_place(w, lines, groups, transposed)
    found = None if picks is None else picked(x, 1, w.shape[0], w)
    return None if found is None else every(found, 2, [line.stride for line in lines])


@rule("convolution", "_convolution", "convolution_overrideable")
def convolution(call: Call) -> Value:
    """A convolution, or a transposed one, with bias."""
    x, w, groups = call.value("input"), call.value("weight"), call["groups"]
    lines = lines_of(call, x.shape[2:], w.shape[2:], call.shape[2:], call["transposed"])
    known = _picked(x, w, lines, groups, call["transposed"])
    if known is not None:
        return known if call.get("bias") is None else _biased(known, call.value("bias"))
    kernel, lines = turned(w.moments, groups) if call["transposed"] else w.moments, weighted(lines, w.moments)
    moments = forward(x.moments, kernel, groups, lines)
    luck, other = x.spread_over(tuple(range(1, len(x.shape)))), w.spread.shared
    grams = {x.bases: forward(strayed(x, [1]), kernel, groups, lines)} if w.parameter else {}
    notes = x.notes | w.notes | one_sided(x, w) | again(w, FOLLOWED, x)
    y = values.fresh(moments, spread=luck + other, notes=notes, grams=_per_tap(grams, lines))
    _remember(call, y, x, w, lambda moments: forward(moments, kernel, groups, lines))
    return y if call.get("bias") is None else _biased(y, call.value("bias"))


def _remember(call: Call, y: Value, x: Value, w: Value, change: Callable[[Moments], Moments]) -> None:
    """Keep how a convolution was made, for a weight that is in several places."""
    if w.parameter and w.single is not None:
        given = tuple(str(call[name]) for name in ("stride", "padding", "dilation", "transposed", "groups"))
        key = (call.name, x.shape, *given)
        kin.remember(y, kin.Mapped(x, w.terms[0].factors[0].base, key, change))


def _per_tap(grams: Grams, lines: Sequence[Line]) -> Grams:
    """Products through different taps stray independently: √taps in place of taps."""
    taps = math.prod(line.kernel for line in lines)
    return {root: scale(gram, taps**-0.25) for root, gram in grams.items()}


def _biased(y: Value, bias: Value) -> Value:
    shape = (1, bias.shape[0]) + (1,) * (len(y.shape) - 2)
    return biased(y, values.reshaped(bias, shape))


@rule("convolution_backward")
def convolution_gradient(call: Call) -> list[Value | None]:
    """At the input, the weight and the bias."""
    g, x, w = call.value("grad_output"), call.value("input"), call.value("weight")
    groups, mask, transposed = call["groups"], call["output_mask"], call["transposed"]
    found: list[Moments | None] = [None, None, None]
    luck, other = g.spread_over(tuple(range(1, len(g.shape)))), w.spread.shared
    here = tuple(d for d in range(len(g.shape)) if d != 1)
    both = g.spread_over(here), x.spread_over(here)
    if mask[0]:
        back = weighted(lines_of(call, g.shape[2:], w.shape[2:], x.shape[2:], not transposed), w.moments)
        kernel = w.moments if transposed else turned(w.moments, groups)
        found[0] = forward(g.moments, kernel, groups, back)
    if mask[1]:
        one, seen = (x, g) if transposed else (g, x)
        lines = lines_of(call, seen.shape[2:], w.shape[2:], one.shape[2:], False)
        moments = weight_gradient(one.moments, seen.moments, groups, lines, w.shape)
        found[1] = scale(moments, both[0].together(both[1]) ** 0.5)
    if mask[2]:
        found[2] = total(g.moments, [0, *range(2, len(g.shape))], keep=False)
    spreads = (luck + other, (both[0] + both[1]).shared, both[0].shared)
    back_values = [_value(m, s, g.notes | x.notes) for m, s in zip(found, spreads, strict=True)]
    forth = lines_of(call, x.shape[2:], w.shape[2:], g.shape[2:], transposed)
    picks = _at_its_place(w, forth, groups, transposed)
    if back_values[0] is not None:
        _remember(call, back_values[0], g, w, lambda moments: forward(moments, kernel, groups, back))
    if back_values[1] is not None:
        key = (groups, transposed, str(lines), w.shape)
        made = kin.Product(one, seen, key, lambda a, b: weight_gradient(a, b, groups, lines, w.shape))
        kin.remember(back_values[1], made)
    if mask[0] and picks is not None and g.shape[2:] == x.shape[2:]:
        back_values[0] = picked(g, 1, x.shape[1], w) or back_values[0]
    return back_values


def _value(moments: Moments | None, spread: Luck, notes: frozenset[str]) -> Value | None:
    return None if moments is None else values.fresh(moments, spread=spread, notes=notes)
