"""Filling on a CUDA device: speed against torch and the memory's own, equality with the CPU; prints Markdown.

    python benchmarks/gpu.py             # equality, then speed: a few minutes, about 10 GB of the device
    python benchmarks/gpu.py --equal     # equality alone
    python benchmarks/gpu.py --paper     # no device needed: the kernel compiled for sm_90, its instructions

It wants `pip install -e ".[cuda]"` with a torch that has CUDA. Kernel times are CUDA events around launches
whose tables are on the device already, the median of repetitions after a warm-up; "call" is wall clock
from Python's call to the device's end, planning and copying the table included.
"""

from __future__ import annotations

import argparse
import datetime
import math
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

import initwise
from initwise import Fill
from initwise.core.layout import Layout

LAWS = {
    "uniform": (Fill.uniform(-0.05, 0.05), lambda t: t.uniform_(-0.05, 0.05)),
    "normal": (Fill.normal(0.0, 0.02), lambda t: t.normal_(0.0, 0.02)),
    "truncated ±2σ": (
        Fill.truncated_normal(0.0, 0.02, -0.04, 0.04),
        lambda t: torch.nn.init.trunc_normal_(t, 0.0, 0.02, -0.04, 0.04),
    ),
}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SIZES = tuple(2**n for n in (20, 22, 24, 26, 28, 30))
REPEATS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--equal", action="store_true", help="equality with the CPU alone")
    parser.add_argument("--paper", action="store_true", help="instructions of the compiled kernel; no device")
    options = parser.parse_args()
    if options.paper:
        import gpu_paper

        gpu_paper.show()
        return
    _ready()
    import gpu_equal

    # a fall-back to the CPU would be measured, or found equal, as if it were the kernel
    warnings.simplefilter("error", RuntimeWarning)
    print(_machine() + "\n")
    if not gpu_equal.show():
        sys.exit("The device's bits are not the CPU's: see the table. Speeds were not measured.")
    if not options.equal:
        bandwidth = _bandwidth()
        _speed(bandwidth)
        _plan(bandwidth)


def _ready() -> None:
    if not torch.cuda.is_available() or not torch.version.cuda:
        sys.exit("No CUDA device here: nothing was run. --paper works without one.")
    try:
        import triton  # noqa: F401
    except ImportError:
        sys.exit("Triton is not installed, so weights would be made on the CPU: nothing was run.")


def _machine() -> str:
    import triton

    device = torch.cuda.get_device_properties(0)
    return (
        f"{datetime.date.today()}; {device.name}, {device.multi_processor_count} multiprocessors, "
        f"{device.total_memory / 2**30:.0f} GiB; Python {platform.python_version()}, "
        f"torch {torch.__version__}, Triton {triton.__version__}."
    )


def seconds(run: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median seconds on the device's clock, after two runs that are not counted."""
    times = []
    for k in range(repeats + 2):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        if k > 1:
            times.append(begin.elapsed_time(end) / 1000)
    return statistics.median(times)


def wall(run: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Median wall-clock seconds from the call to the device's end."""
    times = []
    for k in range(repeats + 2):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        run()
        torch.cuda.synchronize()
        if k > 1:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def launcher(targets: list[Any]) -> Callable[[], None]:
    """The launches that fill these targets, their tables on the device."""
    from initwise.frameworks.device import planned_jobs
    from initwise.random import cuda

    jobs = [job for target in targets for job in planned_jobs(target)]
    starts = cuda.launches(jobs, targets[0].tensor.device)

    def run() -> None:
        for start in starts:
            start()

    return run


def _bandwidth() -> float:
    """Bytes a second that this device can write, by the fastest of memset and `fill_`."""
    out = torch.empty(2**32, dtype=torch.uint8, device="cuda")
    rates = {
        "memset (`zero_`)": out.numel() / seconds(lambda: out.zero_()),
        "`fill_` of float32": out.numel() / seconds(lambda: out.view(torch.float32).fill_(1.0)),
    }
    print("### Write bandwidth, 4 GiB\n")
    print("\n".join(f"- {name}: {rate / 1e12:.2f} TB/s" for name, rate in rates.items()) + "\n")
    return max(rates.values())


def _speed(bandwidth: float) -> None:
    print("### One tensor\n")
    print("| law | type | elements | G/s | of write bandwidth | torch G/s | ratio | call ms |")
    print("|---|---|---|---|---|---|---|---|")
    for (law, (fill, peer)), (name, dtype) in ((a, b) for a in LAWS.items() for b in DTYPES.items()):
        for size in SIZES:
            _row(law, fill, peer, name, torch.empty(size, dtype=dtype, device="cuda"), bandwidth)
    print()


def _row(law: str, fill: Fill, peer: Callable[[Any], Any], name: str, out: Any, bandwidth: float) -> None:
    from initwise.frameworks.device import Target

    size = out.numel()
    ours = size / seconds(launcher([Target(out, fill, "weight", 0)]))
    theirs = size / seconds(lambda: peer(out))
    call = wall(lambda: initwise.fill(out, fill, name="weight", seed=0))
    share = ours * out.element_size() / bandwidth
    print(
        f"| {law} | {name} | 2^{int(math.log2(size))} | {ours / 1e9:.0f} | {share:.0%} | {theirs / 1e9:.0f} "
        f"| {ours / theirs:.2f}× | {call * 1e3:.2f} |",
        flush=True,
    )


def gpt2_xl() -> Iterator[tuple[str, tuple[int, ...], Fill]]:
    """GPT-2 XL's parameters (1.56e9) and their laws: its linear weights are stored in × out."""
    width, depth, words, places = 1600, 48, 50257, 1024
    weight, narrow = Fill.normal(0.0, 0.02), Fill.normal(0.0, 0.02 / math.sqrt(2 * depth))
    yield "wte.weight", (words, width), weight
    yield "wpe.weight", (places, width), weight
    shapes = {"attn.c_attn": 3 * width, "attn.c_proj": width, "mlp.c_fc": 4 * width, "mlp.c_proj": width}
    for k in range(depth):
        for name, out in shapes.items():
            into = 4 * width if name == "mlp.c_proj" else width
            law = narrow if name.endswith("c_proj") else weight
            yield f"h.{k}.{name}.weight", (into, out), _stored_in_out(law)
            yield f"h.{k}.{name}.bias", (out,), Fill.constant(0.0)
        for norm in ("ln_1", "ln_2"):
            yield f"h.{k}.{norm}.weight", (width,), Fill.constant(1.0)
            yield f"h.{k}.{norm}.bias", (width,), Fill.constant(0.0)
    yield "ln_f.weight", (width,), Fill.constant(1.0)
    yield "ln_f.bias", (width,), Fill.constant(0.0)


def _stored_in_out(fill: Fill) -> Fill:
    return Fill.normal(fill.mean, fill.std, layout=Layout("io"))


def _torch_way(tensors: list[tuple[Any, Fill]]) -> None:
    for tensor, fill in tensors:
        if fill.law == "constant":
            tensor.fill_(fill.mean)
        else:
            tensor.normal_(fill.mean, fill.std)


def _plan(bandwidth: float) -> None:
    from initwise.frameworks.device import Target
    from initwise.frameworks.memory import fill_together

    print("### A whole plan: GPT-2 XL\n")
    print("| type | parameters | kernel ms | of write bandwidth | call ms | torch, one call each, ms |")
    print("|---|---|---|---|---|---|")
    for name, dtype in DTYPES.items():
        found = [(key, torch.empty(s, dtype=dtype, device="cuda"), law) for key, s, law in gpt2_xl()]
        size = sum(tensor.numel() for _, tensor, _ in found)
        kernel = seconds(launcher([Target(tensor, law, key, 0) for key, tensor, law in found]))
        call = wall(lambda found=found: fill_together(found, seed=0), 5)
        peer = wall(lambda found=found: _torch_way([(t, law) for _, t, law in found]), 5)
        share = size * found[0][1].element_size() / kernel / bandwidth
        print(
            f"| {name} | {size:,} | {kernel * 1e3:.2f} | {share:.0%} | {call * 1e3:.1f} | {peer * 1e3:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
