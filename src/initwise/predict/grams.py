"""Grams: what tensors made from one tensor have in common beyond their moments.

Keys and values are products of the same tokens x with different weights: as elements they are
uncorrelated. But given x, both have the covariance K = x·xᵀ between tokens, and K strays from its
mean by 1/√d of its size. Where such tensors meet in a sum over tokens (the gradient at the
queries is Σ_j p_j·(g·v_j)·k_j), their deviations multiply: T²/d terms beside T.

A gram is the standard deviation of the conditional second moments, over patterns, kept in the
`second` of a Moments; it belongs to a root, the tensor that is given, known by its bases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .algebra import add, contract
from .axes import extent, patterns, spread_left, spread_right, start
from .bases import Grams
from .moments import Moments, aligned
from .roots import EARLIER
from .values import Value

MOST = 2
"""Roots that a base remembers, the last ones."""
NOTHING = 1e-6


def product_grams(x: Value, x_labels: str, y: Value, y_labels: str, out: str) -> tuple[Grams, Moments | None]:
    """(grams of the contraction, what the operands' common roots add to its second moments)."""
    if x.parameter or y.parameter:
        made = (
            _rooted(x, x_labels, y, y_labels, out) if y.parameter else _rooted(y, y_labels, x, x_labels, out)
        )
        return made, None
    extra: Moments | None = None
    mine, theirs = _with_itself(x, x_labels, y, out), _with_itself(y, y_labels, x, out)
    for root in mine:
        if root in theirs and root != EARLIER:
            part = contract(mine[root], x_labels, theirs[root], y_labels, out)
            extra = part if extra is None else add(extra, part)
    found: Grams = {}
    for root, gram in _kept(x.grams, x_labels, out).items():
        found[root] = _plain(contract(gram, x_labels, y.moments, y_labels, out))
    for root, gram in _kept(y.grams, y_labels, out).items():
        part = _plain(contract(x.moments, x_labels, gram, y_labels, out))
        found[root] = add(found[root], part) if root in found else part
    return dict(list(found.items())[-MOST:]), extra


def _kept(grams: Grams, labels: str, out: str) -> Grams:
    """Those that a sum does not average away: over the tokens of the root every pair strays by itself."""
    summed = [d for d, label in enumerate(labels) if label not in out]
    return {root: gram for root, gram in grams.items() if not any(_of_pairs(gram, d) for d in summed)}


def _of_pairs(gram: Moments, dim: int) -> bool:
    """Is axis `dim` one of the root's, along which only different places stray?"""
    strays = gram.second
    for d, atoms in enumerate(gram.axes):
        for offset, atom in enumerate(atoms):
            if d != dim:
                strays = np.compress(patterns(atom).equal, strays, axis=start(gram.axes, d) + offset)
    return bool(gram.square.max(initial=0.0) < NOTHING * strays.max(initial=0.0))


def _with_itself(x: Value, labels: str, other: Value, out: str) -> Grams:
    """The grams of `x`; its own too, where the other operand was made from it."""
    if x.bases not in other.grams:
        return x.grams
    return {**x.grams, x.bases: strayed(x, [d for d, label in enumerate(labels) if label in out])}


def _plain(gram: Moments) -> Moments:
    return replace(gram, mean=np.zeros_like(gram.mean))


def _rooted(x: Value, x_labels: str, weight: Value, labels: str, out: str) -> Grams:
    """x·W: given x, the second moments are W's variance times x·xᵀ, which strays by √(Var(x x′)/d)."""
    summed = [label for label in x_labels if label not in out]
    if len(summed) != 1:
        return {}
    gram = strayed(x, [x_labels.index(summed[0])])
    return {x.bases: _plain(contract(gram, x_labels, weight.moments, labels, out))}


def strayed(x: Value, dims: Sequence[int]) -> Moments:
    """How far x·xᵀ over the axes `dims` strays, per term of the sum, at equal places of these axes.

    Of d independent products by √(Var(e e′)/d), e what x does not share with x′ (a common part moves all
    pairs alike, and a softmax takes it out); and by as much as the covariance of x itself strays,
    given what it was made from: tokens from few inputs lie in few dimensions.
    """
    moments = x.moments
    size = math.prod(extent(moments.axes[dim]) for dim in dims)
    left, right = (spread(moments.square, moments.axes) for spread in (spread_left, spread_right))
    stray = np.maximum(left - moments.second, 0.0) * np.maximum(right - moments.second, 0.0) / max(size, 1)
    for gram in x.grams.values():
        one, other = aligned(gram, moments, [(d, d) for d in range(len(moments.axes))])
        if other.axes == moments.axes:
            stray = stray + one.second**2
    stray = np.sqrt(stray)
    for dim in dims:
        for offset, atom in enumerate(moments.axes[dim]):
            axis = start(moments.axes, dim) + offset
            shape = [-1 if i == axis else 1 for i in range(stray.ndim)]
            stray = stray * patterns(atom).equal.reshape(shape)
    return Moments(moments.axes, stray, np.zeros_like(moments.mean))
