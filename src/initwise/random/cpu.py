"""Stream v1 on the CPU: numba kernels, bit for bit what `reference.py` says.

Imported only when something is filled. Kernels release the GIL and know nothing of threads; they
work through a scratch of SCRATCH elements, so that their memory does not depend on the tensor's.
Written so that LLVM vectorises the inner loops: fixed trip counts, unsigned indices, 32-bit
integers narrowed at every step (numba widens them), no fast-math, so no contraction either.
"""

# mypy: ignore-errors
# (numba types its functions when they run)
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from . import constants as c
from .draw import KINDS, Draw, support

SCRATCH = 2048
"""Elements per step: a multiple of GROUP; 8 KiB stay in the first-level cache."""
_GROUPS = SCRATCH // c.GROUP

_U = np.uint64
_I = np.int32
_F = np.float32
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_M0, _M1 = np.uint64(c.MULTIPLIER_0), np.uint64(c.MULTIPLIER_1)
_W0, _W1 = np.uint64(c.WEYL_0), np.uint64(c.WEYL_1)
_HALF, _ONE, _THREE = np.float32(0.5), np.float32(1), np.float32(3)
_2_24, _2_31, _2_32 = np.float32(2.0**-24), np.float32(2.0**-31), np.float32(2.0**-32)
_TWICE_LN2 = np.float32(c.TWICE_LN2)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (np.float32(x) for x in c.LOGARITHM)
_S0, _S1, _S2, _S3 = (np.float32(x) for x in c.SINE)
_C0, _C1, _C2, _C3 = (np.float32(x) for x in c.COSINE)
_MANTISSA, _HALF_BITS, _SIGN, _SWAP = _I(0x007FFFFF), _I(0x3F000000), _I(-(2**31)), _I(1 << 30)

_UNIFORM, _NORMAL = KINDS.index("uniform"), KINDS.index("normal")


def _jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """numba.njit with an on-disk cache where one can be written, and without one elsewhere."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # a read-only install and a read-only home
            return numba.njit(nogil=True, **options)(function)

    return decorate


@intrinsic
def _bits(typing_context, value):
    """The bits of a float32 as an int32."""
    return types.int32(types.float32), lambda _, builder, __, args: builder.bitcast(args[0], ir.IntType(32))


@intrinsic
def _float(typing_context, value):
    """The float32 with the bits of an int32."""
    return types.float32(types.int32), lambda _, builder, __, args: builder.bitcast(args[0], ir.FloatType())


@intrinsic
def _root(typing_context, value):
    """The correctly rounded square root."""

    def generate(_, builder, __, args):
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [ir.FloatType()]), args)

    return types.float32(types.float32), generate


@_jit(inline="always")
def _round(x0, x1, x2, x3, k0, k1):
    # 64-bit lanes with garbage above: the multiplication reads the lower halves only
    p0, p1 = (x0 & _LOW) * _M0, (x2 & _LOW) * _M1
    return (p1 >> _32) ^ x1 ^ k0, p1, (p0 >> _32) ^ x3 ^ k1, p0


@_jit(inline="always")
def _philox(x0, x1, x2, x3, k0, k1):
    for i in range(c.ROUNDS):
        x0, x1, x2, x3 = _round(x0, x1, x2, x3, (k0 + _U(i) * _W0) & _LOW, (k1 + _U(i) * _W1) & _LOW)
    return x0, x1, x2, x3


@_jit()
def _words(key, group, count, scratch):
    """The words of `count` groups, in element order, two to each uint64 of `scratch`."""
    k0, k1, id0, id1 = key[0], key[1], key[2], key[3]
    block = group * _U(16)
    low, high = block & _LOW, block >> _32  # callers keep `count` groups within one `high`
    for g in range(_U(count)):
        at = _U(32) * g
        for lane in range(_U(8)):
            x = low + _U(16) * g + _U(2) * lane
            a0, a1, a2, a3 = _philox(x, high, id0, id1, k0, k1)
            b0, b1, b2, b3 = _philox(x + _U(1), high, id0, id1, k0, k1)
            scratch[at + lane] = (a0 & _LOW) | (b0 << _32)
            scratch[at + _U(8) + lane] = (a1 & _LOW) | (b1 << _32)
            scratch[at + _U(16) + lane] = (a2 & _LOW) | (b2 << _32)
            scratch[at + _U(24) + lane] = (a3 & _LOW) | (b3 << _32)


@_jit(inline="always")
def _logarithm(x):
    p = _L8 * x + _L7
    p = p * x + _L6
    p = p * x + _L5
    p = p * x + _L4
    p = p * x + _L3
    p = p * x + _L2
    p = p * x + _L1
    return p * x + _L0


@_jit(inline="always")
def _twice_negative_log(f, direct):
    bits = _bits(f)
    halvings = _F(_I(_I(126) - _I(bits >> _I(23)))) * _TWICE_LN2
    x = _ONE - _float(_I(_I(bits & _MANTISSA) | _HALF_BITS))
    x = f if direct else x
    halvings = _F(0) if direct else halvings
    return halvings + x * _logarithm(x)


@_jit()
def _uniform(word, out, count):
    for i in range(_U(count)):
        out[i] = _F(_I(_I(word[i] >> _I(7)) | _I(1))) * _2_24


@_jit()
def _normal(word, out, count):
    for half in range(_U(count) // _U(32)):
        for lane in range(_U(16)):
            i = _U(32) * half + lane
            radius, angle = word[i], word[i + _U(16)]
            tail = (_F(_I(radius ^ _I(radius >> _I(31)))) + _HALF) * _2_32
            r = _root(_twice_negative_log(tail, radius >= _I(0)))
            t = _F(_I(_I(angle << _I(2)) | _I(2))) * _2_31
            square = t * t
            short = (((_S3 * square + _S2) * square + _S1) * square + _S0) * t * r
            long = (((_C3 * square + _C2) * square + _C1) * square + _C0) * r
            long = _float(_I(_bits(long) ^ _I(angle & _SIGN)))
            swap = _I(angle & _SWAP) != _I(0)
            out[i] = short if swap else long
            out[i + _U(16)] = long if swap else short


@_jit()
def _truncated(word, out, count, split, sides, table):
    """word: uint32. sides: (major last, near, minor last, near). table: see `parameters`."""
    cut = np.uint32(split)
    last1, near1, last0, near0 = sides[0], sides[1], sides[2], sides[3]
    hazard, square, step1, floor1, step0, floor0 = table[0], table[1], table[2], table[3], table[4], table[5]
    q0, q1, q2, q3, q4, q5 = table[6], table[7], table[8], table[9], table[10], table[11]
    q6, q7, q8, q9, q10 = table[12], table[13], table[14], table[15], table[16]
    for i in range(_U(count)):
        w = word[i]
        minor = w < cut
        k = np.uint32(w - cut)
        k = np.uint32(~k) if minor else k
        near = near0 if minor else near1
        last = last0 if minor else last1
        direct = k <= near
        k = k if direct else np.uint32(last - k)
        f = (_F(k) + _HALF) * (step0 if minor else step1)
        g = f + (floor0 if minor else floor1)
        f = f if direct else g
        tau = _twice_negative_log(f, direct)
        y = tau / (hazard + _root(square + tau))
        s = y / (y + _THREE)
        p = q10 * s + q9
        p = p * s + q8
        p = p * s + q7
        p = p * s + q6
        p = p * s + q5
        p = p * s + q4
        p = p * s + q3
        p = p * s + q2
        p = p * s + q1
        t = (p * s + q0) * y
        out[i] = -t if minor else t


@_jit()
def _generate(key, kind, split, sides, table, group, count, scratch):
    """Standard variates of `count` groups from `group` on, as float32 in `scratch`."""
    _words(key, group, count, scratch)
    elements = count * 64
    if kind == _UNIFORM:
        _uniform(scratch.view(np.int32), scratch.view(np.float32), elements)
    elif kind == _NORMAL:
        _normal(scratch.view(np.int32), scratch.view(np.float32), elements)
    else:
        _truncated(scratch.view(np.uint32), scratch.view(np.float32), elements, split, sides, table)


def _store(z, source, out, target, count, affine, half):
    """out[target:target+count] = location + scale·z[source:…], within the support, rounded once."""
    raise NotImplementedError


@overload(_store, inline="never")
def _store_overload(z, source, out, target, count, affine, half):
    if out.dtype == types.float64:
        return _store_double
    return _store_single if out.dtype == types.float32 else _store_short


def _store_double(z, source, out, target, count, affine, half):
    location, scale, low, high = affine[0], affine[1], affine[2], affine[3]
    for i in range(_U(count)):
        x = location + scale * np.float64(z[source + i])
        x = low if x < low else x
        out[target + i] = high if x > high else x


def _store_single(z, source, out, target, count, affine, half):
    location, scale, low, high = _F(affine[0]), _F(affine[1]), _F(affine[2]), _F(affine[3])
    for i in range(_U(count)):
        x = location + scale * z[source + i]
        x = low if x < low else x
        out[target + i] = high if x > high else x


def _store_short(z, source, out, target, count, affine, half):
    location, scale, low, high = _F(affine[0]), _F(affine[1]), _F(affine[2]), _F(affine[3])
    if half:
        for i in range(_U(count)):
            x = location + scale * z[source + i]
            x = low if x < low else x
            out[target + i] = _half(high if x > high else x)
    else:
        for i in range(_U(count)):
            x = location + scale * z[source + i]
            x = low if x < low else x
            bits = _bits(high if x > high else x)
            even = _I(_I(bits >> _I(16)) & _I(1))
            out[target + i] = np.uint16(_I(_I(bits + _I(0x7FFF)) + even) >> _I(16))


@_jit(inline="always")
def _half(x):
    """float32 → float16 bits, to nearest even."""
    bits = _bits(x)
    sign = _I(_I(bits >> _I(16)) & _I(0x8000))
    size = _I(bits & _I(0x7FFFFFFF))
    odd = _I(_I(size >> _I(13)) & _I(1))
    normal = _I(_I(_I(_I(size - _I(112 << 23)) + _I(0xFFF)) + odd) >> _I(13))
    normal = normal if normal < _I(0x7C00) else _I(0x7C00)
    # adding ½ leaves exactly the bits of a subnormal half: the unit in the last place of ½ is 2⁻²⁴
    small = _I(_bits(_float(size) + _HALF) - _HALF_BITS)
    return np.uint16(_I(sign | (small if size < _I(113 << 23) else normal)))


@_jit()
def flat(key, kind, split, sides, table, affine, half, first, out):
    """Fill a contiguous 1-D `out` with the elements from `first` on."""
    scratch = np.empty(SCRATCH // 2, np.uint64)
    _run(key, kind, split, sides, table, affine, half, first, out, scratch)


@_jit()
def _run(key, kind, split, sides, table, affine, half, first, out, scratch):
    z = scratch.view(np.float32)
    done, total = _U(0), _U(out.size)
    while done < total:
        element = first + done
        group = element >> _U(6)
        skip = element & _U(63)
        # up to the next multiple of SCRATCH elements, so that no step crosses a 2³² blocks' line
        room = _U(_GROUPS) - group % _U(_GROUPS)
        count = min(room, (skip + (total - done) + _U(63)) >> _U(6))
        _generate(key, kind, split, sides, table, group, count, scratch)
        taken = min(count * _U(64) - skip, total - done)
        _store(z, skip, out, done, taken, affine, half)
        done += taken


@_jit()
def block(key, kind, split, sides, table, affine, half, first, steps, out):
    """Fill a 3-D `out` of any strides; element (i, j, k) is first + i·steps[0] + j·steps[1] + k·steps[2]."""
    scratch = np.empty(SCRATCH // 2, np.uint64)
    z = scratch.view(np.float32)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            start = first + _U(i) * steps[0] + _U(j) * steps[1]
            if steps[2] == _U(1):
                _run(key, kind, split, sides, table, affine, half, start, out[i, j], scratch)
            else:
                for k in range(out.shape[2]):
                    element = start + _U(k) * steps[2]
                    _generate(key, kind, split, sides, table, element >> _U(6), _U(1), scratch)
                    _store(z, element & _U(63), out[i, j], _U(k), _U(1), affine, half)


@functools.lru_cache(maxsize=1024)
def parameters(draw: Draw, double: bool) -> tuple[int, int, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A draw as the kernels take it: (kind, split, sides, table, affine)."""
    law = draw.truncation
    sides, table = np.zeros(4, np.uint32), np.zeros(17, np.float32)
    if law:
        major, minor = law.major, law.minor
        sides[:] = major.last, major.near, minor.last, minor.near
        table[:6] = law.hazard, law.hazard_squared, major.step, major.floor, minor.step, minor.floor
        table[6:] = law.coefficients
    low, high = support(draw, np.float64 if double else np.float32)
    affine = np.array([draw.location, draw.scale, low, high])
    return KINDS.index(draw.kind), law.split if law else 0, sides, table, affine
