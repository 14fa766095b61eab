"""Parts: the real and the imaginary part behind a complex tensor.

Of a complex tensor a `Value` has Re E[z·z̄′] in place of second moments (averaged over the pairs of a
pattern the imaginary part is nothing) and the mean of the real part, so that sums, views, products
and contractions go by the rules of real tensors. A tensor that was made from its parts remembers
them, in its base's origin. Of others they are taken as alike and unrelated, each with half of the
variance.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from . import values
from .axes import spread_left, spread_right
from .moments import Moments, broadcast, measured
from .values import PARTS, Value


def is_complex(given: object) -> bool:
    """Is it a complex tensor, or a complex number?"""
    return given.is_complex() if isinstance(given, Tensor) else isinstance(given, complex)


def of_parts(real: Value, imaginary: Value) -> Value:
    """real + i·imaginary, of one shape."""
    one, other = broadcast(real.moments, imaginary.moments)
    moments = Moments(one.axes, one.second + other.second, one.mean)
    spread = max((real.scale_spread, imaginary.scale_spread), key=lambda luck: luck.variance)
    notes = real.notes | imaginary.notes
    return values.fresh(moments, spread=spread, notes=notes, origin=(PARTS, real, imaginary))


def known_parts(z: Value) -> tuple[Value, Value] | None:
    """The parts that `z` was made from, or None."""
    found: tuple[Value, Value] | None = None
    for term in z.terms:
        origin = term.factors[0].base.origin
        if len(term.factors) > 1 or term.factors[0].values is not None or origin[:1] != (PARTS,):
            return None
        real, imaginary = (values.scaled(part, term.coefficient) for part in origin[1:])
        if found is not None:
            real, imaginary = values.plus(found[0], real), values.plus(found[1], imaginary)
        found = real, imaginary
    return found


def parts(z: Value) -> tuple[Value, Value]:
    """The parts of `z`: known, or of a circular law; the same ones whenever they are asked for."""
    if "parts" not in z.memo:
        z.memo["parts"] = known_parts(z) or _circular(z)
    found: tuple[Value, Value] = z.memo["parts"]
    return found


def _circular(z: Value) -> tuple[Value, Value]:
    moments = z.moments
    means = spread_left(moments.mean, moments.axes) * spread_right(moments.mean, moments.axes)
    half = (moments.second - means) / 2
    real = Moments(moments.axes, half + means, moments.mean)
    imaginary = Moments(moments.axes, half, np.zeros_like(moments.mean))
    return (
        values.fresh(real, spread=z.scale_spread, notes=z.notes),
        values.fresh(imaginary, spread=z.scale_spread, notes=z.notes),
    )


def conjugated(z: Value) -> Value:
    """The imaginary part with the other sign; it shares its parts with `z`."""
    real, imaginary = parts(z)
    return of_parts(real, values.scaled(imaginary, -1.0))


def complex_sum(x: Value, y: Value, alpha: float = 1.0) -> Value:
    """z + alpha·w: by parts where those of both are known."""
    one, other = known_parts(x), known_parts(y)
    if one is None or other is None:
        return values.plus(x, y, alpha)
    return of_parts(values.plus(one[0], other[0], alpha), values.plus(one[1], other[1], alpha))


def complex_product(x: Value, y: Value) -> Value:
    """z·w: by parts where those of both are known, or are the same."""
    if (known_parts(x) is None or known_parts(y) is None) and not _related(x, y):
        return values.times(x, y)
    (a, b), (c, d) = parts(x), parts(y)
    real = values.plus(values.times(a, c), values.times(b, d), -1.0)
    return of_parts(real, values.plus(values.times(a, d), values.times(b, c)))


def _related(x: Value, y: Value) -> bool:
    """Is one made from the other, or from its parts?"""
    mine, theirs = x.memo.get("parts"), y.memo.get("parts") or known_parts(y)
    mine = mine or known_parts(x)
    same = mine is not None and theirs is not None and bool(mine[0].bases & theirs[0].bases)
    return same or bool(x.bases & y.bases)


def with_real(z: Value, x: Value) -> Value:
    """A complex value times a real one."""
    known = known_parts(z)
    if known is None:
        return values.times(z, x)
    return of_parts(values.times(known[0], x), values.times(known[1], x))


def of_tensor(tensor: Tensor) -> Value:
    """The value of a tensor that has numbers."""
    if not tensor.is_complex():
        return values.fresh(measured(tensor.detach().to(torch.float64).numpy()))
    numbers = tensor.detach().resolve_conj().to(torch.complex128).numpy()
    return of_parts(*(values.fresh(measured(part)) for part in (numbers.real, numbers.imag)))
