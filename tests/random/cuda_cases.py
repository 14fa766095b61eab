"""Cases for test_cuda_kernel.py, run with TRITON_INTERPRET=1: the device's code on CPU memory."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

import initwise
from initwise.core.errors import LayoutError
from initwise.core.fill import Fill
from initwise.core.layout import Layout
from initwise.frameworks import device
from initwise.frameworks.torch import adapter
from initwise.random import cuda, engine, reference
from initwise.random.draw import draw_of

CPU = torch.device("cpu")
DTYPES = ("float32", "float64", "float16", "bfloat16")
LAWS = (
    Fill.normal(0.01, 0.1),
    Fill.uniform(-0.3, 0.4),
    Fill.truncated_normal(0, 0.02, -0.04, 0.04),
    Fill.truncated_normal(0, 1, 6, 7),
    Fill.truncated_normal(0.5, 1, -0.3, math.inf),
    Fill.truncated_normal(0, 1, -0.001, 0.001),
)
GUARD = 7
"""What memory holds that must not be written."""


class Counted:
    """The kernel, counting its launches."""

    def __init__(self, kernel: object) -> None:
        self.kernel, self.launches = kernel, 0

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., object]:
        self.launches += 1
        return self.kernel[grid]


cuda.fill_kernel = Counted(cuda.fill_kernel)


def guarded(count: int, dtype: str) -> np.ndarray:
    bits = {"float32": np.uint32, "float64": np.uint64}.get(dtype, np.uint16)
    return np.full(count, GUARD, bits)


def expected(job: engine.Job) -> np.ndarray:
    """The job's bits by the reference, from docs/stream-v1.md's order of elements."""
    layout, region = job.fill.layout, job.region
    order = layout.canonical if layout is not None else tuple(range(len(region.shape)))
    element = np.zeros(region.size, object)
    for axis in order:
        index = [1] * len(order)
        index[axis] = -1
        here = np.array([region.offset[axis] + i for i in range(region.size[axis])], object)
        element = element * region.shape[axis] + here.reshape(index)
    values = reference.values(job.stream, draw_of(job.fill), element.astype(np.uint64), job.dtype)
    return values.view(f"u{values.itemsize}")


def verdict(memory: list[np.ndarray], jobs: list[engine.Job]) -> str:
    """Fill, compare what lies in the jobs' own memory, then see that nothing else was written."""
    before = cuda.fill_kernel.launches
    cuda.fill_on_device(jobs, CPU)
    launches = cuda.fill_kernel.launches - before
    for job in jobs:
        own = job.out.view(f"u{job.out.itemsize}")
        if not np.array_equal(own, expected(job)):
            return f"{int((own != expected(job)).sum())} of {own.size} differ: {job.fill} {job.region}"
        own[...] = GUARD
    beside = sum(int((piece != GUARD).sum()) for piece in memory)
    return f"{beside} written beside" if beside else f"equal, {launches} launch"


def job(view: np.ndarray, dtype: str, fill: Fill, name: str, seed: int = 2**63 + 5, **where: object) -> list:
    typed = view if dtype == "bfloat16" else view.view(dtype)
    return engine.jobs(typed, fill, name=name, seed=seed, dtype=dtype, apart=True, **where)


def runs(dtype: str) -> Iterator[tuple[np.ndarray, list]]:
    """Contiguous tensors of all laws, several tiles and programs long, under names of their own."""
    long = 4 * cuda.LANES * cuda.TILES + 5 if dtype == "float32" else 600
    for k, (fill, count) in enumerate(zip(LAWS, (long, 1, 70, 300, 64, 515), strict=True)):
        memory = guarded(count + 3, dtype)
        yield memory, job(memory[2:-1], dtype, fill, f"w{k}")
    yield guarded(1, dtype), job(guarded(0, dtype), dtype, LAWS[0], "nothing")


def far(dtype: str) -> Iterator[tuple[np.ndarray, list]]:
    """Shards of one axis, beyond element 2³¹, 2³² and up to the last one, 2⁶³ − 1."""
    firsts = (2**31 - 3, 2**32 - 70, 2**34 - 500, 2**62 - 9, 2**63 - 100, 2**40 + 1)
    for k, (fill, first) in enumerate(zip(LAWS, firsts, strict=True)):
        memory = guarded(100 + 3, dtype)
        yield (
            memory,
            job(memory[2:-1], dtype, fill, f"w{k}", shape=(2**63,), offset=(first,)),
        )


def shards(dtype: str) -> Iterator[tuple[np.ndarray, list]]:
    """Rectangular blocks of larger tensors: rows, columns, one column, of two, three and four axes."""
    blocks = (
        ((300, 200), (7, 70), (17, 101)),
        ((300, 200), (40, 1), (3, 199)),
        ((7, 2**33, 70), (2, 3, 40), (1, 2**33 - 6, 30)),
        ((64, 48, 3, 3), (4, 5, 3, 3), (50, 7, 0, 0)),
        ((9, 8, 7, 6), (2, 3, 5, 2), (1, 2, 1, 3)),
        ((300, 256), (5, 128), (17, 64)),
    )
    for k, (fill, (shape, size, offset)) in enumerate(zip(LAWS, blocks, strict=True)):
        memory = guarded(math.prod(size) + 2, dtype)
        view = memory[1:-1].reshape(size)
        yield memory, job(view, dtype, fill, f"s{k}", shape=shape, offset=offset)


def orders(dtype: str) -> Iterator[tuple[np.ndarray, list]]:
    """Memory that is not row-major, and axes whose canonical order is not that of storage."""
    io = guarded(192 * 6 + 2, dtype)
    yield io, job(io[1:-1].reshape(192, 6), dtype, replace(LAWS[0], layout=Layout("io")), "io")
    for k, (fill, shape, letters) in enumerate(
        [(LAWS[1], (130, 9), "io"), (LAWS[2], (96, 5), "io"), (LAWS[3], (3, 3, 5, 7), "hwio")]
    ):
        memory = guarded(math.prod(shape) + 2, dtype)
        view = memory[1:-1].reshape(shape)
        yield memory, job(view, dtype, replace(fill, layout=Layout(letters)), f"o{k}")
    spread = guarded(2 * 40 * 3, dtype)
    yield spread, job(spread.reshape(3, 80)[:, ::2], dtype, LAWS[4], "every second")
    last = guarded(4 * 5 * 3 * 3, dtype)
    yield last, job(last.reshape(4, 3, 3, 5).transpose(0, 3, 1, 2), dtype, LAWS[0], "channels last")
    lone = guarded(333, dtype)
    yield lone, job(lone[::3], dtype, LAWS[5], "one strided axis")


def constants(dtype: str) -> Iterator[tuple[np.ndarray, list]]:
    # a double halfway between two float32 and just beside two bfloat16: rounded once, not twice
    for k, value in enumerate((0.1, 1 + 2**-8 + 2**-40, -0.0, 3e-5)):
        memory = guarded(700, dtype)
        yield memory, job(memory.reshape(7, 100)[1:6, 3:80], dtype, Fill.constant(value), f"c{k}")
    memory = guarded(1000, dtype)
    yield memory, job(memory[1:-1], dtype, Fill.constant(1.0), "ones")


def show(name: str, text: str) -> None:
    print(f"{name}: {text}", flush=True)


def kernel_cases() -> None:
    places = {"runs": runs, "far": far, "shards": shards, "memory orders": orders, "constants": constants}
    for place, make in places.items():
        for dtype in DTYPES:
            memory, jobs = zip(*make(dtype), strict=True)
            show(f"{place} {dtype}", verdict(list(memory), [one for many in jobs for one in many]))


def cut() -> None:
    cuda.LIMIT = 200
    memory, jobs = zip(*shards("float32"), strict=True)
    show("cut", verdict(list(memory), [one for many in jobs for one in many]).split(",")[0])
    cuda.LIMIT = 1 << 30


def equal_to_cpu(*targets: device.Target) -> str:
    """`fill_there` writes what `initwise.fill` writes on the CPU."""
    wanted = [target.tensor.clone() for target in targets]
    for out, t in zip(wanted, targets, strict=True):
        initwise.fill(out, t.fill, name=t.name, seed=t.seed, shape=t.shape, offset=t.offset)
    device.fill_there(torch, targets)
    same = [torch.equal(bits(out), bits(t.tensor)) for out, t in zip(wanted, targets, strict=True)]
    return "equal" if all(same) else f"{same}"


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(torch.uint8) if tensor.numel() else tensor


PACKED = Fill.packed(
    [
        ("q", 8, Fill.normal(0, 0.1)),
        ("k", 8, Fill.matrix("orthogonal", 2.0)),
        ("v", 4, Fill.constant(0.5)),
    ],
    layout=Layout("oi"),
)


def packed() -> str:
    """Whole, and as shards that cut through the parts."""
    whole = device.Target(torch.zeros(20, 10), PACKED, "qkv", 3)
    shard = device.Target(torch.zeros(9, 4), PACKED, "qkv", 3, (20, 10), (5, 6))
    return equal_to_cpu(whole, shard)


def zero_row() -> str:
    """Inside, at the edges and outside of a shard; over elementwise and matrix laws."""
    laws = [
        replace(Fill.normal(0, 0.1), zero_row=row, layout=Layout(letters))
        for row, letters in ((0, "vi"), (3, "iv"), (8, "vi"))
    ]
    laws.append(replace(Fill.matrix("orthogonal"), zero_row=2))
    targets = [device.Target(torch.ones(9, 6), law, f"e{k}", 1) for k, law in enumerate(laws)]
    targets.append(device.Target(torch.ones(4, 6), laws[1], "shard", 1, (9, 6), (2, 0)))
    targets.append(device.Target(torch.ones(4, 6), laws[1], "shard beside", 1, (9, 6), (5, 0)))
    return equal_to_cpu(*targets)


def plan() -> str:
    """One launch for each dtype among many tensors."""
    before = cuda.fill_kernel.launches
    verdict = equal_to_cpu(
        *(
            device.Target(torch.zeros(5, 7, dtype=getattr(torch, dtype)), fill, f"{dtype}{k}", 11)
            for dtype in DTYPES
            for k, fill in enumerate(LAWS[:3])
        )
    )
    launches = cuda.fill_kernel.launches - before
    return verdict if launches == 4 else f"{launches} launches"


def matrix_law() -> str:
    """Made on the CPU and copied, into memory of any order and type."""
    law = Fill.matrix("orthogonal", 1.5)
    column_major = torch.zeros(8, 12, dtype=torch.bfloat16).T
    shard = device.Target(torch.zeros(3, 5, dtype=torch.float64), law, "m", 2, (8, 12), (1, 4))
    return equal_to_cpu(device.Target(column_major, law, "m", 2), shard)


def repeated() -> str:
    """Each copy by the kernel, into every fourth place, or copied; whole laws too; shards and any type."""
    laws = [
        Fill.repeated(inner, 4, order)
        for inner in (Fill.normal(0, 0.1), Fill.matrix("orthogonal"), Fill.sparse(0.1, "zero", 0.3, "input"))
        for order in ("neighbours", "tiles")
    ]
    laws.append(Fill.whole("unit_outputs", gain=0.5))
    whole = [device.Target(torch.zeros(8, 12).T, law, f"r{k}", 3) for k, law in enumerate(laws)]
    half = [
        device.Target(torch.zeros(5, 3, dtype=torch.bfloat16), law, f"h{k}", 3, (12, 8), (3, 2))
        for k, law in enumerate(laws)
    ]
    return equal_to_cpu(*whole, *half)


def empty() -> str:
    before = cuda.fill_kernel.launches
    verdict = equal_to_cpu(device.Target(torch.zeros(0, 4), LAWS[0], "nothing", 0))
    return verdict if cuda.fill_kernel.launches == before else "launched"


def subnormal() -> str:
    """Standard deviations far below each type's normal numbers are kept, not flushed to zero."""
    stds = {"float32": 1e-41, "float64": 1e-310, "float16": 2e-6, "bfloat16": 1e-39}
    return equal_to_cpu(
        *(
            device.Target(torch.zeros(200, dtype=getattr(torch, dtype)), Fill.normal(0, std), "s", 4)
            for dtype, std in stds.items()
        )
    )


def broken() -> str:
    """A kernel that cannot be started: the CPU's values, one warning, and no second try."""
    kernel = cuda.fill_kernel

    class Broken:
        def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., object]:
            raise RuntimeError("no compiler")

    cuda.fill_kernel = Broken()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        targets = [device.Target(torch.zeros(5, 7), law, "w", 2) for law in (*LAWS[:2], PACKED_SMALL)]
        result = equal_to_cpu(*targets)
    cuda.fill_kernel = kernel
    text = str(caught[0].message)
    assert "on cpu" in text, text
    assert "cpu" in device._broken
    return f"{result}, {len(caught)} warning: {'no compiler' if 'no compiler' in text else text}"


PACKED_SMALL = Fill.packed([("a", 2, LAWS[0]), ("b", 3, Fill.matrix("orthogonal"))], layout=Layout("oi"))


def bad_input() -> str:
    """The second of two tensors cannot be filled: neither is touched."""
    good = device.Target(torch.full((4, 4), 7.0), Fill.matrix("orthogonal"), "good", 0)
    bad = device.Target(torch.full((4,), 7.0), Fill.matrix("orthogonal"), "bad", 0)
    try:
        device.fill_there(torch, [good, bad])
    except LayoutError:
        return "untouched" if bool((good.tensor == 7).all()) else "written"
    return "no error"


def whole_model() -> str:
    """init_ of a model on a device: one launch for its plain parameters, `write` for a wrapped one."""

    def made() -> torch.nn.Module:
        layers = [torch.nn.Linear(9, 8), torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(8, 8))]
        return torch.nn.Sequential(*layers, torch.nn.Embedding(7, 8, padding_idx=2), torch.nn.LayerNorm(8))

    there, here = made(), made()
    wanted = initwise.init_(here, "he_normal", seed=5)
    adapter.able, was = lambda torch, tensor: "cpu" not in device._broken, adapter.able
    before = cuda.fill_kernel.launches
    found = initwise.init_(there, "he_normal", seed=5)
    adapter.able = was
    launches = cuda.fill_kernel.launches - before
    return f"{'equal' if found.digest == wanted.digest else 'different'}, {launches} launch"


if __name__ == "__main__":
    kernel_cases()
    cut()
    show("packed", packed())
    show("zero row", zero_row())
    show("plan of four dtypes", plan())
    show("matrix law", matrix_law())
    show("repeated", repeated())
    show("empty", empty())
    show("subnormal", subnormal())
    show("model", whole_model())
    show("bad input", bad_input())
    show("broken", broken())
