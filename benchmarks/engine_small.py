"""Where not bandwidth but calls and memory layout decide: small tensors, shards, strides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from engine_peers import LAWS, contestant
from engine_tools import Run, processors, race, table, use_threads
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.frameworks.initialize import init_, plan_for
from initwise.frameworks.memory import fill
from initwise.random import fill_array, fill_arrays

NORMAL = LAWS["normal"]
COUNT, WIDTH = 150, 768


def small(quick: bool) -> None:
    """150 parameters of 768 numbers: one by one, and in one call."""
    use_threads(min(2, processors()))
    taken = race({**_ours(), **_peers()}, 5 if quick else 35, 0.5 if quick else 5.0)
    print(f"## {COUNT} parameters of {WIDTH} numbers, normal, float32: µs a parameter\n")
    table(("call", "µs"), [(name, f"{found / COUNT * 1e6:.1f}") for name, found in taken.items()])


def _ours() -> dict[str, Run]:
    arrays = [(f"{k}.weight", np.ones(WIDTH, np.float32), NORMAL) for k in range(COUNT)]
    tensors = [(name, torch.ones(WIDTH)) for name, _, _ in arrays]
    model = nn.Sequential(*(nn.Linear(WIDTH, 1, bias=False) for _ in range(COUNT)))
    plan = plan_for(model, "normal")
    return {
        "`fill_array`, one call each": lambda: [fill_array(a, f, name=n) for n, a, f in arrays],
        "`fill_arrays`, one call for all": lambda: fill_arrays(arrays),
        "`fill` of tensors, one call each": lambda: [fill(t, NORMAL, name=n) for n, t in tensors],
        "`init_(model, plan)`, with its proof and digest": lambda: init_(model, plan),
        '`init_(model, "normal")`, the plan made too': lambda: init_(model, "normal"),
    }


def _peers() -> dict[str, Run]:
    tensors = [torch.ones(WIDTH) for _ in range(COUNT)]
    generator, array = np.random.default_rng(0), np.ones(WIDTH, np.float32)
    runs: dict[str, Run] = {
        "`torch.nn.init.normal_`": lambda: [nn.init.normal_(t, 0, 0.02) for t in tensors],
        "`Tensor.fill_`": lambda: [t.fill_(1.0) for t in tensors],
        "NumPy `standard_normal(out=)`": lambda: [
            generator.standard_normal(out=array, dtype=np.float32) for _ in range(COUNT)
        ],
    }
    jax = contestant("JAX threefry", "normal", "float32", WIDTH)
    if jax is not None:
        runs["JAX threefry, one compiled call each"] = _repeated(jax.run)
    return runs


def _repeated(run: Callable[[], Any]) -> Run:
    return lambda: [run() for _ in range(COUNT)]


def layouts(quick: bool) -> None:
    """Shards and other memory layouts."""
    use_threads(min(2, processors()))
    side = 1024 if quick else 4096
    whole, keras = np.ones((side, side), np.float32), Fill.normal(0, 0.02, layout=Layout("io"))
    wide = {"shape": (side, 8 * side), "offset": (0, side)}
    taken = race(
        {
            "contiguous": lambda: fill(whole, NORMAL, name="w"),
            "column shard of a wider tensor": lambda: fill(whole, NORMAL, name="w", **wide),
            "every second column of an array (half the elements)": lambda: fill(
                whole[:, ::2], NORMAL, name="w"
            ),
            "(in, out) kernel": lambda: fill(whole, keras, name="w"),
        },
        3 if quick else 7,
    )
    print(f"## {side}², normal, float32, {min(2, processors())} threads: shards and strides\n")
    table(("memory", "ms"), [(name, f"{found * 1e3:.1f}") for name, found in taken.items()])
