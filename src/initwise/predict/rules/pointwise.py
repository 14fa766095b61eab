"""Elementwise operations: the operation itself, evaluated on the quadrature's grid.

1. All operands are functions of one base: the result is a function of that base.
2. The operation is linear in one operand (found by trying 0, 1 and −2.5 in its place) and the
   others are functions of one base: that operand times a function. Gradients of activations are
   of this kind: g·φ′(x).
3. Otherwise, for two operands: quadrature over two independent Gaussians.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from .. import quadrature, related, values
from ..axes import Array, spread_left, spread_right
from ..bases import Base, Factor
from ..moments import Moments, broadcast
from ..parts import of_tensor
from ..terms import Term
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .masks import chosen_by

PROBES = (0.0, 1.0, -2.5)
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(48)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()
ORDER = 14
BASIS = quadrature.hermite(ORDER, NODES) * NODE_WEIGHTS
"""Values on the nodes @ BASIS.T = Hermite coefficients."""


UNTAGGED = (
    *(
        f"{name}_backward"
        for name in ("elu", "softplus", "hardswish", "hardsigmoid", "hardtanh", "leaky_relu")
    ),
    *(f"{name}_backward" for name in ("softshrink", "hardshrink")),
    "hardswish",
)
"""Elementwise operations that torch does not tag as such."""
DIVIDING = {"div": "other", "div_": "other", "divide": "other", "true_divide": "other", "reciprocal": "self"}
"""Operation → the operand that it divides by."""


@rule("pointwise", *UNTAGGED)
def pointwise(call: Call) -> Value:
    """Any elementwise operation."""
    return elementwise(call)


def _function(call: Call, function: Callable[[Array], Array]) -> Value:
    x = call.value("self")
    factor = x.single or x.rebased().single
    assert factor is not None
    return Value((Term((Factor(factor.base, function(factor.on_grid)),)),), x.notes)


def _slopes(call: Call) -> Value:
    """What is below 0 is multiplied by: the middle slope at rest, in training any between the two."""
    low, high = float(call["lower"]), float(call["upper"])
    if call["training"]:
        return values.uniform(call.shape, low, high)
    return values.fixed(call.shape, (low + high) / 2)


@rule("rrelu_with_noise")
def random_slopes(call: Call) -> Value:
    """x above 0, u·x below, u uniform."""
    above, below = (_function(call, f) for f in (lambda x: np.maximum(x, 0.0), lambda x: np.minimum(x, 0.0)))
    return values.plus(above, values.times(below, _slopes(call)))


@rule("rrelu_with_noise_backward")
def random_slopes_gradient(call: Call) -> Value:
    """g above 0, u·g below, u as if drawn anew."""
    g = call.value("grad_output")
    above, below = (_function(call, f) for f in (lambda x: (x > 0) * 1.0, lambda x: (x <= 0) * 1.0))
    slope = values.plus(above, values.times(below, _slopes(call)))
    return values.times(g, slope)


def elementwise(call: Call) -> Value:
    """The value of any elementwise call. Raises UnpredictedError for what no rule of these fits."""
    operands = Operands(call)
    if not operands.values:
        return values.fixed(call.shape, float(operands.evaluate({})))
    for attempt in (_of_one_base, _linear_in_one, _of_two):
        found = attempt(operands)
        if found is not None:
            return _unhidden(operands, found)
    raise UnpredictedError(f"{call.name} of {len(operands.values)} operands that vary by themselves")


def _unhidden(operands: Operands, found: Value) -> Value:
    """What the operation makes of −∞, in place of scores that take no part; as it is where that is −∞."""
    hidden = [(place, value.mask) for place, value in operands.values.items() if value.mask is not None]
    if len(hidden) != 1 or len(operands.values) != 1:
        return found
    ((place, mask),) = hidden
    number = float(operands.evaluate({place: np.full(1, -math.inf)})[0])
    if not math.isfinite(number):
        return found
    keep = values.expanded(of_tensor(mask), operands.call.shape)
    return chosen_by(replace(found, mask=None), keep, number, operands.call.shape)


class Operands:
    """The operands of an elementwise call: which vary, and the operation on numbers in their place."""

    def __init__(self, call: Call) -> None:
        self.call = call
        # a tensor that the result is written to is no operand
        arguments = {name: given for name, given in call.arguments.items() if name != "out"}
        self.flat, self._spec = tree_flatten((arguments,))
        self.values: dict[int, Value] = {}
        for place, leaf in enumerate(self.flat):
            if isinstance(leaf, Tensor):
                self._take(place, leaf)
        self.bases = {place: value.single for place, value in self.values.items()}
        if call.name in DIVIDING:
            self._divide(list(call.arguments).index(DIVIDING[call.name]))

    def _divide(self, place: int) -> None:
        """What is divided by: of one sign, if it has a mean to speak of."""
        value = self.values.get(place)
        if value is None:
            return
        factor = value.single or value.rebased().single
        assert factor is not None
        grid = _of_one_sign(factor.on_grid, self.call.name)
        if grid is not factor.on_grid:
            self.bases[place] = Factor(factor.base, grid)
            self.values[place] = replace(value, terms=(Term((Factor(factor.base, grid),)),))

    def _take(self, place: int, leaf: Tensor) -> None:
        if leaf.is_complex():
            raise UnpredictedError(f"{self.call.name} of complex numbers")
        value = self.call.of(leaf)
        moments = value.moments
        if moments.fixed and moments.mean.size == 1:
            number = torch.tensor(float(moments.mean.reshape(())), dtype=torch.float64)
            self.flat[place] = number if leaf.is_floating_point() else number.to(leaf.dtype)
            return
        shape = self.call.shape
        if moments.shape != shape:
            value = values.expanded(value, shape)
        self.values[place] = value

    def evaluate(self, numbers: dict[int, Any]) -> Array:
        """The operation with `numbers` in place of the operands that vary, in float64."""
        leaves = list(self.flat)
        for place, number in numbers.items():
            whole = torch.from_numpy(np.array(number, float))
            leaves[place] = whole > 0.5 if self.flat[place].dtype == torch.bool else whole
        if self.call.op._schema.is_mutable:
            leaves = _unaliased(leaves)
        (arguments,) = tree_unflatten(leaves, self._spec)
        arguments = {
            k: v for k, v in arguments.items() if k not in ("dtype", "out", "memory_format", "generator")
        }
        with np.errstate(all="ignore"):
            result = _called(self.call.op, arguments)
        return result.to(torch.float64).numpy()


def _of_one_sign(grid: Array, name: str) -> Array:
    """Values on the grid; where a Gaussian would cross 0 the lognormal law of the same mean and variance.

    1/x of a Gaussian has no mean square; what numbers are divided by is a sum of positive ones, as a rule.
    """
    low, high = grid.min(-1), grid.max(-1)
    crossing = (low <= 0) & (high >= 0) & (low < high)
    if not crossing.any():
        return grid
    mean = quadrature.mean(grid)
    deviation = np.sqrt(np.maximum(quadrature.mean(grid**2) - mean**2, 0.0))
    if (np.abs(mean) < deviation / 2)[crossing].any():
        raise UnpredictedError(f"{name} by values on both sides of 0: its mean square does not exist")
    mean, deviation, at = mean[crossing][:, None], deviation[crossing][:, None], grid[crossing]
    log_variance = np.log1p((deviation / mean) ** 2)
    standard = np.sign(mean) * (at - mean) / deviation
    found = grid.copy()
    found[crossing] = mean * np.exp(np.sqrt(log_variance) * standard - log_variance / 2)
    return found


def _unaliased(leaves: list[Any]) -> list[Any]:
    shape = np.broadcast_shapes(*(tuple(leaf.shape) for leaf in leaves if isinstance(leaf, Tensor)))
    return [leaf.expand(shape).clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]


def _called(op: Any, arguments: dict[str, Any]) -> Tensor:
    positional = [arguments[a.name] for a in op._schema.arguments if not a.kwarg_only and a.name in arguments]
    named = {a.name: arguments[a.name] for a in op._schema.arguments if a.kwarg_only and a.name in arguments}
    # without the tensor that the result is written to, it is another overload
    function = op.overloadpacket if any(a.is_out for a in op._schema.arguments) else op
    result: Tensor = function(*positional, **named)
    return result


def _finite(numbers: Array, operands: Operands) -> Array:
    if not np.isfinite(numbers).all():
        raise UnpredictedError(f"{operands.call.name} is not finite for values that its input may take")
    return numbers


def _of_one_base(operands: Operands) -> Value | None:
    factors = operands.bases
    if any(factor is None for factor in factors.values()):
        if len(factors) > 1:
            return None
        (place,) = factors
        factors = {place: operands.values[place].rebased().single}
    first = next(iter(factors.values()))
    if first is None or any(f is None or f.base is not first.base for f in factors.values()):
        return None
    result = operands.evaluate({place: f.on_grid for place, f in factors.items() if f is not None})
    if not np.isfinite(result).all():
        return _positive(operands, first) if len(factors) == 1 else None
    return _like(operands, Value((Term((Factor(first.base, _shaped(result, first)),)),)))


def _shaped(result: Array, factor: Factor) -> Array:
    return np.broadcast_to(result, factor.base.grid.shape)


def _positive(operands: Operands, factor: Factor) -> Value:
    """For what must be positive (√, log, 1/x of a mean square): a lognormal law of the same moments."""
    moments = next(iter(operands.values.values())).moments
    if not (moments.mean > 0).all():
        raise UnpredictedError(f"{operands.call.name} of values that may be negative or zero")
    log_variance = np.log1p(moments.variance / moments.mean**2)[..., None]
    law = moments.mean[..., None] * np.exp(np.sqrt(log_variance) * quadrature.GRID - log_variance / 2)
    (place,) = operands.values
    result = _finite(operands.evaluate({place: law}), operands)
    origin = factor.base.origin
    if origin[:1] == ("square",):
        origin = ("of square", origin[1], law / moments.mean[..., None])
    base = Base(moments, spread=factor.base.spread, origin=origin)
    found = Value((Term((Factor(base, result),)),))
    related.depends(found, Value((Term((factor,)),)))
    return _like(operands, found)


def _like(operands: Operands, value: Value) -> Value:
    """`value` with the notes and the mask of the operands."""
    given = list(operands.values.values())
    notes = value.notes.union(*(v.notes for v in given))
    return Value(value.terms, notes, next((v.mask for v in given if v.mask is not None), None))


def _linear_in_one(operands: Operands) -> Value | None:
    """x·h(y): linear in x, the others functions of one base."""
    for place, value in operands.values.items():
        others = {p: f for p, f in operands.bases.items() if p != place}
        bases = {id(f.base) for f in others.values() if f is not None}
        if not others or None in others.values() or len(bases) != 1:
            continue
        grid = {p: f.on_grid for p, f in others.items() if f is not None}
        zero, one, probe = (operands.evaluate({place: np.full(1, x), **grid}) for x in PROBES)
        size = np.abs(one).max(initial=0.0)
        if not np.isfinite(one).all() or np.abs(zero).max(initial=0.0) > 1e-9 * size:
            continue
        if np.allclose(probe, PROBES[2] * one, rtol=1e-6, atol=1e-9 * size):
            other = next(f for f in others.values() if f is not None)
            function = Value((Term((Factor(other.base, _shaped(one, other)),)),))
            return _like(operands, values.times(value, function))
    return None


def _of_two(operands: Operands) -> Value | None:
    """f(x, y) of two independent operands by product quadrature, each taken as Gaussian."""
    if len(operands.values) != 2:
        return None
    (i, x), (j, y) = operands.values.items()

    def function(one: Array, other: Array) -> Array:
        return _finite(operands.evaluate({i: one, j: other}), operands)

    found = of_two(x, y, function)
    notes = frozenset({DEPENDENT.format(operands.call.name)}) if x.bases & y.bases else frozenset()
    return _like(operands, Value(found.terms, notes))


def of_two(x: Value, y: Value, function: Callable[[Array, Array], Array]) -> Value:
    """f(x, y) of two independent values of one shape, each taken as Gaussian."""
    a, b = broadcast(x.moments, y.moments)
    one, other = _points(a)[..., :, None], _points(b)[..., None, :]
    shape = np.broadcast_shapes(one.shape, other.shape)
    table = function(np.broadcast_to(one, shape), np.broadcast_to(other, shape))
    moments = _from_table(table, Base(a), Base(b))
    return values.fresh(moments, spread=x.scale_spread + y.scale_spread, notes=x.notes | y.notes)


DEPENDENT = "the operands of {} depend on each other; they were taken as independent"


def _points(moments: Moments) -> Array:
    return moments.mean[..., None] + np.sqrt(moments.variance)[..., None] * NODES


def _from_table(table: Array, a: Base, b: Base) -> Moments:
    """Moments of f(x, y) from its values on the product of nodes: a Hermite series in both."""
    axes = a.moments.axes
    series = np.einsum("...ij,ki,lj->...kl", table, BASIS, BASIS)
    square = np.einsum("...ij,i,j->...", table**2, NODE_WEIGHTS, NODE_WEIGHTS)
    flat = series.reshape(-1, ORDER * ORDER)
    numbers = np.arange(flat.shape[0]).reshape(series.shape[:-2])
    products = flat[spread_left(numbers, axes)] * flat[spread_right(numbers, axes)]
    powers = np.arange(ORDER)
    rho = (a.correlation[..., None, None] ** powers[:, None]) * (b.correlation[..., None, None] ** powers)
    second = (products * rho.reshape(*products.shape)).sum(-1)
    rest = square - (series**2).sum((-1, -2))
    both = np.minimum(np.abs(a.correlation), np.abs(b.correlation)) ** quadrature.TAIL
    second = second + (spread_left(rest, axes) + spread_right(rest, axes)) / 2 * both
    return Moments(axes, second, series[..., 0, 0])
