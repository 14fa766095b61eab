"""The kernels alone: nanoseconds an element on one thread, in memory that stays in the cache.

On a machine shared with others the least of many short runs tells what the code does, the median what
is left of it beside the neighbours.
"""

from __future__ import annotations

import statistics

import numpy as np

from engine_peers import DTYPES, LAWS
from engine_tools import seconds, table
from initwise.core.stream import Stream
from initwise.random import cpu
from initwise.random.draw import draw_of

SIZE = 49_152
"""Elements: 192 KiB of float32."""


def kernels(quick: bool) -> None:
    """Least and median of short runs, all laws and dtypes."""
    rounds = 200 if quick else 2000
    print(f"## The kernels alone: {SIZE} elements in the cache, 1 thread, {rounds} runs\n")
    rows = [_row(law, dtype, rounds) for law in LAWS for dtype in DTYPES]
    table(("law", "dtype", "least ns an element", "median", "G/s at the least"), rows)


def _row(law: str, dtype: str, rounds: int) -> tuple[str, ...]:
    draw = draw_of(LAWS[law])
    line = cpu.kernel_for(draw, dtype).line
    key, _keep_key = cpu.key_memory(Stream(0, "w"))
    numbers, _keep_numbers = cpu.law_memory(draw)
    memory = np.zeros(SIZE + 16, np.float32)
    place = -(-memory.ctypes.data // 64) * 64
    taken = [seconds(lambda k=k: line(key, numbers, k * SIZE, SIZE, place)) for k in range(rounds)]  # type: ignore[misc]
    least, median = (x / SIZE * 1e9 for x in (min(taken), statistics.median(taken)))
    return law, dtype, f"{least:.2f}", f"{median:.2f}", f"{1 / least:.2f}"
