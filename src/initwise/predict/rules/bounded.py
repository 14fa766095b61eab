"""Functions that only part of the line bears: what lies beyond it is taken as at its edge, and said."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .. import quadrature
from ..axes import Array
from ..bases import Base, Factor
from ..parts import is_complex, known_parts
from ..terms import Term
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .complex import applied, turned
from .pointwise import elementwise

BEYOND = "{} of values beyond [−1, 1], as their law has them: taken as at its ends"
DECAYS = "exp of values whose mean is negative and whose law reaches far above 0: taken as never positive"
SLIGHT = 1e-3
"""Probability of lying beyond that is not worth a word."""
LARGEST = 20.0
"""exp of a negative mean that is larger than e to this, in its mean square, is no law but a tail."""


def _within(call: Call, function: Callable[[Array], Array]) -> Value:
    x = call.value("self")
    factor = x.single or x.rebased().single
    assert factor is not None
    grid = factor.on_grid
    outside = float(quadrature.mean((np.abs(grid) > 1) * 1.0).mean())
    found = function(np.clip(grid, -1.0, 1.0))
    notes = x.notes | ({BEYOND.format(call.name)} if outside > SLIGHT else frozenset())
    return Value((Term((Factor(factor.base, found),)),), notes)


@rule("acos")
def arc_cosine(call: Call) -> Value:
    """arccos of what lies in [−1, 1], a cosine itself."""
    return _within(call, np.arccos)


@rule("asin")
def arc_sine(call: Call) -> Value:
    """arcsin of what lies in [−1, 1], a sine itself."""
    return _within(call, np.arcsin)


@rule("exp")
def exponential(call: Call) -> Value:
    """eˣ; of a complex number, with the cosine and the sine of its imaginary part.

    A sum of negative numbers has no Gaussian's upper tail, and e to it is at most 1: there −x is lognormal.
    """
    if is_complex(call["self"]):
        return _complex(call)
    x = call.value("self")
    moments = x.moments
    if (moments.mean > 0).any() or moments.overall_mean >= 0 or _plain(x) < LARGEST:
        return elementwise(call)
    # a block without mean is a difference of a sum from itself
    relative = moments.variance / np.where(moments.mean < 0, moments.mean, -np.inf) ** 2
    width = np.log1p(relative)[..., None]
    law = moments.mean[..., None] * np.exp(-np.sqrt(width) * quadrature.GRID - width / 2)
    base = Base(moments, spread=x.scale_spread)
    return Value((Term((Factor(base, np.exp(law)),)),), x.notes | {DECAYS}, x.mask)


def _plain(x: Value) -> float:
    """ln E[e^(2x)] of the law on the grid."""
    factor = x.single or x.rebased().single
    assert factor is not None
    grid = 2 * factor.on_grid
    top = float(grid.max())
    return top + math.log(max(float(quadrature.mean(np.exp(grid - top)).max()), 1e-300))


def _complex(call: Call) -> Value:
    known = known_parts(call.value("self"))
    if known is None:
        raise UnpredictedError("exp of complex numbers whose parts are not known")
    return turned(applied(known[0], np.exp), known[1])
