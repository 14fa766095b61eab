"""Echoes: a gradient that holds the very output of the weights that it goes back through.

A squared error sends back y − t with y = x·W, and (x·W)·Wᵀ has a mean, n·E[w²]·x: no product of strangers.
What a gate φ′(y) knows of W comes with a gradient of mean 0 and does no such thing.
"""

from __future__ import annotations

from typing import Any

import torch

from . import kin, quadrature, values
from .bases import PRODUCT, Base
from .sharing import SHARED, otherwise
from .terms import Term
from .values import Value

ECHO = "a gradient that holds the output of the weights it goes back through, taken as independent of them"
FOLLOWED = "product"
"""The use of a weight whose outputs' covariances are found; see `covariances`."""
AUDIBLE = 0.02
"""Share of the gradient's mean square."""


def origin(x: Value, y: Value) -> tuple[Any, ...]:
    """The origin of a product: what was drawn for both."""
    return (PRODUCT, frozenset(base.number for base in x.bases | y.bases))


def again(w: Value, operation: str, x: Value | None = None) -> frozenset[str]:
    """The note, if `w` is a weight that was used before and what that means is not followed.

    What a recurrence gives at two steps, or a shared layer for like inputs, is alike: `covariances` knows for
    products and convolutions. A block that is run again in the backward pass, for its activations were not
    kept, is no second place.

    Args:
        x: what it is multiplied with.
    """
    if not w.parameter or torch._C._current_graph_task_id() >= 0:
        return frozenset()
    base = next(iter(w.bases))
    uses = base.uses
    uses.append(operation)
    if operation != FOLLOWED or x is None:
        return frozenset({SHARED}) if len(uses) > 1 else frozenset()
    kin.meets(w)
    lost = kin.family().exhausted or set(uses) != {FOLLOWED} or any(otherwise(x, p) for p in base.partners)
    base.partners.append(x)
    return frozenset({SHARED}) if len(uses) > 1 and lost else frozenset()


def echo(x: Value, y: Value) -> frozenset[str]:
    """The note, if one of the two holds what the other gave."""
    return frozenset({ECHO}) if heard(x, y) or heard(y, x) else frozenset()


def answer(gradient: Value, w: Value, shape: tuple[int, ...], count: int) -> Value | None:
    """What an echo adds to gradient·Wᵀ: a·n·E[w²]·x, for a gradient a·x·W + …; None where that is not known.

    Only on the way back: the same weight met again on the way forward is W, not its transpose.

    Σ_j (Σ_l x_l·w_lj)·w_kj has the mean n·E[w²]·x_k over independent weights of mean 0, and beside it what
    strangers would give.

    Args:
        shape: of the result. count: n, how many weights one element of it sums over.
    """
    if torch._C._current_graph_task_id() < 0:
        return None
    partners = next(iter(w.bases)).partners
    fits = w.parameter and len(partners) == 1 and partners[0].shape == shape
    if not fits or w.moments.overall_mean**2 > AUDIBLE * w.moments.mean_square:
        return None
    numbers = frozenset(base.number for base in w.bases)
    slope = sum(_slope(term, numbers) for term in gradient.terms if len(term.factors) == 1)
    return values.scaled(partners[0], slope * count * w.moments.mean_square)


def _slope(term: Term, numbers: frozenset[int]) -> float:
    """Of a function of one base, how much it grows with what came of these draws."""
    (factor,) = term.factors
    if not _part(factor.base, numbers):
        return 0.0
    known = factor.base.grid.reshape(-1, len(quadrature.GRID)).mean(0)
    covariance = float(quadrature.mean(factor.overall * quadrature.GRID))
    return term.coefficient * covariance / max(float(quadrature.mean(known * quadrature.GRID)), 1e-150)


def of_the_same(x: Value, y: Value) -> bool:
    """Are both products, with an operand in common?"""
    one, other = (
        {n for base in value.bases if base.origin[:1] == (PRODUCT,) for n in base.origin[1]}
        for value in (x, y)
    )
    return not one.isdisjoint(other)


def heard(gradient: Value, weight: Value) -> bool:
    """Does the gradient hold, in a share that counts, what this weight gave?"""
    numbers = frozenset(base.number for base in weight.bases)
    shares = [_share(term, numbers) for term in gradient.terms if len(term.factors) == 1]
    if not any(shares):
        return False
    sizes = [term.with_itself for term in gradient.terms if len(term.factors) == 1]
    heard = sum(share * size for share, size in zip(shares, sizes, strict=True))
    return heard > AUDIBLE * gradient.moments.mean_square


def _share(term: Term, numbers: frozenset[int]) -> float:
    """How much of a function of one base is linear in what came of these draws."""
    (factor,) = term.factors
    part = _part(factor.base, numbers)
    if not part:
        return 0.0
    values = factor.overall
    linear = float(quadrature.mean(values * quadrature.GRID)) ** 2
    return part * linear / max(float(quadrature.mean(values**2)), 1e-300)


def _part(base: Base, numbers: frozenset[int]) -> float:
    """Share of a base's mean square that is a product with one of these draws."""
    lowest, highest = base.reach
    # a residual stream is a sum of sums, as deep as the network: few draws need to be looked for in all of it
    if not any(lowest <= number <= highest for number in numbers):
        return 0.0
    if base.origin[:1] == (PRODUCT,):
        return float(not numbers.isdisjoint(base.origin[1]))
    if base.origin[:1] != ("sum",):
        return 0.0
    plain = [term for term in base.origin[1] if len(term.factors) == 1]
    heard = [term.with_itself for term in plain if _part(term.factors[0].base, numbers)]
    return float(sum(heard)) / max(base.moments.mean_square, 1e-300)
