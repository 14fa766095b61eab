"""Sums and products: exact for what is shared, without quadrature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from .. import values
from ..algebra import centre
from ..bases import Factor
from ..echoes import of_the_same
from ..parts import complex_sum, is_complex
from ..related import dependent
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .complex import as_complex, product_with_complex
from .masks import additive
from .parted import by_its_rms, product, total
from .pointwise import DEPENDENT, elementwise
from .reduction import reduced


def _operand(call: Call, given: Any) -> Value | float:
    """A value in the output's shape, or a number."""
    if not isinstance(given, Tensor):
        return float(given)
    value = call.of(given)
    if value.moments.fixed and value.moments.mean.size == 1 and value.mask is None:
        return float(value.moments.mean.reshape(()))
    shape = call.shape
    if value.moments.shape != shape:
        return values.expanded(value, shape)
    return value


def _sum(call: Call, x: Value | float, y: Value | float, alpha: float) -> Value:
    if isinstance(x, float) and isinstance(y, float):
        return values.fixed(call.shape, x + alpha * y)
    if isinstance(x, float):
        assert isinstance(y, Value)
        return values.shifted(values.scaled(y, alpha), x)
    if isinstance(y, float):
        return values.shifted(x, alpha * y) if y else x
    found = _centred(x, y, alpha) or _centred(values.scaled(y, alpha), x, 1.0)
    if found is not None:
        return found
    found = total(x, y, alpha)
    return values.noted(found, frozenset({DEPENDENT.format(call.name)})) if dependent(x, y) else found


def _centred(x: Value, y: Value, alpha: float) -> Value | None:
    """x + alpha·y, y a share of the mean of that very x over axes: x's deviations, and its mean."""
    mean = y.terms[0] if len(y.terms) == 1 and len(y.terms[0].factors) == 1 else None
    base = mean.factors[0].base if mean is not None and mean.factors[0].values is None else None
    if mean is None or base is None or base.origin[:1] != ("average",):
        return None
    _, whole, dims = base.origin
    for place, term in enumerate(x.terms):
        if len(term.factors) == 1 and term.factors[0].base is whole and term.factors[0].values is None:
            rest = term.coefficient + alpha * mean.coefficient
            deviation = Factor(whole.view(("centred", dims), lambda m: centre(m, dims)))
            terms = [*x.terms[:place], replace(term, factors=(deviation,)), *x.terms[place + 1 :]]
            if abs(rest) > 1e-9 * abs(term.coefficient):
                terms.append(replace(mean, coefficient=rest))
            return Value(tuple(terms), x.notes | y.notes)
    return None


def deviations(x: Value, dims: Sequence[int]) -> Value:
    """x minus its mean over `dims`."""
    mean = values.expanded(reduced(x, list(dims), True), x.shape)
    whole = x if _centred(x, mean, -1.0) is not None else x.rebased()
    if whole is not x:
        mean = values.expanded(reduced(whole, list(dims), True), x.shape)
    found = _centred(whole, mean, -1.0)
    return found if found is not None else values.fresh(centre(x.moments, dims), notes=x.notes)


@rule("add", "sub")
def add(call: Call) -> Value:
    """x ± alpha·y: the variance of a sum of independent terms is the sum of theirs."""
    scores = additive(call) if call.name.startswith("add") else None
    if scores is not None:
        return scores
    sign = -1.0 if call.name.startswith("sub") else 1.0
    alpha = sign * float(call.get("alpha", 1) or 0)
    if is_complex(call.out):
        x, y = (as_complex(call, call[name]) for name in ("self", "other"))
        return complex_sum(x, y, alpha)
    return _sum(call, _operand(call, call["self"]), _operand(call, call["other"]), alpha)


@rule("rsub")
def reversed_subtraction(call: Call) -> Value:
    """y − alpha·x."""
    return _sum(
        call, _operand(call, call["other"]), _operand(call, call["self"]), -float(call.get("alpha", 1) or 0)
    )


@rule("mul")
def multiply(call: Call) -> Value:
    """x·y: second moments of independent factors multiply."""
    if is_complex(call.out):
        return product_with_complex(call)
    x, y = _operand(call, call["self"]), _operand(call, call["other"])
    if isinstance(x, float):
        x, y = y, x
    if isinstance(x, float):
        assert isinstance(y, float)
        return values.fixed(call.shape, x * y)
    if isinstance(y, float):
        return values.scaled(x, y)
    return by_its_rms(x, y) or by_its_rms(y, x) or product(x, y)


QUOTIENT = "a quotient of two products of the same operand: what cancels in its gradient is not followed"


@rule("div")
def divide(call: Call) -> Value:
    """x/y; a number below, or a function of one base (its reciprocal)."""
    if is_complex(call["other"]):
        raise UnpredictedError("division by complex numbers")
    y, x = _operand(call, call["other"]), _operand(call, call["self"])
    if call.get("rounding_mode") is None and isinstance(y, float) and isinstance(x, Value):
        return values.scaled(x, 1 / y) if y else elementwise(call)
    found = elementwise(call)
    alike = isinstance(x, Value) and isinstance(y, Value) and of_the_same(x, y)
    return values.noted(found, frozenset({QUOTIENT})) if alike else found


@rule("neg")
def negative(call: Call) -> Value:
    """−x."""
    return values.scaled(call.value("self"), -1.0)


@rule("addcmul")
def add_product(call: Call) -> Value:
    """x + value·y·z."""
    parts = [_operand(call, call[name]) for name in ("self", "tensor1", "tensor2")]
    x, y, z = (part if isinstance(part, Value) else values.fixed(call.shape, part) for part in parts)
    return values.plus(x, values.times(y, z), float(call.get("value", 1)))


@rule("lerp")
def interpolate(call: Call) -> Value:
    """x + w·(y − x)."""
    parts = [_operand(call, call[name]) for name in ("self", "end", "weight")]
    x, y, w = (part if isinstance(part, Value) else values.fixed(call.shape, part) for part in parts)
    return values.plus(values.plus(x, values.times(w, x), -1.0), values.times(w, y))
