"""Related: which values depend on each other in ways that are not followed, so that this can be said.

What a norm, a softmax, a log or a mean over neighbours makes is a base of its own: its moments are known, and
what it has in common with where it came from is lost. Bases behind a contraction with weights start anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bases import Base

if TYPE_CHECKING:
    from .terms import Term
    from .values import Value


def depends(made: Value, *sources: Value) -> None:
    """Say that `made`, a value of its own, depends on `sources` in a way that is not followed."""
    _add(made, frozenset(base for value in sources for base in value.bases))


def depends_linearly(made: Value, gradient: Value) -> None:
    """Say the same of a gradient: slopes of activations that it was multiplied with do not count."""
    factors = (factor for term in gradient.terms for factor in term.factors)
    _add(made, frozenset(factor.base for factor in factors if factor.values is None))


def lasts(made: Value, *sources: Value) -> None:
    """As `depends`, told of what is made of `made`, too: scores of a log-softmax come back in losses."""
    depends(made, *sources)
    known = frozenset(base.number for value in sources for base in value.bases)
    for base in made.bases:
        base.lasting = base.lasting | known


def rebased(made: Value, source: Value) -> None:
    """Say of `source` under another base what it depends on: what lasts, and drawn parameters multiplied in.

    exp(dt·A) of one A is alike at all steps of a scan.
    """
    factors = (factor for term in source.terms if len(term.factors) > 1 for factor in term.factors)
    drawn = {f.base.number for f in factors if f.base.parameter and not f.base.moments.fixed}
    known = frozenset(drawn).union(*(base.lasting for base in source.bases))
    for base in made.bases:
        base.lasting = base.lasting | known


def _add(made: Value, sources: frozenset[Base]) -> None:
    known = frozenset().union(*(base.opaque | {base.number} for base in sources))
    for base in made.bases:
        base.opaque = base.opaque | known


def dependent(x: Value, y: Value) -> bool:
    """Have two values, of different bases, something in common that their product or sum leaves out?"""
    tied = any(_tied(one, other) for one in x.bases for other in y.bases if one is not other)
    return tied or _met_again(x, y)


def _met_again(x: Value, y: Value) -> bool:
    one, other = (frozenset().union(*(base.lasting for base in value.bases)) for value in (x, y))
    return bool(one) and not one.isdisjoint(other) and x.bases != y.bases


def _tied(one: Base, other: Base) -> bool:
    if not one.opaque and not other.opaque:
        return False
    mine, theirs = one.opaque | {one.number}, other.opaque | {other.number}
    return not (mine.isdisjoint(other.opaque) and theirs.isdisjoint(one.opaque))


def tell(note: str, *operands: Value) -> None:
    """Say of a product of dependent operands that its gradients are no better known."""
    for value in operands:
        for base in value.bases:
            base.told.add(note)


def told(*operands: Value) -> frozenset[str]:
    """What products with these rest on, of all that was told."""
    return frozenset().union(*(base.told for value in operands for base in value.bases))


def seen_otherwise(x: Value, y: Value) -> bool:
    """Is one of them a view of the other, as in x·xᵀ? Other places of one tensor are no such view."""
    return bool(x.bases & y.bases) or any(_alike(one, other) for one in x.terms for other in y.terms)


def _alike(one: Term, other: Term) -> bool:
    """Is all of the shorter term in the other too? Angles common to queries and keys are not enough."""
    less, more = sorted(({f.base for f in term.factors} for term in (one, other)), key=len)
    return all(any(_view_of(base, whole) for whole in more) for base in less)


def _view_of(one: Base, other: Base) -> bool:
    return one.number == other.number and not _elsewhere(one.places, other.places)


def _elsewhere(one: frozenset[tuple[object, ...]], other: frozenset[tuple[object, ...]]) -> bool:
    """Were different places selected, as of queries and keys made by one layer?"""
    return bool(one - other and other - one)
