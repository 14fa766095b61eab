"""From nothing to the first weight: new processes, with and without kernels kept on disk."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from engine_tools import python, table

OURS = """
import time; begin = time.perf_counter()
import numpy as np; loaded = time.perf_counter()
from initwise.core.fill import Fill
from initwise.random import fill_array
imported = time.perf_counter()
fill_array(np.ones(768, np.float32), Fill.normal(0, .02), name="w")
print(loaded - begin, imported - loaded, time.perf_counter() - imported)
"""
TORCH = """
import time; begin = time.perf_counter()
import torch; imported = time.perf_counter()
torch.nn.init.normal_(torch.ones(768), 0, .02)
print(0, imported - begin, time.perf_counter() - imported)
"""
JAX = """
import time; begin = time.perf_counter()
import numpy as np; loaded = time.perf_counter()
import jax; imported = time.perf_counter()
key = jax.random.key(0)
jax.jit(lambda key: .02 * jax.random.normal(key, (768,)))(key).block_until_ready()
print(loaded - begin, imported - loaded, time.perf_counter() - imported)
"""
NUMPY = """
import time; begin = time.perf_counter()
import numpy as np; loaded = time.perf_counter()
np.random.default_rng(0).standard_normal(768, np.float32)
print(loaded - begin, 0, time.perf_counter() - loaded)
"""
Steps = list[float]


def start(quick: bool) -> None:
    """The cases take turns, so that a slow moment hits all of them."""
    found: dict[str, list[Steps]] = {}
    kept = 0
    with tempfile.TemporaryDirectory() as warm:
        cache = Path(warm)
        _steps(OURS, cache)
        kept = sum(1 for path in cache.rglob("*") if path.is_file())
        for _ in range(1 if quick else 7):
            for name, taken in _round(cache):
                found.setdefault(name, []).append(taken)
    print("## A new process: seconds to the first 768 normals\n")
    table(("process", "import numpy", "import", "first fill", "sum"), [_row(*item) for item in found.items()])
    told = f"holds {kept} files after the first process" if kept else "stays empty: nothing is kept on disk"
    print(f"The folder for compiled kernels (INITWISE_CACHE) {told}.\n")


def _round(cache: Path) -> list[tuple[str, Steps]]:
    with tempfile.TemporaryDirectory() as cold:
        ours = [
            ("initwise, first ever: empty folder", _steps(OURS, Path(cold))),
            ("initwise, second process", _steps(OURS, cache)),
        ]
    peers = {"NumPy": NUMPY, "torch": TORCH, "JAX, jit": JAX}
    return ours + [(name, steps) for name, code in peers.items() if (steps := _steps(code, cache))]


def _steps(code: str, cache: Path) -> Steps:
    """Seconds of the three steps; none where the library is missing."""
    try:
        return [float(word) for word in python(code, env={"INITWISE_CACHE": str(cache)}).split()]
    except RuntimeError as error:
        if "ModuleNotFoundError" in str(error):
            return []
        raise


def _row(name: str, rounds: list[Steps]) -> tuple[str, ...]:
    parts = [statistics.median(column) for column in zip(*rounds, strict=True)]
    total = statistics.median(sum(steps) for steps in rounds)
    return (name, *(f"{part:.3f}" if part else "–" for part in parts), f"**{total:.3f}**")
