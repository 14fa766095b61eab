"""Are the bits on a CUDA device those that the CPU makes? Every law, type and kind of place; see gpu.py."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

import initwise
from initwise import Fill
from initwise.core.layout import Layout
from initwise.frameworks import device

LAWS = {
    "constant": Fill.constant(0.1),
    "uniform": Fill.uniform(-0.3, 0.4),
    "normal": Fill.normal(0.01, 0.1),
    "truncated ±2σ": Fill.truncated_normal(0.0, 0.02, -0.04, 0.04),
    "truncated, skew": Fill.truncated_normal(0.5, 1.0, -0.3, math.inf),
    "truncated, tail": Fill.truncated_normal(0.0, 1.0, 6.0, 7.0),
}
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
Case = Callable[[Fill, torch.dtype], bool]


def show() -> bool:
    """Print the table; True if all is equal."""
    print("### Equality with the CPU, bit for bit\n")
    print("| place | " + " | ".join(LAWS) + " |")
    print("|---|" + "---|" * len(LAWS))
    fine = True
    for place, case in CASES.items():
        wrong = {name: [t for t in DTYPES if not case(fill, t)] for name, fill in LAWS.items()}
        words = ["no: " + ", ".join(map(str, types)) if types else "equal" for types in wrong.values()]
        print(f"| {place} | " + " | ".join(words) + " |", flush=True)
        fine = fine and not any(wrong.values())
    print(f"\nEach in {', '.join(str(t).removeprefix('torch.') for t in DTYPES)}.")
    for name, same in (("4 GiB of bfloat16, 2^31 + 12,345 elements", _beyond()), ("two streams", _streams())):
        print(f"- {name}: {'equal' if same else 'NOT equal'}")
        fine = fine and same
    print()
    return fine


def same(there: Any, fill: Fill, **where: Any) -> bool:
    """Fill on the device by the kernel and on the CPU; are all bits the same?"""
    here = torch.empty_strided(there.shape, there.stride(), dtype=there.dtype)
    assert device.able(torch, there)
    initwise.fill(there, fill, name="weight", seed=2**63 + 1, **where)
    initwise.fill(here, fill, name="weight", seed=2**63 + 1, **where)
    return equal(there.cpu(), here)


def equal(a: Any, b: Any) -> bool:
    whole = {8: torch.int64, 4: torch.int32, 2: torch.int16}[a.element_size()]
    return torch.equal(a.contiguous().view(whole), b.contiguous().view(whole))


def _memory(*shape: int, dtype: torch.dtype) -> Any:
    return torch.full(shape, math.nan, dtype=dtype, device="cuda")


def _with(fill: Fill, letters: str) -> Fill:
    return replace(fill, layout=Layout(letters))


def _channels_last(fill: Fill, dtype: torch.dtype) -> bool:
    out = _memory(64, 33, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
    return same(out, fill)


def _far(fill: Fill, dtype: torch.dtype) -> bool:
    starts = (2**31 - 77, 2**32 - 5, 2**40 + 3, 2**63 - 5000)
    return all(same(_memory(5000, dtype=dtype), fill, shape=(2**63,), offset=(k,)) for k in starts)


CASES: dict[str, Case] = {
    "whole": lambda f, t: same(_memory(1009, 1013, dtype=t), f),
    "one element": lambda f, t: same(_memory(1, dtype=t), f),
    "beyond element 2^31, 2^40 … 2^63": _far,
    "columns of a matrix": lambda f, t: same(
        _memory(700, 333, dtype=t), f, shape=(70_000, 70_000), offset=(60_000, 1234)
    ),
    "a block of four axes": lambda f, t: same(
        _memory(5, 6, 7, 8, dtype=t), f, shape=(50, 60, 70, 80), offset=(41, 3, 5, 17)
    ),
    "stored in × out": lambda f, t: same(_memory(1600, 641, dtype=t), _with(f, "io")),
    "stored h × w × in × out": lambda f, t: same(_memory(3, 3, 65, 66, dtype=t), _with(f, "hwio")),
    "channels last": _channels_last,
    "every second column": lambda f, t: same(_memory(300, 200, dtype=t)[:, ::2], f),
    "a padding row": lambda f, t: same(_memory(300, 64, dtype=t), replace(f, zero_row=7)),
}


def _slices(size: int) -> Iterator[int]:
    chance = random.Random(0)
    yield from (0, 2**31 - 1000, size - 2000)
    yield from (chance.randrange(size - 2000) for _ in range(5))


def _beyond() -> bool:
    """A tensor of more than 2³¹ elements, looked at in places."""
    size, fill = 2**31 + 12_345, LAWS["normal"]
    there = torch.empty(size, dtype=torch.bfloat16, device="cuda")
    initwise.fill(there, fill, name="weight", seed=0)
    for start in _slices(size):
        here = torch.empty(2000, dtype=torch.bfloat16)
        initwise.fill(here, fill, name="weight", seed=0, shape=(size,), offset=(start,))
        if not equal(there[start : start + 2000].cpu(), here):
            return False
    return True


def _streams() -> bool:
    """Two streams at once, and one that overwrites what it has just filled."""
    outs = [_memory(2**22, dtype=torch.float32) for _ in range(2)]
    torch.cuda.synchronize()
    for out in outs:
        with torch.cuda.stream(torch.cuda.Stream()):
            initwise.fill(out, LAWS["uniform"], name="other", seed=9)
            initwise.fill(out, LAWS["normal"], name="weight", seed=0)
    torch.cuda.synchronize()
    here = initwise.fill(torch.empty(2**22), LAWS["normal"], name="weight", seed=0)
    return all(equal(out.cpu(), here) for out in outs)
