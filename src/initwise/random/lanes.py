"""A few vector lanes of LLVM IR under Python's operators, so that kernels read like the reference.

`Lanes` wraps one LLVM vector value. Every operator is one instruction; floating-point ones carry no
fast-math flags, so nothing is contracted or reordered.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

I1, I8, I16, I32, I64 = (ir.IntType(width) for width in (1, 8, 16, 32, 64))
HALF, SINGLE, DOUBLE = ir.HalfType(), ir.FloatType(), ir.DoubleType()
POINTER = I8.as_pointer()
FEW = 4
"""Vectors of which a whole polynomial's terms fit the registers."""


class Lanes:
    """Several vectors of one type, which every operator continues side by side.

    Side by side because a transform is one long chain of dependent instructions: the processor keeps
    busy only if other chains are interleaved with it. An operand of one vector serves all.
    """

    def __init__(self, builder: ir.IRBuilder, values: Sequence[Any]) -> None:
        self.builder, self.values = builder, list(values)

    @property
    def type(self) -> Any:
        return self.values[0].type

    def split(self, count: int = 2) -> list[Lanes]:
        """The vectors in `count` equal parts; see `together`."""
        size = len(self.values) // count
        return [Lanes(self.builder, self.values[k * size : (k + 1) * size]) for k in range(count)]

    def _is_real(self) -> bool:
        return isinstance(self.type.element, (ir.FloatType, ir.DoubleType))

    def _each(self, make: Callable[..., Any], *others: Lanes | float) -> Lanes:
        """make(value, other…) for each vector."""
        count = max(len(self.values), *(len(o.values) for o in others if isinstance(o, Lanes)), 1)
        columns = [self.across(count), *(self.like(other).across(count) for other in others)]
        return Lanes(self.builder, [make(*row) for row in zip(*columns, strict=True)])

    def like(self, other: Lanes | float) -> Lanes:
        """`other` itself, or the constant in lanes of this type."""
        return other if isinstance(other, Lanes) else splat(self.builder, other, self.type)

    def across(self, count: int) -> list[Any]:
        return self.values * count if len(self.values) == 1 else self.values

    def _to(self, make: Callable[..., Any], element: Any) -> Lanes:
        return self._each(lambda value: make(value, vector(element, self.type.count)))

    def joined(self) -> Lanes:
        """The 32-bit lanes two by two, as 64-bit lanes of half the number."""
        kind = vector(I64, self.type.count // 2)
        return self._each(lambda value: self.builder.bitcast(value, kind))

    def upper_halves(self, odd: Lanes) -> Lanes:
        """Lanes of half the width: the upper half of this one's first lane, of `odd`'s first, and so on."""
        b, count = self.builder, 2 * self.type.count
        width = self.type.element.width // 2
        kind = vector(ir.IntType(width), count)
        places = [k + 1 if k % 2 == 0 else count + k for k in range(count)]
        order = ir.Constant(vector(I32, count), places)
        return self._each(lambda x, y: b.shuffle_vector(b.bitcast(x, kind), b.bitcast(y, kind), order), odd)

    def side_by_side(self, most: int = 8) -> Lanes:
        """The same lanes, after a point that all vectors must reach before any goes on.

        LLVM's scheduler would otherwise finish one vector before it begins the next, and the processor
        would wait on each link of the chain. The point is an empty piece of assembly: no instruction.
        It needs all vectors in registers at once, so it is left out for more than `most` of them.
        """
        register, count = getattr(self.builder.module, "vector_register", ""), len(self.values)
        if not register or not 1 < count <= most:
            return self
        kinds = [self.type] * count
        constraint = ",".join([f"={register}"] * count + [str(k) for k in range(count)])
        signature = ir.FunctionType(ir.LiteralStructType(kinds), kinds)
        passed = self.builder.call(ir.InlineAsm(signature, "", constraint, False), self.values)
        return Lanes(self.builder, [self.builder.extract_value(passed, k) for k in range(count)])

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._each(self.builder.fadd if self._is_real() else self.builder.add, other)

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._each(self.builder.fsub if self._is_real() else self.builder.sub, other)

    def __rsub__(self, other: float) -> Lanes:
        return self.like(other) - self

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._each(self.builder.fmul if self._is_real() else self.builder.mul, other)

    def __rtruediv__(self, other: float) -> Lanes:
        return self.like(other)._each(self.builder.fdiv, self).side_by_side()

    def __xor__(self, other: Lanes | float) -> Lanes:
        return self._each(self.builder.xor, other)

    def __and__(self, other: Lanes | float) -> Lanes:
        return self._each(self.builder.and_, other)

    def __or__(self, other: Lanes | float) -> Lanes:
        return self._each(self.builder.or_, other)

    def __lshift__(self, other: int) -> Lanes:
        return self._each(self.builder.shl, other)

    def __rshift__(self, other: int) -> Lanes:
        """Logical: zeros come in."""
        return self._each(self.builder.lshr, other)

    def arithmetic_shift(self, other: int) -> Lanes:
        """The sign comes in."""
        return self._each(self.builder.ashr, other)

    def below(self, other: Lanes | float) -> Lanes:
        """A mask: self < other; integers as unsigned."""
        compare = self.builder.fcmp_ordered if self._is_real() else self.builder.icmp_unsigned
        return self._each(lambda x, y: compare("<", x, y), other)

    def negative(self) -> Lanes:
        """A mask: self < 0, integers as signed."""
        return self._each(lambda x, zero: self.builder.icmp_signed("<", x, zero), 0)

    def choose(self, yes: Lanes | float, no: Lanes) -> Lanes:
        """Where this mask holds `yes`, elsewhere `no`."""
        return self._each(self.builder.select, no.like(yes), no)

    def spread(self) -> Lanes:
        """A mask as 32-bit lanes: all bits set, or none."""
        return self._to(self.builder.sext, I32)

    def bits(self) -> Lanes:
        """The float32 lanes' bits."""
        return self._to(self.builder.bitcast, I32)

    def as_float(self) -> Lanes:
        """The float32 lanes with these bits."""
        return self._to(self.builder.bitcast, SINGLE)

    def signed_to_float(self) -> Lanes:
        """Nearest float32 of signed 32-bit integers."""
        return self._to(self.builder.sitofp, SINGLE).side_by_side()

    def unsigned_to_float(self) -> Lanes:
        """Nearest float32 of unsigned 32-bit integers."""
        return self._to(self.builder.uitofp, SINGLE).side_by_side()

    def to_double(self) -> Lanes:
        return self._to(self.builder.fpext, DOUBLE)

    def to_half_bits(self) -> Lanes:
        """float16 bits, rounded to nearest even, by the processor's own instruction."""
        return self._to(self.builder.fptrunc, HALF)._to(self.builder.bitcast, I16)

    def narrow(self) -> Lanes:
        """The lower 16 bits of each 32-bit lane."""
        return self._to(self.builder.trunc, I16)

    def root(self) -> Lanes:
        """The correctly rounded square root."""
        name, module = f"llvm.sqrt.v{self.type.count}f32", self.builder.module
        known = module.globals.get(name)
        square_root = known or ir.Function(module, ir.FunctionType(self.type, [self.type]), name)
        return self._each(lambda x: self.builder.call(square_root, [x])).side_by_side()


def together(parts: Sequence[Lanes]) -> Lanes:
    """All the parts' vectors as one Lanes."""
    return Lanes(parts[0].builder, [value for part in parts for value in part.values])


def vector(element: Any, count: int) -> Any:
    return ir.VectorType(element, count)


def splat(builder: ir.IRBuilder, number: Any, kind: Any) -> Lanes:
    """A constant, or a scalar LLVM value, in every lane of the vector type `kind`."""
    if not isinstance(number, ir.Value):
        whole = isinstance(kind.element, ir.IntType)
        constant = int(number) & (2**kind.element.width - 1) if whole else float(number)
        return Lanes(builder, [ir.Constant(kind, [constant] * kind.count)])
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, I32(0))
    order = ir.Constant(vector(I32, kind.count), [0] * kind.count)
    return Lanes(builder, [builder.shuffle_vector(first, first, order)])


def polynomial(x: Lanes, coefficients: Sequence[Any]) -> Lanes:
    """Estrin's scheme, as in `reference.polynomial`."""
    terms = list(coefficients)
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        paired = [(x * high + low).side_by_side(FEW) for low, high in pairs]
        terms = paired + terms[2 * len(paired) :]
        x = x * x if len(terms) > 1 else x
    return terms[0]


@contextmanager
def loop(builder: ir.IRBuilder, count: Any) -> Iterator[Any]:
    """A loop over 0 ≤ i < count (i64); the body may make blocks of its own."""
    before = builder.block
    head, body, after = (builder.append_basic_block(name) for name in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    builder.cbranch(builder.icmp_unsigned("<", index, count), body, after)
    builder.position_at_end(body)
    yield index
    index.add_incoming(builder.add(index, I64(1)), builder.block)
    builder.branch(head)
    builder.position_at_end(after)


def function(module: ir.Module, name: str, arguments: Sequence[Any]) -> tuple[Any, ir.IRBuilder, Any]:
    """A new void function: itself, a builder at its start, its arguments."""
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), list(arguments)), name)
    return made, ir.IRBuilder(made.append_basic_block("entry")), made.args


def least(builder: ir.IRBuilder, x: Any, y: Any) -> Any:
    """The lesser of two signed integers."""
    return builder.select(builder.icmp_signed("<", x, y), x, y)


def largest(builder: ir.IRBuilder, x: Any, y: Any) -> Any:
    """The greater of two signed integers."""
    return builder.select(builder.icmp_signed(">", x, y), x, y)
