"""Complex numbers, made of parts and taken apart; see `predict.parts`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from .. import maps, values
from ..axes import start
from ..bases import Factor
from ..moments import Moments, broadcast, simplified
from ..parts import complex_product, conjugated, is_complex, of_parts, parts, with_real
from ..terms import Term
from ..values import Value
from .calling import Call, rule
from .pointwise import elementwise, of_two
from .views import PAIR, joined, selected_at


def as_complex(call: Call, given: Any) -> Value:
    """An operand in the output's shape, complex whatever it was."""
    if isinstance(given, Tensor):
        x = values.expanded(call.of(given), call.shape)
        return x if given.is_complex() else of_parts(x, values.fixed(call.shape, 0.0))
    number = complex(given)
    return of_parts(values.fixed(call.shape, number.real), values.fixed(call.shape, number.imag))


def product_with_complex(call: Call) -> Value:
    """x·y of which one is complex."""
    x, y = call["self"], call["other"]
    if not is_complex(x):
        x, y = y, x
    z = as_complex(call, x)
    if is_complex(y):
        return complex_product(z, as_complex(call, y))
    if not isinstance(y, Tensor):
        return values.scaled(z, float(y))
    return with_real(z, values.expanded(call.of(y), call.shape))


@rule("_to_copy")
def converted(call: Call) -> Value:
    """The tensor itself, of another dtype."""
    x = call.value("self")
    if is_complex(call.out) == is_complex(call["self"]):
        return x
    return of_parts(x, values.fixed(x.shape, 0.0)) if is_complex(call.out) else parts(x)[0]


@rule("complex")
def from_parts(call: Call) -> Value:
    """x + i·y."""
    real, imaginary = (values.expanded(call.value(name), call.shape) for name in ("real", "imag"))
    return of_parts(real, imaginary)


def turned(length: Value, angle: Value) -> Value:
    """r·(cos φ + i·sin φ)."""
    return of_parts(*(values.times(length, applied(angle, function)) for function in (np.cos, np.sin)))


@rule("polar")
def from_length(call: Call) -> Value:
    """r·(cos φ + i·sin φ)."""
    return turned(*(values.expanded(call.value(name), call.shape) for name in ("abs", "angle")))


def applied(x: Value, function: Callable[[Any], Any]) -> Value:
    """A function of a value."""
    factor = x.single or x.rebased().single
    assert factor is not None
    return Value((Term((Factor(factor.base, function(factor.on_grid)),)),), x.notes)


@rule("view_as_complex")
def pairs_as_complex(call: Call) -> Value:
    """The last axis of 2 as real and imaginary parts."""
    x = call.value("self")
    return of_parts(*(selected_at(x, len(x.shape) - 1, i) for i in (0, 1)))


@rule("view_as_real")
def complex_as_pairs(call: Call) -> Value:
    """The parts as a last axis of 2; what they have in common is found from E[(x + y)²]."""
    real, imaginary = parts(call.value("self"))
    shape = (*real.shape, 1)
    pair = joined([values.reshaped(part, shape) for part in (real, imaginary)], len(shape) - 1)
    origin = (PAIR, real, imaginary)
    if not real.bases & imaginary.bases:
        return values.fresh(
            pair.moments, spread=pair.scale_spread, notes=pair.notes, grams=pair.grams, origin=origin
        )
    one, other = broadcast(real.moments, imaginary.moments)
    both, one = broadcast(values.plus(real, imaginary).moments, one)
    common = (both.second - one.second - other.second) / 2
    return values.fresh(
        _paired(one, other, common), spread=pair.scale_spread, notes=pair.notes, origin=origin
    )


def _paired(one: Moments, other: Moments, common: Any) -> Moments:
    """Two tensors side by side on a last axis, E[x_i·y_j] being `common`."""
    stacked = maps.concatenate([maps.reshape(x, (*x.shape, 1)) for x in (one, other)], len(one.axes))
    place = start(stacked.axes, len(one.axes))
    second = np.moveaxis(stacked.second, place, 0).copy()
    second[1] = second[2] = common
    return simplified(Moments(stacked.axes, np.moveaxis(second, 0, place), stacked.mean))


@rule("_conj", "conj_physical")
def conjugate(call: Call) -> Value:
    """The imaginary part with the other sign."""
    z = call.value("self")
    return conjugated(z) if is_complex(call["self"]) else z


@rule("_neg_view")
def negative_view(call: Call) -> Value:
    """−x."""
    return values.scaled(call.value("self"), -1.0)


@rule("abs")
def absolute(call: Call) -> Value:
    """|x|; of a complex number the length of the two parts."""
    if not is_complex(call["self"]):
        return elementwise(call)
    return of_two(*parts(call.value("self")), np.hypot)


@rule("angle")
def angle(call: Call) -> Value:
    """The argument, from the parts."""
    if not is_complex(call["self"]):
        return elementwise(call)
    real, imaginary = parts(call.value("self"))
    return of_two(imaginary, real, np.arctan2)


@rule("sgn")
def direction(call: Call) -> Value:
    """x/|x|."""
    if not is_complex(call["self"]):
        return elementwise(call)
    a, b = parts(call.value("self"))
    return of_parts(of_two(a, b, _cosine), of_two(b, a, _cosine))


def _cosine(x: Any, y: Any) -> Any:
    return x / np.maximum(np.hypot(x, y), 1e-300)
