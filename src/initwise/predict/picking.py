"""What a weight that only picks, or only adds up what is all the same, makes of a tensor: that tensor itself.

Behind an identity tanh(tanh(x)) is a function of x, and no draw of a Gaussian of its variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np

from . import values
from .axes import block_shares
from .bases import Base, Factor
from .maps import cut_out, pad, reshape, resize, select
from .moments import Moments
from .terms import Term
from .values import Value

TURNED = ("permute", (1, 0))


class Picking(Base):
    """A weight that is `gain` where output and input have the same number, and else 0.

    Attributes:
        gain: that factor.
        centre: the tap of each spatial axis at which it is so.
    """

    def __init__(self, moments: Moments, gain: float, centre: tuple[int, ...] = ()) -> None:
        super().__init__(moments)
        self.gain, self.centre = gain, centre

    def view(self, key: Hashable, change: Callable[[Moments], Moments]) -> Base:
        """A transposed one picks, too."""
        if key == TURNED and key not in self._views:
            self._views[key] = Picking(change(self.moments), self.gain)
        return super().view(key, change)


def picking(moments: Moments, gain: float, centre: tuple[int, ...], notes: frozenset[str]) -> Value:
    """The value of such a weight."""
    return Value((Term((Factor(Picking(moments, gain, centre)),)),), notes)


def picks(w: Value) -> Picking | None:
    """The base of a weight that picks."""
    factor = w.single
    return (
        factor.base
        if factor is not None and factor.values is None and isinstance(factor.base, Picking)
        else None
    )


def through(x: Value, x_labels: str, w: Value, w_labels: str, out: str) -> Value | None:
    """The contraction, if one of the two picks, or is constant over what is all the same; else None."""
    for one, labels, other, other_labels in ((x, x_labels, w, w_labels), (w, w_labels, x, x_labels)):
        shared = [label for label in labels if label in other_labels and label not in out]
        if len(other_labels) != 2 or len(shared) != 1:
            continue
        dim, free = labels.index(shared[0]), other_labels.replace(shared[0], "")
        if labels.replace(shared[0], free) == out:
            found = _along(one, dim, other, other.shape[other_labels.index(free)])
            if found is not None:
                return found
    return None


def _along(x: Value, dim: int, w: Value, size: int) -> Value | None:
    if picks(w) is not None:
        return picked(x, dim, size, w)
    moments = w.moments
    if moments.mean.size == 1 and moments.mean.any() and moments.fixed and _all_same(x.moments, dim):
        return values.scaled(_resized(x, dim, size), x.shape[dim] * moments.overall_mean)
    return None


def picked(x: Value, dim: int, size: int, w: Value) -> Value | None:
    """gain·x with the first `size` elements of an axis; zeros behind where there are not so many.

    None where the first ones are not known from the others. Later rules may average over the zeros, and
    over which were first: the weight's notes stay then.
    """
    weight, have = picks(w), x.shape[dim]
    if weight is None or not _countable(x.moments, dim, min(size, have)):
        return None
    if have == size:
        return values.scaled(x, weight.gain)
    if have < size:
        found = values.fresh(pad(x.moments, dim, 0, size - have), x.law, spread=x.scale_spread)
    else:
        found = values.moved(x, ("first", dim, size), lambda m: _first(m, dim, size), x.shape)
    return replace(values.scaled(found, weight.gain), notes=x.notes | w.notes)


def _countable(m: Moments, dim: int, size: int) -> bool:
    inner = math.prod(sum(atom) for atom in m.axes[dim][1:])
    return size <= inner or size % inner == 0


def _first(m: Moments, dim: int, size: int) -> Moments:
    """The first elements of an axis, which may be one of channels and their places."""
    if len(m.axes[dim]) <= 1 or not _countable(m, dim, size):
        return cut_out(m, dim, 0, size)
    inner = math.prod(sum(atom) for atom in m.axes[dim][1:])
    split = reshape(m, (*m.shape[:dim], m.shape[dim] // inner, inner, *m.shape[dim + 1 :]))
    if size <= inner:
        return _first(select(split, dim, 0), dim, size)
    kept = cut_out(split, dim, 0, size // inner)
    return reshape(kept, (*m.shape[:dim], size, *m.shape[dim + 1 :]))


def every(x: Value, first: int, strides: Sequence[int]) -> Value:
    """Every so-many-th place along the axes from `first` on."""
    for dim, step in enumerate(strides, first):
        x = x if step == 1 else _every(x, dim, step)
    return x


def _every(x: Value, dim: int, step: int) -> Value:
    return values.moved(x, ("every", dim, step), lambda m: cut_out(m, dim, 0, m.shape[dim], step), x.shape)


def _resized(x: Value, dim: int, size: int) -> Value:
    """All the same along an axis, as many of them as asked for."""
    if x.shape[dim] == size:
        return x
    return values.moved(x, ("one of", dim, size), lambda m: resize(cut_out(m, dim, 0, 1), dim, size), x.shape)


def _all_same(m: Moments, dim: int) -> bool:
    """Are all elements along an axis one and the same number?"""
    if not m.axes[dim]:
        return True
    if len(m.axes[dim]) > 1 or len(m.axes[dim][0]) > 1:
        return False
    place = sum(len(axes) for axes in m.axes[:dim])
    differ, same = m.second.take(0, place), m.second.take(1, place)
    return bool((abs(differ - same) <= 1e-9 * abs(same).max(initial=0.0)).all()) and bool(same.any())


def at_centre(w: Value, axes: Sequence[tuple[int, int]]) -> Picking | None:
    """The base of a kernel that gives each place itself; `axes` are their (padding, dilation)."""
    weight = picks(w)
    if weight is None or len(weight.centre) != len(axes):
        return None
    still = all(p == c * d for c, (p, d) in zip(weight.centre, axes, strict=True))
    return weight if still else None


def taps(w: Moments, dim: int) -> tuple[float, ...]:
    """E[w²] of the places along an axis over their mean; () where they are alike."""
    if len(w.axes[dim]) != 1 or len(w.axes[dim][0]) == 1:
        return ()
    atom, place = w.axes[dim][0], sum(len(axes) for axes in w.axes[:dim])
    squares = np.moveaxis(w.square * block_shares(w.axes), place, 0).reshape(len(atom), -1).sum(1)
    each = np.repeat(squares / np.array(atom), atom)
    return tuple(float(value) for value in each / each.mean()) if each.any() else ()
