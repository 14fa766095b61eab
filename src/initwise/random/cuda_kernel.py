"""The Triton kernel of stream v1: one launch fills every job of one dtype. `cuda.py` calls it.

Why the bits are those of `reference.py`:

- Integers are exact. A 32×32-bit product is one wide multiplication; element numbers have 64 bits.
- Every float operation is one IEEE operation, rounded to nearest even: `+`, `-`, `*` become add.rn,
  sub.rn, mul.rn; √ and ÷ are sqrt.rn and div.rn (`sqrt_rn`, `div_rn`: the plain `/` is approximate);
  conversions are cvt.rn. Estrin's scheme is written out, so no sum is reordered.
- Fused multiply-add is off twice (`OPTIONS`): LLVM does not contract, and ptxas gets --fmad=false.
- Nothing flushes subnormals: PTX does so only for instructions marked .ftz, and there are none.
- min and max stand for the reference's comparisons: these differ for NaN and for −0 against +0 only,
  and neither meets a bound here (a sum that cancels is +0).

tests/random/test_cuda_ptx.py reads the compiled PTX for all of this.

A lane makes one block of Philox: four elements, 16 apart in their line (docs/stream-v1.md, section 1),
so that 16 neighbouring lanes write 16 neighbouring elements, 64 bytes of float32, four times.
"""

# mypy: ignore-errors
from __future__ import annotations

import triton
import triton.language as tl

from . import constants as c

LANES = 256
"""Lanes to a tile."""
TILES = 8
"""Tiles to a program."""
OPTIONS = {"enable_fp_fusion": False, "num_warps": 4, "maxnreg": 96}
"""Two blocks of Philox to a thread, which share the key's schedule. With 96 registers to a thread five
programs fit on a multiprocessor of 65,536; on sm_90 ten of them spill then, in `_lines` alone."""

KINDS = ("constant", "uniform", "normal", "truncated_normal", "symmetric")
"""symmetric: a truncated normal whose two sides are alike."""
MODES = ("line", "lines", "points", "level")
"""line: one contiguous run. lines: runs of consecutive elements, anywhere in memory. points: any block.
level: one contiguous run of a constant."""
COLUMNS = (
    "address", "first", "seed", "id", "kind", "mode", "program", "tiles",
    "size_0", "size_1", "size_2", "stride_0", "stride_1", "stride_2", "step_0", "step_1", "step_2",
    "across", "height", "upright", "bits",
)  # fmt: skip
"""What the table of jobs holds of each job, as 64-bit integers.

address: of the first element, whose number is `first`. program: the first one that works on this job.
size, stride (in elements), step (in element numbers) of three axes, the last one fastest: a line's own.
lines only: `across` tiles make a line, 2**height lines a tile, and upright says whether neighbouring
lanes are neighbouring lines instead of neighbouring elements. bits: a constant's."""
REALS, WHOLES, AFFINE = 17, 5, 4
"""Numbers of a law in the other tables; see `cpu.LawValues`."""

_C = {name: tl.constexpr(k) for k, name in enumerate(COLUMNS)}
_ADDRESS, _FIRST, _SEED, _ID, _KIND, _MODE, _PROGRAM, _ALL = (_C[name] for name in COLUMNS[:8])
_SIZE, _STRIDE, _STEP = _C["size_0"], _C["stride_0"], _C["step_0"]
_ACROSS, _HEIGHT, _UPRIGHT, _BITS = (_C[name] for name in COLUMNS[17:])
_COLUMNS, _REALS, _WHOLES, _AFFINE = (tl.constexpr(n) for n in (len(COLUMNS), REALS, WHOLES, AFFINE))
_LANES, _TILES = tl.constexpr(LANES), tl.constexpr(TILES)
_CONSTANT, _UNIFORM, _NORMAL, _TRUNCATED, _SYMMETRIC = (tl.constexpr(k) for k in range(len(KINDS)))
_LINE, _LINES, _POINTS, _LEVEL = (tl.constexpr(k) for k in range(len(MODES)))

_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (tl.constexpr(x) for x in c.LOGARITHM)
_S0, _S1, _S2, _S3 = (tl.constexpr(x) for x in c.SINE)
_C0, _C1, _C2, _C3 = (tl.constexpr(x) for x in c.COSINE)
_M0, _M1 = tl.constexpr(c.MULTIPLIER_0), tl.constexpr(c.MULTIPLIER_1)
_W0, _W1 = tl.constexpr(c.WEYL_0), tl.constexpr(c.WEYL_1)
_ROUNDS = tl.constexpr(c.ROUNDS)
_TWICE_LN2 = tl.constexpr(c.TWICE_LN2)


@triton.jit
def _halves(x):
    """A 64-bit integer's low and high word."""
    return x.to(tl.uint32), (x >> 32).to(tl.uint32)


@triton.jit
def _philox(block, seed, ident):
    """The four words of each block. Seed and stream stay scalars for as long as they can."""
    x0, x1 = _halves(block)
    x2, x3 = _halves(ident)
    k0, k1 = _halves(seed)
    for _ in tl.static_range(_ROUNDS):
        p0 = x0.to(tl.uint64) * _M0
        p1 = x2.to(tl.uint64) * _M1
        x0 = (p1 >> 32).to(tl.uint32) ^ x1 ^ k0
        x1 = p1.to(tl.uint32)
        x2 = (p0 >> 32).to(tl.uint32) ^ x3 ^ k1
        x3 = p0.to(tl.uint32)
        k0 = (k0 + _W0).to(tl.uint32)
        k1 = (k1 + _W1).to(tl.uint32)
    return x0, x1, x2, x3


@triton.jit
def _logarithm(x):
    x2 = x * x
    x4 = x2 * x2
    low = (x * _L1 + _L0) + (x * _L3 + _L2) * x2
    high = (x * _L5 + _L4) + (x * _L7 + _L6) * x2
    return (low + high * x4) + x4 * x4 * _L8


@triton.jit
def _twice_negative_log(f, direct):
    bits = f.to(tl.int32, bitcast=True)
    halvings = tl.where(direct, 0, 126 - (bits >> 23)).to(tl.float32) * _TWICE_LN2
    mantissa = ((bits & 0x007FFFFF) | 0x3F000000).to(tl.float32, bitcast=True)
    x = tl.where(direct, f, 1.0 - mantissa)
    return halvings + x * _logarithm(x)


@triton.jit
def _signed(x, sign):
    """x, its sign flipped where the top bit of `sign` is set."""
    return (x.to(tl.int32, bitcast=True) ^ (sign & -0x80000000)).to(tl.float32, bitcast=True)


@triton.jit
def _uniform(word):
    return ((word.to(tl.int32, bitcast=True) >> 7) | 1).to(tl.float32) * 5.9604644775390625e-08


@triton.jit
def _box_muller(radius, angle):
    radius, angle = radius.to(tl.int32, bitcast=True), angle.to(tl.int32, bitcast=True)
    # the word itself below 2³¹, its complement from there on
    k = radius ^ (radius >> 31)
    tail = (k.to(tl.float32) + 0.5) * 2.3283064365386963e-10
    r = tl.sqrt_rn(_twice_negative_log(tail, radius >= 0))
    t = ((angle << 2) | 2).to(tl.float32) * 4.656612873077393e-10
    q = t * t
    short = ((q * _S1 + _S0) + (q * _S3 + _S2) * (q * q)) * t * r
    long = _signed(((q * _C1 + _C0) + (q * _C3 + _C2) * (q * q)) * r, angle)
    swap = (angle & 0x40000000) != 0
    return tl.where(swap, short, long), tl.where(swap, long, short)


@triton.jit
def _far(out, last, near, step, floor):
    """A truncated normal's f of words counted from the mode, and whether it is near there."""
    direct = out <= near
    f = (tl.where(direct, out, last - out).to(tl.float32) + 0.5) * step
    return tl.where(direct, f, f + floor), direct


@triton.jit
def _quantile(f, direct, real):
    tau = _twice_negative_log(f, direct)
    d = real[0] + tl.sqrt_rn(real[1] + tau)
    e = tau + d * 3.0
    q = tl.div_rn(tl.full(d.shape, 1.0, tl.float32), d * e)
    s = tau * d * q
    s2 = s * s
    s4 = s2 * s2
    low = (real[6] + real[7] * s) + (real[8] + real[9] * s) * s2
    middle = (real[10] + real[11] * s) + (real[12] + real[13] * s) * s2
    high = (real[14] + real[15] * s) + real[16] * s2
    return ((low + middle * s4) + high * (s4 * s4)) * (tau * e * q)


@triton.jit
def _truncated(word, whole, real):
    minor = word < whole[0]
    out = tl.where(minor, (word - whole[0]) ^ 0xFFFFFFFF, word - whole[0])
    last, near = tl.where(minor, whole[3], whole[1]), tl.where(minor, whole[4], whole[2])
    step, floor = tl.where(minor, real[4], real[2]), tl.where(minor, real[5], real[3])
    f, direct = _far(out, last, near, step, floor)
    z = _quantile(f, direct, real)
    return tl.where(minor, -z, z)


@triton.jit
def _symmetric(word, whole, real):
    """The same where both sides are alike: the word less 2³¹ has the variate's sign."""
    signed = word.to(tl.int32, bitcast=True) ^ -0x80000000
    out = (signed ^ (signed >> 31)).to(tl.uint32, bitcast=True)
    f, direct = _far(out, whole[1], whole[2], real[2], real[3])
    return _signed(_quantile(f, direct, real), signed)


@triton.jit
def _variates(kind, w0, w1, w2, w3, whole, real):
    """Each word's variate; which law is the same for all lanes."""
    if kind == _UNIFORM:
        z0, z1, z2, z3 = _uniform(w0), _uniform(w1), _uniform(w2), _uniform(w3)
    elif kind == _NORMAL:
        z0, z1 = _box_muller(w0, w1)
        z2, z3 = _box_muller(w2, w3)
    elif kind == _SYMMETRIC:
        z0, z1 = _symmetric(w0, whole, real), _symmetric(w1, whole, real)
        z2, z3 = _symmetric(w2, whole, real), _symmetric(w3, whole, real)
    else:
        z0, z1 = _truncated(w0, whole, real), _truncated(w1, whole, real)
        z2, z3 = _truncated(w2, whole, real), _truncated(w3, whole, real)
    return z0, z1, z2, z3


@triton.jit
def _variate(kind, w0, w1, w2, w3, j, whole, real):
    """Of each block the variate of its word j alone."""
    early, even = j < 2, (j & 1) == 0
    first, second = tl.where(early, w0, w2), tl.where(early, w1, w3)
    if kind == _UNIFORM:
        z = _uniform(tl.where(even, first, second))
    elif kind == _NORMAL:
        z0, z1 = _box_muller(first, second)
        z = tl.where(even, z0, z1)
    else:
        z = _truncated(tl.where(even, first, second), whole, real)
    return z


@triton.jit
def _law(which, wholes, reals, affines):
    """A law's numbers, loaded once a program: (split, last, near, last, near), (hazard, …), (location, …)."""
    whole, real = (), ()
    for k in tl.static_range(_WHOLES):
        whole = whole + (tl.load(wholes + which * _WHOLES + k).to(tl.uint32, bitcast=True),)  # noqa: RUF005
    for k in tl.static_range(_REALS):
        real = real + (tl.load(reals + which * _REALS + k),)  # noqa: RUF005
    affine = affines + which * _AFFINE
    return whole, real, (tl.load(affine), tl.load(affine + 1), tl.load(affine + 2), tl.load(affine + 3))


@triton.jit
def _finish(z, affine, number: tl.constexpr, cell: tl.constexpr):
    """location + scale·z within the support, rounded once to `number`: the bits to store."""
    if number == tl.float64:
        z = z.to(tl.float64)
    x = tl.minimum(tl.maximum(affine[0] + affine[1] * z, affine[2]), affine[3])
    if number == tl.bfloat16:
        # by integers, as the reference does: Triton's interpreter would cut the bits off, not round
        bits = x.to(tl.uint32, bitcast=True)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.uint16)
    return x.to(number).to(cell, bitcast=True)


@triton.jit
def _line(job, kind, law, begin, end, number: tl.constexpr, cell: tl.constexpr):
    out = tl.load(job + _ADDRESS).to(tl.pointer_type(cell))
    first, size = tl.load(job + _FIRST), tl.load(job + _SIZE + 2).to(tl.uint32)
    seed, ident = tl.load(job + _SEED), tl.load(job + _ID)
    lane = tl.arange(0, _LANES)
    # elements lie in groups of 64 counted from element 0, so tiles begin where a group does
    inside = (lane >> 4) * 64 + (lane & 15) - (first & 63).to(tl.int32)
    block = (first >> 6) * 16 + lane
    for tile in range(begin, end):
        w0, w1, w2, w3 = _philox(block + tile * _LANES, seed, ident)
        z0, z1, z2, z3 = _variates(kind, w0, w1, w2, w3, law[0], law[1])
        place = inside + tile * (4 * _LANES)
        # unsigned, so that what lies before the line is beyond its end
        here = place.to(tl.uint32, bitcast=True)
        tl.store(out + place, _finish(z0, law[2], number, cell), here < size)
        tl.store(out + place + 16, _finish(z1, law[2], number, cell), here + 16 < size)
        tl.store(out + place + 32, _finish(z2, law[2], number, cell), here + 32 < size)
        tl.store(out + place + 48, _finish(z3, law[2], number, cell), here + 48 < size)


@triton.jit
def _lines(job, kind, law, begin, end, number: tl.constexpr, cell: tl.constexpr):
    out = tl.load(job + _ADDRESS).to(tl.pointer_type(cell))
    first, size = tl.load(job + _FIRST), tl.load(job + _SIZE + 2).to(tl.uint32)
    seed, ident = tl.load(job + _SEED), tl.load(job + _ID)
    size_1 = tl.load(job + _SIZE + 1).to(tl.int32)
    lines = tl.load(job + _SIZE).to(tl.int32) * size_1
    across, height = tl.load(job + _ACROSS).to(tl.int32), tl.load(job + _HEIGHT).to(tl.int32)
    width = _LANES >> height
    lane, upright = tl.arange(0, _LANES), tl.load(job + _UPRIGHT) != 0
    lane_line = tl.where(upright, lane & ((1 << height) - 1), lane // width)
    lane_block = tl.where(upright, lane >> height, lane & (width - 1))
    stride = tl.load(job + _STRIDE + 2)
    for tile in range(begin, end):
        down = tile // across
        line, b = (down << height) + lane_line, (tile - down * across) * width + lane_block
        i0 = line // size_1
        i1 = line - i0 * size_1
        element = first + i0 * tl.load(job + _STEP) + i1 * tl.load(job + _STEP + 1)
        w0, w1, w2, w3 = _philox((element >> 6) * 16 + b, seed, ident)
        z0, z1, z2, z3 = _variates(kind, w0, w1, w2, w3, law[0], law[1])
        place = (b >> 4) * 64 + (b & 15) - (element & 63).to(tl.int32)
        here = place.to(tl.uint32, bitcast=True)
        limit = tl.where(line < lines, size, 0)
        to = out + i0 * tl.load(job + _STRIDE) + i1 * tl.load(job + _STRIDE + 1) + place * stride
        tl.store(to, _finish(z0, law[2], number, cell), here < limit)
        tl.store(to + 16 * stride, _finish(z1, law[2], number, cell), here + 16 < limit)
        tl.store(to + 32 * stride, _finish(z2, law[2], number, cell), here + 32 < limit)
        tl.store(to + 48 * stride, _finish(z3, law[2], number, cell), here + 48 < limit)


@triton.jit
def _points(job, kind, law, begin, end, number: tl.constexpr, cell: tl.constexpr):
    out = tl.load(job + _ADDRESS).to(tl.pointer_type(cell))
    first, seed, ident = tl.load(job + _FIRST), tl.load(job + _SEED), tl.load(job + _ID)
    size_1, size_2 = tl.load(job + _SIZE + 1).to(tl.int32), tl.load(job + _SIZE + 2).to(tl.int32)
    size = tl.load(job + _SIZE).to(tl.int32) * size_1 * size_2
    stride_0, step_0 = tl.load(job + _STRIDE), tl.load(job + _STEP)
    stride_1, step_1 = tl.load(job + _STRIDE + 1), tl.load(job + _STEP + 1)
    stride_2, step_2 = tl.load(job + _STRIDE + 2), tl.load(job + _STEP + 2)
    bits = tl.load(job + _BITS).to(cell)
    for tile in range(begin, end):
        point = tile * _LANES + tl.arange(0, _LANES)
        i01 = point // size_2
        i2 = point - i01 * size_2
        i0 = i01 // size_1
        i1 = i01 - i0 * size_1
        if kind == _CONSTANT:
            x = tl.full((_LANES,), 0, cell) + bits
        else:
            element = first + i0 * step_0 + i1 * step_1 + i2 * step_2
            w0, w1, w2, w3 = _philox((element >> 6) * 16 + (element & 15), seed, ident)
            z = _variate(kind, w0, w1, w2, w3, (element >> 4) & 3, law[0], law[1])
            x = _finish(z, law[2], number, cell)
        tl.store(out + i0 * stride_0 + i1 * stride_1 + i2 * stride_2, x, point < size)


@triton.jit
def _level(job, begin, end, cell: tl.constexpr):
    out = tl.load(job + _ADDRESS).to(tl.pointer_type(cell))
    size, bits = tl.load(job + _SIZE + 2).to(tl.int32), tl.load(job + _BITS).to(cell)
    for tile in range(begin, end):
        place = tile * (4 * _LANES) + tl.arange(0, 4 * _LANES)
        tl.store(out + place, tl.full((4 * _LANES,), 0, cell) + bits, place < size)


@triton.jit
def fill_kernel(programs, jobs, wholes, reals, affines, number: tl.constexpr, cell: tl.constexpr):
    """Program p fills some tiles of job programs[p]: its kind and mode are the same for all lanes."""
    program = tl.program_id(0)
    which = tl.load(programs + program)
    job = jobs + which * _COLUMNS
    begin = (program - tl.load(job + _PROGRAM).to(tl.int32)) * _TILES
    end = tl.minimum(begin + _TILES, tl.load(job + _ALL).to(tl.int32))
    kind, mode = tl.load(job + _KIND), tl.load(job + _MODE)
    law = _law(which, wholes, reals, affines)
    if mode == _LINE:
        _line(job, kind, law, begin, end, number, cell)
    elif mode == _LINES:
        _lines(job, kind, law, begin, end, number, cell)
    elif mode == _LEVEL:
        _level(job, begin, end, cell)
    else:
        _points(job, kind, law, begin, end, number, cell)
