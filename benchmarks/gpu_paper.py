"""The kernel compiled for an H200 (sm_90), without one: registers, and instructions for an element."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from initwise.random import cuda
from initwise.random import cuda_kernel as kernel

LAWS = {"uniform": 1, "normal": 2, "truncated ±2σ": 4, "truncated, any": 3}
DTYPES = {"float32": 4, "bfloat16": 2, "float16": 2, "float64": 8}
TYPES = {
    "float32": (tl.float32, tl.uint32),
    "float64": (tl.float64, tl.uint64),
    "float16": (tl.float16, tl.uint16),
    "bfloat16": (tl.bfloat16, tl.uint16),
}
ELEMENTS = kernel.LANES * 4 // (32 * kernel.OPTIONS["num_warps"])
"""Elements that a thread makes in one turn of the loop."""
PROCESSORS, ISSUED, CLOCK, WRITTEN = 132, 128, 1.98e9, 4.8e12
"""An H200 by its data sheet: multiprocessors, thread instructions each issues in a cycle, its highest
clock in Hz, bytes a second of its memory."""


@triton.jit
def line(job, wholes, reals, affines, KIND: tl.constexpr, number: tl.constexpr, cell: tl.constexpr):
    """The kernel's inner loop for one law alone."""
    law = kernel._law(tl.program_id(0), wholes, reals, affines)
    kernel._line(job, KIND, law, tl.program_id(0) * 8, tl.program_id(0) * 8 + 8, number, cell)


def show() -> None:
    """Print the tables."""
    print(f"Triton {triton.__version__}, its own ptxas, sm_90.\n")
    print("| type | registers | bytes spilt or on the stack | fma, .ftz, .approx, .full in the PTX |")
    print("|---|---|---|---|")
    for dtype in DTYPES:
        print(f"| {dtype} | {' | '.join(_resources(cuda.assembly(dtype)))} |", flush=True)
    print("\n| law | type | instructions | highest G/s | of 4.8 TB/s |\n|---|---|---|---|---|")
    for law, kind in LAWS.items():
        for dtype, size in DTYPES.items():
            count = _instructions(kind, dtype) / ELEMENTS
            rate = PROCESSORS * ISSUED * CLOCK / count
            share = min(1.0, rate * size / WRITTEN)
            print(f"| {law} | {dtype} | {count:.1f} | {rate / 1e9:.0f} | {share:.0%} |", flush=True)


def _resources(assembly: Any) -> list[str]:
    """Registers, stack bytes and inexact instructions of a compiled kernel."""
    found = _cuobjdump(assembly["cubin"], "-res-usage")
    registers, stack = (re.search(rf"{word}:(\d+)", found) for word in ("REG", "STACK"))
    inexact = re.findall(r"fma\.|\.ftz|\.approx|\.full", assembly["ptx"])
    return [registers[1] if registers else "?", stack[1] if stack else "?", str(len(inexact))]


def _instructions(kind: int, dtype: str) -> int:
    """Machine instructions in the loop, those of √ and ÷ for rare numbers included."""
    number, cell = TYPES[dtype]
    real = "*fp64" if dtype == "float64" else "*fp32"
    signature = {"job": "*i64", "wholes": "*i32", "reals": "*fp32", "affines": real}
    constants = {"KIND": kind, "number": number, "cell": cell}
    source = ASTSource(line, signature | dict.fromkeys(constants, "constexpr"), constants)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=dict(kernel.OPTIONS))
    code = re.findall(r"/\*([0-9a-f]{4,5})\*/\s+(.*?);", _cuobjdump(made.asm["cubin"], "-sass"))
    back = [
        (int(goal[1], 16), int(place, 16))
        for place, text in code
        if (goal := re.search(r"BRA\b.*?0x([0-9a-f]+)", text)) and int(goal[1], 16) < int(place, 16)
    ]
    first, last = max(back, key=lambda loop: loop[1] - loop[0])
    return sum(first <= int(place, 16) <= last for place, _ in code)


def _cuobjdump(cubin: bytes, option: str) -> str:
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.cubin")
        Path(path).write_bytes(cubin)
        return subprocess.run([tool, option, path], capture_output=True, text=True, check=True).stdout
