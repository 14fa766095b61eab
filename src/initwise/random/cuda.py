"""Stream v1 on CUDA devices, by Triton: the same bits as `reference.py`.

One launch fills any number of contiguous tensors of one type: a table tells each program its tensor
and its piece. A tile is 256 blocks of Philox, whose word j goes to 16 consecutive elements of each of
16 groups, so that a warp writes whole memory sectors.

Compile with fused multiply-add switched off (`OPTIONS`): every product and sum is rounded by itself.
Without a GPU, TRITON_INTERPRET=1 runs the same kernel on the CPU, which is how it is tested. It has not
yet run on a real device, so `fill` does not use it: tensors there are made on the CPU and copied.
"""

# mypy: ignore-errors
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl

from ..core.stream import Stream
from . import constants as c
from .cpu import law_values
from .draw import KINDS, Draw

TILE = 1024
"""Elements to a tile: 256 blocks."""
TILES = 16
"""Tiles to a program."""
OPTIONS = {"enable_fp_fusion": False, "num_warps": 4}
COLUMNS = 8
"""Integers to a tensor: address, first element, count, key low, key high, id low, id high, kind."""
REALS, WHOLES = 17, 5

_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (tl.constexpr(x) for x in c.LOGARITHM)
_S0, _S1, _S2, _S3 = (tl.constexpr(x) for x in c.SINE)
_C0, _C1, _C2, _C3 = (tl.constexpr(x) for x in c.COSINE)
_M0, _M1 = tl.constexpr(c.MULTIPLIER_0), tl.constexpr(c.MULTIPLIER_1)
_W0, _W1 = tl.constexpr(c.WEYL_0), tl.constexpr(c.WEYL_1)
_ROUNDS = tl.constexpr(c.ROUNDS)
_TWICE_LN2 = tl.constexpr(c.TWICE_LN2)
_UNIFORM, _NORMAL = tl.constexpr(KINDS.index("uniform")), tl.constexpr(KINDS.index("normal"))
_TILE, _TILES, _COLUMNS = tl.constexpr(TILE), tl.constexpr(TILES), tl.constexpr(COLUMNS)


@triton.jit
def _philox(x0, x1, x2, x3, k0, k1):
    low = 0xFFFFFFFF
    for _ in tl.static_range(_ROUNDS):
        p0 = x0 * _M0
        p1 = x2 * _M1
        x0 = (p1 >> 32) ^ x1 ^ k0
        x1 = p1 & low
        x2 = (p0 >> 32) ^ x3 ^ k1
        x3 = p0 & low
        k0 = (k0 + _W0) & low
        k1 = (k1 + _W1) & low
    return x0.to(tl.uint32), x1.to(tl.uint32), x2.to(tl.uint32), x3.to(tl.uint32)


@triton.jit
def _logarithm(x):
    x2 = x * x
    x4 = x2 * x2
    low = (_L0 + _L1 * x) + (_L2 + _L3 * x) * x2
    high = (_L4 + _L5 * x) + (_L6 + _L7 * x) * x2
    return (low + high * x4) + _L8 * (x4 * x4)


@triton.jit
def _twice_negative_log(f, direct):
    bits = f.to(tl.int32, bitcast=True)
    halvings = (126 - (bits >> 23)).to(tl.float32) * _TWICE_LN2
    mantissa = ((bits & 0x007FFFFF) | 0x3F000000).to(tl.float32, bitcast=True)
    x = tl.where(direct, f, 1.0 - mantissa)
    return tl.where(direct, 0.0, halvings) + x * _logarithm(x)


@triton.jit
def _uniform(word):
    return ((word.to(tl.int32, bitcast=True) >> 7) | 1).to(tl.float32) * 5.9604644775390625e-08


@triton.jit
def _box_muller(radius, angle):
    direct = radius < 0x80000000
    k = tl.where(direct, radius, radius ^ 0xFFFFFFFF).to(tl.int32)
    tail = (k.to(tl.float32) + 0.5) * 2.3283064365386963e-10
    r = tl.sqrt_rn(_twice_negative_log(tail, direct))
    t = ((angle << 2) | 2).to(tl.int32, bitcast=True).to(tl.float32) * 4.656612873077393e-10
    q = t * t
    short = ((_S0 + _S1 * q) + (_S2 + _S3 * q) * (q * q)) * t * r
    long = ((_C0 + _C1 * q) + (_C2 + _C3 * q) * (q * q)) * r
    long = tl.where((angle >> 31) != 0, -long, long)
    swap = ((angle >> 30) & 1) != 0
    return tl.where(swap, short, long), tl.where(swap, long, short)


@triton.jit
def _truncated(word, wholes, reals):
    split = tl.load(wholes).to(tl.uint32, bitcast=True)
    minor = word < split
    out = tl.where(minor, (word - split) ^ 0xFFFFFFFF, word - split)
    last = tl.where(minor, tl.load(wholes + 3), tl.load(wholes + 1)).to(tl.uint32, bitcast=True)
    near = tl.where(minor, tl.load(wholes + 4), tl.load(wholes + 2)).to(tl.uint32, bitcast=True)
    direct = out <= near
    k = tl.where(direct, out, last - out)
    f = (k.to(tl.float32) + 0.5) * tl.where(minor, tl.load(reals + 4), tl.load(reals + 2))
    f = tl.where(direct, f, f + tl.where(minor, tl.load(reals + 5), tl.load(reals + 3)))
    tau = _twice_negative_log(f, direct)
    d = tl.load(reals) + tl.sqrt_rn(tl.load(reals + 1) + tau)
    e = tau + d * 3.0
    q = tl.div_rn(tl.full(d.shape, 1.0, tl.float32), d * e)
    s = tau * d * q
    s2 = s * s
    s4 = s2 * s2
    t = reals + 6
    low = (tl.load(t) + tl.load(t + 1) * s) + (tl.load(t + 2) + tl.load(t + 3) * s) * s2
    middle = (tl.load(t + 4) + tl.load(t + 5) * s) + (tl.load(t + 6) + tl.load(t + 7) * s) * s2
    high = (tl.load(t + 8) + tl.load(t + 9) * s) + tl.load(t + 10) * s2
    z = ((low + middle * s4) + high * (s4 * s4)) * (tau * e * q)
    return tl.where(minor, -z, z)


@triton.jit
def _finish(z, affine, DTYPE: tl.constexpr):
    if DTYPE == "float64":
        z = z.to(tl.float64)
    x = tl.load(affine) + tl.load(affine + 1) * z
    low, high = tl.load(affine + 2), tl.load(affine + 3)
    x = tl.where(x < low, low, x)
    x = tl.where(x > high, high, x)
    if DTYPE == "bfloat16":
        bits = x.to(tl.uint32, bitcast=True)
        x = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.uint16)
    elif DTYPE == "float16":
        x = x.to(tl.float16).to(tl.uint16, bitcast=True)
    return x


@triton.jit
def fill_kernel(programs, tensors, wholes, reals, affines, DTYPE: tl.constexpr, ELEMENT: tl.constexpr):
    """Program p fills piece programs[p, 1] of tensor programs[p, 0]."""
    which = tl.load(programs + 2 * tl.program_id(0))
    piece = tl.load(programs + 2 * tl.program_id(0) + 1)
    row = tensors + which * _COLUMNS
    out = tl.load(row).to(tl.pointer_type(ELEMENT))
    first, count, kind = tl.load(row + 1), tl.load(row + 2), tl.load(row + 7)
    lane = tl.arange(0, _TILE // 4)
    affine = affines + 4 * which
    for step in range(_TILES):
        # the tensor's elements lie in groups of 64 counted from element 0, so tiles do too
        group = (first >> 6) + (piece * _TILES + step) * (_TILE // 64)
        if group * 64 < first + count:
            block = group * 16 + lane
            zero = block * 0
            w0, w1, w2, w3 = _philox(
                (block & 0xFFFFFFFF).to(tl.uint64), (block >> 32).to(tl.uint64),
                (zero + tl.load(row + 5)).to(tl.uint64), (zero + tl.load(row + 6)).to(tl.uint64),
                tl.load(row + 3).to(tl.uint64), tl.load(row + 4).to(tl.uint64),
            )  # fmt: skip
            if kind == _UNIFORM:
                z0, z1, z2, z3 = _uniform(w0), _uniform(w1), _uniform(w2), _uniform(w3)
            elif kind == _NORMAL:
                z0, z1 = _box_muller(w0, w1)
                z2, z3 = _box_muller(w2, w3)
            else:
                whole, real = wholes + 5 * which, reals + 17 * which
                z0, z1 = _truncated(w0, whole, real), _truncated(w1, whole, real)
                z2, z3 = _truncated(w2, whole, real), _truncated(w3, whole, real)
            place = (group + (lane >> 4)) * 64 + (lane & 15) - first
            tl.store(out + place, _finish(z0, affine, DTYPE), (place >= 0) & (place < count))
            place += 16
            tl.store(out + place, _finish(z1, affine, DTYPE), (place >= 0) & (place < count))
            place += 16
            tl.store(out + place, _finish(z2, affine, DTYPE), (place >= 0) & (place < count))
            place += 16
            tl.store(out + place, _finish(z3, affine, DTYPE), (place >= 0) & (place < count))


@dataclass(frozen=True)
class Run:
    """A contiguous run of device memory: its address, first element, length, and what fills it."""

    address: int
    first: int
    count: int
    stream: Stream
    draw: Draw


def launch(runs: Sequence[Run], dtype: str, device: Any) -> None:
    """Fill every run, all of one `dtype`, by one launch."""
    runs = [run for run in runs if run.count]
    if not runs:
        return
    pieces = [-(-(run.count + run.first % 64) // (TILE * TILES)) for run in runs]
    programs = np.stack(
        [np.repeat(np.arange(len(runs)), pieces), np.concatenate([np.arange(n) for n in pieces])], axis=1
    )
    laws = [law_values(run.draw) for run in runs]
    double = dtype == "float64"
    affine = np.array(
        [law.double if double else law.single for law in laws], np.float64 if double else np.float32
    )
    tables = [
        programs.astype(np.int64),
        np.array([_row(run) for run in runs], np.uint64).view(np.int64),
        np.array([law.sides for law in laws], np.uint32).view(np.int32),
        np.array([law.table for law in laws], np.float32),
        affine,
    ]
    element = {"float64": tl.float64, "float32": tl.float32}.get(dtype, tl.uint16)
    arguments = [torch.from_numpy(np.ascontiguousarray(table)).to(device) for table in tables]
    fill_kernel[(len(programs),)](*arguments, DTYPE=dtype, ELEMENT=element, **OPTIONS)


def _row(run: Run) -> tuple[int, ...]:
    seed, ident, low = run.stream.seed, run.stream.id, 0xFFFFFFFF
    kind = KINDS.index(run.draw.kind)
    return (run.address, run.first, run.count, seed & low, seed >> 32, ident & low, ident >> 32, kind)
