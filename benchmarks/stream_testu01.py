"""TestU01's batteries over the stream's words, in each of `stream_words.ORDERS`. Prints Markdown rows.

    python benchmarks/stream_testu01.py SmallCrush --order names
    python benchmarks/stream_testu01.py Rabbit --bits 1e9 --order both --log rabbit.txt

Needs libtestu01 (L'Ecuyer and Simard, TestU01, ACM TOMS 33(4):22, 2007), on Debian the package
libtestu01-0 of the non-free section, on the library path; its own report goes to `--log`. A p-value
outside [10⁻³, 1 − 10⁻³] is TestU01's own mark of suspicion, outside [10⁻¹⁰, 1 − 10⁻¹⁰] a clear failure.
"""

# mypy: disable-error-code="no-untyped-call, import-untyped"
from __future__ import annotations

import argparse
import ctypes
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

import stream_words

BATTERIES: dict[str, Callable[[float], tuple[Any, ...]]] = {
    "SmallCrush": lambda bits: (),
    "Crush": lambda bits: (),
    "BigCrush": lambda bits: (),
    "Rabbit": lambda bits: (ctypes.c_double(bits),),
    "Alphabit": lambda bits: (ctypes.c_double(bits), 0, 32),
}
"""Each battery's arguments after the generator."""
SUSPECT, FAILED = 1e-3, 1e-10
SLOTS = 201
"""Length of the library's arrays of results."""

_I32, _I64, _REAL = ir.IntType(32), ir.IntType(64), ir.DoubleType()
_POINTER = ir.PointerType(_I64)
_REFILL = ctypes.CFUNCTYPE(None)
_WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Generator(ctypes.Structure):
    """unif01_Gen."""

    _fields_ = (
        ("state", ctypes.c_void_p),
        ("param", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("uniform", ctypes.c_void_p),
        ("bits", ctypes.c_void_p),
        ("write", _WRITE),
    )


def _code() -> ir.Module:
    """uniform(param, state) and bits(param, state). The state is four 64-bit integers: the next word,
    how many there are, their address, and the address of the call that brings more."""
    module = ir.Module("source")
    module.triple = llvm.get_process_triple()
    bits = ir.Function(module, ir.FunctionType(_I64, (_POINTER, _POINTER)), "bits")
    b, state = ir.IRBuilder(bits.append_basic_block()), bits.args[1]
    place = [b.gep(state, [_I64(k)]) for k in range(4)]
    with b.if_then(b.icmp_unsigned("==", b.load(place[0]), b.load(place[1])), likely=False):
        refill = ir.PointerType(ir.FunctionType(ir.VoidType(), ()))
        b.call(b.inttoptr(b.load(place[3]), refill), ())
        b.store(_I64(0), place[0])
    index = b.load(place[0])
    b.store(b.add(index, _I64(1)), place[0])
    words = b.inttoptr(b.load(place[2]), ir.PointerType(_I32))
    b.ret(b.zext(b.load(b.gep(words, [index])), _I64))
    uniform = ir.Function(module, ir.FunctionType(_REAL, (_POINTER, _POINTER)), "uniform")
    b = ir.IRBuilder(uniform.append_basic_block())
    b.ret(b.fmul(b.uitofp(b.call(bits, uniform.args), _REAL), _REAL(2.0**-32)))
    return module


def generator(pieces: Iterator[stream_words.U32], reversed_bits: bool) -> tuple[Generator, Any]:
    """TestU01's view of these words, and what must outlive it. `pieces` reuse one array."""
    first = next(pieces)
    if reversed_bits:
        stream_words.reverse_bits(first)
    state = np.array((0, first.size, first.ctypes.data, 0), np.uint64)

    def more() -> None:
        words = next(pieces)
        if reversed_bits:
            stream_words.reverse_bits(words)

    refill, write = _REFILL(more), _WRITE(lambda _: None)
    state[3] = ctypes.cast(refill, ctypes.c_void_p).value or 0
    engine = _engine()
    made = Generator(
        state.ctypes.data,
        None,
        b"initwise stream v1",
        engine.get_function_address("uniform"),
        engine.get_function_address("bits"),
        write,
    )
    return made, (first, state, refill, write, engine)


def _engine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(opt=3, jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(_code())), machine)
    engine.finalize_object()
    return engine


def results(battery: str, made: Generator, bits: float) -> list[tuple[str, float]]:
    """(test, p) of each test of the battery."""
    library = ctypes.CDLL("libtestu01.so.0")
    run: Callable[..., None] = getattr(library, f"bbattery_{battery}")
    run(ctypes.byref(made), *BATTERIES[battery](bits))
    count = ctypes.c_int.in_dll(library, "bbattery_NTests").value
    names = (ctypes.c_char_p * SLOTS).in_dll(library, "bbattery_TestNames")
    values = (ctypes.c_double * SLOTS).in_dll(library, "bbattery_pVal")
    found = [(names[k], values[k]) for k in range(SLOTS)]
    kept = [(name.decode(), p) for name, p in found if name and 0 <= p <= 1]
    assert len(kept) >= count > 0
    return kept[:count]


def row(arguments: argparse.Namespace, found: list[tuple[str, float]], seconds: float) -> str:
    suspect = [(name, p) for name, p in found if not SUSPECT <= p <= 1 - SUSPECT]
    failed = [(name, p) for name, p in suspect if not FAILED <= p <= 1 - FAILED]
    order = arguments.order + (", bits reversed" if arguments.reversed else "")
    shown = ", ".join(f"{name} {p if p < 0.5 else p - 1:.1e}" for name, p in suspect[:4])
    smallest = min(min(p, 1 - p) for _, p in found)
    return (
        f"| {arguments.battery} | {order} | {arguments.rounds} | {len(found)} | {len(failed)} | "
        f"{len(suspect) - len(failed)} | {smallest:.1e} | {shown or '—'} | {seconds / 60:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("battery", choices=BATTERIES)
    parser.add_argument("--order", choices=stream_words.ORDERS, default="both")
    parser.add_argument("--rounds", type=int, default=stream_words.ROUNDS)
    parser.add_argument("--reversed", action="store_true", help="each word's lowest bit first")
    parser.add_argument("--bits", type=float, default=2.0**30, help="read by Rabbit and Alphabit")
    parser.add_argument("--begin", type=int, default=0, help="skip so many pieces of 2²⁰ words")
    parser.add_argument("--log", default=os.devnull, help="where TestU01's own report goes")
    given = parser.parse_args()
    pieces = stream_words.interleaved(given.order, given.rounds, given.begin)
    made, _kept = generator(pieces, given.reversed)
    table = os.dup(1)
    os.dup2(os.open(given.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
    start = time.perf_counter()
    found = results(given.battery, made, given.bits)
    line = row(given, found, time.perf_counter() - start)
    os.write(table, (line + "\n").encode())


if __name__ == "__main__":
    main()
