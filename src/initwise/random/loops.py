"""Loops, loads and stores for kernels that count in signed 64-bit integers and compute in WIDE vectors."""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from .lanes import DOUBLE, I32, I64, largest, least, loop, vector

STRIP = 8
CHUNK = 192
"""Rows that are summed up before the next ones: those of a panel that the second cache holds."""
WIDE = vector(DOUBLE, STRIP)


def get(b: ir.IRBuilder, place: Any) -> Any:
    """A strip's row there."""
    return b.load(b.bitcast(place, WIDE.as_pointer()), align=8)


def put(b: ir.IRBuilder, value: Any, place: Any) -> None:
    b.store(value, b.bitcast(place, WIDE.as_pointer()), align=8)


def spread(b: ir.IRBuilder, place: Any) -> Any:
    """The number there, in every lane."""
    return everywhere(b, b.load(b.bitcast(place, DOUBLE.as_pointer()), align=8))


def everywhere(b: ir.IRBuilder, number: Any) -> Any:
    """A number, in every lane."""
    first = b.insert_element(ir.Constant(WIDE, ir.Undefined), number, I32(0))
    return b.shuffle_vector(first, first, ir.Constant(vector(I32, STRIP), [0] * STRIP))


def positive(b: ir.IRBuilder, x: Any) -> Any:
    return largest(b, x, I64(0))


@contextmanager
def between(b: ir.IRBuilder, begin: Any, end: Any) -> Iterator[Any]:
    """A loop over begin ≤ i < end."""
    with loop(b, positive(b, b.sub(end, begin))) as i:
        yield b.add(begin, i)


@contextmanager
def blocks(b: ir.IRBuilder, begin: Any, end: Any) -> Iterator[tuple[Any, Any]]:
    """A loop over pieces (top, end) of 16 rows."""
    with loop(b, b.lshr(b.add(b.sub(end, begin), I64(15)), I64(4))) as block:
        top = b.add(begin, b.shl(block, I64(4)))
        yield top, least(b, end, b.add(top, I64(16)))


@contextmanager
def chunks(b: ir.IRBuilder, begin: Any, end: Any) -> Iterator[tuple[Any, Any]]:
    """A loop over pieces (start, stop) of CHUNK rows."""
    length = positive(b, b.sub(end, begin))
    with loop(b, b.udiv(b.add(length, I64(CHUNK - 1)), I64(CHUNK))) as i:
        start = b.add(begin, b.mul(i, I64(CHUNK)))
        yield start, least(b, end, b.add(start, I64(CHUNK)))


@contextmanager
def carried(b: ir.IRBuilder, count: Any, values: Sequence[Any]) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """A loop of count turns (i64) that carries values in registers: the body puts the next ones into the
    list it is given, which holds the last ones afterwards. The body makes no blocks of its own."""
    before = b.block
    head, body, after = (b.append_basic_block(name) for name in ("head", "body", "after"))
    b.branch(head)
    b.position_at_end(head)
    index = b.phi(I64)
    index.add_incoming(I64(0), before)
    held = [b.phi(value.type) for value in values]
    for phi, value in zip(held, values, strict=True):
        phi.add_incoming(value, before)
    b.cbranch(b.icmp_unsigned("<", index, count), body, after)
    b.position_at_end(body)
    following: list[Any] = []
    yield index, held, following
    index.add_incoming(b.add(index, I64(1)), body)
    for phi, value in zip(held, following, strict=True):
        phi.add_incoming(value, body)
    b.branch(head)
    b.position_at_end(after)
    following[:] = held
