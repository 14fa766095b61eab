"""Reductions of the elements that an index sends to one place: sums, means, the largest, the smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import maps, values
from ..axes import Array
from ..bases import Factor
from ..moments import measured
from ..terms import Term
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .extremes import Counts, largest, marked
from .indexing import kept, others_cut, real_index, resized
from .separable import mapped

ONE_LINE = "{}: each line goes where the first one goes"


@dataclass(frozen=True)
class Segments:
    """Where elements along an axis go.

    Attributes:
        dim: the axis.
        owner: (elements,) the place that each goes to.
        number: (places,) how many go there.
    """

    dim: int
    owner: NDArray[np.int64]
    number: Array

    def on_axis(self, numbers: Array, rank: int) -> Value:
        """One number for each place, the same on all other axes."""
        shape = [-1 if d == self.dim else 1 for d in range(rank)]
        return values.fresh(measured(np.asarray(numbers, float).reshape(shape)))

    @property
    def counts(self) -> Counts:
        """Over places that are sent anything."""
        numbers, places = np.unique(self.number[self.number > 0], return_counts=True)
        shares = places / places.sum()
        return {float(n): float(share) for n, share in zip(numbers, shares, strict=True)}


def _by_index(call: Call, rows: int, dim: int) -> tuple[Segments, frozenset[str]]:
    index = real_index(call["index"])
    lines = np.moveaxis(index, dim, -1).reshape(-1, index.shape[dim]) if index.ndim > 1 else index[None]
    notes = frozenset() if (lines == lines[0]).all() else frozenset({ONE_LINE.format(call.name)})
    return Segments(dim, lines[0], np.bincount(lines[0], minlength=rows).astype(float)), notes


def _reduced(x: Value, target: Value | None, to: Segments, kind: str, shape: Sequence[int]) -> Value:
    """`target`, if it takes part, and what is sent to each place, reduced."""
    if kind in ("sum", "mean"):
        return _summed(x, target, to, kind, shape)
    sign = {"amax": 1.0, "max": 1.0, "amin": -1.0, "min": -1.0}.get(kind)
    if sign is None:
        raise UnpredictedError(f"elements sent to one place, reduced by {kind}")
    signed, count = values.scaled(x, sign), float(to.number[to.number > 0].mean())
    best = resized(largest(signed, [to.dim], to.counts), shape)
    best = values.scaled(marked(best, signed, (to.dim,), count, 1 / count), sign)
    if target is not None:
        best = _against(best, target, sign)
    if (to.number > 0).all():
        return best
    reached = to.on_axis(to.number > 0, len(shape))
    return values.times(best, values.expanded(reached, tuple(shape)))


def _summed(x: Value, target: Value | None, to: Segments, kind: str, shape: Sequence[int]) -> Value:
    """A matrix along the axis: ones, or one over the number for means, where an element goes."""
    rows = len(to.number)
    number = np.maximum(to.number + (target is not None), 1) if kind == "mean" else np.ones(rows)
    matrix = (np.arange(rows)[:, None] == to.owner[None]) / number[:, None]
    moments = mapped(others_cut(x.moments, to.dim, shape), to.dim, matrix, (rows,))
    found = kept(moments, x)
    if target is None or target.moments.mean_square == 0:
        return found
    return values.plus(
        found, values.times(target, values.expanded(to.on_axis(1 / number, len(shape)), tuple(shape)))
    )


def _against(best: Value, target: Value, sign: float) -> Value:
    """The larger of `best` and a number."""
    if not (target.moments.fixed and target.moments.mean.size == 1):
        raise UnpredictedError("the largest of elements sent to one place and of what varies there")
    factor, number = best.single or best.rebased().single, target.moments.overall_mean
    assert factor is not None
    pick = np.maximum if sign > 0 else np.minimum
    return Value((Term((Factor(factor.base, pick(factor.on_grid, number)),)),), best.notes)


@rule("scatter_reduce", "index_reduce")
def sent_and_reduced(call: Call) -> Value:
    """Elements reduced at the places that an index says; places that none reaches keep what they had."""
    if isinstance(call["index"], FakeTensor):
        raise UnpredictedError("its indices depend on values that are not there")
    source, target, shape = (
        call["src" if "src" in call.arguments else "source"],
        call.value("self"),
        call.shape,
    )
    dim = call["dim"] % max(len(shape), 1)
    to, notes = _by_index(call, shape[dim], dim)
    x = call.of(source) if isinstance(source, Tensor) else values.fixed(shape, float(source))
    found = _reduced(x, target if call["include_self"] else None, to, call["reduce"], shape)
    untouched = values.expanded(to.on_axis(to.number == 0, len(shape)), shape)
    if (to.number == 0).any() and target.moments.mean_square > 0 and _overwrites(call):
        found = values.plus(found, values.times(target, untouched))
    return Value(found.terms, found.notes | notes, found.mask)


def _overwrites(call: Call) -> bool:
    """Do places that nothing reaches lack the target so far?"""
    return not (call["include_self"] and call["reduce"] in ("sum", "mean"))


@rule("segment_reduce")
def neighbours_reduced(call: Call) -> Value:
    """Neighbours along an axis, in runs of given lengths, reduced."""
    to = _runs(call)
    x = call.value("data")
    return _reduced(x, None, to, call["reduce"], call.shape)


def _runs(call: Call) -> Segments:
    lengths, offsets = call.get("lengths"), call.get("offsets")
    numbers = np.diff(real_index(offsets)) if lengths is None else real_index(lengths)
    if numbers.ndim != 1:
        raise UnpredictedError("runs whose lengths differ from line to line")
    return Segments(call["axis"], np.repeat(np.arange(len(numbers)), numbers), numbers.astype(float))


@rule("_segment_reduce_backward")
def neighbours_reduced_gradient(call: Call) -> Value:
    """A run's gradient to each of it (over their number for means), or to one of them."""
    g, to, kind = call.value("grad"), _runs(call), call["reduce"]
    number = np.maximum(to.number, 1)
    share = np.ones(len(number)) if kind == "sum" else 1 / number if kind == "mean" else number**-0.5
    if kind not in ("sum", "mean", "max", "min"):
        raise UnpredictedError(f"the gradient of runs reduced by {kind}")
    matrix = (to.owner[:, None] == np.arange(len(number))[None]) * share[None]
    return kept(maps.reshape(mapped(g.moments, to.dim, matrix, (len(to.owner),)), call.shape), g)
