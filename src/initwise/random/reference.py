"""Stream v1 in plain NumPy: the specification that every backend must equal, bit for bit.

    key      = seed                       two 32-bit words, low first
    counter  = (block, stream id)         four 32-bit words: block low, high, id low, high
    words    = Philox-4x32-10(counter, key)

Element e of a tensor, counted in canonical order, takes word j of block 16g + l, where
e = 64g + 16j + l with 0 ≤ j < 4 and 0 ≤ l < 16. Each word becomes one standard variate (float32):

    uniform            2k + 1 of the word's upper 25 bits, over 2²⁴: symmetric in (−1, 1)
    normal             Box–Muller on words (0, 1) and (2, 3) of a block
    truncated normal   the quantile of the distance from the mode, one word each

and then location + scale·variate in float32 (float64 for float64 outputs), kept within the support,
rounded once to the output type, to nearest even. Only integer operations, +, −, ×, ÷ and √ in
float32 are used, each rounded by itself. It is written to be read, not to be fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.stream import Stream
from . import constants as c
from .draw import Draw, Side, Truncation, support

U32 = NDArray[np.uint32]
F32 = NDArray[np.float32]
_MASK = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def philox(counter: Sequence[NDArray[np.uint64]], key: tuple[int, int]) -> tuple[NDArray[np.uint64], ...]:
    """Philox-4x32-10. Words travel as uint64 arrays holding 32-bit values."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(c.ROUNDS):
        p0, p1 = np.uint64(c.MULTIPLIER_0) * x0, np.uint64(c.MULTIPLIER_1) * x2
        x0, x1, x2, x3 = (
            (p1 >> _32) ^ x1 ^ np.uint64(k0),
            p1 & _MASK,
            (p0 >> _32) ^ x3 ^ np.uint64(k1),
            p0 & _MASK,
        )
        k0, k1 = (k0 + c.WEYL_0) & 0xFFFFFFFF, (k1 + c.WEYL_1) & 0xFFFFFFFF
    return x0, x1, x2, x3


def blocks(stream: Stream, block: NDArray[np.uint64]) -> U32:
    """The four words of each block, shape (4, blocks)."""
    ident = np.full_like(block, stream.id)
    counter = (block & _MASK, block >> _32, ident & _MASK, ident >> _32)
    words = philox(counter, (stream.seed & 0xFFFFFFFF, stream.seed >> 32))
    return np.stack(words).astype(np.uint32)


def place(element: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Each element's block and word."""
    group, inside = element >> np.uint64(6), element & np.uint64(63)
    return (group << np.uint64(4)) | (inside & np.uint64(15)), inside >> np.uint64(4)


def variates(stream: Stream, draw: Draw, element: NDArray[np.uint64]) -> F32:
    """The standard variates of these elements."""
    block, j = place(np.asarray(element, np.uint64))
    words = blocks(stream, block.ravel()).reshape(4, *block.shape)
    if draw.kind == "normal":
        pair = j >> np.uint64(1) == 0
        radius, angle = np.where(pair, words[0], words[2]), np.where(pair, words[1], words[3])
        first, second = box_muller(radius, angle)
        return np.where(j & np.uint64(1) == 0, first, second)
    word = np.choose(j.astype(np.intp), words)
    if draw.kind == "uniform":
        return symmetric_uniform(word)
    assert draw.truncation is not None
    return truncated(word, draw.truncation)


def symmetric_uniform(word: U32) -> F32:
    """An odd multiple of 2⁻²⁴ in (−1, 1)."""
    odd: F32 = ((word.view(np.int32) >> 7) | 1).astype(np.float32)
    return odd * np.float32(2.0**-24)


def box_muller(radius: U32, angle: U32) -> tuple[F32, F32]:
    """Two standard normals from two words, relatively accurate to a few units in the last place.

    The upper 30 bits of the second word after its two flags make ψ in (−π/4, π/4), the flags the
    quadrant: one swaps the two values, one is the sign of the longer one.
    """
    r = np.sqrt(_radius_squared(radius))
    t = ((angle << np.uint32(2)) | np.uint32(2)).view(np.int32).astype(np.float32) * np.float32(2.0**-31)
    square = t * t
    short = polynomial(square, c.SINE) * t * r
    long = polynomial(square, c.COSINE) * r
    long = np.where(angle >> np.uint32(31) == 1, -long, long)
    swap = (angle >> np.uint32(30)) & np.uint32(1) == 1
    return np.where(swap, short, long), np.where(swap, long, short)


def _radius_squared(word: U32) -> F32:
    """−2·ln(1 − u), u = (word + ½)/2³²."""
    direct = word < np.uint32(2**31)
    k = np.where(direct, word, ~word)
    tail = (k.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)
    return twice_negative_log(tail, direct)


def twice_negative_log(f: F32, direct: NDArray[np.bool_]) -> F32:
    """−2·ln(1 − f) where direct (f ≤ ½), −2·ln(f) elsewhere: both without cancellation."""
    bits = f.view(np.int32)
    halvings = np.where(direct, 0, 126 - (bits >> 23)).astype(np.float32)
    mantissa = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)
    x: F32 = np.where(direct, f, np.float32(1) - mantissa).astype(np.float32)
    return halvings * np.float32(c.TWICE_LN2) + x * polynomial(x, c.LOGARITHM)


def polynomial(x: F32, coefficients: Sequence[float]) -> F32:
    """c₀ + c₁x + c₂x² + … by Estrin's scheme: neighbours are joined as low + high·x, then x is squared,
    until one is left; an odd one out passes on. Every product and sum is rounded to float32."""
    terms: list[F32] = [np.full_like(x, coefficient) for coefficient in coefficients]
    while len(terms) > 1:
        paired = [low + high * x for low, high in zip(terms[::2], terms[1::2], strict=False)]
        terms = paired + terms[2 * len(paired) :]
        x = x * x
    return terms[0]


def truncated(word: U32, law: Truncation) -> F32:
    """Signed distance from the mode, in sigmas: positive on the major side."""
    wide = word.astype(np.int64)
    minor = wide < law.split
    out = np.where(minor, law.split - 1 - wide, wide - law.split)
    t = np.where(minor, _distance(out, law.minor, law), _distance(out, law.major, law))
    signed: F32 = np.where(minor, -t, t)
    return signed


def _distance(out: NDArray[np.int64], side: Side, law: Truncation) -> F32:
    """The distance whose probability, from the mode outwards, is (out + ½)/(number of words)."""
    direct = out <= side.near
    k = np.where(direct, out, side.last - out).clip(0).astype(np.uint32)
    f = (k.astype(np.float32) + np.float32(0.5)) * np.float32(side.step)
    f = np.where(direct, f, f + np.float32(side.floor))
    tau = twice_negative_log(f, direct)
    d = np.float32(law.hazard) + np.sqrt(np.float32(law.hazard_squared) + tau)
    e = tau + d * np.float32(3)
    # y = τ/d and s = y/(y + 3) = τ/e, by one division
    q = np.float32(1) / (d * e)
    t: F32 = polynomial(tau * d * q, law.coefficients) * (tau * e * q)
    return t


def values(stream: Stream, draw: Draw, element: NDArray[np.uint64], dtype: str) -> NDArray[Any]:
    """The elements' values in "float64", "float32", "float16", or "bfloat16" (as its uint16 bits)."""
    real: type[np.floating] = np.float64 if dtype == "float64" else np.float32
    if draw.kind == "constant":
        return rounded(np.full(np.shape(element), draw.location, np.float64), dtype)
    z = variates(stream, draw, element).astype(real)
    low, high = support(draw, real)
    x = real(draw.location) + real(draw.scale) * z
    return rounded(np.minimum(np.maximum(x, real(low)), real(high)), dtype)


def rounded(x: NDArray[Any], dtype: str) -> NDArray[Any]:
    """float32 or float64 values rounded once, to nearest even; bfloat16 as its uint16 bits."""
    if dtype != "bfloat16":
        return x.astype(dtype)
    if x.dtype == np.float64:
        x = odd_float32(x)
    bits = np.ascontiguousarray(x).view(np.uint32).reshape(x.shape)
    even = (bits >> np.uint32(16)) & np.uint32(1)
    return ((bits + np.uint32(0x7FFF) + even) >> np.uint32(16)).astype(np.uint16)


def stored(x: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The same as `output.checked_array` shows memory: both half types as uint16 bits."""
    bits = rounded(x, dtype)
    return bits.view(np.uint16) if dtype == "float16" else bits


def odd_float32(x: NDArray[np.float64]) -> F32:
    """float64 → float32 by rounding to odd, so that a second rounding rounds as if it were the first."""
    near = x.astype(np.float32)
    back = near.astype(np.float64)
    toward_zero = np.where(np.abs(back) > np.abs(x), np.nextafter(near, np.float32(0)), near)
    inexact = toward_zero.astype(np.float64) != x
    bits = toward_zero.view(np.uint32) | inexact.astype(np.uint32)
    odd: F32 = bits.view(np.float32)
    return odd
