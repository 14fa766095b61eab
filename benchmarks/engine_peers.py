"""Who takes part: for each library, a call that fills one vector by one law in one dtype.

Every contestant writes memory that was touched before: torch and NumPy in place, JAX into a buffer
donated to the compiled call. SciPy can only return new arrays.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine_tools import Run
from initwise.core.fill import Fill

os.environ.setdefault("JAX_PLATFORMS", "cpu")

LAWS = {
    "uniform": Fill.uniform(-0.1, 0.1),
    "normal": Fill.normal(0, 0.02),
    "truncated ±2σ": Fill.truncated_normal(0, 0.02, -0.04, 0.04),
}
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Contestant:
    """A call, and how many elements it makes."""

    run: Run
    elements: int


def contestant(name: str, law: str, dtype: str, size: int) -> Contestant | None:
    """None where the library is not installed or has no such law or dtype."""
    try:
        return PEERS[name](law, dtype, size)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("jax", "scipy"):
            return None
        raise


def contestants(law: str, dtype: str, size: int) -> dict[str, Contestant]:
    """All that can; those bound by arithmetic, not memory, make a quarter of the elements."""
    truncated = law.startswith("truncated")
    slow = {name for name in PEERS if name.startswith("JAX") or (truncated and name == TORCH)}
    made = {name: contestant(name, law, dtype, size // 4 if name in slow else size) for name in PEERS}
    return {name: found for name, found in made.items() if found is not None}


def _ours(law: str, dtype: str, size: int) -> Contestant:
    from initwise.frameworks.memory import fill

    tensor, found = _tensor(dtype, size), LAWS[law]
    return Contestant(lambda: fill(tensor, found, name="w"), size)


def _constant(law: str, dtype: str, size: int) -> Contestant:
    tensor = _tensor(dtype, size)
    return Contestant(lambda: tensor.fill_(1.0), size)


def _torch(law: str, dtype: str, size: int) -> Contestant:
    from torch.nn import init

    tensor = _tensor(dtype, size)
    calls: dict[str, Run] = {
        "uniform": lambda: init.uniform_(tensor, -0.1, 0.1),
        "normal": lambda: init.normal_(tensor, 0, 0.02),
        "truncated ±2σ": lambda: init.trunc_normal_(tensor, 0, 0.02, -0.04, 0.04),
    }
    return Contestant(calls[law], size)


def _tensor(dtype: str, size: int) -> Any:
    import torch

    return torch.ones(size, dtype=getattr(torch, dtype))


def _numpy(law: str, dtype: str, size: int) -> Contestant | None:
    """Standard variates, not scaled: that would be a second pass."""
    if dtype != "float32" or law.startswith("truncated"):
        return None
    generator, array = np.random.default_rng(0), np.ones(size, np.float32)
    draw: Callable[..., Any] = generator.random if law == "uniform" else generator.standard_normal
    return Contestant(lambda: draw(out=array, dtype=np.float32), size)


def _jax(implementation: str, law: str, dtype: str, size: int) -> Contestant:
    import jax

    key = jax.random.key(0, impl=implementation)
    fill = jax.jit(functools.partial(_drawn, law), donate_argnums=1, keep_unused=True)
    held = [jax.numpy.ones(size, dtype)]

    def run() -> None:
        held[0] = fill(key, held[0])
        held[0].block_until_ready()

    return Contestant(run, size)


def _drawn(law: str, key: Any, old: Any) -> Any:
    from jax import random

    if law == "uniform":
        return random.uniform(key, old.shape, old.dtype, -0.1, 0.1)
    if law == "normal":
        return 0.02 * random.normal(key, old.shape, old.dtype)
    return 0.02 * random.truncated_normal(key, -2, 2, old.shape, old.dtype)


SCIPY_SIZE = 1 << 20


def _scipy(law: str, dtype: str, size: int) -> Contestant | None:
    """float64, which is all it makes; at most a million at a time, for it is slow."""
    if dtype != "float32" or not law.startswith("truncated"):
        return None
    from scipy.stats import truncnorm

    count, generator = min(size, SCIPY_SIZE), np.random.default_rng(0)
    return Contestant(lambda: truncnorm.rvs(-2, 2, scale=0.02, size=count, random_state=generator), count)


OURS, CONSTANT, TORCH = "initwise", "Tensor.fill_", "torch.nn.init"
PEERS: dict[str, Callable[[str, str, int], Contestant | None]] = {
    CONSTANT: _constant,
    OURS: _ours,
    TORCH: _torch,
    "NumPy": _numpy,
    "JAX threefry": functools.partial(_jax, "threefry2x32"),
    "JAX rbg": functools.partial(_jax, "rbg"),
    "SciPy": _scipy,
}
warnings.filterwarnings("ignore", message="Some donated buffers")
