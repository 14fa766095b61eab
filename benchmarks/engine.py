"""The engine against its peers, side by side in one process; prints Markdown.

    python benchmarks/engine.py            # some minutes
    python benchmarks/engine.py --quick    # a minute, rougher

Every timing is the median of interleaved repetitions on memory already touched, so that another load
on the machine meets all contestants alike. G/s is 10⁹ elements per second.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.frameworks.memory import fill
from initwise.random import fill_arrays
from initwise.random.threads import thread_count

Contestants = Mapping[str, Callable[[], object]]
UNIFORM, NORMAL = Fill.uniform(-0.1, 0.1), Fill.normal(0, 0.02)
TRUNCATED = Fill.truncated_normal(0, 0.02, -0.04, 0.04)
ORTHOGONAL = Fill.matrix("orthogonal")


def race(
    contestants: Contestants, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of each, the repetitions interleaved."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(repeats + 1):
        for name, run in contestants.items():
            begin = clock()
            run()
            if round_:  # the first touches memory and compiles
                times[name].append(clock() - begin)
    return {name: statistics.median(found) for name, found in times.items()}


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def speed(threads: int, size: int, repeats: int) -> None:
    """Against torch.nn.init, Tensor.fill_ and NumPy, one size."""
    use_threads(threads)
    single, brain = torch.zeros(size), torch.zeros(size, dtype=torch.bfloat16)
    half, array = torch.zeros(size, dtype=torch.float16), np.zeros(size, np.float32)
    generator, init = np.random.default_rng(0), torch.nn.init
    laws = {"uniform": UNIFORM, "normal": NORMAL, "truncated ±2σ": TRUNCATED}
    peers: dict[str, Callable[[], object]] = {
        "uniform": lambda: init.uniform_(single, -0.1, 0.1),
        "normal": lambda: init.normal_(single, 0, 0.02),
    }
    ours: Contestants = {
        f"{law} {kind}": lambda t=tensor, f=found: fill(t, f, name="w")  # type: ignore[misc]
        for law, found in laws.items()
        for kind, tensor in (("float32", single), ("bfloat16", brain), ("float16", half))
    }
    numpy_: Contestants = {
        "numpy uniform": lambda: generator.random(out=array, dtype=np.float32),
        "numpy normal": lambda: generator.standard_normal(out=array, dtype=np.float32),
    }
    torch_: Contestants = {f"torch {law}": run for law, run in peers.items()}
    fixed: Contestants = {"fill_": lambda: single.fill_(1.0)}
    # one thread: processor time, which another load on the machine disturbs less
    clock = time.process_time if threads == 1 else time.perf_counter
    seconds = race({**fixed, **ours, **torch_, **numpy_}, repeats, clock)
    slow = {"torch truncated ±2σ": lambda: init.trunc_normal_(single, 0, 0.02, -0.04, 0.04)}
    seconds |= race(slow, 1, clock)
    rate = {name: size / taken / 1e9 for name, taken in seconds.items()}
    rows = []
    for law in laws:
        ratio = rate[f"{law} float32"] / rate[f"torch {law}"]
        numpy_rate = rate.get(f"numpy {law}")
        rows.append(
            (
                law,
                *(f"{rate[f'{law} {kind}']:.2f}" for kind in ("float32", "bfloat16", "float16")),
                f"{rate[f'torch {law}']:.3f}",
                f"**{ratio:.1f}×**",
                f"{numpy_rate:.3f}" if numpy_rate else "–",
                f"{100 * rate[f'{law} float32'] / rate['fill_']:.0f} %",
            )
        )
    print(f"### {size:,} elements, {'1 thread, processor time' if threads == 1 else '2 threads'}\n")
    print(f"`Tensor.fill_`: {rate['fill_']:.2f} G/s.\n")
    head = (
        "law",
        "float32 G/s",
        "bfloat16",
        "float16",
        "torch float32",
        "ratio",
        "NumPy float32",
        "of fill_",
    )
    table(head, rows)


def sizes(threads: int, largest: int, repeats: int) -> None:
    """How the rate grows with the tensor."""
    use_threads(threads)
    rows = []
    for power in range(8, largest + 1, 4):
        tensor = torch.zeros(1 << power)
        calls = 1 << max(0, 16 - power)

        def many(run: Callable[[], object], calls: int = calls) -> Callable[[], object]:
            return lambda: [run() for _ in range(calls)]

        seconds = race(
            {
                "ours": many(lambda t=tensor: fill(t, NORMAL, name="w")),  # type: ignore[misc]
                "torch": many(lambda t=tensor: torch.nn.init.normal_(t, 0, 0.02)),  # type: ignore[misc]
            },
            repeats,
        )
        ours, theirs = (seconds[name] / calls for name in ("ours", "torch"))
        rows.append((f"2^{power}", f"{ours * 1e6:.1f}", f"{theirs * 1e6:.1f}", f"{theirs / ours:.1f}×"))
    print(f"### Normal, float32, by size ({threads} threads)\n")
    table(("elements", "ours µs", "torch µs", "ratio"), rows)


def small(repeats: int) -> None:
    """150 parameters of 768 numbers: one by one, and in one call."""
    use_threads(1)
    arrays = [(f"h.{k}.weight", np.zeros(768, np.float32), NORMAL) for k in range(150)]
    tensors = [(name, torch.zeros(768)) for name, _, _ in arrays]
    seconds = race(
        {
            "arrays, one call each": lambda: [fill(a, f, name=n) for n, a, f in arrays],
            "arrays, one call for all": lambda: fill_arrays(arrays),
            "tensors, one call each": lambda: [fill(t, NORMAL, name=n) for n, t in tensors],
            "torch.nn.init.normal_": lambda: [torch.nn.init.normal_(t, 0, 0.02) for _, t in tensors],
        },
        5 * repeats,
        time.process_time,
    )
    print("### 150 parameters of 768 numbers, 1 thread, processor time\n")
    table(("", "µs a parameter"), [(name, f"{taken / 150 * 1e6:.1f}") for name, taken in seconds.items()])


def orthogonal(orders: tuple[int, ...]) -> None:
    use_threads(2)
    rows = []
    for order in orders:
        tensor = torch.zeros(order, order)
        seconds = race(
            {
                "ours": lambda t=tensor: fill(t, ORTHOGONAL, name="w"),  # type: ignore[misc]
                "torch": lambda t=tensor: torch.nn.init.orthogonal_(t),  # type: ignore[misc]
            },
            3 if order < 4096 else 1,
        )
        fill(tensor, ORTHOGONAL, name="w")
        exact = tensor.double()
        residual = (exact[:, :512].T @ exact - torch.eye(min(512, order), order)).abs().max().item()
        ratio = seconds["torch"] / seconds["ours"]
        rows.append(
            (
                f"{order}²",
                f"{seconds['ours']:.2f}",
                f"{seconds['torch']:.2f}",
                f"**{ratio:.1f}×**",
                f"{residual:.1e}",
            )
        )
    print("### Orthogonal, float32, 2 threads\n")
    table(("order", "ours s", "torch s", "ratio", "largest entry of QᵀQ − I"), rows)


def shapes(repeats: int) -> None:
    """Shards and other memory layouts, of the same number of elements."""
    use_threads(2)
    side = 4096
    whole = np.zeros((side, side), np.float32)
    keras = Fill.normal(0, 0.02, layout=Layout("io"))
    seconds = race(
        {
            "contiguous": lambda: fill(whole, NORMAL, name="w"),
            "column shard of a wider tensor": lambda: fill(
                whole, NORMAL, name="w", shape=(side, 8 * side), offset=(0, side)
            ),
            "every second column of an array": lambda: fill(whole[:, ::2], NORMAL, name="w"),
            "(in, out) kernel": lambda: fill(whole, keras, name="w"),
        },
        repeats,
    )
    print("### 4096², normal, float32, 2 threads: shards and strides\n")
    table(("memory", "ms"), [(name, f"{taken * 1e3:.1f}") for name, taken in seconds.items()])


START = """
import time; begin = time.perf_counter()
import numpy as np; loaded = time.perf_counter()
from initwise.core.fill import Fill
from initwise.random import fill_array
imported = time.perf_counter()
fill_array(np.zeros(768, np.float32), Fill.normal(0, .02), name="w")
print(loaded - begin, imported - loaded, time.perf_counter() - imported)
"""


def start() -> None:
    found = [
        [float(x) for x in subprocess.check_output([sys.executable, "-c", START], text=True).split()]
        for _ in range(5)
    ]
    parts = [statistics.median(column) for column in zip(*found, strict=True)]
    print("### A new process\n")
    table(
        ("step", "seconds"),
        [
            (name, f"{taken:.3f}")
            for name, taken in zip(
                ("import numpy", "import initwise.random", "first fill"), parts, strict=True
            )
        ],
    )


PEAK = """
import resource, numpy as np
from initwise.core.fill import Fill
from initwise.random import fill_array
array = np.ones(1 << 27, np.float32)
for size in (1000, 1 << 20):
    fill_array(array[:size], Fill.normal(0, .02), name="w")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fill_array(array, Fill.normal(0, .02), name="w")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def memory() -> None:
    extra = int(subprocess.check_output([sys.executable, "-c", PEAK], text=True))
    print(f"Peak memory beyond the tensor while 2²⁷ normals are made: {extra} KiB.\n")


def use_threads(count: int) -> None:
    torch.set_num_threads(count)
    os.environ["INITWISE_THREADS"] = str(count)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    repeats, power = (5, 24) if quick else (7, 26)
    print(
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {thread_count()} processors, "
        f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}\n"
    )
    for threads in (2, 1):
        speed(threads, 1 << power, repeats)
    sizes(2, 20 if quick else 28, repeats)
    small(repeats)
    orthogonal((256, 1024, 2048) if quick else (256, 1024, 4096))
    shapes(repeats)
    start()
    memory()


if __name__ == "__main__":
    main()
