"""Rates against all peers, over laws, dtypes, threads and sizes."""

from __future__ import annotations

import torch

from engine_peers import CONSTANT, DTYPES, LAWS, OURS, PEERS, TORCH, contestants
from engine_tools import many, processors, race, release, table, use_threads
from initwise.frameworks.memory import fill

OTHERS = [name for name in PEERS if name not in (CONSTANT, OURS, TORCH)]


def two(quick: bool) -> None:
    """Two threads."""
    _speed(min(2, processors()), quick)


def one(quick: bool) -> None:
    """One thread, in a process held to one processor."""
    _speed(1, quick)


def _speed(threads: int, quick: bool) -> None:
    use_threads(threads)
    power, repeats, patience = (22, 3, 0.1) if quick else (26, 7, 1.0)
    number = f"{threads} thread{'s' if threads > 1 else ''}"
    print(f"## 2^{power} elements, {number}, G/s (10⁹ elements a second)\n")
    dtypes = DTYPES[:2] if quick else DTYPES
    rows = [_row(law, dtype, 1 << power, repeats, patience) for law in LAWS for dtype in dtypes]
    table(("law", "dtype", OURS, TORCH, "ratio", *OTHERS, "`Tensor.fill_`", f"{OURS} / fill_"), rows)
    print(
        "NumPy: standard variates, not scaled. SciPy: `truncnorm.rvs`, float64, 2^20 at a time.\n"
        "JAX: `jax.random`, jit-compiled, into a donated buffer. torch's truncated normal: `trunc_normal_`.\n"
        f"JAX and `trunc_normal_` make 2^{power - 2} elements: their rate does not depend on the memory.\n"
    )


def _row(law: str, dtype: str, size: int, repeats: int, patience: float) -> tuple[str, ...]:
    taking = contestants(law, dtype, size)
    seconds = race({name: found.run for name, found in taking.items()}, repeats, patience)
    rate = {name: taking[name].elements / taken / 1e9 for name, taken in seconds.items()}
    taking.clear()
    release()
    others = (f"{rate[name]:.3f}" if name in rate else "–" for name in OTHERS)
    return (
        law,
        dtype,
        f"{rate[OURS]:.2f}",
        f"{rate[TORCH]:.3f}",
        f"**{rate[OURS] / rate[TORCH]:.1f}×**",
        *others,
        f"{rate[CONSTANT]:.2f}",
        f"{100 * rate[OURS] / rate[CONSTANT]:.0f} %",
    )


def sizes(quick: bool) -> None:
    """How rate and time of a call grow with the tensor, one and two threads."""
    powers = range(8, 25, 4) if quick else range(8, 29, 2)
    print("## Normal, float32, by size: G/s with 1 and 2 threads\n")
    rows = [_size(power, 3 if quick else 7, 0.2 if quick else 1.0) for power in powers]
    table(
        (
            "elements", f"{OURS} 1", f"{OURS} 2", "2 / 1", f"{TORCH} 1", f"{TORCH} 2", "`fill_` 1",
            "`fill_` 2", f"{OURS}, µs a call, 2", f"{TORCH}, µs a call, 2", "ratio",
        ),
        rows,
    )  # fmt: skip


def _size(power: int, repeats: int, patience: float) -> tuple[str, ...]:
    size, calls = 1 << power, 1 << max(0, 18 - power)
    tensor, law = torch.ones(size), LAWS["normal"]
    runs = {
        OURS: lambda: fill(tensor, law, name="w"),
        TORCH: lambda: torch.nn.init.normal_(tensor, 0, 0.02),
        CONSTANT: lambda: tensor.fill_(1.0),
    }
    taken: dict[tuple[str, int], float] = {}
    for threads in (1, 2):
        use_threads(threads)
        found = race({name: many(run, calls) for name, run in runs.items()}, repeats, patience)
        taken |= {(name, threads): value / calls for name, value in found.items()}
    rate = {key: f"{size / value / 1e9:.3g}" for key, value in taken.items()}
    ours, theirs = taken[OURS, 2], taken[TORCH, 2]
    return (
        f"2^{power}",
        rate[OURS, 1],
        rate[OURS, 2],
        f"{taken[OURS, 1] / ours:.2f}×",
        *(rate[name, threads] for name in (TORCH, CONSTANT) for threads in (1, 2)),
        f"{ours * 1e6:.1f}",
        f"{theirs * 1e6:.1f}",
        f"**{theirs / ours:.1f}×**",
    )
