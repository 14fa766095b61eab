"""Fourier transforms, by the parts of what is transformed.

y_k = Σ_j x_j·F_kj, F_kj = e^(∓2πijk/n), of real x: Re y·Re y′ is ½(y·ȳ′ + y·y′), Im y·Im y′ is
½(y·ȳ′ − y·y′), and both are averaged over the pairs of a pattern of bins. Sums of F over blocks of
bins or of places are transforms of the blocks' indicators, so no matrix is made. Bin 0 is a block of
its own: what all places have in common is there, and nowhere else; the places that a spectrum is
turned back into are alike. What is assumed: places are told
apart by their blocks alone, and bins but for bin 0 are alike.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .. import values
from ..axes import Array, Atom, along, patterns, start
from ..moments import Moments, aligned, cut, flat
from ..parts import of_parts, parts
from ..values import Value
from .calling import Call, rule

BY_ROOT, BY_SIZE = 1, 2
"""Values of the argument `normalization`; 0 is none."""


def _factor(call: Call, size: int) -> float:
    factors: dict[int, float] = {BY_ROOT: 1 / math.sqrt(size), BY_SIZE: 1 / size}
    return factors.get(call["normalization"], 1.0)


def _indicators(atom: Atom, size: int) -> Array:
    """(blocks, size): which places lie in each block, zeros after the last."""
    found = np.zeros((len(atom), size))
    edges = np.cumsum([0, *atom])
    for block, (begin, end) in enumerate(itertools.pairwise(edges)):
        found[block, begin:end] = 1.0
    return found


@lru_cache(maxsize=256)
def _tables(places: Atom, bins: Atom, size: int) -> tuple[Array, Array, Array]:
    """What a transform of `size` does from places in blocks to bins in blocks.

    Two over patterns, for y·ȳ′ and for y·y′; one over blocks, for the mean of the real part.
    """
    of_places, of_bins = _indicators(places, size), _indicators(bins, size)
    summed = np.fft.fft(of_places)[:, : sum(bins)]  # over the places of a block, at each bin
    by_bins = np.fft.fft(of_bins)[:, : sum(places)]  # over the bins of a block, at each place
    twice = np.fft.fft(of_places)[:, 2 * np.arange(sum(bins)) % size]  # Σ of F² over the places of a block
    member, inside = of_bins[:, : sum(bins)], of_places[:, : sum(places)]
    k, found = len(places), []
    for conjugate in (np.conj, np.asarray):
        table = np.zeros((len(bins) * (len(bins) + 1), k * (k + 1)))
        for b in range(k):
            between = ((by_bins * inside[b]) @ conjugate(by_bins).T).real
            same = np.array(bins, float) * places[b] if conjugate is np.conj else (member @ twice[b]).real
            table[:, k * k + b] = _by_pattern(between, same, bins)
        for a in range(k):
            for b in range(k):
                between = np.outer(member @ summed[a], conjugate(member @ summed[b])).real
                same = member @ (summed[a] * conjugate(summed[b])).real
                alike = table[:, k * k + a] if a == b else 0.0
                table[:, a * k + b] = _by_pattern(between, same, bins) - alike
        found.append(table)
    return found[0], found[1], (member @ summed.T).real / np.array(bins, float)[:, None]


def _by_pattern(between: Array, same: Array, bins: Atom) -> Array:
    """Sums over all pairs of bins of two blocks, and over equal ones, as means over patterns."""
    numbers = patterns(bins).pairs
    total = np.concatenate([(between - np.diag(same)).reshape(-1), same])
    return np.asarray(np.divide(total, numbers, out=np.zeros_like(total), where=numbers > 0))


def _along(x: Moments, dim: int, size: int, bins: Atom, table: int) -> Moments:
    """The first bins, in blocks, of a transform of `size` along `dim`, by one of its tables."""
    x = flat(x, dim)
    place = start(x.axes, dim)
    second, mean = x.second, x.mean
    if not x.axes[dim]:
        second, mean = np.stack([second, second], axis=place), np.expand_dims(mean, place)
    made = _tables(x.axes[dim][0] if x.axes[dim] else (1,), bins, size)
    second, mean = along(second, made[table], place), along(mean, made[2], place)
    if bins == (1,):
        second, mean = np.take(second, -1, axis=place), np.take(mean, 0, axis=place)
    return Moments((*x.axes[:dim], (bins,) if bins != (1,) else (), *x.axes[dim + 1 :]), second, mean)


def _transformed(
    x: Value, dims: Sequence[int], shape: Sequence[int], *, back: bool = False
) -> tuple[Value, Value]:
    """The parts of the transform of a real value along `dims`, of which `shape` keeps the first bins."""
    whole = turned = x.moments
    for dim in dims:
        bins = (shape[dim],) if back or shape[dim] == 1 else (1, shape[dim] - 1)
        whole = _along(whole, dim, x.shape[dim], bins, 0)
        turned = _along(turned, dim, x.shape[dim], bins, 1)
    real = Moments(whole.axes, (whole.second + turned.second) / 2, whole.mean)
    imaginary = Moments(whole.axes, (whole.second - turned.second) / 2, np.zeros_like(whole.mean))
    return (
        values.fresh(real, spread=x.scale_spread, notes=x.notes),
        values.fresh(imaginary, spread=x.scale_spread, notes=x.notes),
    )


def _dims(call: Call, rank: int) -> list[int]:
    return [d % rank for d in call["dim"]]


@rule("_fft_r2c")
def of_real(call: Call) -> Value:
    """The spectrum of a real signal, or its first half."""
    x = call.value("self")
    dims = _dims(call, len(x.shape))
    y = of_parts(*_transformed(x, dims, call.shape))
    return values.scaled(y, _factor(call, math.prod(x.shape[d] for d in dims)))


@rule("_fft_c2c")
def of_complex(call: Call) -> Value:
    """The spectrum, or from the spectrum: F(a + ib) = Fa + i·Fb."""
    z = call.value("self")
    dims = _dims(call, len(z.shape))
    y = _both(z, dims, back=not call["forward"])
    return values.scaled(y, _factor(call, math.prod(z.shape[d] for d in dims)))


def _both(z: Value, dims: Sequence[int], *, back: bool) -> Value:
    real, imaginary = (_transformed(part, dims, z.shape, back=back) for part in parts(z))
    return of_parts(values.plus(real[0], imaginary[1], -1.0), values.plus(real[1], imaginary[0]))


@rule("_fft_c2r")
def to_real(call: Call) -> Value:
    """The real signal of half a spectrum."""
    z, size = call.value("self"), call["last_dim_size"]
    *dims, last = _dims(call, len(z.shape))
    real, imaginary = parts(_both(z, dims, back=True) if dims else z)
    moments = _signal(real.moments, imaginary.moments, last, size)
    y = values.fresh(moments, spread=z.scale_spread, notes=z.notes)
    return values.scaled(y, _factor(call, size * math.prod(z.shape[d] for d in dims)))


def _signal(real: Moments, imaginary: Moments, dim: int, size: int) -> Moments:
    """x_j = Σ_k w_k·Re(z_k·e^(2πijk/n)), w = 1 for bin 0 and for the middle one of an even n, else 2.

    At j = l E[x_j·x_l] is Re z_0² + Re z_mid² + 2·Σ|z_k|²; of the sum over all j and l bin 0 alone is left.
    """
    a, b = (_first_apart(part, dim) for part in (real, imaginary))
    dims = [(d, d) for d in range(len(a.axes))]
    a, b = aligned(a, b, dims)
    place, atom = start(a.axes, dim), a.axes[dim][0] if a.axes[dim] else (1,)
    alone = not a.axes[dim]
    k, axes = len(atom), (*a.axes[:dim], (), *a.axes[dim + 1 :])
    first, mean = (
        (a.second, a.mean) if alone else (np.take(a.second, k * k, place), np.take(a.mean, 0, place))
    )
    equal = first
    if not alone:
        for part, middle in ((a, 1.0), (b, 0.0)):
            weights = 2.0 * np.array(atom)
            weights[0] = 0.0
            weights[-1] += middle - 2.0 if size % 2 == 0 else 0.0
            same = np.take(part.second, range(k * k, k * k + k), place)
            equal = equal + np.tensordot(same, weights, (place, 0)).reshape(first.shape)
    if size == 1:
        return Moments(axes, equal, mean)
    differ = (size * first - equal) / (size - 1)
    second = np.stack([differ, equal], axis=place)
    return Moments((*axes[:dim], ((size,),), *axes[dim + 1 :]), second, np.expand_dims(mean, place))


def _first_apart(z: Moments, dim: int) -> Moments:
    """Bin 0 as a block of its own."""
    z = flat(z, dim)
    if not z.axes[dim] or z.axes[dim][0][0] == 1:
        return z
    first, *rest = z.axes[dim][0]
    return cut(z, dim, ((1, first - 1, *rest),))
