"""Peak memory of one fill beyond the tensor it writes, each contestant in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import json
import resource
import sys
from pathlib import Path

from engine_peers import CONSTANT, LAWS, PEERS, contestant
from engine_tools import python, table

CHILD = "import sys, engine_memory; engine_memory.measure(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])"


def peaks(quick: bool) -> None:
    """The table."""
    power, dtypes = (22, ["float32"]) if quick else (24, ["float32", "bfloat16"])
    rows = [row for name in PEERS if name != CONSTANT for row in _rows(name, power, dtypes)]
    print(f"## Peak memory beyond the tensor while 2^{power} elements are filled, bytes an element\n")
    table(("contestant", "dtype", *LAWS), rows)
    print("SciPy: 2^20 elements; the float64 array that it returns is counted.\n")


def _rows(name: str, power: int, dtypes: list[str]) -> list[tuple[str, ...]]:
    try:
        found = json.loads(python(CHILD, name, str(power), *dtypes))
    except Exception as error:  # one contestant's failure must not lose the others
        return [(name, f"failed: {error}", *("–" for _ in LAWS))]
    rows = []
    for dtype in dtypes:
        cells = [found.get(f"{law} {dtype}") for law in LAWS]
        if any(cell is not None for cell in cells):
            rows.append((name, dtype, *("–" if cell is None else f"{cell:.1f}" for cell in cells)))
    return rows


def measure(name: str, power: int, *dtypes: str) -> None:
    """Print bytes an element for each law and dtype that the contestant has, as JSON."""
    found: dict[str, float] = {}
    for dtype in dtypes:
        for law in LAWS:
            one = contestant(name, law, dtype, 1 << power)
            if one is None:
                continue
            one.run()  # compiles, loads, touches
            _trim()
            before = _peak(reset=True)
            one.run()
            found[f"{law} {dtype}"] = (_peak() - before) * 1024 / one.elements
            del one
    json.dump(found, sys.stdout)


def _trim() -> None:
    """Give back what the C library keeps of freed memory: it would hide what the next run takes."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _peak(*, reset: bool = False) -> int:
    """The largest resident size in KiB, since the last reset where the system can reset it."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
