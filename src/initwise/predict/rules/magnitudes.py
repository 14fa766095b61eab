"""Norms, variances and other sizes along axes; sums up to each place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import maps, quadrature, values
from ..algebra import average, multiply, scale
from ..axes import Array, start
from ..bases import Base, Factor
from ..choices import doubling
from ..moments import Moments, flat, measured, uniform
from ..terms import Term
from ..values import Value
from .arithmetic import deviations
from .calling import Call, UnpredictedError, rule
from .normalisation import affine, normalised, rated
from .reduction import reduced
from .separable import LARGEST, mapped


def powered(x: Value, exponent: float) -> Value:
    """A positive value to a power, its law taken as lognormal."""
    moments = x.moments
    if moments.fixed and moments.mean.size == 1:
        return values.fixed(x.shape, moments.overall_mean**exponent)
    if not (moments.mean > 0).all():
        raise UnpredictedError("a power of values that may be negative or zero")
    width = np.log1p(moments.variance / moments.mean**2)[..., None]
    law = moments.mean[..., None] * np.exp(np.sqrt(width) * quadrature.GRID - width / 2)
    base = Base(moments, spread=x.scale_spread)
    return Value((Term((Factor(base, law**exponent),)),), x.notes)


def absolute_power(x: Value, exponent: float) -> Value:
    """|x|^exponent: a function of x's base."""
    if exponent == 2:
        return values.times(x, x)
    factor = x.single or x.rebased().single
    assert factor is not None
    return Value((Term((Factor(factor.base, np.abs(factor.on_grid) ** exponent),)),), x.notes)


def _sum(x: Value, dims: Sequence[int], keep: bool) -> Value:
    return reduced(x, list(dims), keep, float(math.prod(x.shape[d] for d in dims)))


def _keeps(call: Call) -> bool:
    return bool(call.get("keepdim"))


@rule("linalg_vector_norm", "norm")
def vector_norm(call: Call) -> Value:
    """(Σ |x|^p)^(1/p): the sum's moments, its law lognormal."""
    x = call.value("self")
    given = call.get("ord", call.get("p"))
    order = 2.0 if given is None else float(given)
    if not 0 < order < math.inf:
        raise UnpredictedError(f"a norm of order {order}")
    return powered(_sum(absolute_power(x, order), call.dims(len(x.shape)), _keeps(call)), 1 / order)


def _variance(call: Call, x: Value) -> Value:
    """Σ (x − x̄)²/(n − correction)."""
    dims = call.dims(len(x.shape))
    size = math.prod(x.shape[d] for d in dims)
    given = call.get("correction", 1 if call.get("unbiased", True) else 0)
    lost = 1.0 if given is None else float(given)
    apart = deviations(x, dims)
    return reduced(values.times(apart, apart), dims, _keeps(call), size / max(size - lost, 1e-300))


@rule("var")
def variance(call: Call) -> Value:
    """The variance along axes."""
    return _variance(call, call.value("self"))


@rule("std")
def deviation(call: Call) -> Value:
    """The standard deviation along axes."""
    return powered(_variance(call, call.value("self")), 0.5)


@rule("var_mean", "std_mean")
def variance_and_mean(call: Call) -> list[Value]:
    """The variance (or standard deviation) and the mean along axes."""
    x = call.value("self")
    spread = _variance(call, x)
    mean = reduced(x, call.dims(len(x.shape)), _keeps(call))
    return [spread if call.name == "var_mean" else powered(spread, 0.5), mean]


@rule("logsumexp")
def log_sum(call: Call) -> Value:
    """ln Σ exp(s) ≈ mean(s) + ln n + v/2, v the variance along the axes."""
    s = call.value("self")
    dims = call.dims(len(s.shape))
    level = math.log(math.prod(s.shape[d] for d in dims)) + deviations(s, dims).moments.mean_square / 2
    moments = average(s.moments, dims, keep=_keeps(call))
    return values.shifted(values.fresh(moments, spread=s.scale_spread, notes=s.notes), level)


@rule("cumsum")
def sums_so_far(call: Call) -> Value:
    """The sum up to each place: places in blocks of doubling size."""
    x = call.value("self")
    if not x.shape:
        return x
    dim = call["dim"] % len(x.shape)
    moments = cumulated(x.moments, dim, x.shape[dim])
    return values.fresh(moments, spread=x.scale_spread, notes=x.notes)


def cumulated(x: Moments, dim: int, size: int, *, averaged: bool = False) -> Moments:
    """The sum, or the mean, up to each place."""
    if size > LARGEST:
        if averaged:
            raise UnpredictedError(f"means so far along {size} elements")
        return _long_sums(x, dim, size)
    matrix = np.tril(np.ones((size, size)))
    return mapped(x, dim, matrix / matrix.sum(1, keepdims=True) if averaged else matrix, doubling(size))


def _long_sums(x: Moments, dim: int, n: int) -> Moments:
    """One block: E over p, q of min(p, q) equal pairs and p·q − min(p, q) others."""
    x = uniform(flat(x, dim), dim)
    place = start(x.axes, dim)
    differ, equal = np.take(x.second, 0, place), np.take(x.second, 1, place)
    alike = (n + 1) / 2, (n * n - 1) / 3
    apart = (n + 1) / 3, (n + 1) ** 2 / 4 - (n + 1) / 3 - (n * n - 1) / (12 * n)
    second = np.stack([one * equal + other * differ for one, other in (apart, alike)], axis=place)
    return Moments(x.axes, second, x.mean * (n + 1) / 2)


# weight normalisation


def _rows(v: Value, dim: int) -> list[int]:
    return [d for d in range(len(v.shape)) if d != dim % len(v.shape)]


@rule("_weight_norm_interface")
def weight_norm(call: Call) -> list[Value]:
    """g·v/|v|, and |v|: over all axes but `dim`."""
    v, g = call.value("v"), call.value("g")
    dims = _rows(v, call["dim"])
    size = math.prod(v.shape[d] for d in dims)
    unit = values.scaled(normalised(v, dims, 0.0, centred=False).value, size**-0.5)
    length = (v.moments.mean_square * size) ** 0.5
    return [affine(unit, g, None, g.shape), values.fixed(tuple(call.out[1].shape), length)]


@rule("_weight_norm_interface_backward")
def weight_norm_gradient(call: Call) -> list[Value]:
    """At v: g/|v| times what is orthogonal to v of the gradient; at g: what is along v/|v|."""
    w, v, g = call.value("grad_w"), call.value("saved_v"), call.value("saved_g")
    dims = _rows(v, call["dim"])
    size = math.prod(v.shape[d] for d in dims)
    norm = normalised(v, dims, 0.0, centred=False)
    scaled = affine(w, g, None, g.shape)
    left = scale(rated(scaled.moments, v.moments, norm.rate), ((1 - 1 / size) / size) ** 0.5)
    at_v = values.fresh(left, spread=scaled.spread, notes=w.notes | v.notes)
    along = values.scaled(values.times(w, norm.value), size**-0.5)
    return [at_v, values.reshaped(_sum(along, dims, True), tuple(call.out[1].shape))]


# diagonals


def diagonal_of(x: Moments, one: int, other: int) -> Moments:
    """Elements with equal indices on two axes, as a last axis: two of them differ on both or on none."""
    size = min(x.shape[one], x.shape[other])
    for dim in (one, other):
        x = uniform(flat(x, dim), dim)
    kept = [d for d in range(len(x.axes)) if d not in (one, other)]
    axes = (*(x.axes[d] for d in kept), ((size,),) if size > 1 else ())
    places = [start(x.axes, d) for d in (one, other) if x.axes[d]]
    second: Array = np.moveaxis(x.second, places, range(-len(places), 0))
    means: Array = np.moveaxis(x.mean, places, range(-len(places), 0))
    for _ in places[1:]:
        second, means = np.stack([second[..., 0, 0], second[..., 1, 1]], -1), means[..., 0]
    if size == 1 and places:
        second, means = second[..., 1], means[..., 0]
    return Moments(axes, second, means)


@rule("diagonal", "diagonal_copy")
def diagonal(call: Call) -> Value:
    """Elements on a diagonal of two axes."""
    x = call.value("self")
    rank = len(x.shape)
    moments = diagonal_of(x.moments, call["dim1"] % rank, call["dim2"] % rank)
    if moments.shape != call.shape:
        raise UnpredictedError("a diagonal beside the middle one")
    return values.fresh(moments, spread=x.scale_spread, notes=x.notes)


@rule("diagonal_backward")
def diagonal_gradient(call: Call) -> Value:
    """g on the diagonal, zero elsewhere."""
    g, shape = call.value("grad_output"), call.shape
    one, other = (call[name] % len(shape) for name in ("dim1", "dim2"))
    size = shape[one]
    if call["offset"] or shape[other] != size:
        raise UnpredictedError("a diagonal of what is not square, or beside the middle one")
    rest = [d for d in range(len(shape)) if d not in (one, other)]
    order = [rest.index(d) if d in rest else len(rest) for d in range(len(shape)) if d != other]
    placed = maps.permute(g.moments, order)
    placed = maps.reshape(placed, [1 if d == other else n for d, n in enumerate(shape)])
    eye = np.eye(size).reshape([size if d in (one, other) else 1 for d in range(len(shape))])
    moments = multiply(placed, measured(eye))
    return values.fresh(moments, spread=g.scale_spread, notes=g.notes)
