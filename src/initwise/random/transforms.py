"""Words → standard variates, and float32 → half types: `reference.py`'s transforms in vector lanes."""

from __future__ import annotations

from . import constants as c
from .lanes import FEW, Lanes, polynomial, splat


def uniform(word: Lanes) -> Lanes:
    return whole(word) * 2.0**-24


def whole(word: Lanes) -> Lanes:
    """The uniform variate times 2²⁴: an odd integer."""
    return (word.arithmetic_shift(7) | 1).signed_to_float()


def box_muller(radius: Lanes, angle: Lanes) -> tuple[Lanes, Lanes]:
    far = radius.arithmetic_shift(31)
    k = radius ^ far
    tail = (k.signed_to_float() + 0.5) * 2.0**-32
    r = _twice_negative_log(tail, far).root()
    t = ((angle << 2) | 2).signed_to_float() * 2.0**-31
    square = t * t
    short = polynomial(square, c.SINE) * t * r
    long = polynomial(square, c.COSINE) * r
    long = (long.bits() ^ (angle & 0x80000000)).as_float()
    swap = (angle << 1).negative()
    return swap.choose(short, long), swap.choose(long, short)


def _twice_negative_log(f: Lanes, far: Lanes) -> Lanes:
    """−2·ln(1 − f), or −2·ln(f) where all bits of `far` are set; none of them is elsewhere."""
    bits = f.bits()
    halvings = ((126 - bits.arithmetic_shift(23)).signed_to_float() * c.TWICE_LN2).side_by_side(FEW)
    mantissa = ((bits & 0x007FFFFF) | 0x3F000000).as_float()
    x = far.negative().choose(1.0 - mantissa, f).side_by_side(FEW)
    return (halvings.bits() & far).as_float() + x * polynomial(x, c.LOGARITHM)


def truncated(word: Lanes, sides: list[Lanes], table: list[Lanes]) -> Lanes:
    split, major_last, major_near, minor_last, minor_near = sides
    major_step, major_floor, minor_step, minor_floor = table[2:6]
    minor = word.below(split)
    out = word - split
    out = minor.choose(out ^ -1, out)
    far = minor.choose(minor_near, major_near).below(out)
    k = far.choose(minor.choose(minor_last, major_last) - out, out)
    f = (k.unsigned_to_float() + 0.5) * minor.choose(minor_step, major_step)
    f = far.choose(f + minor.choose(minor_floor, major_floor), f)
    t = _quantile(f, far.spread(), table)
    return minor.choose((t.bits() ^ 0x80000000).as_float(), t)


def symmetric(word: Lanes, sides: list[Lanes], table: list[Lanes]) -> Lanes:
    """The same where both sides are alike: the word's sign bit is the side, and 31 bits are left."""
    last, near, step, floor = sides[1], sides[2], table[2], table[3]
    out = (word ^ word.arithmetic_shift(31) ^ -1) & 0x7FFFFFFF
    far = (near - out).arithmetic_shift(31)
    k = far.negative().choose(last - out, out)
    f = (k.signed_to_float() + 0.5) * step
    f = far.negative().choose(f + floor, f)
    t = _quantile(f, far, table)
    return (t.bits() ^ ((word ^ -1) & 0x80000000)).as_float()


def _quantile(f: Lanes, far: Lanes, table: list[Lanes]) -> Lanes:
    hazard, square = table[:2]
    tau = _twice_negative_log(f, far)
    d = hazard + (square + tau).root()
    e = tau + d * 3.0
    q = 1.0 / (d * e)
    return polynomial(tau * d * q, table[6:]) * (tau * e * q)


TRUNCATED = {"truncated_normal": truncated, "symmetric": symmetric}


def brain(x: Lanes) -> Lanes:
    """The bfloat16 bits, in the upper half of each lane."""
    bits = x.bits()
    return bits + 0x7FFF + ((bits >> 16) & 1)


def half(x: Lanes) -> Lanes:
    bits = x.bits()
    size = bits & 0x7FFFFFFF
    normal = (size - (112 << 23) + 0xFFF + ((size >> 13) & 1)) >> 13
    normal = normal.below(0x7C00).choose(normal, splat(x.builder, 0x7C00, normal.type))
    # adding ½ leaves exactly the bits of a subnormal half: the unit in the last place of ½ is 2⁻²⁴
    small = (size.as_float() + 0.5).bits() - 0x3F000000
    return (((bits >> 16) & 0x8000) | size.below(113 << 23).choose(small, normal)).narrow()
