"""Roots: the tensors that a tensor was made from, as far back as that still counts; see `grams`.

A residual stream is a sum of what was made from every tensor before it. What has one of the last roots may
meet what was made from the same; of the older ones only how far they stray together is ever asked.
"""

from __future__ import annotations

import numpy as np

from .bases import Base, Grams
from .moments import Moments, broadcast

RECENT = 2
"""Roots that are told apart, the last ones."""
EARLIER: frozenset[Base] = frozenset()
"""The root of all others: that of no tensor, and met by none."""


def recent(grams: Grams) -> Grams:
    """The last of `grams`, and before them the others as one: independent, their variances add."""
    if len(grams) <= RECENT + 1:
        return grams
    # the first is that of the others, if there is one
    ordered = sorted(grams.items(), key=lambda item: item[0] != EARLIER)
    first, *others = (gram for _, gram in ordered[:-RECENT])
    for gram in others:
        first = _together(first, gram)
    return {EARLIER: first, **dict(ordered[-RECENT:])}


def _together(x: Moments, y: Moments) -> Moments:
    x, y = broadcast(x, y)
    return Moments(x.axes, np.hypot(x.second, y.second), np.zeros_like(x.mean))
