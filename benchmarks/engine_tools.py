"""What the engine's benchmarks share: timing, tables, children, the machine in words."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
Run = Callable[[], object]


def race(contestants: Mapping[str, Run], repeats: int, patience: float = 10.0) -> dict[str, float]:
    """Median seconds of each, wall clock, after one run that is not counted; repetitions interleaved.

    Who has had three runs and `patience` seconds, or three times `patience`, sits out the rest.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(repeats + 1):
        for name, run in contestants.items():
            spent = sum(times[name])
            if spent > 3 * patience or (spent > patience and len(times[name]) >= 3):
                continue
            _settle()
            taken = seconds(run)
            if round_:  # the first touches memory and compiles
                times[name].append(taken)
    return {name: statistics.median(found) for name, found in times.items()}


def _settle(pause: float = 0.002) -> None:
    """OpenMP threads of the run before spin on for about a millisecond. Wait for them awake: a processor
    that slept takes some tenths of a millisecond to come back, more than a small run takes."""
    until = time.perf_counter() + pause
    while time.perf_counter() < until:
        pass


def seconds(run: Run) -> float:
    """Wall-clock seconds of one run; what it returns is freed off the clock."""
    begin = time.perf_counter()
    result = run()
    taken = time.perf_counter() - begin
    del result
    return taken


def many(run: Run, calls: int) -> Run:
    """`calls` runs as one."""

    def repeated() -> None:
        for _ in range(calls):
            run()

    return run if calls == 1 else repeated


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def use_threads(count: int) -> None:
    """As many for torch as for initwise. NumPy and SciPy always use one, XLA what the process may."""
    import torch

    torch.set_num_threads(count)
    os.environ["INITWISE_THREADS"] = str(count)


def python(code: str, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 300) -> str:
    """What a new Python process prints; benchmarks/ is importable there."""
    path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    made = {**os.environ, "JAX_PLATFORMS": "cpu", **(env or {}), "PYTHONPATH": path}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=made, text=True, capture_output=True, timeout=timeout)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"a child ended with {done.returncode}: {last}")
    return done.stdout


def release() -> None:
    """Free what the last race held."""
    gc.collect()


def machine() -> str:
    """Date, processor, memory, versions."""
    packages = ("numpy", "llvmlite", "torch", "jax", "scipy", "transformers")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{time.strftime('%Y-%m-%d')}; {_field('/proc/cpuinfo', 'model name') or platform.machine()}, "
        f"{processors()} processors{_vectors()}, {_memory()} GiB; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, {versions}."
    )


def version(name: str) -> str:
    """A package's version, "not installed" without it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def load() -> str:
    """The load average over 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def processors() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available() -> float:
    """GiB of memory that could be had now; infinite where the system does not tell."""
    told = _field("/proc/meminfo", "MemAvailable")
    return int(told.split()[0]) / 2**20 if told else float("inf")


def _memory() -> str:
    told = _field("/proc/meminfo", "MemTotal")
    return f"{int(told.split()[0]) / 2**20:.0f}" if told else "?"


def _vectors() -> str:
    flags = _field("/proc/cpuinfo", "flags").split()
    return next(
        (f" ({name})" for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), ""
    )


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
