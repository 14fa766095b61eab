"""Norm layers: the second moment over some axes becomes 1.

Forward, x̂ = (x − x̄)/√(v + ε) with v the expected variance over the normalized axes, for each block
of the others: v's own fluctuation is of order 1/n. Backward,
∂x = (ĝ − mean ĝ − x̂·mean(ĝ·x̂))/√(v + ε), ĝ = γ·g: what ĝ has in common with x̂ (the activation
that follows) makes the last term count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import kin, luck, related, values
from ..algebra import average, centre, scale, total
from ..axes import Array, block_shares, same, spread_left, spread_right
from ..luck import Luck
from ..moments import Moments, aligned
from ..values import Value
from .calling import Call, rule


@dataclass(frozen=True)
class Normalised:
    """x̂ and what it was divided by.

    Attributes:
        value: x̂.
        rate: 1/√(v + ε), over blocks (of size 1 along the normalized axes).
    """

    value: Value
    rate: Array

    @property
    def mean_rate(self) -> float:
        return float(self.rate.mean())


def normalised(x: Value, dims: Sequence[int], eps: float, *, centred: bool = True) -> Normalised:
    """x̂ of `x` over the axes `dims`; the same object whenever it is asked for again."""
    key = ("normalised", tuple(dims), eps, centred)
    if key not in x.memo:
        moments = centre(x.moments, dims) if centred else x.moments
        rate = 1 / np.sqrt(np.maximum(_over(moments, dims), 0.0) + eps)
        grams = {root: rated(gram, moments, rate) for root, gram in x.grams.items()}
        value = values.fresh(by_blocks(moments, rate), notes=x.notes, grams=grams)
        related.depends(value, x)
        kin.remember(value, kin.Norm(x, moments, tuple(dims), centred, rate))
        x.memo[key] = Normalised(value, rate)
    found: Normalised = x.memo[key]
    return found


def _over(moments: Moments, dims: Sequence[int]) -> Array:
    """E[x²] averaged over the axes `dims`, over the blocks of the others."""
    places, place = [], 0
    for d, dim in enumerate(moments.axes):
        places += list(range(place, place + len(dim))) if d in dims else []
        place += len(dim)
    shares = block_shares(moments.axes)
    weights = shares / shares.sum(tuple(places), keepdims=True)
    averaged: Array = (moments.square * weights).sum(tuple(places), keepdims=True)
    return averaged


def by_blocks(moments: Moments, factor: Array) -> Moments:
    """x·factor, a number for each block."""
    factor = np.broadcast_to(factor, moments.mean.shape)
    both = spread_left(factor, moments.axes) * spread_right(factor, moments.axes)
    return Moments(moments.axes, moments.second * both, moments.mean * factor)


def affine(x: Value, weight: Value | None, bias: Value | None, shape: Sequence[int]) -> Value:
    """x·weight + bias, which lie along `shape`."""
    for given, combine in ((weight, values.times), (bias, values.plus)):
        if given is None or _neutral(given, combine is values.times):
            continue
        placed = values.reshaped(given, shape)
        whole = values.expanded(placed, x.shape)
        x = combine(x, whole)
    return x


def _neutral(given: Value, product: bool) -> bool:
    moments = given.moments
    return moments.fixed and bool((moments.mean == (1.0 if product else 0.0)).all())


def gradient(
    g: Value, x: Value, weight: Value | None, shape: Sequence[int], dims: Sequence[int], norm: Normalised
) -> Value:
    """The gradient at x."""
    scaled = affine(g, weight, None, shape)
    moments = centre(scaled.moments, dims)
    left = across(scaled, norm.value, dims, moments.mean_square) * divided(scaled, x, dims)
    moments = rated(scale(moments, left**0.5), x.moments, norm.rate)
    spread = scaled.spread + _lucky(x, dims) * -1.0
    found = values.fresh(moments, spread=spread, notes=scaled.notes | x.notes | few(x, dims))
    related.depends_linearly(found, g)
    kin.remember(found, kin.Norm(scaled, x.moments, tuple(dims), True, norm.rate * left**0.5))
    return found


def across(g: Value, norm: Value, dims: Sequence[int], size: float | None = None) -> float:
    """What is left of E[g²] (or of `size`) without g's part along x̂, as a share."""
    size = g.moments.mean_square if size is None else size
    projected = average(values.times(g, norm).moments, dims).mean_square
    return max(1 - projected / size, 0.0) if size > 0 else 1.0


def divided(g: Value, x: Value, dims: Sequence[int]) -> float:
    """E[g²/v]·E[v]/E[g²], v the mean of x² over the axes `dims`: of d terms it varies by 2/d."""
    return g.scale_spread.over(_lucky(x, dims))


FEW = "a norm over few independent values: its variance may come near 0, and its inverse has no sure mean"
VARIED = 0.45
"""Relative variance of a norm's variance from which on its inverse has a heavy tail."""


def few(x: Value, dims: Sequence[int]) -> frozenset[str]:
    """The note that the variance over `dims` varies much."""
    return frozenset({FEW}) if max(_varied(x, dims), _sparse(x, dims)) > VARIED else frozenset()


def _sparse(x: Value, dims: Sequence[int]) -> float:
    """Of rectified values: how much the mean of x² over `dims` varies from slice to slice."""
    if len(x.terms) != 1 or all(factor.values is None for factor in x.terms[0].factors):
        return 0.0
    one = average(x.terms[0].squares, dims)
    shares = block_shares(one.axes)
    size = float((one.mean**2 * shares).sum())
    return float((same(one.second, one.axes) * shares).sum()) / size - 1 if size > 0 else 0.0


def _lucky(x: Value, dims: Sequence[int]) -> Luck:
    """That of the variance over `dims`: of slices along an axis among them only what they share."""
    inherited = x.scale_spread if len(dims) == 1 and 0 not in dims else x.scale_spread.shared
    source = frozenset(base.number for base in x.bases)
    return inherited + luck.drawn(_varied(x, dims), 0.0, source)


def _varied(x: Value, dims: Sequence[int]) -> float:
    """How much the variance over `dims` varies. Of Gaussians c, Var(Σ c²) = 2·Σ E[c·c′]²."""
    moments = centre(x.moments, dims)
    pairs = average(Moments(moments.axes, 2 * moments.second**2, moments.square), dims)
    shares = block_shares(pairs.axes)
    size = float((pairs.mean**2 * shares).sum())
    return float((same(pairs.second, pairs.axes) * shares).sum()) / size if size > 0 else 0.0


def rated(g: Moments, x: Moments, rate: Array) -> Moments:
    """g·1/√(v + ε), each block of x by its own rate."""
    rates = Moments(x.axes, np.zeros_like(x.second), np.broadcast_to(rate, x.mean.shape))
    g, rates = aligned(g, rates, [(d, d) for d in range(len(x.axes))])
    return by_blocks(g, rates.mean)


def parameter_gradients(
    g: Value, norm: Value, kept: Sequence[int], wanted: Sequence[bool]
) -> list[Value | None]:
    """Of the weight Σ g·x̂ and of the bias Σ g, over all axes but `kept`."""
    dims = [d for d in range(len(g.shape)) if d not in kept]
    weight = values.times(g, norm) if wanted[0] else None
    return [_summed(part, dims) for part in (weight, g if wanted[1] else None)]


def _summed(part: Value | None, dims: Sequence[int]) -> Value | None:
    if part is None:
        return None
    found = values.fresh(total(part.moments, dims, keep=False), spread=part.spread, notes=part.notes)
    kin.remember(found, kin.Linear(part, ("sum", tuple(dims)), lambda m: total(m, dims, keep=False)))
    return found


def _optional(call: Call, name: str) -> Value | None:
    return None if call.get(name) is None else call.value(name)


def _statistics(call: Call, x: Value, norm: Normalised) -> list[Value]:
    """The saved mean and rate, as numbers."""
    mean, rate = x.moments.overall_mean, norm.mean_rate
    return [values.fixed(tuple(call.out[1].shape), mean), values.fixed(tuple(call.out[2].shape), rate)]


@rule("native_layer_norm")
def layer_norm(call: Call) -> list[Value]:
    """Over the last axes."""
    x = call.value("input")
    size = tuple(call["normalized_shape"])
    dims = range(len(x.shape) - len(size), len(x.shape))
    norm = normalised(x, dims, call["eps"])
    shape = (1,) * (len(x.shape) - len(size)) + size
    y = affine(norm.value, _optional(call, "weight"), _optional(call, "bias"), shape)
    return [y, *_statistics(call, x, norm)]


@rule("native_layer_norm_backward")
def layer_norm_gradient(call: Call) -> list[Value | None]:
    """At the input, the weight and the bias."""
    g, x, mask = call.value("grad_out"), call.value("input"), call["output_mask"]
    size = tuple(call["normalized_shape"])
    rank = len(x.shape)
    dims = list(range(rank - len(size), rank))
    norm = _known(x, tuple(dims), 1e-5)
    shape = (1,) * (rank - len(size)) + size
    at_input = gradient(g, x, _optional(call, "weight"), shape, dims, norm) if mask[0] else None
    return [at_input, *parameter_gradients(g, norm.value, dims, mask[1:])]


def _known(x: Value, dims: tuple[int, ...], eps: float, *, centred: bool = True) -> Normalised:
    """The x̂ of the forward pass, whatever its ε was."""
    for key, found in x.memo.items():
        if isinstance(found, Normalised) and key[1] == dims and key[3] == centred:  # type: ignore[index]
            return found
    return normalised(x, dims, eps, centred=centred)


@rule("_fused_rms_norm")
def rms_norm(call: Call) -> list[Value]:
    """Over the last axes, the mean kept."""
    x = call.value("input")
    size = tuple(call["normalized_shape"])
    dims = range(len(x.shape) - len(size), len(x.shape))
    norm = normalised(x, dims, call["eps"] or 1e-6, centred=False)
    y = affine(norm.value, _optional(call, "weight"), None, (1,) * (len(x.shape) - len(size)) + size)
    return [y, values.fixed(tuple(call.out[1].shape), norm.mean_rate)]


@rule("_fused_rms_norm_backward")
def rms_norm_gradient(call: Call) -> list[Value | None]:
    """At the input and the weight: as a layer norm's, without the mean."""
    g, x, mask = call.value("grad_out"), call.value("input"), call["output_mask"]
    size = tuple(call["normalized_shape"])
    rank = len(x.shape)
    dims = list(range(rank - len(size), rank))
    norm = _known(x, tuple(dims), 1e-6, centred=False)
    scaled = affine(g, _optional(call, "weight"), None, (1,) * (rank - len(size)) + size)
    left = across(scaled, norm.value, dims) * divided(scaled, x, dims)
    moments = rated(scale(scaled.moments, left**0.5), x.moments, norm.rate)
    notes = scaled.notes | x.notes | few(x, dims)
    at_input = values.fresh(moments, spread=scaled.spread, notes=notes)
    related.depends_linearly(at_input, g)
    kin.remember(at_input, kin.Norm(scaled, x.moments, tuple(dims), False, norm.rate * left**0.5))
    return [at_input if mask[0] else None, parameter_gradients(g, norm.value, dims, [mask[1], False])[0]]


# norms over channels


def _channels(rank: int, channels: int) -> tuple[int, ...]:
    return (1, channels) + (1,) * (rank - 2)


BATCH_NORMS = (
    "native_batch_norm",
    "cudnn_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_functional",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update",
    "_batch_norm_no_update",
)


@rule(*BATCH_NORMS)
def batch_norm(call: Call) -> list[Value | None]:
    """Over the batch and all places, channel by channel; in eval mode by the running statistics."""
    x = call.value("input")
    rank = len(x.shape)
    norm = normalised(x, [0, *range(2, rank)], call["eps"]) if _training(call) else _running(call, x)
    y = affine(norm.value, _optional(call, "weight"), _optional(call, "bias"), _channels(rank, x.shape[1]))
    rest = [None] * (len(call.out) - 3)
    if call.out[1].numel() == 0:
        return [y, None, None, *rest]
    return [y, *_statistics(call, x, norm), *rest]


def _training(call: Call) -> bool:
    given = call.get("training", call.get("train"))
    return given if given is not None else "no_" not in call.name


def _running(call: Call, x: Value) -> Normalised:
    """(x − running mean)/√(running variance + ε): a fixed affine map."""
    key = ("normalised", "running", 0.0, True)
    if key not in x.memo:
        variance = call.value("running_var").moments.overall_mean
        rate = 1 / np.sqrt(max(variance, 0.0) + call["eps"])
        mean = call.value("running_mean")
        shape = _channels(len(x.shape), x.shape[1])
        placed = values.reshaped(mean, shape)
        value = values.scaled(x if _neutral(mean, False) else values.plus(x, placed, -1.0), float(rate))
        x.memo[key] = Normalised(value, np.full((1,) * x.moments.mean.ndim, rate))
    found: Normalised = x.memo[key]
    return found


@rule("native_batch_norm_backward", "cudnn_batch_norm_backward", "batch_norm_backward")
def batch_norm_gradient(call: Call) -> list[Value | None]:
    """At the input, the weight and the bias."""
    g, x = call.value("grad_out" if "grad_out" in call.arguments else "grad_output"), call.value("input")
    rank, mask = len(x.shape), call.get("output_mask", [True] * 3)
    dims, shape = [0, *range(2, rank)], _channels(rank, x.shape[1])
    weight = _optional(call, "weight")
    if call.get("train", True) is False or call.get("update") is False:
        norm: Normalised = x.memo.get(("normalised", "running", 0.0, True)) or _known(x, tuple(dims), 1e-5)
        at_input = values.scaled(affine(g, weight, None, shape), norm.mean_rate)
    else:
        norm = _known(x, tuple(dims), 1e-5)
        at_input = gradient(g, x, weight, shape, dims, norm)
    return [at_input if mask[0] else None, *parameter_gradients(g, norm.value, [1], mask[1:])]


def _grouped(x: Value, groups: int) -> Value:
    shape = (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return values.reshaped(x, shape)


def _ungrouped(x: Value, shape: tuple[int, ...]) -> Value:
    return values.reshaped(x, shape)


@rule("native_group_norm")
def group_norm(call: Call) -> list[Value]:
    """Over the channels of a group and all places, for each input by itself."""
    x = call.value("input")
    shape = x.shape
    norm = _group_normalised(x, call["group"], call["eps"])
    plain = _ungrouped(norm.value, shape)
    channels = _channels(len(shape), shape[1])
    y = affine(plain, _optional(call, "weight"), _optional(call, "bias"), channels)
    return [y, *_statistics(call, x, norm)]


def _group_normalised(x: Value, groups: int, eps: float) -> Normalised:
    key = ("groups", groups)
    if key not in x.memo:
        grouped = _grouped(x, groups)
        x.memo[key] = normalised(grouped, range(2, len(grouped.shape)), eps)
    found: Normalised = x.memo[key]
    return found


@rule("native_group_norm_backward")
def group_norm_gradient(call: Call) -> list[Value | None]:
    """At the input, the weight and the bias."""
    g, x, mask = call.value("grad_out"), call.value("input"), call["output_mask"]
    groups, shape = call["group"], x.shape
    norm = _group_normalised(x, groups, 1e-5)
    scaled = _grouped(affine(g, _optional(call, "weight"), None, _channels(len(shape), shape[1])), groups)
    dims = range(2, len(scaled.shape))
    at_input = gradient(scaled, _grouped(x, groups), None, (), dims, norm)
    plain = _ungrouped(norm.value, shape)
    return [_ungrouped(at_input, shape) if mask[0] else None, *parameter_gradients(g, plain, [1], mask[1:])]
