"""Products of Householder reflectors as LLVM vector code, in float64; called by `orthogonal.py`.

Reflectors H = I − vvᵀ (v of length √2) are kept as the columns of a *panel* V: rows of `width` numbers.
Their product is I − V·G⁻¹·Vᵀ with G = I + the strict upper part of VᵀV (Puglisi 1992, "Modification of
the Householder method based on the compact WY representation"), so a panel is applied by a product, a
triangular solve and another product, column by column:

    W = Vᵀ·M,   X = G⁻¹·W,   M ← M − V·X

M and W lie in *strips* of eight columns, a strip's rows one after the other: a strip is what a kernel
multiplies by, so nothing is ever packed. The innermost loop holds a tile of `tile` × 8 sums in
registers. Every sum runs in one order, CHUNK rows at a time, with fused multiply-adds: its bits depend
on no thread, vector width, tile or BLAS.

Sizes: `width` is a multiple of 24; panels and M's strips have 24 rows of zeros beyond the last.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from .lanes import DOUBLE, I32, I64, POINTER, SINGLE, function, largest, least, loop, vector
from .loops import (
    STRIP,
    WIDE,
    between,
    blocks,
    carried,
    chunks,
    everywhere,
    get,
    positive,
    put,
    spread,
)

LINE = 8 * STRIP
"""Bytes of a strip's row."""
LANES = I64(LINE)
PAD = 24
"""Rows of zeros beyond the last, so that tiles of any height may end there."""
SIZE = {"float64": 8, "float32": 4}


class Reflectors:
    """The code. `module` holds it when made; `tile` rows of a product are summed at a time."""

    def __init__(self, tile: int = 6) -> None:
        self.tile = tile
        self.module = ir.Module("initwise_reflectors")
        self._declare()
        self.prepare = self._prepare()
        self.gram = self._gram()
        self.apply = self._apply()
        for name, element in (("float64", DOUBLE), ("float32", SINGLE)):
            self._whole(name, self._finish(name, element))

    def _declare(self) -> None:
        unary, binary = ir.FunctionType(WIDE, [WIDE]), ir.FunctionType(WIDE, [WIDE] * 2)
        ternary = ir.FunctionType(WIDE, [WIDE] * 3)
        kinds = {"fma": ternary, "sqrt": unary, "fabs": unary, "copysign": binary}
        self.known = {
            name: ir.Function(self.module, kind, f"llvm.{name}.v{STRIP}f64") for name, kind in kinds.items()
        }

    def _call(self, b: ir.IRBuilder, name: str, *arguments: Any) -> Any:
        return b.call(self.known[name], arguments)

    # normals → reflectors -------------------------------------------------------------------------

    def _prepare(self) -> Any:
        """prepare(panel, width, rows, begin, end, signs): strips begin … end of a panel of normals become
        reflectors, and signs[k] = −sign(x₀) of each. A column of zeros stays one."""
        made, b, (panel, width, rows, begin, end, signs) = function(
            self.module, "prepare", [POINTER, *[I64] * 4, POINTER]
        )
        row = b.shl(width, I64(3))
        with between(b, begin, end) as j:
            first = b.mul(j, I64(STRIP))
            column = b.gep(panel, [b.mul(first, I64(8))])
            self._clear(b, column, first, row)
            corner = b.gep(column, [b.mul(first, row)])
            heads, total = self._corner(b, corner, row)
            below = b.add(first, I64(STRIP))
            count = positive(b, b.sub(rows, below))
            total = self._squares(b, b.gep(column, [b.mul(below, row)]), row, count, total)
            moved, scale = self._heads(b, heads, total, b.gep(signs, [b.mul(first, I64(8))]))
            for k in range(STRIP):
                diagonal = b.gep(corner, [b.mul(b.add(row, I64(8)), I64(k))])
                b.store(b.extract_element(moved, I32(k)), b.bitcast(diagonal, DOUBLE.as_pointer()), align=8)
            with loop(b, b.add(count, I64(STRIP))) as i:
                place = b.gep(corner, [b.mul(i, row)])
                put(b, b.fmul(get(b, place), scale), place)
        b.ret_void()
        return made

    def _corner(self, b: ir.IRBuilder, corner: Any, step: Any) -> tuple[Any, Any]:
        """Clear what lies above the diagonal; (the diagonal, the sums of squares)."""
        zero = ir.Constant(WIDE, [0.0] * STRIP)
        heads = total = zero
        for i in range(STRIP):
            place = b.gep(corner, [b.mul(step, I64(i))])
            mask = ir.Constant(vector(ir.IntType(1), STRIP), [k <= i for k in range(STRIP)])
            row = b.select(mask, get(b, place), zero)
            put(b, row, place)
            heads = b.insert_element(heads, b.extract_element(row, I32(i)), I32(i))
            total = self._call(b, "fma", row, row, total)
        return heads, total

    def _squares(self, b: ir.IRBuilder, place: Any, step: Any, count: Any, total: Any) -> Any:
        with carried(b, count, [total]) as (i, sums, after):
            row = get(b, b.gep(place, [b.mul(i, step)]))
            after[:] = [self._call(b, "fma", row, row, sums[0])]
        return after[0]

    def _heads(self, b: ir.IRBuilder, heads: Any, total: Any, signs: Any) -> tuple[Any, Any]:
        """Note the signs; (each column's x₀ + sign(x₀)‖x‖, the factor that makes its length √2)."""
        one, zero = (ir.Constant(WIDE, [x] * STRIP) for x in (1.0, 0.0))
        length = self._call(b, "sqrt", total)
        put(b, self._call(b, "copysign", one, b.fneg(heads)), signs)
        moved = b.fadd(heads, self._call(b, "copysign", length, heads))
        square = b.fmul(length, b.fadd(length, self._call(b, "fabs", heads)))
        scale = b.fdiv(one, self._call(b, "sqrt", square))
        return moved, b.select(b.fcmp_ordered(">", length, zero), scale, zero)

    def _clear(self, b: ir.IRBuilder, place: Any, count: Any, step: Any) -> None:
        with loop(b, count) as i:
            put(b, ir.Constant(WIDE, [0.0] * STRIP), b.gep(place, [b.mul(i, step)]))

    # sums of products -----------------------------------------------------------------------------

    def _sums(
        self,
        b: ir.IRBuilder,
        sums: Sequence[Any],
        left: Any,
        steps: tuple[Any, Any],
        right: Any,
        step: Any,
        count: Any,
        minus: bool = False,
    ) -> list[Any]:
        """sums[i] ± Σₖ left[i, k]·right[k], k < count; `steps` are left's bytes from i to i and k to k."""
        offsets = [b.mul(steps[0], I64(i)) for i in range(self.tile)]
        with carried(b, count, [*sums, left, right]) as (_, now, after):
            row = get(b, now[-1])
            for i in range(self.tile):
                number = spread(b, b.gep(now[-2], [offsets[i]]))
                after.append(self._call(b, "fma", b.fneg(number) if minus else number, row, now[i]))
            after += [b.gep(now[-2], [steps[1]]), b.gep(now[-1], [step])]
        return after[: self.tile]

    def _tiles(self, b: ir.IRBuilder, count: Any) -> Any:
        """How many tiles cover that many rows."""
        return b.udiv(b.add(count, I64(self.tile - 1)), I64(self.tile))

    def _tile(self, b: ir.IRBuilder, place: Any, step: Any) -> list[Any]:
        return [get(b, b.gep(place, [b.mul(step, I64(i))])) for i in range(self.tile)]

    def _put_tile(self, b: ir.IRBuilder, sums: Sequence[Any], place: Any, step: Any) -> None:
        for i, value in enumerate(sums):
            put(b, value, b.gep(place, [b.mul(step, I64(i))]))

    def _gram(self) -> Any:
        """gram(panel, width, rows, begin, end, out): the upper part of VᵀV, its strips begin … end, in rows
        of `width` numbers. What is written below the diagonal means nothing."""
        made, b, (panel, width, rows, begin, end, out) = function(
            self.module, "gram", [POINTER, *[I64] * 4, POINTER]
        )
        step = b.shl(width, I64(3))
        with between(b, begin, end) as j:
            height = b.mul(self._tiles(b, b.mul(b.add(j, I64(1)), I64(STRIP))), I64(self.tile))
            self._clear(b, b.gep(out, [b.mul(j, I64(LINE))]), height, step)
        with chunks(b, I64(0), rows) as (start, stop), between(b, begin, end) as j:
            first = b.mul(j, I64(STRIP))
            low = largest(b, start, first)
            count = positive(b, b.sub(stop, low))
            line = b.gep(panel, [b.mul(low, step)])
            right = b.gep(line, [b.mul(j, I64(LINE))])
            with loop(b, self._tiles(b, b.add(first, I64(STRIP)))) as r:
                left = b.gep(line, [b.mul(r, I64(8 * self.tile))])
                place = b.gep(out, [b.add(b.mul(b.mul(r, step), I64(self.tile)), b.mul(j, I64(LINE)))])
                sums = self._sums(b, self._tile(b, place, step), left, (I64(8), step), right, step, count)
                self._put_tile(b, sums, place, step)
        b.ret_void()
        return made

    def _apply(self) -> Any:
        """apply(panel, gram, width, rows, low, high, matrix, pitch, strips, work): M ← H₁ … H_width·M for
        some strips, `pitch` bytes apart. M's rows below `low` and from `high` on are known to be zero."""
        made, b, (panel, gram, width, rows, low, high, matrix, pitch, strips, work) = function(
            self.module, "apply", [POINTER, POINTER, *[I64] * 4, POINTER, I64, I64, POINTER]
        )
        size = b.mul(width, I64(LINE))
        self._clear(b, work, b.mul(width, strips), I64(LINE))
        with chunks(b, low, high) as (start, stop), loop(b, strips) as j:
            strip = b.gep(matrix, [b.add(b.mul(j, pitch), b.mul(start, I64(LINE)))])
            line, target = b.gep(panel, [b.mul(start, b.shl(width, I64(3)))]), b.gep(work, [b.mul(j, size)])
            self._project(b, line, strip, b.sub(stop, start), width, target)
        with loop(b, strips) as j:
            self._solve(b, gram, width, b.gep(work, [b.mul(j, size)]))
        with chunks(b, I64(0), rows) as (start, stop), loop(b, strips) as j:
            strip = b.gep(matrix, [b.mul(j, pitch)])
            self._subtract(b, panel, b.gep(work, [b.mul(j, size)]), width, strip, (start, stop))
        b.ret_void()
        return made

    def _project(self, b: ir.IRBuilder, line: Any, strip: Any, count: Any, width: Any, work: Any) -> None:
        """W += Vᵀ·M of one strip, over `count` rows."""
        step = b.shl(width, I64(3))
        with loop(b, b.udiv(width, I64(self.tile))) as r:
            place = b.gep(work, [b.mul(r, I64(LINE * self.tile))])
            left = b.gep(line, [b.mul(r, I64(8 * self.tile))])
            sums = self._sums(b, self._tile(b, place, LANES), left, (I64(8), step), strip, LANES, count)
            self._put_tile(b, sums, place, LANES)

    def _solve(self, b: ir.IRBuilder, gram: Any, width: Any, work: Any) -> None:
        """W ← G⁻¹·W of one strip, from the last rows up; each row subtracts the last ones first, in tiles of
        any height."""
        tiles, step = b.udiv(width, I64(self.tile)), b.shl(width, I64(3))
        with loop(b, tiles) as turn:
            r = b.sub(b.sub(tiles, turn), I64(1))
            first, after = b.mul(r, I64(self.tile)), b.mul(b.add(r, I64(1)), I64(self.tile))
            place = b.gep(work, [b.mul(first, I64(LINE))])
            line = b.gep(gram, [b.mul(first, step)])
            last = b.sub(width, I64(1))
            left, right = b.gep(line, [b.shl(last, I64(3))]), b.gep(work, [b.mul(last, LANES)])
            count = b.sub(width, after)
            sums = self._tile(b, place, LANES)
            sums = self._sums(b, sums, left, (step, I64(-8)), right, I64(-LINE), count, minus=True)
            corner = b.gep(line, [b.mul(first, I64(8))])
            for i in reversed(range(self.tile)):
                for k in reversed(range(i + 1, self.tile)):
                    number = b.fneg(spread(b, b.gep(corner, [b.add(b.mul(step, I64(i)), I64(8 * k))])))
                    sums[i] = self._call(b, "fma", number, sums[k], sums[i])
            self._put_tile(b, sums, place, LANES)

    def _subtract(
        self, b: ir.IRBuilder, panel: Any, work: Any, width: Any, strip: Any, rows: tuple[Any, Any]
    ) -> None:
        """M −= V·X of one strip, for some rows; V has nothing above its diagonal."""
        step = b.shl(width, I64(3))
        with loop(b, self._tiles(b, b.sub(rows[1], rows[0]))) as r:
            row = b.add(rows[0], b.mul(r, I64(self.tile)))
            count = least(b, width, b.add(row, I64(self.tile)))
            place, left = b.gep(strip, [b.mul(row, I64(LINE))]), b.gep(panel, [b.mul(row, step)])
            sums = self._tile(b, place, LANES)
            sums = self._sums(b, sums, left, (step, I64(8)), work, LANES, count, minus=True)
            self._put_tile(b, sums, place, LANES)

    # strips → the caller's memory -----------------------------------------------------------------

    def _finish(self, name: str, element: Any) -> Any:
        """finish(matrix, pitch, begin, end, columns, signs, gain, out, down, across): out[i, k] =
        M[i, k]·signs[k]·gain, rounded once, for rows begin … end; down and across are out's bytes from
        row to row and column to column."""
        kinds = [POINTER, *[I64] * 4, POINTER, DOUBLE, POINTER, I64, I64]
        made, b, arguments = function(self.module, f"finish_{name}", kinds)
        matrix, pitch, begin, end, columns, signs, gain, out, down, across = arguments
        dense = b.icmp_unsigned("==", across, I64(SIZE[name]))
        with blocks(b, begin, end) as (top, low), loop(b, b.lshr(b.add(columns, I64(7)), I64(3))) as j:
            factor = b.fmul(get(b, b.gep(signs, [b.mul(j, LANES)])), everywhere(b, gain))
            left = least(b, b.sub(columns, b.shl(j, I64(3))), I64(STRIP))
            whole = b.and_(dense, b.icmp_unsigned("==", left, I64(STRIP)))
            with between(b, top, low) as i:
                source = b.gep(matrix, [b.add(b.mul(j, pitch), b.mul(i, LANES))])
                place = b.gep(out, [b.add(b.mul(i, down), b.mul(b.shl(j, I64(3)), across))])
                value = b.fmul(get(b, source), factor)
                self._write(b, value, element, place, across, left, whole)
        b.ret_void()
        return made

    def _write(
        self, b: ir.IRBuilder, value: Any, element: Any, place: Any, across: Any, left: Any, whole: Any
    ) -> None:
        kind = vector(element, STRIP)
        value = b.fptrunc(value, kind) if element is SINGLE else value
        with b.if_else(whole) as (then, otherwise):
            with then:
                b.store(value, b.bitcast(place, kind.as_pointer()), align=1)
            with otherwise, loop(b, left) as k:
                target = b.bitcast(b.gep(place, [b.mul(k, across)]), element.as_pointer())
                b.store(b.extract_element(value, b.trunc(k, I32)), target, align=1)

    # small matrices, in one call ------------------------------------------------------------------

    def _whole(self, name: str, finish: Any) -> None:
        """whole(normals, count, rows, columns, padded, width, matrix, panel, gram, work, signs, gain, out,
        step, down, across): `count` matrices, `step` bytes apart, each from (rows + 24) × padded normals
        with zeros beyond its own; all other memory is scratch."""
        kinds = [POINTER, *[I64] * 5, *[POINTER] * 5, DOUBLE, POINTER, *[I64] * 3]
        _, b, arguments = function(self.module, f"whole_{name}", kinds)
        normals, count, rows, columns, padded, width, *scratch, gain, out, step, down, across = arguments
        matrix, panel, gram, work, signs = scratch
        height = b.add(rows, I64(PAD))
        pitch, size = b.mul(height, LANES), b.mul(b.mul(height, padded), I64(8))
        panels = b.udiv(b.add(columns, b.sub(width, I64(1))), width)
        with loop(b, count) as m:
            source = b.gep(normals, [b.mul(m, size)])
            self._identity(b, matrix, pitch, padded, columns)
            with loop(b, panels) as turn:
                begin = b.mul(b.sub(b.sub(panels, turn), I64(1)), width)
                used = least(b, width, b.sub(padded, begin))
                corner = b.mul(begin, b.add(padded, I64(1)))
                self._copy(
                    b, b.gep(source, [b.shl(corner, I64(3))]), padded, panel, b.sub(height, begin), used
                )
                tall, strips = b.sub(rows, begin), b.lshr(used, I64(3))
                place = b.gep(signs, [b.shl(begin, I64(3))])
                b.call(self.prepare, [panel, used, tall, I64(0), strips, place])
                b.call(self.gram, [panel, used, tall, I64(0), strips, gram])
                first = b.lshr(begin, I64(3))
                place = b.gep(matrix, [b.add(b.mul(first, pitch), b.mul(begin, LANES))])
                own = [panel, gram, used, tall, I64(0), least(b, used, tall), place, pitch, strips, work]
                b.call(self.apply, own)
                others = b.sub(b.sub(b.lshr(padded, I64(3)), first), strips)
                place = b.gep(place, [b.mul(strips, pitch)])
                b.call(self.apply, [panel, gram, used, tall, used, tall, place, pitch, others, work])
            place = b.gep(out, [b.mul(m, step)])
            b.call(finish, [matrix, pitch, I64(0), rows, columns, signs, gain, place, down, across])
        b.ret_void()

    def _identity(self, b: ir.IRBuilder, matrix: Any, pitch: Any, padded: Any, columns: Any) -> None:
        self._clear(b, matrix, b.udiv(b.mul(b.lshr(padded, I64(3)), pitch), LANES), LANES)
        with loop(b, columns) as k:
            strip = b.gep(matrix, [b.mul(b.lshr(k, I64(3)), pitch)])
            place = b.gep(strip, [b.add(b.mul(k, LANES), b.shl(b.and_(k, I64(7)), I64(3)))])
            b.store(ir.Constant(DOUBLE, 1.0), b.bitcast(place, DOUBLE.as_pointer()), align=8)

    def _copy(self, b: ir.IRBuilder, source: Any, pitch: Any, panel: Any, rows: Any, width: Any) -> None:
        strips = b.lshr(width, I64(3))
        with loop(b, rows) as i, loop(b, strips) as j:
            put(
                b,
                get(b, b.gep(source, [b.add(b.mul(i, b.shl(pitch, I64(3))), b.mul(j, LANES))])),
                b.gep(panel, [b.add(b.mul(i, b.shl(width, I64(3))), b.mul(j, LANES))]),
            )
