"""Covariances of bases that came of the same draws: Cov(x·W, y·W) = Σ E[w²]·E[x·y].

Two histories are followed back side by side, as `kin` remembers them: products to the covariances of their
operands, views to those of what they are views of, sums term by term, functions by their Hermite
coefficients (Mehler). `Moments` stand for what two tensors have: `second` is over patterns (i of the one, j
of the other), and not symmetric. None says that there is nothing, or nothing that is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import kin, quadrature
from .algebra import centre, multiply, with_mean
from .axes import (
    block_shape,
    left_blocks,
    pattern_shape,
    right_blocks,
    single,
    spread_left,
    spread_right,
    start,
)
from .bases import Base, Factor
from .moments import Moments, broadcast, expand
from .sided import (
    apart,
    at_two_places,
    left_of,
    less,
    mean_of,
    means_over,
    on_axes,
    placed,
    plus,
    right_of,
    series_over,
    size_of,
    transposed,
)

if TYPE_CHECKING:
    from .terms import Term
    from .values import Value

MOST = 60_000
"""Covariances that are followed in one prediction; the rest is taken as nothing, and a note says so."""
PIECES = 64
"""Tensors side by side of which all pairs are looked at."""
SLIGHT = 1e-6
"""Correlations below this are none."""

Factors = tuple[Factor, ...]
Terms = Sequence[tuple[float, Factors]]


def covariance(one: Base, other: Base) -> Moments | None:
    """E[x_i·y_j] − E[x_i]·E[y_j] over patterns."""
    if one is other:
        return less(one.moments, apart(one.moments, one.moments))
    known = kin.family().covariances
    key = (id(one), id(other))
    if key not in known:
        if not kin.marks_of(one) & kin.marks_of(other) or not _fit(one.moments.shape, other.moments.shape):
            return None
        if len(known) >= MOST:
            kin.family().exhausted = True
            return None
        found = _heard(_followed(one, other), one, other)
        known[key] = (one, other, found)
        known[key[::-1]] = (other, one, None if found is None else transposed(found))
    return known[key][2]


def _fit(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Do tensors of these shapes broadcast?"""
    return len(one) == len(other) and all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))


def _heard(found: Moments | None, one: Base, other: Base) -> Moments | None:
    """What was found, in the shape of the bases; None if it is nothing."""
    if found is None:
        return None
    if np.abs(found.second).max(initial=0.0) <= SLIGHT * size_of(one.moments, other.moments):
        return None
    whole = np.broadcast_shapes(one.moments.shape, other.moments.shape)
    return found if found.shape == whole else expand(found, whole)


def _followed(one: Base, other: Base) -> Moments | None:
    match one.made, other.made:
        case kin.Product() as a, kin.Product() as b:
            return _without_means(_of_products(a, b), one, other)
        case kin.Mapped() as a, kin.Mapped() as b if (id(a.weight), a.key) == (id(b.weight), b.key):
            found = meeting(a.x, b.x)
            return None if found is None else _without_means(a.change(found), one, other)
        case kin.View() as a, kin.View() as b if a.key == b.key or (a.place and b.place):
            return _of_views(a, b)
        case kin.Linear() as a, kin.Linear() as b if a.key == b.key:
            found = of_values(a.x, b.x)
            return None if found is None else a.change(found)
        case kin.Norm() as a, kin.Norm() as b if (a.dims, a.centred) == (b.dims, b.centred):
            return _of_norms(a, b)
        case kin.Joined() as a, kin.Joined() as b:
            return _of_joined(a, b)
    return _of_unlike(one, other)


def _of_unlike(one: Base, other: Base) -> Moments | None:
    """Taken apart is the younger: it may hold the older, and what that is made of."""
    for base, rest in sorted(((one, other), (other, one)), key=lambda pair: -pair[0].number):
        terms = terms_of(base)
        if isinstance(base.made, kin.Norm):
            found = _of_norm_and(base.made, rest)
        elif terms:
            found = of_terms(terms, [(1.0, (Factor(rest),))])
        else:
            continue
        return found if base is one or found is None else transposed(found)
    return None


def _of_products(one: kin.Product, other: kin.Product) -> Moments | None:
    """Σ E[x·x′]·E[y·y′]."""
    if one.key != other.key:
        return None
    y = meeting(one.y, other.y)
    x = None if y is None else meeting(one.x, other.x)
    return None if x is None or y is None else one.change(x, y)


def _without_means(found: Moments | None, one: Base, other: Base) -> Moments | None:
    if found is None or not (one.moments.mean.any() and other.moments.mean.any()):
        return found
    return less(found, apart(one.moments, other.moments))


def _of_views(one: kin.View, other: kin.View) -> Moments | None:
    """The covariance of what they are views of, seen in the same way."""
    if one.key == other.key:
        found = covariance(one.base, other.base)
        return None if found is None else one.change(found)
    if one.place is None or other.place is None or one.place[0] != other.place[0]:
        return None
    found = covariance(one.base, other.base)
    return None if found is None else at_two_places(found, one.place[0], one.place[1], other.place[1])


def _of_norms(one: kin.Norm, other: kin.Norm) -> Moments | None:
    found = of_values(one.x, other.x)
    if found is None:
        return None
    found = centre(found, one.dims) if one.centred else found
    found, _ = placed(found, one.moments, one.rate)
    found, right = placed(found, other.moments, other.rate)
    left = placed(found, one.moments, one.rate)[1]
    both = spread_left(left, found.axes) * spread_right(right, found.axes)
    return replace(found, second=found.second * both)


def _of_norm_and(norm: kin.Norm, other: Base) -> Moments | None:
    """Of x less its mean, at its rate, and something else."""
    found = of_terms(listed(norm.x.terms), [(1.0, (Factor(other),))])
    if found is None:
        return None
    if norm.centred:
        found = replace(found, second=found.second - with_mean(found, norm.dims, swap=True))
    found, rate = placed(found, norm.moments, norm.rate)
    return replace(found, second=found.second * spread_left(rate, found.axes))


def _of_joined(one: kin.Joined, other: kin.Joined) -> Moments | None:
    """Of each piece with the one in its place; pieces in different places are taken as strangers."""
    dim, k = one.dim, len(one.pieces)
    atom = tuple(piece.shape[dim] for piece in one.pieces)
    if dim != other.dim or k > PIECES or atom != tuple(piece.shape[dim] for piece in other.pieces):
        return None
    known = [of_values(a, b) for a, b in zip(one.pieces, other.pieces, strict=True)]
    if all(found is None for found in known):
        return None
    axes = (*one.moments.axes[:dim], (atom,), *one.moments.axes[dim + 1 :])
    second = np.zeros(pattern_shape(axes))
    rows = np.moveaxis(second, start(axes, dim), 0)
    for at, found in enumerate(known):
        if found is not None:
            seen = on_axes(found, (*axes[:dim], single(atom[at]), *axes[dim + 1 :])).second
            differ, same = np.moveaxis(seen, start(axes, dim), 0) if atom[at] > 1 else (seen, seen)
            rows[at * k + at], rows[k * k + at] = differ, same
    return Moments(axes, second, np.zeros(block_shape(axes)))


# values and terms


def meeting(x: Value, y: Value) -> Moments | None:
    """E[x_i·y_j] over patterns; None for shapes that do not fit, as of attention to 48 keys and to 96."""
    if not _fit(x.shape, y.shape):
        return None
    found = of_values(x, y)
    means = apart(x.moments, y.moments)
    if not means.second.any():
        return found
    return means if found is None else plus(found, means)


def of_values(x: Value, y: Value) -> Moments | None:
    """The covariance of two values."""
    return of_terms(listed(x.terms), listed(y.terms))


def listed(terms: Sequence[Term]) -> Terms:
    return [(term.coefficient, term.factors) for term in terms]


def of_terms(one: Terms, other: Terms) -> Moments | None:
    found: Moments | None = None
    for (a, s), (b, t) in itertools.product(one, other):
        part = _of_two(s, t)
        if part is not None:
            part = replace(part, second=part.second * (a * b))
            found = part if found is None else plus(found, part)
    return found


def _of_two(s: Factors, t: Factors) -> Moments | None:
    """Cov(∏s, ∏t), from what the factors have in common."""
    known, key = kin.family().products, (tuple(map(id, s)), tuple(map(id, t)))
    if key not in known:
        known[key] = (s, t, _looked_at(s, t))
    return known[key][2]


def _looked_at(s: Factors, t: Factors) -> Moments | None:
    common, left, right = common_and_alone(s, t)
    rest = _of_rest(left, right) if kin.akin(left, right) else None
    if rest is None and not common:
        return None
    if rest is None and (_idle(left) or _idle(right)):
        return _negative(s, t)
    return less(_all(common, rest, left, right), apart(mean_of(s), mean_of(t)))


def _idle(factors: Factors) -> bool:
    """Is one of them of mean 0, so that alone it makes the product's mean 0?"""
    return any(factor.centred for factor in factors)


def _negative(s: Factors, t: Factors) -> Moments | None:
    """−E[s]·E[t]; None where that is 0."""
    if _idle(s) or _idle(t):
        return None
    means = apart(mean_of(s), mean_of(t))
    return replace(means, second=-means.second)


def product(s: Factors, t: Factors) -> Moments:
    """E[∏s·∏t] over patterns as `second`, and E[∏s] as `mean`."""
    common, left, right = common_and_alone(s, t)
    return _all(common, _of_rest(left, right) if kin.akin(left, right) else None, left, right)


Pairs = list[tuple[Factor, Factor]]


def common_and_alone(s: Factors, t: Factors) -> tuple[Pairs, Factors, Factors]:
    """Functions of common bases, and those of bases that only one of the two has."""
    theirs = {id(factor.base): factor for factor in t}
    common, alone = [], []
    for factor in s:
        other = theirs.pop(id(factor.base), None)
        if other is None:
            alone.append(factor)
        else:
            common.append((factor, other))
    return common, tuple(alone), tuple(theirs.values())


def _all(common: Pairs, rest: Moments | None, left: Factors, right: Factors) -> Moments:
    parts = [pair(one, other) for one, other in common]
    parts += [rest] if rest is not None else [left_of(f) for f in left] + [right_of(f) for f in right]
    found = parts[0]
    for part in parts[1:]:
        found = multiply(found, part)
    return found


def _of_rest(left: Factors, right: Factors) -> Moments | None:
    """E[∏f·∏g] of factors without a common base; None where they are strangers."""
    if not left or not right:
        return None
    known = kin.family().rests
    key = (tuple(map(id, left)), tuple(map(id, right)))
    if key not in known:
        found = _followed_rest(left, right) if len(known) < MOST else None
        known[key] = (left, right, found)
    return known[key][2]


def _followed_rest(left: Factors, right: Factors) -> Moments | None:
    sums = [factor for factor in (*left, *right) if factor.values is None and terms_of(factor.base)]
    if not sums or (len(left) == len(right) == 1 and left[0].values is right[0].values is None):
        return _paired_off(left, right)
    # a younger sum may hold an older one, and what that is made of
    youngest = max(sums, key=lambda factor: factor.base.number)
    if youngest in left:
        return _term_by_term(youngest, left, right)
    found = _term_by_term(youngest, right, left)
    return None if found is None else transposed(found)


def _term_by_term(whole: Factor, beside: Factors, others: Factors) -> Moments | None:
    """A factor that is a sum, each of its terms; those beside it are taken as strangers to the others."""
    beside = tuple(factor for factor in beside if factor is not whole)
    if _idle(beside):
        return None
    found = of_terms(terms_of(whole.base), [(1.0, others)])
    if found is None:
        return None
    found = plus(found, apart(left_of(whole), mean_of(others)))
    for factor in beside:
        found = multiply(found, left_of(factor))
    return found


def _paired_off(left: Factors, right: Factors) -> Moments | None:
    """Each factor with the first of the others that it covaries with."""
    free, pairs, alone = list(right), [], []
    for mine in left:
        theirs = next((f for f in free if covariance(mine.base, f.base) is not None), None)
        if theirs is None:
            alone.append(mine)
        else:
            pairs.append((mine, theirs))
            free.remove(theirs)
    if not pairs or _idle((*alone, *free)):
        return None
    return _all(pairs, None, tuple(alone), tuple(free))


def terms_of(base: Base) -> Terms:
    """The terms of a base that is a sum, or a view of one."""
    if isinstance(base.made, kin.Sum):
        return listed(base.made.terms)
    if isinstance(base.made, kin.View) and base.made.place is None:
        return _seen(terms_of(base.made.base), base.made)
    return ()


def _seen(terms: Terms, view: kin.View) -> Terms:
    """Terms in the places of a view; none where one of them cannot follow."""
    found = []
    for coefficient, factors in terms:
        if any(factor.base.moments.shape != view.base.moments.shape for factor in factors):
            return ()
        moved = [factor.moved(view.key, view.change) for factor in factors]
        if any(factor is None for factor in moved):
            return ()
        found.append((coefficient, tuple(factor for factor in moved if factor is not None)))
    return found


# factors


def pair(mine: Factor, theirs: Factor) -> Moments:
    """E[f(x_i)·g(y_j)] of one base, or of kin."""
    if not kin.family().shared:
        return _of_one(mine, theirs)
    known, key = kin.family().pairs, (id(mine), id(theirs))
    if key not in known:
        found = _of_one(mine, theirs) if mine.base is theirs.base else _of_kin(mine, theirs)
        known[key] = (mine, theirs, found)
    return known[key][2]


def _of_one(mine: Factor, theirs: Factor) -> Moments:
    return Moments(mine.base.moments.axes, mine.with_other(theirs), mine.mean)


def _of_kin(mine: Factor, theirs: Factor) -> Moments:
    """E[f(x_i)·g(y_j)] at the correlation of x and y: Σ f_k·g_k·ρᵏ."""
    known = covariance(mine.base, theirs.base)
    assert known is not None
    x, y = mine.base.moments, theirs.base.moments
    for _ in range(2):  # what the second refines, the first needs too
        known, x = broadcast(known, x)
        known, y = broadcast(known, y)
    axes, mean = known.axes, means_over(mine.mean, mine, x)
    means = spread_left(mean, axes) * spread_right(means_over(theirs.mean, theirs, y), axes)
    if mine.values is None and theirs.values is None:
        return Moments(axes, known.second + means, mean)
    spread = spread_left(np.sqrt(x.variance), axes) * spread_right(np.sqrt(y.variance), axes)
    rho = np.divide(known.second, spread, out=np.zeros_like(spread), where=spread > 1e-150)
    left, right = series_over(mine, x)[left_blocks(axes)], series_over(theirs, y)[right_blocks(axes)]
    series = quadrature.correlated(left, right, np.zeros(()), np.clip(rho, -1.0, 1.0))
    return Moments(axes, series + means, mean)
