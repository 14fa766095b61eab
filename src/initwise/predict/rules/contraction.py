"""Matrix products of independent tensors: E[y²] = Σ E[x_k x_l]·E[w_k w_l]."""

from __future__ import annotations

import math
from dataclasses import replace

from .. import kin, sharing, values
from ..algebra import contract, scale, total
from ..echoes import FOLLOWED, again, answer, echo, heard, origin
from ..grams import product_grams
from ..luck import Luck
from ..moments import broadcast
from ..picking import through
from ..related import dependent, seen_otherwise, tell, told
from ..values import Value
from .calling import Call, rule
from .pointwise import DEPENDENT

ONE_SIDED = "sums with weights that are mostly their mean are taken for Gaussian"


def product(call: Call, x: Value, x_labels: str, y: Value, y_labels: str, out: str) -> Value:
    """The contraction of two values, as a base of its own: its scale is as lucky as the terms were."""
    known = through(x, x_labels, y, y_labels, out)
    if known is not None:
        return known
    moments = contract(x.moments, x_labels, y.moments, y_labels, out)
    one, other = _summed(x, x_labels, out), _summed(y, y_labels, out)
    spread = one + other
    if not (x.parameter or y.parameter):
        # a weight's gradient sums over what is lucky by itself; in a product of batches tokens meet others
        one, other = (one.shared, other.shared) if len(out) > 2 else (one, other)
        spread = spread.shared
        moments = scale(moments, one.together(other) ** 0.5)
    echoes = _echoes(x, x_labels, y, y_labels, out)
    notes = x.notes | y.notes | one_sided(x, y) | one_sided(y, x) | (frozenset() if echoes else echo(x, y))
    notes |= again(x, FOLLOWED, y) | again(y, FOLLOWED, x)
    notes |= sharing.left_out(x, y)
    if seen_otherwise(x, y) or dependent(x, y):
        tell(DEPENDENT.format(call.name), x, y)
    notes |= told(x, y)
    grams, extra = product_grams(x, x_labels, y, y_labels, out)
    if extra is not None:
        moments, extra = broadcast(moments, extra)
        moments = replace(moments, second=moments.second + extra.second)
    found = values.fresh(moments, spread=spread, notes=notes, grams=grams, origin=origin(x, y))
    key = (x_labels, y_labels, out)
    kin.remember(found, kin.Product(x, y, key, lambda one, two: contract(one, x_labels, two, y_labels, out)))
    return values.plus(found, echoes) if echoes else found


def _echoes(x: Value, x_labels: str, y: Value, y_labels: str, out: str) -> Value | None:
    """What a product has because one operand holds what the other gave, where that is known."""
    sizes = dict(zip(x_labels + y_labels, x.shape + y.shape, strict=True))
    count = math.prod(size for label, size in sizes.items() if label not in out)
    shape = tuple(sizes[label] for label in out)
    for gradient, weight in ((x, y), (y, x)):
        if heard(gradient, weight):
            return answer(gradient, weight, shape, count)
    return None


def _summed(x: Value, labels: str, out: str) -> Luck:
    if x.parameter:  # all slices meet the same one
        return x.spread.shared
    return x.spread_over(tuple(d for d, label in enumerate(labels) if label not in out))


def one_sided(x: Value, w: Value) -> frozenset[str]:
    """The note for weights that are mostly their mean: sums of what varies together keep its law."""
    moments = w.moments
    if not w.parameter or moments.mean.size != 1 or moments.overall_mean**2 <= moments.mean_square / 2:
        return frozenset()
    return frozenset() if x.law is None else frozenset({ONE_SIDED})


@rule("mm")
def matrix_product(call: Call) -> Value:
    """Σ_k x_ik y_kj."""
    return product(call, call.value("self"), "ik", call.value("mat2"), "kj", "ij")


@rule("bmm")
def batched_product(call: Call) -> Value:
    """Σ_k x_bik y_bkj."""
    return product(call, call.value("self"), "bik", call.value("mat2"), "bkj", "bij")


@rule("mv")
def matrix_vector(call: Call) -> Value:
    """Σ_k x_ik y_k."""
    return product(call, call.value("self"), "ik", call.value("vec"), "k", "i")


@rule("dot", "vdot")
def inner(call: Call) -> Value:
    """Σ_k x_k y_k."""
    return product(call, call.value("self"), "k", call.value(call.op._schema.arguments[1].name), "k", "")


@rule("addmm")
def affine(call: Call) -> Value:
    """beta·b + alpha·x·y."""
    y = product(call, call.value("mat1"), "ik", call.value("mat2"), "kj", "ij")
    return _with_bias(call, y)


@rule("baddbmm")
def batched_affine(call: Call) -> Value:
    """beta·b + alpha·x·y, in batches."""
    y = product(call, call.value("batch1"), "bik", call.value("batch2"), "bkj", "bij")
    return _with_bias(call, y)


@rule("addmv")
def affine_vector(call: Call) -> Value:
    """beta·b + alpha·A·v."""
    return _with_bias(call, product(call, call.value("mat"), "ik", call.value("vec"), "k", "i"))


def _with_bias(call: Call, y: Value) -> Value:
    y = values.scaled(y, float(call.get("alpha", 1)))
    beta = float(call.get("beta", 1))
    if beta == 0:
        return y
    return replace(biased(y, call.value("self"), beta), mask=call.value("self").mask)


def biased(y: Value, bias: Value, beta: float = 1.0) -> Value:
    """y + beta·bias as a base of its own; y itself where the bias is 0."""
    if bias.moments.fixed and not bias.moments.mean.any():
        return y
    kin.meets(bias)
    return values.plus(y, bias, beta).rebased()


@rule("linear")
def linear(call: Call) -> Value:
    """x·Wᵀ + b."""
    x, weight = call.value("input"), call.value("weight")
    letters = "abcdefgh"[: len(x.shape) - 1]
    y = product(call, x, letters + "k", weight, "jk", letters + "j")
    if call.get("bias") is None:
        return y
    return biased(y, call.value("bias"))


@rule("_trilinear")
def product_of_three(call: Call) -> Value:
    """Σ over some axes of x·y·z, each broadcast along axes of its own."""
    found: Value | None = None
    for i in (1, 2, 3):
        part, shape = call.value(f"i{i}"), list(call[f"i{i}"].shape)
        for dim in sorted(call[f"expand{i}"]):
            shape.insert(dim, 1)
        part = values.reshaped(part, shape)
        found = part if found is None else values.times(found, part)
    assert found is not None
    moments = total(found.moments, call["sumdim"], keep=False)
    return values.fresh(moments, spread=found.spread, notes=found.notes)
