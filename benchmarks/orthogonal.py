"""Orthogonal initialization against torch.nn.init.orthogonal_; prints Markdown.

    python benchmarks/orthogonal.py            # some minutes on two processors
    python benchmarks/orthogonal.py --quick    # under one, without the large shapes

float32 tensors, two threads each, in one process; every time is wall clock, the median of interleaved
repetitions. Processor seconds are those of all threads: on a machine that does other work too, they say
more than the clock. Residuals are max |QᵀQ − I| of the shorter side, summed in float64. Peak memory is
what a new process needs beyond the tensor.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from llvmlite import ir

from engine_tools import load, machine, python, race, table, use_threads
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array, native
from initwise.random.lanes import I64, POINTER, function
from initwise.random.loops import WIDE, carried, get, put
from initwise.random.threads import run_all

LAW = Fill.matrix("orthogonal")
BATCH = Fill.matrix("orthogonal", layout=Layout("boi"))


@dataclass(frozen=True)
class Case:
    """A shape: (rows, columns) or (matrices, rows, columns), and how often it is timed."""

    name: str
    shape: tuple[int, ...]
    repeats: int
    large: bool = False


CASES = (
    Case("64²", (64, 64), 51),
    Case("256²", (256, 256), 31),
    Case("1024²", (1024, 1024), 9),
    Case("4096²", (4096, 4096), 5, large=True),
    Case("tall 50000 × 256", (50_000, 256), 5, large=True),
    Case("wide 256 × 50000", (256, 50_000), 5, large=True),
    Case("96 heads of 64²", (96, 64, 64), 11),
    Case("8 experts of 1024²", (8, 1024, 1024), 5, large=True),
)

PEAK = """
import resource, sys, numpy as np, torch
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.random import fill_array
who, shape = sys.argv[1], tuple(int(size) for size in sys.argv[2:])
tensor = torch.ones(shape)
def run(tensor):
    if who == "initwise":
        fill_array(tensor.numpy(), Fill.matrix("orthogonal", layout=Layout("boi"[-tensor.ndim :])), name="w")
    else:
        for matrix in tensor.reshape(-1, *tensor.shape[-2:]):
            torch.nn.init.orthogonal_(matrix)
run(torch.ones(2, 40, 40))
run(torch.ones(500, 500))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(tensor)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def ours(tensor: torch.Tensor) -> Callable[[], object]:
    array = tensor.numpy()
    return lambda: fill_array(array, LAW if array.ndim == 2 else BATCH, name="w")


def theirs(tensor: torch.Tensor) -> Callable[[], object]:
    matrices = list(tensor.reshape(-1, *tensor.shape[-2:]))

    def run() -> None:
        for matrix in matrices:
            torch.nn.init.orthogonal_(matrix)

    return run


def residual(tensor: torch.Tensor) -> float:
    """max |QᵀQ − I| over the matrices."""
    worst = 0.0
    for matrix in tensor.reshape(-1, *tensor.shape[-2:]):
        tall = (matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T).double()
        inner = tall.T @ tall
        inner.diagonal().sub_(1)
        worst = max(worst, float(inner.abs().max()))
    return worst


def effort(run: Callable[[], object], repeats: int) -> float:
    """Median processor seconds."""
    found = []
    for _ in range(repeats):
        time.sleep(0.01)  # threads of the run before spin on for a while
        begin = time.process_time()
        run()
        found.append(time.process_time() - begin)
    return statistics.median(found)


def peak(who: str, shape: tuple[int, ...]) -> float:
    """MiB beyond the tensor."""
    return int(python(PEAK, who, *(str(size) for size in shape))) / 1024


def row(case: Case) -> tuple[str, ...]:
    mine, other = torch.empty(case.shape), torch.empty(case.shape)
    contestants = {"initwise": ours(mine), "torch": theirs(other)}
    seconds = race(contestants, case.repeats)
    spent = {name: effort(run, min(3, case.repeats)) for name, run in contestants.items()}
    double = torch.empty(case.shape, dtype=torch.float64)
    ours(double)()
    return (
        case.name,
        *(f"{seconds[name]:.3g}" for name in contestants),
        f"{seconds['torch'] / seconds['initwise']:.1f}",
        *(f"{spent[name]:.3g}" for name in contestants),
        *(f"{residual(tensor):.0e}" for tensor in (mine, double, other)),
        *(f"{peak(name, case.shape):.0f}" if case.large else "" for name in contestants),
    )


HEAD = (
    "float32 tensor",
    "initwise, s",
    "torch, s",
    "torch / initwise",
    "initwise, processor s",
    "torch, processor s",
    "residual, float32",
    "residual, float64",
    "residual, torch",
    "initwise, peak MiB",
    "torch, peak MiB",
)


def limit(order: int = 1024) -> None:
    """What the operations of a 4096² matrix take at the rate of NumPy's float64 product, and of nothing
    but multiply-adds in registers."""
    left, right, out = (np.ones((order, order)) for _ in range(3))
    add, turns = multiply_adds(), 2_000_000
    contestants = {
        "NumPy's float64 product": lambda: np.matmul(left, right, out=out),
        "multiply-adds in registers": lambda: run_all([lambda: add(turns)] * 2),
    }
    work = {"NumPy's float64 product": 2 * order**3, "multiply-adds in registers": 2 * turns * SUMS * 16}
    rows = []
    for name, seconds in race(contestants, 9).items():
        rate = work[name] / seconds
        rows.append((name, f"{rate / 1e9:.0f}", f"{4 / 3 * 4096**3 / rate:.2f}"))
    table(("two threads", "Gflop/s", "4/3·n³ operations of n = 4096 at that rate, s"), rows)


SUMS = 6
"""Vectors of eight float64 sums: as many as a tile has."""


def multiply_adds() -> Callable[[int], None]:
    """Turns of SUMS multiply-adds of vectors, without memory."""
    module = ir.Module("multiply_adds")
    kind = ir.FunctionType(WIDE, [WIDE] * 3)
    fused = ir.Function(module, kind, "llvm.fma.v8f64")
    _, b, (count, out) = function(module, "run", [I64, POINTER])
    factor = get(b, out)
    zeros = [ir.Constant(WIDE, [float(k)] * 8) for k in range(SUMS)]
    with carried(b, count, zeros) as (_, sums, after):
        after += [b.call(fused, (value, factor, factor)) for value in sums]
    for k, value in enumerate(after):
        put(b, value, b.gep(out, [I64(64 * k)]))
    b.ret_void()
    (address,) = native.functions("benchmark of multiply-adds", lambda: module, ("run",))
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address)

    def call(turns: int) -> None:
        memory = np.full(8 * SUMS, 0.5)
        run(turns, memory.ctypes.data)

    return call


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    use_threads(2)
    print(f"## Orthogonal\n\n{machine()} Load before: {load()}.\n")
    table(HEAD, [row(case) for case in CASES if not (quick and case.large)])
    limit()
    print(f"Load after: {load()}.\n")


if __name__ == "__main__":
    main()
