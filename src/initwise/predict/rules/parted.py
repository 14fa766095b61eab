"""Norms written in parts: x·f(m), m the mean of the squares of that very x, and the gradient behind them.

Autograd takes x·f(m) back as g·f(m) and x·f′(m)·Σ g·x, two tensors that meet in a sum. Together they are
what a norm layer gives: f(m)·(g − x̂·mean(g·x̂)), which is less than g·f(m) and not more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .. import quadrature, related, values
from ..algebra import scale
from ..bases import Factor
from ..terms import Term
from ..values import Value
from .normalisation import across
from .pointwise import DEPENDENT

NORMED = "normed"
ALONG = "along"
PROJECTED = "projected"
"""The origin of Σ g·x: (PROJECTED, g, what x was normed to)."""


@dataclass(frozen=True, eq=False)
class Normed:
    """x̂ = x·f(m), and the number of f(m)'s base."""

    value: Value
    rate: int


def by_its_rms(x: Value, rate: Value) -> Value | None:
    """x·f(m). What luck x had is divided out."""
    factor = rate.single
    origin = factor.base.origin if factor is not None else ()
    if factor is None or factor.values is None or origin[:1] not in (("of square",), ("square",)):
        return None
    whole = x if x.single is not None else x.rebased()
    single = whole.single
    if single is None or single.values is not None or single.base.number != origin[1]:
        return None
    moments = values.times(whole, rate).moments
    size = x.moments.mean_square
    share = (moments.mean_square / size) ** 0.5 if size > 0 else 0.0
    grams = {root: scale(gram, share) for root, gram in whole.grams.items()}
    found = values.fresh(moments, notes=x.notes | rate.notes, grams=grams)
    related.depends(found, whole)
    x.memo[NORMED] = Normed(found, factor.base.number)
    return found


def product(x: Value, y: Value) -> Value:
    """x·y, which remembers that it is a gradient times what was normed."""
    found = values.times(x, y)
    if related.dependent(x, y):
        related.tell(DEPENDENT.format("mul"), x, y)
    found = values.noted(found, related.told(x, y))
    for whole, g in ((x, y), (y, x)):
        if NORMED in whole.memo and g.shape == whole.shape:
            found.memo[ALONG] = (PROJECTED, g, whole.memo[NORMED])
    return found


def total(x: Value, y: Value, alpha: float) -> Value:
    """x + alpha·y; of g·f(m) and x·f′(m)·Σ g·x the first, without its part along x̂."""
    y = y if alpha == 1.0 else values.scaled(y, alpha)
    for one, other in ((x, y), (y, x)):
        known = next((factor.base.origin for factor in _projections(other)), None)
        left = None if known is None else _less_its_projection(one, other, *known[1:])
        if left is not None:
            return left
    return values.plus(x, y)


def _projections(x: Value) -> list[Factor]:
    found = [factor for term in x.terms for factor in term.factors if factor.base.origin[:1] == (PROJECTED,)]
    return found if len(found) == 1 else []


def _less_its_projection(x: Value, along: Value, g: Value, normed: Normed, dims: list[int]) -> Value | None:
    """x without what g·f(m) has along x̂, if it holds g·f(m); `along` holds x·f′(m)·Σ g·x."""
    direct = [term for term in x.terms if any(_rate_times(term, one, normed.rate) for one in g.terms)]
    back = next(term for term in along.terms if _projections(Value((term,))))
    if len(direct) != len(g.terms) or _slope(back, normed.rate) >= 0:
        return None
    left = across(g, normed.value, dims) ** 0.5
    terms = [replace(t, coefficient=t.coefficient * left) if t in direct else t for t in x.terms]
    rest = [term for term in along.terms if term is not back]
    found = Value(tuple(terms), x.notes | along.notes)
    return values.plus(found, Value(tuple(rest), along.notes)) if rest else found


def _rate_times(term: Term, one: Term, rate: int) -> bool:
    """Is it `one` times a function of the base `rate`, up to its sign?"""
    numbers = {factor.base.number for factor in term.factors}
    known = {factor.base.number for factor in one.factors}
    return rate in numbers and numbers - {rate} == known - {rate} and term.coefficient * one.coefficient > 0


def _slope(term: Term, rate: int) -> float:
    """The sign of x·f′(m)·Σ g·x: f falls, and what is on its way back along x is taken away."""
    found = term.coefficient
    for factor in term.factors:
        if factor.base.number == rate:
            found *= float(factor.overall.mean())
        elif factor.values is not None:
            found *= float((factor.overall * quadrature.GRID).mean())
    return found
