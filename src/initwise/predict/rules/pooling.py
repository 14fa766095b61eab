"""Pooling and resampling: windows of places, as means, maxima or copies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import maps, quadrature, values
from ..algebra import scale
from ..axes import start
from ..bases import Factor, Term
from ..moments import Moments, flat, uniform
from ..values import Value
from .calling import Call, rule


def _space(call: Call, rank: int) -> list[int]:
    """The axes that are pooled: as many of the last as the operation's name says."""
    digits = [int(c) for c in call.name if c.isdigit()]
    count = digits[0] if digits else rank - 2
    return list(range(rank - count, rank))


def averaged(x: Moments, dims: Sequence[int], shape: Sequence[int], windows: Sequence[float]) -> Moments:
    """Means over windows of so many places along each axis; the axes get the sizes of `shape`."""
    for dim, window in zip(dims, windows, strict=True):
        x = uniform(flat(x, dim), dim)
        if x.axes[dim]:
            place = start(x.axes, dim)
            moved = np.moveaxis(x.second.copy(), place, 0)
            moved[1] = moved[1] / window + (1 - 1 / window) * moved[0]
            x = Moments(x.axes, np.moveaxis(moved, 0, place), x.mean)
        x = maps.resize(x, dim, shape[dim])
    return x


def spread_out(g: Moments, dims: Sequence[int], shape: Sequence[int]) -> Moments:
    """Each place's value at all places of its window."""
    for dim in dims:
        g = maps.resize(g, dim, shape[dim])
    return g


def _windows(x: Sequence[int], y: Sequence[int], dims: Sequence[int]) -> list[float]:
    return [max(x[d] / y[d], 1.0) for d in dims]


def _kernels(call: Call, dims: Sequence[int]) -> list[float]:
    kernel = list(call["kernel_size"])
    return [float(k) for k in (kernel * len(dims) if len(kernel) == 1 else kernel)]


AVERAGES = ("avg_pool1d", "avg_pool2d", "avg_pool3d")
ADAPTIVE = ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d")


@rule(*AVERAGES, *ADAPTIVE)
def average_pool(call: Call) -> Value:
    """Means over windows."""
    x = call.value("self")
    dims = _space(call, len(x.shape))
    windows = _windows(x.shape, call.shape, dims) if "adaptive" in call.name else _kernels(call, dims)
    moments = averaged(x.moments, dims, call.shape, windows)
    return values.fresh(moments, spread=x.scale_spread, notes=x.notes)


@rule(
    "avg_pool2d_backward",
    "avg_pool3d_backward",
    "_adaptive_avg_pool2d_backward",
    "_adaptive_avg_pool3d_backward",
)
def average_pool_gradient(call: Call) -> Value:
    """A window's gradient, shared equally."""
    g = call.value("grad_output")
    dims = _space(call, len(g.shape))
    share = math.prod(g.shape[d] for d in dims) / math.prod(call.shape[d] for d in dims)
    moments = scale(spread_out(g.moments, dims, call.shape), share)
    return values.fresh(moments, spread=g.scale_spread, notes=g.notes)


@rule("max_pool2d_with_indices", "max_pool3d_with_indices")
def max_pool(call: Call) -> list[Value]:
    """The largest of k values of one law: Φᵏ in place of Φ."""
    x = call.value("self")
    dims = _space(call, len(x.shape))
    law = largest(x, math.prod(_kernels(call, dims)))
    moments = spread_out(law.moments, dims, call.shape)
    y = values.fresh(moments, spread=x.scale_spread, notes=x.notes)
    return [y, values.fixed(tuple(call.out[1].shape), 0.0)]


def largest(x: Value, count: float) -> Value:
    """The largest of `count` independent elements, as correlated between themselves as x's were."""
    factor = x.single or x.rebased().single
    assert factor is not None
    ranked = np.sort(factor.on_grid, axis=-1)
    order = np.argsort(factor.on_grid, axis=-1)
    below = np.cumsum(quadrature.WEIGHTS[order], axis=-1)
    chance = np.diff(below**count, axis=-1, prepend=0.0)
    quantile = np.cumsum(chance, axis=-1) - chance / 2
    positions = np.clip(quantile, 1e-12, 1 - 1e-12)
    values_at = np.stack(
        [
            np.interp(quadrature.QUANTILES, p, r)
            for p, r in zip(
                positions.reshape(-1, positions.shape[-1]), ranked.reshape(-1, ranked.shape[-1]), strict=True
            )
        ]
    ).reshape(ranked.shape)
    return Value((Term((Factor(factor.base, values_at),)),))


@rule("max_pool2d_with_indices_backward", "max_pool3d_with_indices_backward")
def max_pool_gradient(call: Call) -> Value:
    """A window's gradient at one of its places, zero elsewhere."""
    g = call.value("grad_output")
    dims = _space(call, len(g.shape))
    share = math.prod(g.shape[d] for d in dims) / math.prod(call.shape[d] for d in dims)
    moments = scale(spread_out(g.moments, dims, call.shape), share)
    second = moments.second.copy()
    corner = tuple(slice(-len(atom), None) for dim in moments.axes for atom in dim)
    second[corner] = second[corner] / share
    return values.fresh(Moments(moments.axes, second, moments.mean), spread=g.scale_spread, notes=g.notes)


RESAMPLED = tuple(
    f"upsample_{kind}"
    for kind in ("nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "trilinear3d", "bicubic2d")
)


@rule(*RESAMPLED, "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
def resampled(call: Call) -> Value:
    """Copies, or interpolations, of neighbouring places."""
    x = call.value("input" if "input" in call.arguments else "self")
    dims = _space(call, len(x.shape))
    return values.fresh(spread_out(x.moments, dims, call.shape), spread=x.scale_spread, notes=x.notes)


@rule(*(f"{name}_backward" for name in RESAMPLED))
def resampled_gradient(call: Call) -> Value:
    """The gradients of all copies, summed."""
    g = call.value("grad_output")
    dims = _space(call, len(g.shape))
    factor = math.prod(g.shape[d] for d in dims) / math.prod(call.shape[d] for d in dims)
    windows = _windows(g.shape, call.shape, dims)
    moments = scale(averaged(g.moments, dims, call.shape, windows), factor)
    return values.fresh(moments, spread=g.scale_spread, notes=g.notes)
