"""Softmax: attention's weights.

Scores of one query are Gaussian around their mean over the keys; with covariance C between two
queries at one key, E[p_j·p′_j] grows by e^C over what a uniform choice among the allowed keys
gives, and saturates where one key takes all. What a mask allows is counted in `choices`.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from .. import kin, related, values
from ..algebra import centre, multiply, total, with_mean
from ..axes import Array, Atom, common, patterns, spread_left, spread_right, start
from ..choices import Choice, choice, finer
from ..moments import Moments, aligned, cut, expand, flat, uniform
from ..values import Value
from . import shares
from .calling import Call, UnpredictedError, rule

LARGEST_EXPONENT = 50.0
LARGE = 1 << 14
"""Second moments beyond this number are kept in single precision."""


@rule("_softmax", "_safe_softmax")
def softmax(call: Call) -> Value:
    """exp(s_j)/Σ exp(s_k) along `dim`."""
    s = call.value("self")
    rank = len(s.shape)
    dim = call["dim"] % rank
    keys = s.shape[dim]
    if keys == 1:
        return values.fixed(s.shape, 1.0)
    query = dim - 1 if dim == rank - 1 and rank > 1 and s.shape[dim - 1] > 1 else None
    chosen = choice(_usable(s, query), s.shape[dim - 1] if query is not None else 1, keys)
    pair = flat_pair(s.moments, query, dim)
    chosen = finer(chosen, _atom(pair, query), _atom(pair, dim))
    scores = _cut(centre(pair, [dim]), query, dim, chosen)
    moments = _chosen(scores, query, dim, chosen)
    found = values.fresh(moments, notes=s.notes, origin=("softmax", chosen, query, dim))
    related.depends(found, s)
    return found


def _atom(x: Moments, dim: int | None) -> Atom | None:
    return None if dim is None or not x.axes[dim] else x.axes[dim][0]


def _usable(s: Value, query: int | None) -> Tensor | None:
    """The mask, where there is an axis of queries for it to differ over."""
    if s.mask is None or (query is None and s.mask.dim() > 1 and s.mask.shape[-2] > 1):
        return None
    return s.mask  # type: ignore[no-any-return]


def flat_pair(moments: Moments, query: int | None, dim: int) -> Moments:
    """`moments` with keys and queries as one atom each."""
    moments = flat(moments, dim)
    return moments if query is None else flat(moments, query)


def _cut(moments: Moments, query: int | None, dim: int, chosen: Choice) -> Moments:
    """`moments` with the blocks of `chosen`, averaged over other blocks."""
    moments = _in_blocks(moments, dim, chosen.keys)
    return (
        _in_blocks(moments, query, chosen.queries) if query is not None and moments.axes[query] else moments
    )


def _in_blocks(moments: Moments, dim: int, wanted: Atom) -> Moments:
    (atom,) = moments.axes[dim]
    if common(atom, wanted) != wanted:
        moments = uniform(moments, dim)
    return cut(moments, dim, (wanted,))


def _on_patterns(table: Array, moments: Moments, query: int | None, dim: int) -> Array:
    """A table over (query pattern, key pattern), shaped to broadcast over `moments`' patterns."""
    place = start(moments.axes, dim)
    shape = [1] * moments.second.ndim
    shape[place] = table.shape[1]
    if query is not None and moments.axes[query]:
        shape[start(moments.axes, query)] = table.shape[0]
    else:
        table = table[-1:]
    return table.reshape(shape)


def _chosen(scores: Moments, query: int | None, dim: int, chosen: Choice) -> Moments:
    """E[p_j·p′_j′] over patterns, from the covariance of centred scores."""
    place = start(scores.axes, dim)
    table = patterns(chosen.keys)
    share = np.broadcast_to(_on_patterns(chosen.share, scores, query, dim), scores.second.shape)
    weight = _along(table.pairs * table.equal, share.ndim, place)
    exponent = np.exp(np.clip(scores.second, -LARGEST_EXPONENT, LARGEST_EXPONENT))
    even = (share * weight).sum(place, keepdims=True)
    tilted = (share * weight * exponent).sum(place, keepdims=True)
    together = _together(even, tilted, sum(chosen.keys))
    equal = np.divide(share * exponent * together, tilted, out=np.zeros_like(share), where=tilted > 0)
    other = np.divide(share * (1 - together), 1 - even, out=np.zeros_like(share), where=even < 1 - 1e-12)
    second = np.where(_along(table.equal, share.ndim, place), equal, other)
    return Moments(scores.axes, _kept(second), _mean(scores, query, dim, chosen))


def _kept(second: Array) -> Array:
    """Under a causal mask by far a layer's largest array, kept until the way back: what is asked are sums."""
    return second.astype(np.float32) if second.size > LARGE else second


def _together(even: Array, tilted: Array, keys: int) -> Array:
    """Σ E[p_j·p′_j] over the keys j, from that of an even choice and how the scores tilt it."""
    exponent = np.log(np.maximum(tilted, 1e-300) / np.maximum(even, 1e-300))
    linear = np.minimum(tilted / np.maximum(1 - even + tilted, 1e-300), 1.0)
    alone = shares.chosen(np.maximum(exponent, 0.0) * keys / (keys - 1), 1 / np.clip(even, 1e-12, 1.0))
    return np.asarray(np.where(exponent > 0, alone, linear))


def _along(numbers: Array, rank: int, place: int) -> Array:
    return numbers.reshape([-1 if axis == place else 1 for axis in range(rank)])


def _mean(scores: Moments, query: int | None, dim: int, chosen: Choice) -> Array:
    shape = [1] * scores.mean.ndim
    shape[start(scores.axes, dim)] = len(chosen.keys)
    table = chosen.mean
    if query is not None and scores.axes[query]:
        shape[start(scores.axes, query)] = len(chosen.queries)
    else:
        table = table.mean(0, keepdims=True)
    return np.broadcast_to(table.reshape(shape), scores.mean.shape)


@rule("_softmax_backward_data")
def softmax_gradient(call: Call) -> Value:
    """p_j·(g_j − Σ_k p_k·g_k): with the keys' differences γ of g, E = γ·(δ_jk − 1/n − 1/n′ + Σ p·p′)."""
    g, p = call.value("grad_output"), call.value("output")
    factor = p.single
    origin = factor.base.origin if factor is not None else ()
    if not origin or origin[0] != "softmax":
        return values.fresh(
            centre(values.times(p, g).moments, [call["dim"] % len(p.shape)]), spread=g.scale_spread
        )
    _, chosen, query, dim = origin
    gradient = _cut(flat_pair(g.moments, query, dim), query, dim, chosen)
    weights = p.moments
    gradient, weights = aligned(gradient, weights, [(d, d) for d in range(len(weights.axes))])
    moments = _softmax_gradient(gradient, weights, query, dim, chosen)
    grams = {
        root: multiply(_cut(flat_pair(gram, query, dim), query, dim, chosen), weights)
        for root, gram in g.grams.items()
    }
    notes = g.notes | p.notes | _met_again(g, p)
    found = values.fresh(moments, spread=g.scale_spread, notes=notes, grams=grams)
    # for a weight in several places the weights of the keys are taken for even: what is left of g is centred
    size = centre(g.moments, [dim]).mean_square
    rate = np.array(np.sqrt(moments.mean_square / size) if size > 0 else 0.0)
    kin.remember(found, kin.Norm(g, g.moments, (dim,), True, rate))
    return found


SELF = "the gradient of a softmax that depends on its own probabilities, taken as independent of them"


def _met_again(g: Value, output: Value) -> frozenset[str]:
    """The note for a loss such as the entropy: what comes back was made of the probabilities."""
    met = g.bases & output.bases or related.seen_otherwise(g, output) or related.dependent(g, output)
    return frozenset({SELF}) if met else frozenset()


def _softmax_gradient(g: Moments, p: Moments, query: int | None, dim: int, chosen: Choice) -> Moments:
    place = start(p.axes, dim)
    table = patterns(p.axes[dim][0])
    equal = _along(table.equal, p.second.ndim, place)
    pairs = _along(table.pairs, p.second.ndim, place)
    weight = p.second * pairs
    heads = (weight * equal).sum(place, keepdims=True)
    same = _ratio((weight * equal * g.second).sum(place, keepdims=True), heads)
    tails = (weight * ~equal).sum(place, keepdims=True)
    other = _ratio((weight * ~equal * g.second).sum(place, keepdims=True), tails)
    inverse = _inverse(p, query, chosen)
    through = np.where(equal, 1.0, 0.0) - inverse + heads
    mine = _same_query(p, query)
    through = np.where(mine & equal, shares.passed(np.minimum(heads, 1.0), 2 / np.asarray(inverse)), through)
    second = p.second * (same - other) * through
    if len(p.axes[dim][0]) == 1:
        # the gradients of one query sum to 0
        alike = np.take(second, [1], place)
        second = np.where(equal, second, -alike / (sum(p.axes[dim][0]) - 1))
    return Moments(p.axes, second, np.zeros_like(p.mean))


def _same_query(p: Moments, query: int | None) -> Array | bool:
    """Which patterns are of one query with itself, whatever the other axes."""
    if query is None or not p.axes[query]:
        return True
    return _along(patterns(p.axes[query][0]).equal, p.second.ndim, start(p.axes, query))


def _ratio(one: Array, other: Array) -> Array:
    return np.divide(one, other, out=np.zeros_like(one), where=other > 0)


def _inverse(p: Moments, query: int | None, chosen: Choice) -> Array | float:
    """1/n + 1/n′ for the two queries of each pattern."""
    if query is None or not p.axes[query]:
        return 2 * float(chosen.inverse.mean())
    table = patterns(p.axes[query][0])
    both = chosen.inverse[table.left] + chosen.inverse[table.right]
    return _along(both, p.second.ndim, start(p.axes, query))


@rule("_log_softmax")
def log_softmax(call: Call) -> Value:
    """s_j − ln Σ exp(s_k): centred s_j minus E[ln Σ exp(centred s_k)], classes as Gaussian scores."""
    s = call.value("self")
    dim = call["dim"] % len(s.shape)
    moments, keys = centre(s.moments, [dim]), s.shape[dim]
    level = -shares.level(moments.mean_square * keys / max(keys - 1, 1), keys)
    value = values.fresh(moments, spread=s.scale_spread, notes=s.notes, origin=("scores", s, dim))
    related.lasts(value, s)
    return values.shifted(value, level)


@rule("_log_softmax_backward_data")
def log_softmax_gradient(call: Call) -> Value:
    """g_j − p_j·Σ_k g_k, p the softmax: independent of g, whose own sum is not."""
    g, dim = call.value("grad_output"), call["dim"] % len(call.shape)
    output = call.value("output")
    notes = g.notes | output.notes | _met_again(g, output)
    p = _probabilities(output, dim)
    whole = expand(total(g.moments, [dim]), g.shape)
    g_moments, whole = aligned(g.moments, whole, [(d, d) for d in range(len(g.shape))])
    p, whole = aligned(p, whole, [(d, d) for d in range(len(g.shape))])
    g_moments, whole = aligned(g_moments, whole, [(d, d) for d in range(len(g.shape))])
    keys = g.shape[dim]
    meeting = with_mean(g_moments, [dim]) * spread_right(p.mean, p.axes)
    meeting = meeting + with_mean(g_moments, [dim], swap=True) * spread_left(p.mean, p.axes)
    second = g_moments.second - keys * meeting + p.second * whole.second
    moments = Moments(p.axes, second, g_moments.mean - p.mean * whole.mean)
    return values.fresh(moments, spread=g.scale_spread, notes=notes)


def _probabilities(output: Value, dim: int) -> Moments:
    """The softmax behind a log softmax."""
    base = output.terms[0].factors[0].base
    if base.origin[:1] != ("scores",):
        raise UnpredictedError("the gradient of a log softmax that was moved in between")
    _, s, _ = base.origin
    keys = s.shape[dim]
    chosen = choice(None, 1, keys)
    return _chosen(centre(flat_pair(s.moments, None, dim), [dim]), None, dim, chosen)
