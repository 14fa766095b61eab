"""Values: what is known of one tensor while a model is interpreted.

A `Value` is a sum of terms, a term a product of functions of bases. So what two tensors have in
common is not forgotten: in `(1 − z)·n + z·h` the gate z is one base in two terms, and a gradient
g·φ′(x) times φ(x) is g times a function of x, not three strangers.

What cannot be said as such a sum (tanh of a sum of bases) becomes a base of its own: its moments
and its law are kept, of what it shares with its parts only how they gate each other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from . import kin, luck, quadrature, related, sharing
from .algebra import multiply, scale
from .axes import Array, swapped
from .bases import Base, Factor, Grams
from .luck import NONE, Luck
from .maps import reshape
from .moments import Moments, broadcast, constant, expand, independent
from .roots import recent
from .samples import sampled_terms
from .terms import Term

PARTS = "parts"
"""The origin of a complex base: (PARTS, real part, imaginary part); see `parts`."""
MAX_TERMS = 6
MAX_FACTORS = 6
"""A longer sum or product becomes a base of its own."""
SMALL_SHARE = 0.02
"""Share of a sum's size below which nobody sees a term's luck."""


@dataclass(frozen=True, eq=False)
class Value:
    """One tensor's state.

    Attributes:
        terms: what it is the sum of.
        notes: assumptions that it rests on and that may fail, in words.
        mask: for attention scores, which of them take part (a bool tensor), or None.
    """

    terms: tuple[Term, ...]
    notes: frozenset[str] = field(default_factory=frozenset)
    mask: Any = None

    @cached_property
    def memo(self) -> dict[Hashable, Any]:
        """What rules have derived from this very value, so that forward and backward share it."""
        return {}

    @cached_property
    def moments(self) -> Moments:
        """Its moments, from its terms."""
        if len(self.terms) == 1 and len(self.terms[0].factors) == 1:
            return _of_one(self.terms[0])
        return _of_sum(self.terms)

    @cached_property
    def scale_spread(self) -> Luck:
        """The luck of E[x²] that the scales of its bases bring."""
        return self._weighted(lambda term: term.spread)

    @cached_property
    def spread(self) -> Luck:
        """The luck of the mean of x² over the last axis, from one draw of the weights to the next."""
        return self.spread_over((len(self.shape) - 1,) if self.shape else ())

    def spread_over(self, dims: tuple[int, ...]) -> Luck:
        """The luck of the mean of x² over the axes `dims`."""
        return self._weighted(lambda term: term.luck(dims))

    def _weighted(self, spread: Callable[[Term], Luck]) -> Luck:
        if len(self.terms) == 1:
            return spread(self.terms[0])
        sizes = [term.with_itself for term in self.terms]
        whole = sum(sizes) or 1.0
        shares = [size / whole for size in sizes]
        kept = [place for place, share in enumerate(shares) if share > SMALL_SHARE]
        return luck.weighted([shares[i] for i in kept], [spread(self.terms[i]) for i in kept])

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        shapes = [factor.base.moments.shape for term in self.terms for factor in term.factors]
        alike = all(shape == shapes[0] for shape in shapes)
        return shapes[0] if alike else tuple(np.broadcast_shapes(*shapes))

    @property
    def single(self) -> Factor | None:
        """Its function, if it is a function of one base alone."""
        if len(self.terms) != 1 or len(self.terms[0].factors) != 1:
            return None
        (factor,), coefficient = self.terms[0].factors, self.terms[0].coefficient
        return factor if coefficient == 1.0 else Factor(factor.base, factor.on_grid * coefficient)

    @cached_property
    def law(self) -> Array | None:
        """Its standardized law on the quadrature's grid, None if it is Gaussian: all blocks as one."""
        factors = [factor for term in self.terms for factor in term.factors]
        plain = all(factor.values is None and factor.base.law is None for factor in factors)
        if plain and all(len(term.factors) == 1 for term in self.terms):
            return None
        return quadrature.standardized(sampled_terms(self.terms))

    @cached_property
    def grams(self) -> Grams:
        """Those of its bases, times the second moments of the other factors; none behind functions."""
        found: Grams = {}
        for term in self.terms:
            for factor in term.factors:
                if factor.values is None and all(f.values is None for f in term.factors):
                    for root, gram in factor.base.grams.items():
                        part = _with_rest(gram, term, factor)
                        found[root] = _summed(found[root], part) if root in found else part
        return recent(found)

    @property
    def parameter(self) -> bool:
        """Are its elements drawn independently?"""
        return all(factor.base.parameter for term in self.terms for factor in term.factors)

    @property
    def bases(self) -> frozenset[Base]:
        """The bases it depends on."""
        return frozenset(factor.base for term in self.terms for factor in term.factors)

    def rebased(self, moments: Moments | None = None) -> Value:
        """The same moments (or `moments`) as a base of its own; without `moments` the same one each time."""
        if moments is not None:
            return fresh(moments, spread=self.scale_spread, notes=self.notes)
        if "rebased" not in self.memo:
            origin = ("sum", self.terms) if len(self.terms) > 1 else ()
            self.memo["rebased"] = fresh(
                self.moments,
                self.law,
                spread=self.scale_spread,
                notes=self.notes,
                grams=self.grams,
                origin=origin,
            )
            kin.remember(self.memo["rebased"], kin.Sum(self.terms))
            related.rebased(self.memo["rebased"], self)
        found: Value = self.memo["rebased"]
        return found


def _with_rest(gram: Moments, term: Term, mine: Factor) -> Moments:
    found = scale(gram, term.coefficient)
    for factor in term.factors:
        if factor is not mine:
            found = multiply(found, _of_one(Term((factor,))))
    return replace(found, mean=np.zeros_like(found.mean))


def _of_one(term: Term) -> Moments:
    (factor,) = term.factors
    if factor.values is None:
        moments = factor.base.moments
    else:
        moments = Moments(factor.base.moments.axes, factor.with_other(factor), factor.mean)
    return moments if term.coefficient == 1.0 else scale(moments, term.coefficient)


def _of_sum(terms: tuple[Term, ...]) -> Moments:
    found = _of_term(terms[0])
    for place, one in enumerate(terms):
        if place:
            found = _summed(found, _of_term(one))
        for other in terms[:place]:
            if one.tied_to(other):
                found = _summed(found, both_ways(one.with_other(other)))
    return found


def both_ways(x: Moments) -> Moments:
    """E[s_i·t_j] + E[t_i·s_j], for the moments of s_i·t_j."""
    return Moments(x.axes, x.second + swapped(x.second, x.axes), np.zeros_like(x.mean))


def _of_term(term: Term) -> Moments:
    return _of_one(term) if len(term.factors) == 1 else term.itself


def _summed(x: Moments, y: Moments) -> Moments:
    x, y = broadcast(x, y)
    return Moments(x.axes, x.second + y.second, x.mean + y.mean)


# making


def fresh(
    moments: Moments,
    law: Array | None = None,
    *,
    spread: Luck = NONE,
    notes: frozenset[str] = frozenset(),
    origin: tuple[Any, ...] = (),
    parameter: bool = False,
    grams: Grams | None = None,
) -> Value:
    """A value that is a base of its own."""
    base = Base(moments, law, spread, origin, parameter=parameter, grams=grams)
    return Value((Term((Factor(base),)),), notes)


def fixed(shape: tuple[int, ...], number: float) -> Value:
    """The number everywhere."""
    return fresh(constant(shape, number))


def uniform(shape: tuple[int, ...], low: float, high: float) -> Value:
    """Independent elements, uniform on [low, high)."""
    law = (quadrature.QUANTILES - 0.5) * np.sqrt(12.0)
    return fresh(independent(shape, (low + high) / 2, (high - low) ** 2 / 12), law)


def noted(value: Value, notes: frozenset[str]) -> Value:
    """The same value, resting on `notes` too."""
    found = replace(value, notes=value.notes | notes)
    found.__dict__["memo"] = value.memo  # what rules derived holds for both
    return found


# arithmetic


def _joined(*values: Value) -> dict[str, Any]:
    """Notes of all; the mask of the first that has one."""
    notes = frozenset().union(*(value.notes for value in values))
    return {"notes": notes, "mask": next((v.mask for v in values if v.mask is not None), None)}


def plus(x: Value, y: Value, alpha: float = 1.0) -> Value:
    """x + alpha·y."""
    terms = _collected((*x.terms, *(replace(term, coefficient=term.coefficient * alpha) for term in y.terms)))
    value = Value(terms, **_joined(x, y))
    if len(terms) <= MAX_TERMS:
        return value
    if x.bases & y.bases or len(x.terms) == len(y.terms):
        return value.rebased()
    # the shorter one stays what it is: a gate of it may come next, as in (h − n)·z + n
    return plus(x.rebased(), y, alpha) if len(x.terms) > len(y.terms) else plus(x, y.rebased(), alpha)


def _collected(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Terms that are functions of one and the same base as one term."""
    alone: dict[int, Term] = {}
    rest = []
    for term in terms:
        if len(term.factors) != 1:
            rest.append(term)
            continue
        (factor,) = term.factors
        known = alone.get(id(factor.base))
        if known is not None:
            values = known.coefficient * known.factors[0].on_grid + term.coefficient * factor.on_grid
            term = Term((Factor(factor.base, values),))
        alone[id(factor.base)] = term
    return (*alone.values(), *rest)


def times(x: Value, y: Value) -> Value:
    """x·y, element by element."""
    terms = tuple(one.times(other) for one in x.terms for other in y.terms)
    joined = _joined(x, y)
    joined["notes"] |= sharing.left_out(x, y)
    value = Value(terms, **joined)
    if len(terms) <= MAX_TERMS and max(len(term.factors) for term in terms) <= MAX_FACTORS:
        return value
    if not x.bases & y.bases:
        tie = x.scale_spread.together(y.scale_spread)
        moments = scale(multiply(x.moments, y.moments), tie**0.5)
        product = fresh(moments, spread=x.scale_spread + y.scale_spread)
        kin.remember(product, kin.Sum(terms))
        return Value(product.terms, **joined)
    return value.rebased()


def scaled(x: Value, factor: float) -> Value:
    """factor·x."""
    return replace(x, terms=tuple(replace(t, coefficient=t.coefficient * factor) for t in x.terms))


def shifted(x: Value, number: float) -> Value:
    """x + number."""
    factor = x.single
    if factor is not None:
        return replace(x, terms=(Term((Factor(factor.base, factor.on_grid + number),)),))
    return plus(x, fixed((1,) * len(x.shape), number))


def moved(x: Value, key: Hashable, change: Callable[[Moments], Moments], shape: tuple[int, ...]) -> Value:
    """`x` after `change`, a map of places that works on any tensor of x's shape.

    `key` tells two changes apart, so that a base moved twice in the same way is still one base.
    """
    found = x.memo.get(("moved", key))
    if found is None:
        found = x.memo["moved", key] = _moved(x, key, change, shape)
    return found


def _moved(x: Value, key: Hashable, change: Callable[[Moments], Moments], shape: tuple[int, ...]) -> Value:
    terms = []
    for term in x.terms:
        factors = [_moved_factor(factor, key, change, x.shape) for factor in term.factors]
        if any(factor is None for factor in factors):
            return replace(x.rebased(change(x.moments)), mask=None)
        terms.append(term.moved(tuple(factor for factor in factors if factor is not None)))
    return replace(x, terms=tuple(terms), mask=None)


def _moved_factor(
    factor: Factor, key: Hashable, change: Callable[[Moments], Moments], shape: tuple[int, ...]
) -> Factor | None:
    origin = factor.base.origin
    if factor.base.moments.shape != shape:
        full = factor.moved(("expand", shape), lambda moments: expand(moments, shape))
        if full is None:
            return None
        factor = full
    found = factor.moved(key, change)
    if origin[:1] == (PARTS,) and found is not None and not found.base.origin:
        whole = (expanded(part, shape) for part in origin[1:])
        found.base.origin = (PARTS, *(moved(part, key, change, shape) for part in whole))
    return found


def reshaped(x: Value, shape: Sequence[int]) -> Value:
    """The same elements in row-major order under a new shape."""
    wanted = tuple(shape)
    return x if x.shape == wanted else moved(x, ("reshape", wanted), lambda m: reshape(m, wanted), x.shape)


def expanded(x: Value, shape: Sequence[int]) -> Value:
    """Broadcast to `shape`."""
    wanted = tuple(shape)
    return x if x.shape == wanted else moved(x, ("expand", wanted), lambda m: expand(m, wanted), x.shape)
