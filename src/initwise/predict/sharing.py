"""Sharing: what came of one weight in several places meets; what is said where that is not followed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import covariances, kin
from .axes import start, swapped
from .bases import Base
from .moments import Moments
from .sided import apart, at_two_places, less, on_axes, plus, size_of

if TYPE_CHECKING:
    from .values import Value

SHARED = "one weight in several places: what its outputs have in common is not followed"
ALIKE = 1e-3
"""Correlation between places of one tensor from which on they are followed apart."""
AUDIBLE = 0.02
"""Correlation from which on two that meet in a product are no strangers."""
PIECES = 64
"""Tensors side by side of which all pairs are looked at."""


def left_out(x: Value, y: Value) -> frozenset[str]:
    """The note, if two values that meet in a product covary because one weight was in several places."""
    if not kin.family().shared:
        return frozenset()
    if x.shape == y.shape:
        found = of_strangers(x, y)
        met = found is not None and bool(np.abs(found.second).max() > AUDIBLE * size_of(x.moments, y.moments))
    else:
        met = any(_met(one, other) for one in _plain(x) for other in _plain(y))
    return frozenset({SHARED}) if met else frozenset()


def of_strangers(x: Value, y: Value) -> Moments | None:
    """The covariance of the terms that have no base in common: of the others a product knows."""
    pairs = itertools.product(covariances.listed(x.terms), covariances.listed(y.terms))
    apart_ = [(s, t) for s, t in pairs if not covariances.common_and_alone(s[1], t[1])[0]]
    found: Moments | None = None
    for s, t in apart_:
        part = covariances.of_terms([s], [t])
        if part is not None:
            found = part if found is None else plus(found, part)
    return found


def _plain(x: Value) -> list[Base]:
    return [term.factors[0].base for term in x.terms if len(term.factors) == 1]


def _met(one: Base, other: Base) -> bool:
    return one is not other and covariances.covariance(one, other) is not None


def otherwise(x: Value, y: Value) -> bool:
    """Are both of one tensor, in ways whose covariance is not known: overlapping ranges, a mirror image?"""
    return any(_lost(one, other) for one in x.bases for other in y.bases if one.number == other.number)


def _lost(one: Base, other: Base) -> bool:
    while one is not other:
        match one.made, other.made:
            case kin.View() as a, kin.View() as b if a.key == b.key:
                one, other = a.base, b.base
            case kin.View() as a, kin.View() as b if a.place and b.place and a.place[0] == b.place[0]:
                return a.base is not b.base
            case _:
                return True
    return False


def taken_apart(x: Value, dim: int, index: int) -> None:
    """Say that a place is selected: where places of one tensor covary, so does what they become."""
    family, base = kin.family(), x.terms[0].factors[0].base
    if family.shared:
        return
    first = family.selected.setdefault(id(base), (base, (dim, index)))[1]
    if first[0] == dim and first[1] != index:
        whole = less(x.moments, apart(x.moments, x.moments))
        found = np.abs(at_two_places(whole, dim, first[1], index).second).max(initial=0.0)
        family.shared = bool(found > ALIKE * x.moments.mean_square)


def uncounted(pieces: Sequence[Value]) -> frozenset[str]:
    """The note, if more tensors side by side covary than `side_by_side` looks at."""
    if not kin.family().shared or len(pieces) <= PIECES:
        return frozenset()
    met = covariances.of_values(pieces[-2], pieces[-1]) is not None
    return frozenset({SHARED}) if met else frozenset()


def side_by_side(moments: Moments, pieces: Sequence[Value], dim: int) -> Moments:
    """Tensors of size 1 one after another along `dim`, with what they have in common."""
    if not kin.family().shared or len(pieces) > PIECES or moments.axes[dim] != ((1,) * len(pieces),):
        return moments
    second, k = moments.second.copy(), len(pieces)
    rows = np.moveaxis(second, start(moments.axes, dim), 0)
    others = (*moments.axes[:dim], (), *moments.axes[dim + 1 :])
    for one, other in itertools.combinations(range(k), 2):
        found = covariances.of_values(pieces[one], pieces[other])
        if found is not None:
            found = on_axes(found, others)
            rows[one * k + other] += found.second
            rows[other * k + one] += swapped(found.second, others)
    return Moments(moments.axes, second, moments.mean)
