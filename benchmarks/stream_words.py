"""The stream's raw 32-bit words, and the orders in which tests of its bits read them.

No law shows all bits of a word, so tests of the bits need the words themselves: `fill_words` makes
them by a short compiled Philox, which `checked` compares with the specification (all 32 bits) and with
the engine's kernels (the 25 bits of a uniform element). `interleaved` takes turns among 256 tensors,
word by word: neighbours would show if names, seeds, blocks or shards had anything to do with each other.
"""

# mypy: disable-error-code="no-untyped-call, import-untyped"
from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from initwise.core.fill import Fill
from initwise.core.stream import Stream
from initwise.random import constants as c
from initwise.random import fill_array, reference

U32 = NDArray[np.uint32]
TENSORS, PIECE, ROUNDS = 256, 4096, c.ROUNDS
FAR = 1 << 40
"""Elements between two shards."""
ORDERS = {
    "one": "one tensor, in the order of its elements",
    "blocks": "one tensor, block by block: the four words of each Philox block are neighbours",
    "names": "layers.0.weight … layers.255.weight, one word each in turn",
    "seeds": "one name under the seeds 0 … 255, one word each in turn",
    "both": "64 names under the seeds 0, 1, 2 and 2⁶³, one word each in turn",
    "shards": "one tensor at 256 offsets 2⁴⁰ apart, one word each in turn",
    "distance": "one tensor at 256 offsets 64 apart, one word each in turn",
}

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_VECTOR, _LANES = ir.VectorType(_I64, 8), 8
_alive: list[Any] = []


def _constant(value: int) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * _LANES)


def _code(rounds: int) -> ir.Module:
    """words(counter, key, groups, out): groups of 64 elements, 16 blocks each, from four counter words
    (as 64-bit integers) on; the low counter word must not overflow within the call."""
    module = ir.Module("words")
    module.triple = llvm.get_process_triple()
    words = ir.PointerType(_I64), ir.PointerType(_I64), _I64, ir.PointerType(_I32)
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), words), "words")
    counter, key, groups, out = made.args
    entry, body, end = (made.append_basic_block(name) for name in ("entry", "body", "end"))
    b = ir.IRBuilder(entry)
    counters, keys = ([_loaded(b, where, k) for k in range(n)] for where, n in ((counter, 4), (key, 2)))
    b.branch(body)
    b.position_at_end(body)
    index = b.phi(_I64)
    index.add_incoming(_I64(0), entry)
    for part in range(c.LANES // _LANES):
        first = b.add(counters[0], _broadcast(b, b.shl(index, _I64(4))))
        first = b.add(first, ir.Constant(_VECTOR, [part * _LANES + k for k in range(_LANES)]))
        for j, word in enumerate(_philox(b, [first, *counters[1:]], keys, rounds)):
            at = b.add(b.shl(index, _I64(6)), _I64(c.LANES * j + part * _LANES))
            narrow = b.trunc(word, ir.VectorType(_I32, _LANES))
            b.store(narrow, b.bitcast(b.gep(out, [at]), narrow.type.as_pointer()), align=4)
    following = b.add(index, _I64(1))
    index.add_incoming(following, body)
    b.cbranch(b.icmp_unsigned("<", following, groups), body, end)
    b.position_at_end(end)
    b.ret_void()
    return module


def _loaded(b: ir.IRBuilder, where: Any, k: int) -> Any:
    return _broadcast(b, b.load(b.gep(where, [_I64(k)])))


def _broadcast(b: ir.IRBuilder, number: Any) -> Any:
    first = b.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, _I32(0))
    return b.shuffle_vector(first, first, ir.Constant(ir.VectorType(_I32, _LANES), [0] * _LANES))


def _philox(b: ir.IRBuilder, x: list[Any], keys: list[Any], rounds: int) -> list[Any]:
    low, half = _constant(0xFFFFFFFF), _constant(32)
    for i in range(rounds):
        k0, k1 = (
            b.and_(b.add(key, _constant(i * weyl & 0xFFFFFFFF)), low)
            for key, weyl in zip(keys, (c.WEYL_0, c.WEYL_1), strict=True)
        )
        p0 = b.mul(b.and_(x[0], low), _constant(c.MULTIPLIER_0))
        p1 = b.mul(b.and_(x[2], low), _constant(c.MULTIPLIER_1))
        x = [b.xor(b.xor(b.lshr(p1, half), x[1]), k0), p1, b.xor(b.xor(b.lshr(p0, half), x[3]), k1), p0]
    return x


@functools.cache
def _compiled(rounds: int) -> Callable[..., None]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(_code(rounds))), machine)
    engine.finalize_object()
    _alive.append(engine)
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, ctypes.c_uint64, ctypes.c_void_p)
    return kind(engine.get_function_address("words"))


@functools.lru_cache(maxsize=4096)
def _key(stream: Stream) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    def split(number: int) -> tuple[int, int]:
        return number & 0xFFFFFFFF, number >> 32

    return np.array((0, 0, *split(stream.id)), np.uint64), np.array(split(stream.seed), np.uint64)


def fill_words(out: U32, stream: Stream, first: int = 0, rounds: int = ROUNDS) -> None:
    """The words of elements first, first + 1, … into `out`, contiguous; both in whole groups of 64.
    `rounds` below 10 weakens Philox, as a control."""
    assert first % c.GROUP == out.size % c.GROUP == 0
    counter, key = _key(stream)
    block = first // 4
    counter[:2] = block & 0xFFFFFFFF, block >> 32
    _compiled(rounds)(counter.ctypes.data, key.ctypes.data, out.size // c.GROUP, out.ctypes.data)


@functools.cache
def checked() -> None:
    """These words are the specification's and the engine's."""
    stream, first = Stream(2**63 + 1, "checked"), 64 * (2**40 + 7)
    out, shown = np.zeros(1 << 16, np.uint32), np.zeros(1 << 16, np.float32)
    fill_words(out, stream, first)
    block, j = reference.place(np.arange(first, first + out.size, dtype=np.uint64))
    expected = reference.blocks(stream, block)[j.astype(int), np.arange(out.size)]
    np.testing.assert_array_equal(out, expected)
    where = {"name": stream.name, "seed": stream.seed, "shape": (1 << 62,), "offset": (first,)}
    fill_array(shown, Fill.uniform(-1, 1), **where)  # type: ignore[arg-type]
    np.testing.assert_array_equal(shown, reference.symmetric_uniform(out))


def tensors(order: str) -> list[tuple[Stream, int]]:
    """Who takes turns: the streams, and the element each begins with."""
    name = "layers.0.weight"
    if order == "names":
        return [(Stream(0, f"layers.{k}.weight"), 0) for k in range(TENSORS)]
    if order == "seeds":
        return [(Stream(k, name), 0) for k in range(TENSORS)]
    if order == "both":
        seeds = (0, 1, 2, 2**63)
        return [(Stream(seed, f"layers.{k}.weight"), 0) for k in range(TENSORS // 4) for seed in seeds]
    if order == "shards":
        return [(Stream(0, name), k * FAR) for k in range(TENSORS)]
    return [(Stream(0, name), 0)]


def interleaved(order: str, rounds: int = c.ROUNDS, begin: int = 0) -> Iterator[U32]:
    """Pieces of 2²⁰ words without end, each in the same memory as the one before."""
    checked()
    who = tensors(order)
    # rows are a little longer than a power of two, so that a column does not lie in one cache set
    rows = np.empty((TENSORS, PIECE + 16), np.uint32)[:, :PIECE]
    words = np.empty(TENSORS * PIECE, np.uint32)
    while True:
        if len(who) == TENSORS:
            for row, (stream, first) in zip(rows, who, strict=True):
                fill_words(row, stream, first + begin * PIECE, rounds)
            for tile in range(0, PIECE, 64):
                words.reshape(PIECE, TENSORS)[tile : tile + 64] = rows[:, tile : tile + 64].T
        else:
            fill_words(words, who[0][0], begin * words.size, rounds)
            _reorder(words, order)
        yield words
        begin += 1


def _reorder(words: U32, order: str) -> None:
    """One tensor's words in another order: see `ORDERS`."""
    if order == "blocks":
        words[:] = words.reshape(-1, 4, 16).transpose(0, 2, 1).ravel()
    elif order == "distance":
        words[:] = words.reshape(-1, TENSORS, 64).transpose(0, 2, 1).ravel()


def reverse_bits(words: U32) -> None:
    """Each word with its lowest bit first, in place."""
    for part in np.split(words, 64):
        for width, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F)):
            high, low = part >> np.uint32(width), part & np.uint32(mask)
            high &= np.uint32(mask)
            low <<= np.uint32(width)
            np.bitwise_or(high, low, out=part)
        part.byteswap(inplace=True)
