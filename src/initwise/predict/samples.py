"""Samples: a stratified one of a sum of terms, with a shuffle of its own for every base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import quadrature
from .axes import Array

if TYPE_CHECKING:
    from .bases import Base
    from .terms import Term


def shuffles(terms: tuple[Term, ...]) -> dict[Base, int]:
    """Base → the shuffle of its strata in a sample of the sum."""
    bases = dict.fromkeys(factor.base for term in terms for factor in term.factors)
    return {base: place for place, base in enumerate(bases)}


def sampled_terms(terms: tuple[Term, ...]) -> Array:
    """A stratified sample of a sum."""
    places = shuffles(terms)
    parts = [
        term.coefficient
        * np.prod([quadrature.sampled(f.overall, places[f.base]) for f in term.factors], axis=0)
        for term in terms
    ]
    return np.asarray(np.sum(parts, axis=0))
