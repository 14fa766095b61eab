"""Terms: products of functions of independent bases, and what two of them have in common."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import covariances, kin, luck, quadrature
from .algebra import average, multiply
from .axes import block_shares, grouping, places_of, same
from .bases import Base, Factor
from .luck import NONE, Luck
from .moments import Moments


@dataclass(frozen=True, eq=False)
class Term:
    """coefficient · ∏ f(base), each base once."""

    factors: tuple[Factor, ...]
    coefficient: float = 1.0

    def function_of(self, base: Base) -> Factor | None:
        return next((factor for factor in self.factors if factor.base is base), None)

    @cached_property
    def spread(self) -> Luck:
        """The luck of E[t²] that its bases' scales bring."""
        found = NONE
        for factor in self.factors:
            found = found + factor.luck
        return found

    @cached_property
    def tie(self) -> float:
        """What E[t²] gains by the luck that its bases have in common."""
        found, tie = self.factors[0].luck, 1.0
        for factor in self.factors[1:]:
            tie *= found.together(factor.luck)
            found = found + factor.luck
        return tie

    @cached_property
    def squares(self) -> Moments:
        """The moments of t² at given scales, over few blocks."""
        squares = self.factors[0].squares
        for factor in self.factors[1:]:
            squares = multiply(squares, factor.squares)
        return squares

    @cached_property
    def common(self) -> dict[Hashable, Any]:
        """What was computed of it, in common with views that only group the same axes otherwise."""
        return {}

    @cached_property
    def even(self) -> bool:
        """Have all its bases the same axes, of atoms of the same sizes?"""
        first = grouping(self.factors[0].base.moments.axes)
        return all(grouping(factor.base.moments.axes) == first for factor in self.factors[1:])

    def luck(self, dims: tuple[int, ...]) -> Luck:
        """Of the mean of t² over the axes `dims` and over all: its bases' scales, and what was drawn."""
        key = ("places", places_of(self.factors[0].base.moments.axes, dims)) if self.even else ("dims", dims)
        for factor in self.factors:
            _ = factor.base.coarse  # takes a number: what is drawn later does not depend on what is known
        if key not in self.common:
            self.common[key] = self.spread + self._drawn(dims)
        found: Luck = self.common[key]
        return found

    def _drawn(self, dims: tuple[int, ...]) -> Luck:
        """Of the mean of t² at given scales, over the axes `dims` and over all: finitely many were drawn."""
        one = average(self.squares, dims)
        every = average(one, range(len(one.axes)))
        mean = max(float(every.mean), 1e-300)
        slices = float((same(one.second, one.axes) * block_shares(one.axes)).sum())
        spread = float((one.mean**2 * block_shares(one.axes)).sum())
        # told apart by what was drawn, not by what a function made of it
        drawn = frozenset(factor.base.number for factor in self.factors)
        alone = max(slices / max(spread, 1e-300) - 1, 0.0)
        return luck.drawn(alone, max(float(every.second) / mean / mean - 1, 0.0), drawn)

    def moved(self, factors: tuple[Factor, ...]) -> Term:
        """The term with its factors moved to other places."""
        found = Term(factors, self.coefficient)
        alike = all(one.common is two.common for one, two in zip(self.factors, factors, strict=True))
        # grouped otherwise, bases that were broadcast or split to meet would meet otherwise
        if alike and self.even:
            found.__dict__["common"] = self.common
        return found

    def times(self, other: Term) -> Term:
        """The product; functions of one base become one function."""
        found = {id(factor.base): factor for factor in self.factors}
        for factor in other.factors:
            mine = found.get(id(factor.base))
            if mine is not None:
                factor = Factor(factor.base, mine.on_grid * factor.on_grid)
            found[id(factor.base)] = factor
        for one, two in ((self, other), (other, self)):
            for factor in one.factors:
                mine = found[id(factor.base)]
                if not _beside_its_root(factor, one.factors):
                    found[id(factor.base)] = _with_its_square(mine, two.factors)
        return Term(_conditioned(tuple(found.values())), self.coefficient * other.coefficient)

    @property
    def centred(self) -> bool:
        """Is its mean 0 everywhere, because that of a factor is?"""
        return any(factor.centred for factor in self.factors)

    def tied_to(self, other: Term) -> bool:
        """Has E[s·t] anything in it: a common base, or two means?"""
        mine = {factor.base for factor in self.factors}
        common = not mine.isdisjoint(factor.base for factor in other.factors)
        return common or not (self.centred or other.centred) or kin.akin(self.factors, other.factors)

    @cached_property
    def itself(self) -> Moments:
        """Its moments."""
        return self.with_other(self)

    @property
    def with_itself(self) -> float:
        """E[t²] over all elements."""
        return self.itself.mean_square

    def with_other(self, other: Term) -> Moments:
        """E[s_i·t_j] over patterns as `second`, E[s] as `mean`, for s this term and t the other."""
        product = covariances.product(self.factors, other.factors)
        tie = 1.0 if len(self.factors) == len(other.factors) == 1 else (self.tie * other.tie) ** 0.5
        factor = self.coefficient * other.coefficient * tie
        return Moments(product.axes, product.second * factor, product.mean * self.coefficient)


def _conditioned(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    """Functions of a sum and of one of its parts: the part takes over what the sum's function owes it.

    E[h(s)²·k(x)²] = E[E[h(s)²|x]·k(x)²], so k becomes k·√(E[h²|x]/E[h²]). A gate behind a residual
    add is open more often where the gate before it was.
    """
    found = list(factors)
    for sum_ in factors:
        terms = sum_.base.origin[1] if sum_.base.origin[:1] == ("sum",) and sum_.values is not None else ()
        parts = {f.base for term in terms for f in term.factors}
        for place, part in enumerate(found):
            if part.base in parts and part.base is not sum_.base:
                share = quadrature.conditional(sum_.overall**2, sum_.base.sample, part.base.sampled_in(terms))
                found[place] = Factor(part.base, part.on_grid * np.sqrt(share))
    return tuple(found)


def _beside_its_root(factor: Factor, factors: tuple[Factor, ...]) -> bool:
    """Is it a function of the mean of x², and x among `factors`?"""
    origin = factor.base.origin
    return origin[:1] == ("of square",) and any(
        f.base.number == origin[1] and f.values is None for f in factors
    )


def _with_its_square(factor: Factor, factors: tuple[Factor, ...]) -> Factor:
    """f(m) beside x, m the mean of x²: E[x²·f(m)²] = E[m·f(m)²], so f becomes f·√(m/E m)."""
    if factor.values is None or not _beside_its_root(factor, factors):
        return factor
    size = factor.base.origin[2].reshape(-1, factor.values.shape[-1])[0]
    return Factor(factor.base, factor.values * np.sqrt(size))
