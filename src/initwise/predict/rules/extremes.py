"""The largest of several values, and where its gradient goes.

The largest of k elements of one law has the distribution function Φᵏ in place of Φ; with elements
that correlate by ρ, E[Φ((z − √ρ·c)/√(1 − ρ))ᵏ] over a common part c. An element is the largest with
probability Φᵏ⁻¹(z), given its own z: so gradients go where values are large.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from torch._subclasses.fake_tensor import FakeTensor

from .. import quadrature, values
from ..axes import Array, Axes, atoms_of, patterns, start
from ..bases import Base, Factor
from ..lines import Line
from ..moments import constant, independent
from ..terms import Term
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .indexing import one_of, resized
from .pointwise import elementwise
from .pooling import per_axis, space

COMMON, SHARES = np.polynomial.hermite_e.hermegauss(24)
SHARES = SHARES / SHARES.sum()
LARGEST = "largest"
"""The origin of what is the largest of others: (LARGEST, these, axes, their number, its inverse)."""
HIT = "hit"
"""A mark in the memo of a mask: it holds for one element of each kind, and sums to 1."""
Counts = dict[float, float]
"""How many elements a window has → share of the windows."""


def below(place: Array, count: float, rho: float) -> Array:
    """P(all of `count` elements lie below their law's quantile `place`), with correlation ρ between them."""
    if rho < 1e-6:
        return np.asarray(place**count)
    points = np.interp(place, quadrature.QUANTILES, quadrature.GRID)
    shifted = (points[..., None] - math.sqrt(rho) * COMMON) / math.sqrt(max(1 - rho, 1e-9))
    return np.asarray(np.interp(shifted, quadrature.GRID, quadrature.QUANTILES) ** count @ SHARES)


def above(place: Array, count: float, rho: float) -> Array:
    """P(an element at `place` of its law is larger than `count` others), with correlation ρ between all.

    Given z, the common part is √ρ·z + √(1 − ρ)·c, so the others lie below it by Φ(√(1 − ρ)·z − √ρ·c) each.
    """
    if rho < 1e-6:
        return np.asarray(place**count)
    points = np.interp(place, quadrature.QUANTILES, quadrature.GRID)
    shifted = math.sqrt(max(1 - rho, 0.0)) * points[..., None] - math.sqrt(rho) * COMMON
    return np.asarray(np.interp(shifted, quadrature.GRID, quadrature.QUANTILES) ** count @ SHARES)


def correlation(base: Base, dims: Sequence[int]) -> float:
    """Mean correlation of two elements that differ along one of the axes `dims` only; never below 0."""
    return _apart(base.correlation, base.moments.axes, dims)


def _apart(second: Array, axes: Axes, dims: Sequence[int]) -> float:
    """Mean over pairs of elements that differ along one of the axes `dims` only; never below 0."""
    found = []
    for dim in dims:
        first = start(axes, dim)
        mine = range(first, first + len(axes[dim]))
        weights, equal = np.ones(()), np.ones(())
        for place, atom in enumerate(atoms_of(axes)):
            table = patterns(atom)
            same = table.pairs * table.equal
            weights = np.multiply.outer(weights, table.pairs if place in mine else same)
            equal = np.multiply.outer(equal, same)
        total = (weights - equal).sum()
        if total > 0:
            found.append(float(((weights - equal) * second).sum() / total))
    return max(float(np.mean(found)), 0.0) if found else 0.0


def _function(x: Value) -> Factor:
    factor = x.single or x.rebased().single
    assert factor is not None
    return factor


def _ranks(factor: Factor) -> tuple[Array, Array]:
    """(order of the grid's points by value, probability of lying below each, in that order)."""
    order = np.argsort(factor.on_grid, axis=-1, kind="stable")
    return order, np.cumsum(quadrature.WEIGHTS[order], axis=-1)


def largest(x: Value, dims: Sequence[int], counts: Counts) -> Value:
    """The largest of `counts` elements along `dims`, at as many places as x has."""
    factor = _function(x)
    order, share = _ranks(factor)
    rho = correlation(factor.base, dims)
    reached = sum(portion * below(np.minimum(share, 1.0), count, rho) for count, portion in counts.items())
    chance = np.diff(np.asarray(reached), axis=-1, prepend=0.0)
    middle = np.clip(np.cumsum(chance, axis=-1) - chance / 2, 1e-12, 1 - 1e-12)
    ranked = np.take_along_axis(factor.on_grid, order, -1)
    width = ranked.shape[-1]
    found = [
        np.interp(quadrature.QUANTILES, p, r)
        for p, r in zip(middle.reshape(-1, width), ranked.reshape(-1, width), strict=True)
    ]
    return Value((Term((Factor(factor.base, np.stack(found).reshape(ranked.shape)),)),), x.notes)


def _power(x: Value, dims: Sequence[int], count: float) -> tuple[Base, Array]:
    """Given the z of x's base, how much likelier than any it is the largest of `count`: Φᵏ⁻¹(z)/E[Φᵏ⁻¹]."""
    factor = _function(x)
    order, share = _ranks(factor)
    power = np.empty_like(share)
    rho = correlation(factor.base, dims)
    np.put_along_axis(power, order, above(np.minimum(share, 1.0), count - 1, rho), -1)
    return factor.base, power / quadrature.mean(power)[..., None]


def _chosen(g: Value, x: Value, dims: Sequence[int], count: float, hits: float, pairs: float = 0.0) -> Value:
    """g where x is the largest of `count`; in all `hits` times per element, `pairs` of them doubly.

    Given x's z, it is hit n(z) = hits·Φᵏ⁻¹(z)/E[Φᵏ⁻¹] times: of mean n and, for one hit at most, of
    mean square n, so n·g and √(n − n²)·g·ε with a stranger ε.
    """
    base, power = _power(x, dims, count)
    number = hits * power

    def function(numbers: Array) -> Value:
        return Value((Term((Factor(base, numbers),)),))

    if number.max() > 1 + 1e-6 or pairs:
        alike = _apart(g.moments.second, g.moments.axes, dims) if pairs else 0.0
        joint = alike / max(g.moments.mean_square, 1e-300)
        return values.times(g, function(np.sqrt(number * (1 + joint * pairs / hits))))
    stranger = values.fresh(independent(x.shape, 0.0, 1.0))
    rest = values.times(function(np.sqrt(np.maximum(number - number**2, 0.0))), stranger)
    return values.plus(values.times(g, function(number)), values.times(g, rest))


# windows


def _lines(call: Call, size: Sequence[int], out: Sequence[int]) -> list[Line]:
    rank = len(size)
    kernel, padding, dilation = (
        per_axis(call[name], rank) for name in ("kernel_size", "padding", "dilation")
    )
    stride = per_axis(call["stride"] or kernel, rank)
    return [Line(size[i], out[i], kernel[i], stride[i], padding[i], dilation[i]) for i in range(rank)]


def _counts(lines: Sequence[Line]) -> Counts:
    """How many places the windows see."""
    seen = [(line.seen() >= 0).sum(1) for line in lines]
    whole = seen[0].astype(float)
    for more in seen[1:]:
        numbers, number = np.unique(np.multiply.outer(whole, more), return_counts=True)
        whole = np.repeat(numbers, np.maximum(number * 64 // number.sum(), 1))
    numbers, number = np.unique(whole, return_counts=True)
    return {float(n): float(c / number.sum()) for n, c in zip(numbers, number, strict=True)}


def _pairs(lines: Sequence[Line]) -> float:
    """Σ over the windows that share places with one of them of P(both have the same largest)."""
    reach = [range(-(line.kernel // line.stride), line.kernel // line.stride + 1) for line in lines]
    size, found = math.prod(line.kernel for line in lines), 0.0
    for offset in itertools.product(*reach):
        if any(offset) and all(line.dilation == 1 for line in lines):
            shared = math.prod(
                max(line.kernel - abs(d) * line.stride, 0) for d, line in zip(offset, lines, strict=True)
            )
            found += shared / (2 * size - shared)
    return found


@rule("max_pool2d_with_indices", "max_pool3d_with_indices")
def max_pool(call: Call) -> list[Value]:
    """The largest of a window's values."""
    x = call.value("self")
    dims = space(call, len(x.shape))
    lines = _lines(call, [x.shape[d] for d in dims], [call.shape[d] for d in dims])
    y = resized(largest(x, dims, _counts(lines)), call.shape)
    return [y, values.fixed(tuple(call.out[1].shape), 0.0)]


@rule("max_pool2d_with_indices_backward", "max_pool3d_with_indices_backward")
def max_pool_gradient(call: Call) -> Value:
    """A window's gradient where its value is the largest, zero elsewhere."""
    g, x = call.value("grad_output"), call.value("self")
    dims = space(call, len(x.shape))
    lines = _lines(call, [x.shape[d] for d in dims], [g.shape[d] for d in dims])
    count = sum(n * share for n, share in _counts(lines).items())
    hits = math.prod(g.shape[d] for d in dims) / math.prod(x.shape[d] for d in dims)
    return _chosen(resized(g, x.shape), x, dims, count, hits, hits * _pairs(lines))


@rule("adaptive_max_pool2d", "adaptive_max_pool3d", "fractional_max_pool2d", "fractional_max_pool3d")
def adaptive_max_pool(call: Call) -> list[Value]:
    """The largest of windows that are laid to give so many."""
    x = call.value("self")
    dims = space(call, len(x.shape))
    y = resized(largest(x, dims, _adaptive_counts(call, x.shape, call.shape, dims)), call.shape)
    return [y, values.fixed(tuple(call.out[1].shape), 0.0)]


def _adaptive_counts(call: Call, size: Sequence[int], out: Sequence[int], dims: Sequence[int]) -> Counts:
    if "kernel_size" in call.arguments:
        return {float(math.prod(per_axis(call["kernel_size"], len(dims)))): 1.0}
    found: Counts = {1.0: 1.0}
    for d in dims:
        windows = [-(-(i + 1) * size[d] // out[d]) - i * size[d] // out[d] for i in range(out[d])]
        more: Counts = {}
        for count, share in found.items():
            for window in windows:
                more[count * window] = more.get(count * window, 0.0) + share / len(windows)
        found = more
    return found


@rule(*(f"{kind}_max_pool{n}d_backward" for kind in ("adaptive", "fractional") for n in (2, 3)))
def adaptive_max_pool_gradient(call: Call) -> Value:
    """A window's gradient where its value is the largest, zero elsewhere."""
    g, x = call.value("grad_output"), call.value("self")
    dims = space(call, len(x.shape))
    counts = _adaptive_counts(call, x.shape, g.shape, dims)
    hits = math.prod(g.shape[d] for d in dims) / math.prod(x.shape[d] for d in dims)
    count = sum(n * share for n, share in counts.items())
    return _chosen(resized(g, x.shape), x, dims, count, hits)


# whole axes


def _reduced(call: Call, x: Value, dims: Sequence[int]) -> Value:
    count = math.prod(x.shape[d] for d in dims)
    one = [1 if d in dims else size for d, size in enumerate(x.shape)]
    y = marked(resized(largest(x, dims, {float(count): 1.0}), one), x, dims, float(count), 1 / count)
    return values.reshaped(y, call.shape)


def marked(y: Value, x: Value, dims: Sequence[int], count: float, hits: float) -> Value:
    """y, which remembers that it is the largest of `count` elements of x; of an element `hits` such are."""
    (term,) = y.terms
    term.factors[0].base.origin = (LARGEST, x, tuple(dims), count, hits)
    return y


@rule("eq")
def equal(call: Call) -> Value:
    """Where x is the largest of its kind: one of the elements that y is the largest of."""
    pair = [call[name] for name in ("self", "other")]
    if not all(isinstance(one, FakeTensor) and one.is_floating_point() for one in pair):
        return elementwise(call)
    one, other = (call.of(tensor) for tensor in pair)
    for x, y in ((one, other), (other, one)):
        origin = y.terms[0].factors[0].base.origin
        if origin[:1] == (LARGEST,) and x.bases == origin[1].bases:
            return _is_largest(x, *origin[1:])
        if origin[:1] == (LARGEST,):
            raise UnpredictedError("whether a value is the largest of others")
    return elementwise(call)


@rule("logical_or")
def either_holds(call: Call) -> Value:
    """x or y; x alone where y never holds (torch asks an extreme's gradient for nan)."""
    for one, other in (("self", "other"), ("other", "self")):
        never = call.value(other).moments
        if never.fixed and never.mean_square == 0:
            return values.expanded(call.value(one), call.shape)
    return elementwise(call)


def _is_largest(x: Value, whole: Value, dims: tuple[int, ...], count: float, hits: float) -> Value:
    one = values.fixed(x.shape, 1.0)
    if len(dims) == 1 and x.shape[dims[0]] == count:
        found = where_largest(one, whole, dims[0])
    else:
        found = _chosen(one, whole, dims, count, hits)
    if 0 in dims:
        found = values.noted(found, frozenset({OF_EXAMPLES}))
    found.memo[HIT] = True
    return found


def where_largest(g: Value, x: Value, dim: int) -> Value:
    """g at one place of each line along `dim`, where x is largest, zero at the others.

    Of mean square 1/k it becomes of mean square Φᵏ⁻¹(z)/(k·E[Φᵏ⁻¹]) given x's z.
    """
    if g.shape[dim] == 1:
        return g
    base, power = _power(x, (dim,), float(x.shape[dim]))
    root = np.sqrt(power)
    placed = one_of(g, dim, float(np.mean(quadrature.mean(root))))
    return values.times(placed, Value((Term((Factor(base, root),)),)))


OF_EXAMPLES = "the largest over examples: that the one it comes from differs from the others is not followed"


@rule("amax", "amin", "max", "min")
def extreme(call: Call) -> Value | list[Value]:
    """The largest, or smallest, along axes."""
    x = call.value("self")
    sign = -1.0 if call.name in ("amin", "min") else 1.0
    signed, dims = values.scaled(x, sign), call.dims(len(x.shape))
    y = values.scaled(_reduced(call, signed, dims), sign)
    return y if not isinstance(call.out, (tuple, list)) else [y, _place(signed, dims, call.shape)]


def _place(x: Value, dims: Sequence[int], shape: tuple[int, ...]) -> Value:
    """Where the largest lies, which remembers what it is the largest of."""
    count = float(math.prod(x.shape[d] for d in dims))
    return values.fresh(constant(shape, 0.0), origin=(LARGEST, x, tuple(dims), count, 1 / count))
