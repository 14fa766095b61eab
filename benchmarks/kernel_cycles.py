"""Cycles an element of the kernels' inner loops, by LLVM's model of a processor; prints Markdown.

    python benchmarks/kernel_cycles.py [processor]      # default znver3; needs llvm-mca (Debian: llvm)

A model, not a measurement: no memory, no neighbours. It tells what a change to the code does where a
shared machine would not.
"""

from __future__ import annotations

import re
import subprocess
import sys

import llvmlite.binding as llvm

from engine_tools import table
from initwise.random import cpu, native
from initwise.random.kernel import UNIT

KINDS = ("centred uniform", "uniform", "centred normal", "normal", "symmetric", "truncated_normal")
ROUNDS = 60


def assembly(kind: str, dtype: str) -> list[str]:
    """The inner loop: the longest piece between labels of the function `units`."""
    module = cpu._module(kind, dtype)
    module.triple = llvm.get_process_triple()
    text = native._machine().emit_assembly(llvm.parse_assembly(str(module)))
    function = text[text.index("units:") :]
    pieces = re.split(r"\n(?=\.L)", function[: function.index(".Lfunc_end")])
    lines = max(pieces, key=len).splitlines()
    return [line for line in lines if line.startswith(".L") or not line.strip().startswith((".", "#"))]


def row(kind: str, dtype: str, processor: str) -> tuple[str, ...]:
    loop = assembly(kind, dtype)
    command = ["llvm-mca", f"-mcpu={processor}", f"-iterations={ROUNDS}"]
    told = subprocess.run(command, input="\n".join(loop), capture_output=True, text=True, check=True).stdout
    found = re.search(r"Total Cycles:\s+(\d+)", told)
    assert found is not None
    instructions = sum(line.startswith("\t") for line in loop)
    cycles = int(found[1]) / ROUNDS / UNIT
    return kind, dtype, f"{instructions / UNIT:.1f}", f"{cycles:.2f}"


def main() -> None:
    processor = sys.argv[1] if len(sys.argv) > 1 else "znver3"
    print(f"By LLVM's model of {processor}, code made for {llvm.get_host_cpu_name()}:\n")
    rows = [row(kind, dtype, processor) for kind in KINDS for dtype in ("float32", "bfloat16")]
    table(("kernel", "dtype", "instructions an element", "cycles an element"), rows)


if __name__ == "__main__":
    main()
