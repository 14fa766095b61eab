"""Kin: bases that came of the same weights, and how they covary.

A weight that is used in several places (a recurrence, a layer applied again, copies of a layer) gives
outputs that covary as its inputs do: Cov(x·W, y·W) = Σ E[w²]·E[x·y]. Every base knows how it was made, and
covariances are found by going back through both histories side by side, only where two bases have such a
weight in common: networks without one pay nothing.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from . import quadrature
from .algebra import centre, contract, multiply, with_mean
from .axes import (
    Array,
    Axes,
    block_shape,
    extent,
    left_blocks,
    pattern_shape,
    right_blocks,
    single,
    spread_left,
    spread_right,
    start,
    swapped,
)
from .moments import Moments, aligned, broadcast, expand, flat, uniform

if TYPE_CHECKING:
    from .bases import Base, Factor
    from .terms import Term
    from .values import Value

SLIGHT = 1e-3
"""Correlation between places of one tensor below which they are taken as strangers."""
PIECES = 64
"""Tensors side by side of which all pairs are looked at."""
MOST = 20_000
"""Covariances that are followed in one prediction."""


@dataclass
class Family:
    """What one prediction knows of weights in several places.

    Attributes:
        shared: number of a weight that was used more than once → its bit.
        known: (one, other) by identity → their covariance; the bases are kept, so that identities last.
        descents: base by identity → (how many weights were shared then, the base, their bits).
    """

    shared: dict[int, int] = field(default_factory=dict)
    met: set[int] = field(default_factory=set)
    rests: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Any, Any, Moments | None]] = field(
        default_factory=dict
    )
    selected: dict[int, tuple[Base, Any]] = field(default_factory=dict)
    known: dict[tuple[int, int], tuple[Base, Base, Moments | None]] = field(default_factory=dict)
    descents: dict[int, tuple[int, Base, int]] = field(default_factory=dict)


_FAMILY = Family()


@contextlib.contextmanager
def followed() -> Iterator[None]:
    """A family of its own for one prediction."""
    global _FAMILY
    before, _FAMILY = _FAMILY, Family()
    try:
        yield
    finally:
        _FAMILY = before


def shares(number: int) -> None:
    """Say that the weight of this number is used again."""
    _FAMILY.shared.setdefault(number, 1 << len(_FAMILY.shared))


def meets(value: Value) -> None:
    """Say that a parameter is used here, whatever for: used again elsewhere, it is shared."""
    for base in value.bases:
        if base.number in _FAMILY.met:
            shares(base.number)
        _FAMILY.met.add(base.number)


def taken_apart(base: Base, key: Any) -> None:
    """Say that a place is selected; where places of one tensor covary, it is shared by what they become."""
    if key[:1] != ("select",) or base.number in _FAMILY.shared:
        return
    known = _FAMILY.selected.setdefault(id(base), (base, key))[1]
    if known != key and known[1] == key[1] and _covary(base, key[1]):
        shares(base.number)


def _covary(base: Base, dim: int) -> bool:
    found = covariance(base, base)
    assert found is not None
    second = _at_two_places(found, dim, 0, base.moments.shape[dim] - 1).second
    return bool(np.abs(second).max(initial=0.0) > SLIGHT * base.moments.mean_square)


def remembered() -> bool:
    """Is it kept how bases are made? On the way back only where a weight is known to be shared."""
    return bool(_FAMILY.shared) or torch._C._current_graph_task_id() < 0


def remember(value: Value, made: Made) -> None:
    """Keep how a value of its own was made."""
    if remembered():
        (term,) = value.terms
        term.factors[0].base.made = made


# descent


def _sources(base: Base) -> tuple[Base, ...]:
    return () if base.made is None else base.made.sources


def descent(base: Base) -> int:
    """The shared weights that `base` came of, as bits. No recursion: histories are long."""
    version, stack = len(_FAMILY.shared), [base]
    while stack:
        one = stack[-1]
        missing = [source for source in _sources(one) if _known_descent(source, version) is None]
        if missing:
            stack += missing
            continue
        bits = _FAMILY.shared.get(one.number, 0)
        for source in _sources(one):
            bits |= _known_descent(source, version) or 0
        _FAMILY.descents[id(one)] = (version, one, bits)
        stack.pop()
    return _known_descent(base, version) or 0


def _known_descent(base: Base, version: int) -> int | None:
    found = _FAMILY.descents.get(id(base))
    return found[2] if found is not None and found[0] == version else None


def akin(one: Term, other: Term) -> bool:
    """May two terms covary because of a weight in several places?"""
    if not _FAMILY.shared:
        return False
    mine, theirs = (_descents([f.base for f in term.factors]) for term in (one, other))
    return bool(mine & theirs)


def _descents(bases: list[Base]) -> int:
    bits = 0
    for base in bases:
        bits |= descent(base)
    return bits


# how a base was made


@dataclass(frozen=True)
class Product:
    """A contraction of two values."""

    x: Value
    x_labels: str
    y: Value
    y_labels: str
    out: str

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return (*self.x.bases, *self.y.bases)

    def covariance(self, other: Product) -> Moments | None:
        """Σ E[x·x′]·E[y·y′], less the product of the means."""
        if (self.x_labels, self.y_labels, self.out) != (other.x_labels, other.y_labels, other.out):
            return None
        # weights first: most have nothing in common
        operands = sorted(((self.y, other.y), (self.x, other.x)), key=lambda pair: not pair[0].parameter)
        found = {id(one): meeting(one, two) for one, two in operands}
        x, y = found[id(self.x)], found[id(self.y)]
        if x is None or y is None:
            return None
        both = contract(x, self.x_labels, y, self.y_labels, self.out)
        apart = contract(
            _apart(self.x.moments, other.x.moments),
            self.x_labels,
            _apart(self.y.moments, other.y.moments),
            self.y_labels,
            self.out,
        )
        return _less(both, apart)


@dataclass(frozen=True)
class Sum:
    """A sum of terms, or one term."""

    terms: tuple[Term, ...]

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(factor.base for term in self.terms for factor in term.factors)


@dataclass(frozen=True)
class View:
    """The elements of another base in other places."""

    base: Base
    key: Any
    change: Callable[[Moments], Moments]

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return (self.base,)

    def covariance(self, other: View) -> Moments | None:
        """The covariance of what they are views of, seen in the same way."""
        if self.key == other.key:
            found = covariance(self.base, other.base)
            return None if found is None else self.change(found)
        match self.key, other.key:
            case ("select", int(dim), int(i)), ("select", int(d), int(j)) if dim == d:
                found = covariance(self.base, other.base)
                return None if found is None else _at_two_places(found, dim, i, j)
        return None


def _at_two_places(x: Moments, dim: int, i: int, j: int) -> Moments:
    """E[x_i…·x_j…] for two different places of axis `dim`, which is gone."""
    x = flat(x, dim)
    second, mean = x.second, x.mean
    if x.axes[dim]:
        (atom,) = x.axes[dim]
        ends, place = np.cumsum(atom), start(x.axes, dim)
        one, other = (int(np.searchsorted(ends, index, side="right")) for index in (i, j))
        second = np.take(second, one * len(atom) + other, axis=place)
        mean = np.take(mean, one, axis=place)
    return Moments((*x.axes[:dim], *x.axes[dim + 1 :]), second, mean)


@dataclass(frozen=True)
class Norm:
    """x̂ over the axes `dims`, `rate` over the blocks of x."""

    x: Value
    moments: Moments
    dims: tuple[int, ...]
    centred: bool
    rate: Array

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(self.x.bases)

    def covariance(self, other: Norm) -> Moments | None:
        """That of what is normalised, each side at its own rate."""
        if (self.dims, self.centred) != (other.dims, other.centred):
            return None
        found = _covariance_of(self.x, other.x)
        if found is None:
            return None
        found = centre(found, self.dims) if self.centred else found
        found, _ = _placed(found, self.moments, self.rate)
        found, right = _placed(found, other.moments, other.rate)
        left = _placed(found, self.moments, self.rate)[1]
        both = spread_left(left, found.axes) * spread_right(right, found.axes)
        return Moments(found.axes, found.second * both, found.mean)


    def beside(self, other: Base) -> Moments | None:
        """Cov(x̂, y): of x less its mean, at its rate."""
        found = _of_terms(self.x.terms, (_alone(other),))
        if found is None:
            return None
        if self.centred:
            found = replace(found, second=found.second - with_mean(found, self.dims, swap=True))
        found, rate = _placed(found, self.moments, self.rate)
        return replace(found, second=found.second * spread_left(rate, found.axes))


def _placed(x: Moments, blocks: Moments, numbers: Array) -> tuple[Moments, Array]:
    """`x` with blocks fine enough for numbers over the blocks of another tensor, and those over its own."""
    given = Moments(blocks.axes, np.zeros_like(blocks.second), np.broadcast_to(numbers, blocks.mean.shape))
    x, given = aligned(x, given, [(d, d) for d in range(len(x.axes))])
    return x, given.mean


def side_by_side(moments: Moments, pieces: Sequence[Value], dim: int) -> Moments:
    """Tensors of size 1 one after another along `dim`, with what they have in common."""
    if not _FAMILY.shared or len(pieces) > PIECES or moments.axes[dim] != ((1,) * len(pieces),):
        return moments
    second, place, k = moments.second.copy(), start(moments.axes, dim), len(pieces)
    rows = np.moveaxis(second, place, 0)
    others = (*moments.axes[:dim], (), *moments.axes[dim + 1 :])
    for one, other in itertools.combinations(range(k), 2):
        found = _covariance_of(pieces[one], pieces[other])
        if found is not None:
            found = _on(found, others)
            rows[one * k + other] += found.second
            rows[other * k + one] += swapped(found.second, others)
    return Moments(moments.axes, second, moments.mean)


@dataclass(frozen=True)
class Joined:
    """Tensors one after another along `dim`."""

    pieces: tuple[Value, ...]
    moments: Moments
    dim: int

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(base for piece in self.pieces for base in piece.bases)

    def covariance(self, other: Joined) -> Moments | None:
        """That of each piece with the one in its place; others are taken as strangers."""
        sizes = [[piece.shape[self.dim] for piece in one.pieces] for one in (self, other)]
        atom, k = tuple(sizes[0]), len(sizes[0])
        if sizes[0] != sizes[1] or self.dim != other.dim or len(self.pieces) > PIECES:
            return None
        known = [_covariance_of(one, two) for one, two in zip(self.pieces, other.pieces, strict=True)]
        if all(found is None for found in known):
            return None
        axes = (*self.moments.axes[: self.dim], (atom,), *self.moments.axes[self.dim + 1 :])
        second, place = np.zeros(pattern_shape(axes)), start(axes, self.dim)
        rows = np.moveaxis(second, place, 0)
        for at, found in enumerate(known):
            if found is not None:
                one = (*axes[: self.dim], single(atom[at]), *axes[self.dim + 1 :])
                found = np.moveaxis(_on(found, one).second, place, 0) if atom[at] > 1 else _on(found, one).second
                rows[at * k + at] = found[0] if atom[at] > 1 else found
                rows[k * k + at] = found[1] if atom[at] > 1 else found
        return Moments(axes, second, np.zeros(block_shape(axes)))


def _on(x: Moments, axes: Axes) -> Moments:
    """`x` on given axes; blocks that these have not are averaged away."""
    x = expand(x, [extent(dim) for dim in axes])
    blank = Moments(axes, np.zeros(pattern_shape(axes)), np.zeros(block_shape(axes)))
    for dim, wanted in enumerate(axes):
        x = x if x.axes[dim] == wanted else uniform(flat(x, dim), dim)
    return aligned(x, blank, [(d, d) for d in range(len(axes))])[0]


Made = Product | Sum | View | Norm | Joined

# covariances


def covariance(one: Base, other: Base) -> Moments | None:
    """E[x_i·y_j] − E[x_i]·E[y_j] over patterns as `second`; None where there is none, or none is known."""
    if one is other:
        return _less(one.moments, _apart(one.moments, one.moments))
    if not _FAMILY.shared or not descent(one) & descent(other):
        return None
    key = (id(one), id(other))
    if key in _FAMILY.known:
        return _FAMILY.known[key][2]
    if key[::-1] in _FAMILY.known:
        found = _FAMILY.known[key[::-1]][2]
        return None if found is None else _swapped(found)
    if len(_FAMILY.known) >= MOST:
        return None
    found = _followed(one, other)
    if found is not None and found.shape != one.moments.shape:
        found = expand(found, one.moments.shape)
    _FAMILY.known[key] = (one, other, found)
    return found


def _followed(one: Base, other: Base) -> Moments | None:
    if type(one.made) is type(other.made) and not isinstance(one.made, Sum | None):
        found: Moments | None = one.made.covariance(other.made)
        if found is not None:
            return found
    # a younger sum may hold an older one, and what that is made of
    for base in sorted((one, other), key=lambda base: -base.number):
        terms, rest = _terms_of(base), other if base is one else one
        if isinstance(base.made, Norm):
            found = base.made.beside(rest)
        elif terms:
            found = _of_terms(terms, (_alone(rest),))
        else:
            continue
        return found if base is one or found is None else _swapped(found)
    return None


def _alone(base: Base) -> Term:
    from .bases import Factor

    return _term([Factor(base)])


def meeting(x: Value, y: Value) -> Moments | None:
    """E[x_i·y_j] over patterns as `second`; None where it is 0 everywhere, for all that is known."""
    found = _covariance_of(x, y)
    if not (x.moments.mean.any() and y.moments.mean.any()):
        return found
    apart = _apart(x.moments, y.moments)
    return apart if found is None else _plus(found, apart)


def _covariance_of(x: Value, y: Value) -> Moments | None:
    return _of_terms(x.terms, y.terms)


def _of_terms(one: tuple[Term, ...], other: tuple[Term, ...]) -> Moments | None:
    found: Moments | None = None
    for s in one:
        for t in other:
            part = _of_two(s, t)
            if part is not None:
                found = part if found is None else _plus(found, part)
    return found


def _of_two(s: Term, t: Term) -> Moments | None:
    """Cov(s, t), from what their factors have in common; None where nothing is."""
    common, left, right = _sorted(s, t)
    rest = _of_rest(left, right)
    if rest is None and not common:
        return None
    found = _all(common, rest, left, right)
    apart = _apart_of(s, t)
    return _times(_less(found, apart), s.coefficient * t.coefficient)


def product(s: Term, t: Term) -> Moments:
    """E[s_i·t_j] over patterns as `second` and E[s] as `mean`, both without the terms' coefficients."""
    common, left, right = _sorted(s, t)
    return _all(common, _of_rest(left, right), left, right)


Pairs = list[tuple["Factor", "Factor"]]


def _sorted(s: Term, t: Term) -> tuple[Pairs, list[Factor], list[Factor]]:
    """Functions of common bases, and those of bases that only one of the two has."""
    theirs = {id(factor.base): factor for factor in t.factors}
    common = [(f, theirs.pop(id(f.base))) for f in s.factors if id(f.base) in theirs]
    alone = [f for f in s.factors if t.function_of(f.base) is None]
    return common, alone, list(theirs.values())


def _all(
    common: Pairs, rest: Moments | None, left: Sequence[Factor], right: Sequence[Factor]
) -> Moments:
    parts = [pair(one, other) for one, other in common]
    parts += [rest] if rest is not None else [pair(f, None) for f in left] + [pair(None, f) for f in right]
    found = parts[0]
    for part in parts[1:]:
        found = multiply(found, part)
    return found


def _of_rest(left: list[Factor], right: list[Factor]) -> Moments | None:
    """E[∏f·∏g] of factors without a common base; None where they are strangers."""
    if not _FAMILY.shared or not left or not right:
        return None
    if not _descents([f.base for f in left]) & _descents([f.base for f in right]):
        return None
    key = (tuple(map(id, left)), tuple(map(id, right)))
    if key not in _FAMILY.rests:
        _FAMILY.rests[key] = (tuple(left), tuple(right), _followed_rest(left, right))
    return _FAMILY.rests[key][2]


def _followed_rest(left: list[Factor], right: list[Factor]) -> Moments | None:
    sums = [factor for factor in (*left, *right) if _summed(factor)]
    if not sums or (len(left) == len(right) == 1 and left[0].values is right[0].values is None):
        return _paired_off(left, right)
    # a younger sum may hold an older one, and what that is made of
    youngest = max(sums, key=lambda factor: factor.base.number)
    if youngest in left:
        return _taken_apart(youngest, left, right)
    found = _taken_apart(youngest, right, left)
    return None if found is None else _swapped(found)


def _taken_apart(whole: Factor, beside: list[Factor], others: list[Factor]) -> Moments | None:
    """A sum that is a factor, met term by term; the factors beside it are taken as strangers to the others."""
    found = _of_terms(_summed(whole), (_term(others),))
    if found is None:
        return None
    found = _plus(found, _apart_of(_term([whole]), _term(others)))
    for factor in beside:
        if factor is not whole:
            found = multiply(found, pair(factor, None))
    return found


def _paired_off(left: list[Factor], right: list[Factor]) -> Moments | None:
    """Each factor with the first of the others that it covaries with."""
    free, parts, met = list(right), [], False
    for mine in left:
        theirs = next((f for f in free if covariance(mine.base, f.base) is not None), None)
        parts.append(pair(mine, theirs))
        if theirs is not None:
            free.remove(theirs)
            met = True
    if not met:
        return None
    found = parts[0]
    for part in [*parts[1:], *(pair(None, f) for f in free)]:
        found = multiply(found, part)
    return found


def _summed(factor: Factor) -> tuple[Term, ...]:
    """The terms of a base that is a sum, where it is not a function of it."""
    return () if factor.values is not None else _terms_of(factor.base)


def _terms_of(base: Base) -> tuple[Term, ...]:
    """The terms of a base that is a sum, or a view of one."""
    if isinstance(base.made, View):
        return _seen(_terms_of(base.made.base), base.made)
    return base.made.terms if isinstance(base.made, Sum) else ()


def _seen(terms: tuple[Term, ...], view: View) -> tuple[Term, ...]:
    """Terms in the places of a view; none where one of them cannot follow."""
    found = []
    for term in terms:
        if any(factor.base.moments.shape != view.base.moments.shape for factor in term.factors):
            return ()
        factors = [factor.moved(view.key, view.change) for factor in term.factors]
        if any(factor is None for factor in factors):
            return ()
        found.append(replace(term, factors=tuple(factor for factor in factors if factor is not None)))
    return tuple(found)


def _term(factors: Sequence[Factor]) -> Term:
    from .terms import Term

    return Term(tuple(factors))


def _swapped(x: Moments) -> Moments:
    return Moments(x.axes, swapped(x.second, x.axes), x.mean)


def _apart_of(s: Term, t: Term) -> Moments:
    """E[s]·E[t] over patterns, of factors that are independent within each term, without coefficients."""
    return _apart(_mean_of(s), _mean_of(t))


def _mean_of(t: Term) -> Moments:
    found = pair(t.factors[0], None)
    for factor in t.factors[1:]:
        found = multiply(found, pair(factor, None))
    return found


def pair(mine: Factor | None, theirs: Factor | None) -> Moments:
    """E[f(x_i)·g(y_j)] of one base or of kin; a missing function is 1."""
    if mine is not None and theirs is not None:
        if mine.base is theirs.base:
            return Moments(mine.base.moments.axes, mine.with_other(theirs), mine.mean)
        return _of_kin(mine, theirs)
    if mine is not None:
        axes = mine.base.moments.axes
        return Moments(axes, spread_left(mine.mean, axes), mine.mean)
    assert theirs is not None
    axes = theirs.base.moments.axes
    return Moments(axes, spread_right(theirs.mean, axes), np.ones_like(theirs.mean))


def _of_kin(mine: Factor, theirs: Factor) -> Moments:
    """E[f(x_i)·g(y_j)] at the correlation of x and y: Σ f_k·g_k·ρᵏ."""
    known = covariance(mine.base, theirs.base)
    assert known is not None
    x, y = mine.base.moments, theirs.base.moments
    for _ in range(2):  # what the second refines, the first needs too
        known, x = broadcast(known, x)
        known, y = broadcast(known, y)
    axes = known.axes
    means = spread_left(_over(mine.mean, mine, x), axes) * spread_right(_over(theirs.mean, theirs, y), axes)
    if mine.values is None and theirs.values is None:
        return Moments(axes, known.second + means, _over(mine.mean, mine, x))
    spread = spread_left(np.sqrt(x.variance), axes) * spread_right(np.sqrt(y.variance), axes)
    rho = np.divide(known.second, spread, out=np.zeros_like(spread), where=spread > 1e-150)
    left = _series(mine, x)[left_blocks(axes)]
    right = _series(theirs, y)[right_blocks(axes)]
    series = quadrature.correlated(left, right, np.zeros(()), np.clip(rho, -1.0, 1.0))
    return Moments(axes, series + means, _over(mine.mean, mine, x))


def _over(means: Array, factor: Factor, moments: Moments) -> Array:
    """Means over the blocks of a base, over those of `moments`, the same tensor cut finer."""
    if factor.base.moments.axes == moments.axes:
        return np.broadcast_to(means, moments.mean.shape)
    return np.full(moments.mean.shape, float(np.mean(means)))


def _series(factor: Factor, moments: Moments) -> Array:
    """Hermite coefficients without the mean, (blocks, terms)."""
    blocks = max(moments.mean.size, 1)
    known = factor.coefficients.reshape(-1, factor.coefficients.shape[-1])
    if len(known) != blocks or factor.base.moments.axes != moments.axes:
        known = np.broadcast_to(known.mean(0), (blocks, known.shape[-1]))
    found = known.copy()
    found[:, 0] = 0.0
    return found


def _apart(x: Moments, y: Moments) -> Moments:
    """E[x_i]·E[y_j] over patterns."""
    x, y = broadcast(x, y)
    both = spread_left(x.mean, x.axes) * spread_right(y.mean, x.axes)
    return Moments(x.axes, both, np.zeros_like(x.mean))


def _plus(x: Moments, y: Moments, sign: float = 1.0) -> Moments:
    x, y = broadcast(x, y)
    return Moments(x.axes, x.second + sign * y.second, np.zeros_like(x.mean))


def _less(x: Moments, y: Moments) -> Moments:
    return _plus(x, y, -1.0)


def _times(x: Moments, factor: float) -> Moments:
    return Moments(x.axes, x.second * factor, x.mean)
