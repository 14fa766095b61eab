"""Stream v1 as LLVM vector code: what `reference.py` says, eight elements at a time.

One group of 64 elements is 16 Philox blocks; word j of all blocks are 16 consecutive elements. So a
vector of blocks gives four vectors of elements, each stored as it is, and nothing is transposed.
Two groups, a *unit*, are made side by side: Philox is one chain of dependent operations, and four
vectors of it keep a processor busy where two leave it waiting.

A kernel is made for one kind of law and one output type:

    line(key, law, first, count, out)                        a contiguous run
    fill(key, law, first, steps…, sizes…, strides…, out)     a block of three axes

`fill` gives out[i, j, k] the element first + i·step₀ + j·step₁ + k·step₂; strides are in bytes.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from . import constants as c
from . import philox
from .calling import AFFINE_DOUBLE, AFFINE_SINGLE, CENTRED, SIDES, SIZE, TABLE
from .lanes import (
    DOUBLE,
    I16,
    I32,
    I64,
    POINTER,
    SINGLE,
    Lanes,
    function,
    largest,
    least,
    loop,
    splat,
    together,
    vector,
)
from .transforms import TRUNCATED, box_muller, brain, half, uniform, whole

ELEMENT = {"float64": DOUBLE, "float32": SINGLE, "float16": I16, "bfloat16": I16}

IEEE_754 = 0x1F80
"""x86's control word: round to nearest even, keep subnormal numbers, no traps."""
GROUPS = 2
UNIT, BLOCKS, SHIFT = GROUPS * c.GROUP, GROUPS * c.LANES, 7
"""Elements and blocks of a unit; log₂ of the elements."""
SAME_HIGH = 2**32 // BLOCKS
"""Units whose block numbers share their upper half."""


@dataclass(frozen=True)
class Target:
    """What the code is made for.

    Attributes:
        lanes: per vector.
        half_instruction: whether float32 → float16 is one instruction.
        vector_register: the assembler's letter for a register that holds a vector, "" if none does.
        control_register: whether there is x86's register of rounding and subnormal numbers.
    """

    lanes: int = 8
    half_instruction: bool = False
    vector_register: str = ""
    control_register: bool = False


class Kernel:
    """The code of one kernel. `module` holds it when made."""

    def __init__(self, kind: str, dtype: str, target: Target) -> None:
        self.kind, self.dtype, self.target = kind.removeprefix(CENTRED), dtype, target
        self.centred = kind.startswith(CENTRED)
        # even and odd blocks in two vectors, whose halves make one of consecutive bfloat16
        self.woven = dtype == "bfloat16"
        self.module = ir.Module(f"initwise_{kind}_{dtype}")
        self.module.vector_register = target.vector_register
        self.element, self.size = ELEMENT[dtype], SIZE[dtype]
        self.units = self._units()
        self.line = self._line()
        self._entry("line", self.line)
        self._entry("fill", self._fill())

    # whole units ----------------------------------------------------------------------------------

    def _units(self) -> Any:
        """units(key, law, unit, count, out): whole units, contiguous."""
        made, b, (key, law, unit, count, out) = function(
            self.module, "units", [POINTER, POINTER, I64, I64, POINTER]
        )
        made.linkage = "internal"
        keys = [load(b, key, I64, 8 * k) for k in range(4)]
        law_values, numbers = self._law(b, law), self._numbers(b)
        end = b.add(unit, count)
        segment = b.udiv(unit, I64(SAME_HIGH))
        with loop(b, b.sub(tiles(b, end, SAME_HIGH), segment)) as s:
            limit = b.mul(b.add(b.add(segment, s), I64(1)), I64(SAME_HIGH))
            begin = largest(b, unit, b.sub(limit, I64(SAME_HIGH)))
            high = b.add(segment, s)
            same = philox.opening(b, keys, high, self.target.lanes)
            with loop(b, b.sub(least(b, end, limit), begin)) as i:
                at = b.add(begin, i)
                place = b.gep(out, [b.mul(b.sub(at, unit), I64(UNIT * self.size))])
                block = b.trunc(b.mul(at, I64(BLOCKS)), I32)
                counter = splat(b, block, vector(I32, self.target.lanes)) + numbers
                words = philox.words(counter, same, self.kind == "uniform")
                self._expect(b, place)
                self._put_unit(b, words, law_values, place)
        b.ret_void()
        return made

    def _numbers(self, b: ir.IRBuilder) -> Lanes:
        """0, 1, … of the blocks of a unit."""
        lanes, numbers = self.target.lanes, range(BLOCKS)
        kind = vector(I32, lanes)
        runs = [list(numbers[k : k + lanes]) for k in numbers[::lanes]]
        if self.woven:
            pairs = [numbers[k : k + 2 * lanes] for k in numbers[:: 2 * lanes]]
            runs = [list(pair[odd::2]) for pair in pairs for odd in (0, 1)]
        return Lanes(b, [ir.Constant(kind, run) for run in runs])

    def _expect(self, b: ir.IRBuilder, place: Any) -> None:
        """Fetch the memory of a later unit now: what is written there need not wait for it."""
        kind = ir.FunctionType(ir.VoidType(), [POINTER, I32, I32, I32])
        fetch = self.module.declare_intrinsic("llvm.prefetch", [POINTER], kind)
        for line in range(0, UNIT * self.size, CACHE_LINE):
            to_write, keep, data = I32(1), I32(3), I32(1)
            b.call(fetch, [b.gep(place, [I64(AHEAD + line)]), to_write, keep, data])

    def _put_unit(self, b: ir.IRBuilder, words: Sequence[Lanes], law: dict[str, Any], place: Any) -> None:
        parts = c.LANES // self.target.lanes
        for group in range(GROUPS):
            own = [Lanes(b, word.values[parts * group : parts * (group + 1)]) for word in words]
            for j, z in self._variates(own, law):
                values = self._finish(z, law).values
                for part, value in enumerate(values):
                    at = c.GROUP * group + c.LANES * j + part * (c.LANES // len(values))
                    target = b.gep(place, [I64(at * self.size)])
                    b.store(value, b.bitcast(target, value.type.as_pointer()), align=self.size)

    # words → standard variates --------------------------------------------------------------------

    def _law(self, b: ir.IRBuilder, law: Any) -> dict[str, Any]:
        """The law's numbers, in every lane."""
        real, base = (DOUBLE, AFFINE_DOUBLE) if self.dtype == "float64" else (SINGLE, AFFINE_SINGLE)
        width = SIZE["float64" if self.dtype == "float64" else "float32"]
        lanes = self.target.lanes
        names = ("location", "scale", "low", "high")
        found: dict[str, Any] = {
            name: splat(b, load(b, law, real, base + width * k), vector(real, lanes))
            for k, name in enumerate(names)
        }
        if self.centred and self.kind == "uniform":
            found["scale"] = found["scale"] * 2.0**-24  # of `whole`: exact, and one product fewer
        if self.kind in TRUNCATED:
            found["sides"] = [
                splat(b, load(b, law, I32, SIDES + 4 * k), vector(I32, lanes)) for k in range(5)
            ]
            found["table"] = [
                splat(b, load(b, law, SINGLE, TABLE + 4 * k), vector(SINGLE, lanes)) for k in range(17)
            ]
        return found

    def _variates(self, words: Sequence[Lanes], law: dict[str, Any]) -> Iterator[tuple[int, Lanes]]:
        """(word index, its variates in all parts of the group)."""
        if self.kind == "normal":
            first, second = box_muller(together([words[0], words[2]]), together([words[1], words[3]]))
            for j, z in ((0, first), (1, second)):
                yield from zip((j, j + 2), z.split(), strict=True)
        elif self.kind in TRUNCATED:
            z = TRUNCATED[self.kind](together(words), law["sides"], law["table"])
            yield from enumerate(z.split(len(words)))
        else:
            variate = whole if self.centred else uniform
            yield from enumerate(variate(word) for word in words)

    # standard variates → memory -------------------------------------------------------------------

    def _finish(self, z: Lanes, law: dict[str, Any]) -> Lanes:
        """location + scale·z, within the support, rounded once."""
        x = (z.to_double() if self.dtype == "float64" else z) * law["scale"]
        if not self.centred:
            x = x + law["location"]
        if self.kind != "normal" and not self.centred:
            x = x.below(law["low"]).choose(law["low"], x)
            x = law["high"].below(x).choose(law["high"], x)
        if self.dtype == "bfloat16":
            bits = brain(x)
            even, odd = Lanes(x.builder, bits.values[::2]), Lanes(x.builder, bits.values[1::2])
            return even.upper_halves(odd)
        if self.dtype == "float16":
            return x.to_half_bits() if self.target.half_instruction else half(x)
        return x

    def _entry(self, name: str, inner: Any) -> None:
        """The function called from outside: `inner`, under IEEE 754's own rules of rounding.

        Who calls may have told the processor to flush subnormal numbers (torch.set_flush_denormal) or to
        round otherwise; on x86 that is a register, and it is put back.
        """
        _, b, arguments = function(self.module, name, [argument.type for argument in inner.args])
        if not self.target.control_register:
            b.call(inner, arguments)
            b.ret_void()
            return
        kind = ir.FunctionType(ir.VoidType(), [POINTER])
        store, load_ = (
            self.module.declare_intrinsic(f"llvm.x86.sse.{verb}mxcsr", [], kind) for verb in ("st", "ld")
        )
        theirs, ours = b.alloca(I32), b.alloca(I32)
        b.store(I32(IEEE_754), ours)
        b.call(store, [b.bitcast(theirs, POINTER)])
        b.call(load_, [b.bitcast(ours, POINTER)])
        b.call(inner, arguments)
        b.call(load_, [b.bitcast(theirs, POINTER)])
        b.ret_void()

    # any run of elements ----------------------------------------------------------------------------

    def _line(self) -> Any:
        """line(key, law, first, count, out): a contiguous run, from the middle of a unit to the middle
        of another; the ends go through a buffer of one unit."""
        made, b, (key, law, first, count, out) = function(
            self.module, "run", [POINTER, POINTER, I64, I64, POINTER]
        )
        made.linkage = "internal"
        buffer = b.bitcast(b.alloca(self.element, UNIT), POINTER)
        unit, skip = b.lshr(first, I64(SHIFT)), b.and_(first, I64(UNIT - 1))
        head = least(b, count, b.and_(b.sub(I64(0), skip), I64(UNIT - 1)))
        with b.if_then(b.icmp_unsigned("!=", head, I64(0))):
            b.call(self.units, [key, law, unit, I64(1), buffer])
            self._copy(b, b.gep(buffer, [b.mul(skip, I64(self.size))]), out, head)
        unit = b.lshr(b.add(first, I64(UNIT - 1)), I64(SHIFT))
        rest = b.sub(count, head)
        whole, tail = b.lshr(rest, I64(SHIFT)), b.and_(rest, I64(UNIT - 1))
        place = b.gep(out, [b.mul(head, I64(self.size))])
        b.call(self.units, [key, law, unit, whole, place])
        with b.if_then(b.icmp_unsigned("!=", tail, I64(0))):
            b.call(self.units, [key, law, b.add(unit, whole), I64(1), buffer])
            end = b.gep(place, [b.mul(whole, I64(UNIT * self.size))])
            self._copy(b, buffer, end, tail)
        b.ret_void()
        return made

    def _copy(self, b: ir.IRBuilder, source: Any, target: Any, count: Any) -> None:
        kind = self.element.as_pointer()
        source, target = b.bitcast(source, kind), b.bitcast(target, kind)
        with loop(b, count) as i:
            b.store(b.load(b.gep(source, [i])), b.gep(target, [i]), align=1)

    # any block of any strides -----------------------------------------------------------------------

    def _fill(self) -> Any:
        """fill(key, law, first, steps, sizes, strides, out): see the top of this file."""
        made, b, (key, law, first, *axes, out) = function(
            self.module, "blocks", [POINTER, POINTER, I64, *[I64] * 9, POINTER]
        )
        made.linkage = "internal"
        step, size, stride = axes[:3], axes[3:6], axes[6:]
        buffer = b.bitcast(b.alloca(self.element, UNIT), POINTER)
        held = b.alloca(I64)
        b.store(I64(-1), held)  # no unit yet
        dense = b.and_(
            b.icmp_unsigned("==", step[2], I64(1)), b.icmp_unsigned("==", stride[2], I64(self.size))
        )
        tile = b.bitcast(b.alloca(self.element, TILE_ROWS * TILE_PITCH), POINTER)
        run = b.icmp_unsigned("==", step[2], I64(1))
        turned = b.and_(run, b.icmp_unsigned("==", stride[1], I64(self.size)))
        with b.if_then(b.and_(turned, b.not_(dense))):
            with loop(b, size[0]) as i:
                start = b.add(first, b.mul(i, step[0]))
                place = b.gep(out, [b.mul(i, stride[0])])
                self._turned(b, key, law, start, step[1], size[1:], stride[2], place, tile)
            b.ret_void()
        with loop(b, size[0]) as i, loop(b, size[1]) as j:
            start = b.add(first, b.add(b.mul(i, step[0]), b.mul(j, step[1])))
            place = b.gep(out, [b.add(b.mul(i, stride[0]), b.mul(j, stride[1]))])
            with b.if_else(dense) as (then, otherwise):
                with then:
                    b.call(self.line, [key, law, start, size[2], place])
                with otherwise:
                    self._scatter(b, key, law, start, step[2], size[2], stride[2], place, buffer, held)
        b.ret_void()
        return made

    def _turned(
        self, b: ir.IRBuilder, key: Any, law: Any, start: Any, step: Any, size: Any, stride: Any, place: Any,
        tile: Any,
    ) -> None:  # fmt: skip
        """Rows of consecutive elements whose neighbours in memory are other rows: a tile of rows is made,
        then written column by column, so that whole cache lines are filled."""
        rows, run = size
        kind = self.element.as_pointer()
        with loop(b, tiles(b, rows, TILE_ROWS)) as i, loop(b, tiles(b, run, TILE_RUN)) as j:
            row, column = b.mul(i, I64(TILE_ROWS)), b.mul(j, I64(TILE_RUN))
            height = least(b, b.sub(rows, row), I64(TILE_ROWS))
            width = least(b, b.sub(run, column), I64(TILE_RUN))
            with loop(b, height) as r:
                element = b.add(b.add(start, column), b.mul(b.add(row, r), step))
                target = b.gep(tile, [b.mul(r, I64(TILE_PITCH * self.size))])
                b.call(self.line, [key, law, element, width, target])
            with loop(b, width) as k:
                target = b.add(b.mul(row, I64(self.size)), b.mul(b.add(column, k), stride))
                target, source = b.bitcast(b.gep(place, [target]), kind), b.bitcast(tile, kind)
                with loop(b, height) as r:
                    value = b.load(b.gep(source, [b.add(b.mul(r, I64(TILE_PITCH)), k)]))
                    b.store(value, b.gep(target, [r]), align=1)

    def _scatter(
        self, b: ir.IRBuilder, key: Any, law: Any, start: Any, step: Any, size: Any, stride: Any, place: Any,
        buffer: Any, held: Any,
    ) -> None:  # fmt: skip
        """One element at a time; the unit held in the buffer is made anew only when it changes."""
        kind = self.element.as_pointer()
        with loop(b, size) as k:
            element = b.add(start, b.mul(k, step))
            inside = b.and_(element, I64(UNIT - 1))
            unit = b.lshr(element, I64(SHIFT))
            with b.if_then(b.icmp_unsigned("!=", unit, b.load(held))):
                b.call(self.units, [key, law, unit, I64(1), buffer])
                b.store(unit, held)
            value = b.load(b.gep(b.bitcast(buffer, kind), [inside]))
            target = b.bitcast(b.gep(place, [b.mul(k, stride)]), kind)
            b.store(value, target, align=1)


AHEAD, CACHE_LINE = 4096, 64
"""Bytes. So far ahead, the next page's address is found in time too."""
TILE_ROWS, TILE_RUN, TILE_PITCH = 32, 256, 272
"""Transposed memory is written by tiles; the pitch keeps a tile's rows in different cache sets."""


def load(b: ir.IRBuilder, base: Any, kind: Any, at: int) -> Any:
    return b.load(b.bitcast(b.gep(base, [I64(at)]), kind.as_pointer()), align=4)


def tiles(b: ir.IRBuilder, size: Any, width: int) -> Any:
    return b.udiv(b.add(size, I64(width - 1)), I64(width))
