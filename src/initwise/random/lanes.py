"""A few vector lanes of LLVM IR under Python's operators, so that kernels read like the reference.

`Lanes` wraps one LLVM vector value. Every operator is one instruction; floating-point ones carry no
fast-math flags, so nothing is contracted or reordered.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

I1, I8, I16, I32, I64 = (ir.IntType(width) for width in (1, 8, 16, 32, 64))
HALF, SINGLE, DOUBLE = ir.HalfType(), ir.FloatType(), ir.DoubleType()
POINTER = I8.as_pointer()


class Lanes:
    """One vector value and the builder that continues it."""

    def __init__(self, builder: ir.IRBuilder, value: Any) -> None:
        self.builder, self.value = builder, value

    @property
    def type(self) -> Any:
        return self.value.type

    def _other(self, other: Lanes | float) -> Any:
        return other.value if isinstance(other, Lanes) else splat(self.builder, other, self.type).value

    def _apply(self, real: str, whole: str, other: Lanes | float) -> Lanes:
        is_real = isinstance(self.type.element, (ir.FloatType, ir.DoubleType))
        return Lanes(
            self.builder, getattr(self.builder, real if is_real else whole)(self.value, self._other(other))
        )

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._apply("fadd", "add", other)

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._apply("fsub", "sub", other)

    def __rsub__(self, other: float) -> Lanes:
        return splat(self.builder, other, self.type) - self

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._apply("fmul", "mul", other)

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self._apply("fdiv", "udiv", other)

    def __rtruediv__(self, other: float) -> Lanes:
        return splat(self.builder, other, self.type) / self

    def __xor__(self, other: Lanes | float) -> Lanes:
        return self._apply("", "xor", other)

    def __and__(self, other: Lanes | float) -> Lanes:
        return self._apply("", "and_", other)

    def __or__(self, other: Lanes | float) -> Lanes:
        return self._apply("", "or_", other)

    def __lshift__(self, other: int) -> Lanes:
        return self._apply("", "shl", other)

    def __rshift__(self, other: int) -> Lanes:
        """Logical: zeros come in."""
        return self._apply("", "lshr", other)

    def arithmetic_shift(self, other: int) -> Lanes:
        """The sign comes in."""
        return self._apply("", "ashr", other)

    def below(self, other: Lanes | float) -> Lanes:
        """A mask: self < other; integers as unsigned."""
        if isinstance(self.type.element, ir.IntType):
            return Lanes(self.builder, self.builder.icmp_unsigned("<", self.value, self._other(other)))
        return Lanes(self.builder, self.builder.fcmp_ordered("<", self.value, self._other(other)))

    def negative(self) -> Lanes:
        """A mask: self < 0, integers as signed."""
        return Lanes(self.builder, self.builder.icmp_signed("<", self.value, self._other(0)))

    def choose(self, yes: Lanes | float, no: Lanes) -> Lanes:
        """Where this mask holds `yes`, elsewhere `no`."""
        return Lanes(self.builder, self.builder.select(self.value, no._other(yes), no.value))

    def bits(self) -> Lanes:
        """The float32 lanes' bits."""
        return Lanes(self.builder, self.builder.bitcast(self.value, vector(I32, self.type.count)))

    def as_float(self) -> Lanes:
        """The float32 lanes with these bits."""
        return Lanes(self.builder, self.builder.bitcast(self.value, vector(SINGLE, self.type.count)))

    def signed_to_float(self) -> Lanes:
        """Nearest float32 of signed 32-bit integers."""
        return Lanes(self.builder, self.builder.sitofp(self.value, vector(SINGLE, self.type.count)))

    def unsigned_to_float(self) -> Lanes:
        """Nearest float32 of unsigned 32-bit integers."""
        return Lanes(self.builder, self.builder.uitofp(self.value, vector(SINGLE, self.type.count)))

    def to_double(self) -> Lanes:
        return Lanes(self.builder, self.builder.fpext(self.value, vector(DOUBLE, self.type.count)))

    def to_half_bits(self) -> Lanes:
        """float16 bits, rounded to nearest even, by the processor's own instruction."""
        half = self.builder.fptrunc(self.value, vector(HALF, self.type.count))
        return Lanes(self.builder, self.builder.bitcast(half, vector(I16, self.type.count)))

    def narrow(self) -> Lanes:
        """The lower 16 bits of each 32-bit lane."""
        return Lanes(self.builder, self.builder.trunc(self.value, vector(I16, self.type.count)))

    def root(self) -> Lanes:
        """The correctly rounded square root."""
        name, module = f"llvm.sqrt.v{self.type.count}f32", self.builder.module
        known = module.globals.get(name)
        square_root = known or ir.Function(module, ir.FunctionType(self.type, [self.type]), name)
        return Lanes(self.builder, self.builder.call(square_root, [self.value]))


def vector(element: Any, count: int) -> Any:
    return ir.VectorType(element, count)


def splat(builder: ir.IRBuilder, number: Any, kind: Any) -> Lanes:
    """A constant, or a scalar LLVM value, in every lane of the vector type `kind`."""
    if not isinstance(number, ir.Value):
        whole = isinstance(kind.element, ir.IntType)
        constant = int(number) & (2**kind.element.width - 1) if whole else float(number)
        return Lanes(builder, ir.Constant(kind, [constant] * kind.count))
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, I32(0))
    order = ir.Constant(vector(I32, kind.count), [0] * kind.count)
    return Lanes(builder, builder.shuffle_vector(first, first, order))


def horner(x: Lanes, coefficients: Sequence[Any]) -> Lanes:
    """Horner's rule, highest power first; every product and sum rounded."""
    total: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = x * total + coefficient
    return total


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
