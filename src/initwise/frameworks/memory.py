"""`fill`: one tensor or array of any framework, in place, through a view of its own memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from ..core.errors import OutputError, UnsupportedError
from ..core.fill import Fill
from ..core.storage import DTYPES
from ..random import fill_array
from ..random.direct import run_plain, tasks_at
from .device import Target, able, copy_there, fill_there, memory

T = TypeVar("T")


def fill(
    out: T,
    fill: Fill,
    *,
    name: str,
    seed: int = 0,
    shape: Sequence[int] | None = None,
    offset: Sequence[int] | None = None,
) -> T:
    """Fill `out` in place. Its values depend on (seed, name, global element index, fill) only.

    Not on the device, the number of threads, the order of the calls, the memory layout or the
    sharding; and in bfloat16 and float16 they are the float32 values (of orthogonal matrices, the
    float64 ones), rounded once. What is promised of which law: docs/filling.md.

    Args:
        out: a writable NumPy array (float16, float32, float64, or ml_dtypes' bfloat16) or a torch
            tensor of those types, contiguous or not. On a CUDA device elementwise laws are made
            there if Triton is installed; everything else on another device than the CPU is made on
            the CPU and copied. A leaf that requires grad may be filled; its `.grad` stays.
        fill: the law. Scheme(...).fill(fans) makes one, or Fill.normal(0, 0.02) and the like.
        name: the parameter's full name; another name gives other numbers.
        seed: 0 ≤ seed < 2⁶⁴.
        shape, offset: for a shard, the whole tensor's shape and the position of `out[0, 0, …]` in it.

    Returns:
        `out`.

    Raises:
        OutputError: memory that cannot be written: read-only, overlapping, of integers, meta, sparse.
        StreamError: a seed, name, shape or offset that makes no sense.
        LayoutError, FillError: a law that does not fit the shape or the dtype.

    Nothing is written if an error is raised.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(out, torch.Tensor):
        whole = shape is None and offset is None
        if not (whole and _fill_plain_tensor(torch, out, fill, name, seed)):
            _fill_tensor(torch, out, fill, name=name, seed=seed, shape=shape, offset=offset)
        return out
    if not isinstance(out, np.ndarray):
        raise OutputError(
            f"a {type(out).__module__}.{type(out).__qualname__}",
            where=_where(name),
            expected="a writable NumPy array or a torch tensor",
        )
    fill_array(out, fill, name=name, seed=seed, shape=shape, offset=offset)
    return out


def _where(name: Any) -> str:
    return name if isinstance(name, str) else ""


def _fill_plain_tensor(torch: Any, out: Any, law: Any, name: Any, seed: Any) -> bool:
    """Fill a plain tensor straight through its address; False if it is not a plain case."""
    if type(out) not in (torch.Tensor, torch.nn.Parameter) or type(law) is not Fill or not out.is_cpu:
        return False
    size, dtype = out.numel(), _DTYPES.get(str(out.dtype))
    if dtype is None or not size or out.layout is not torch.strided or out.is_inference():
        return False
    if not out.is_contiguous() or out.is_neg():
        return False
    if not (address := out.data_ptr()):
        return False
    if out.untyped_storage().nbytes() < (out.storage_offset() + size) * out.element_size():
        return False
    tasks = tasks_at(address, tuple(out.shape), size, dtype, law, name, seed)
    if tasks is None:
        return False
    run_plain(tasks)
    torch.autograd.graph.increment_version(out)
    return True


_DTYPES = {f"torch.{name}": name for name in DTYPES}


def _fill_tensor(torch: Any, out: Any, law: Fill, *, name: str, seed: int, shape: Any, offset: Any) -> None:
    _check_tensor(torch, out, _where(name))
    with torch.no_grad():
        if out.device.type == "cpu":
            array, dtype = memory(torch, out)
            fill_array(array, law, name=name, seed=seed, shape=shape, offset=offset, dtype=dtype)
        elif able(torch, out):
            fill_there(torch, [Target(out, law, name, seed, shape, offset)])
        else:
            copy_there(torch, Target(out, law, name, seed, shape, offset))
        _renew(torch, out)


def fill_together(items: Iterable[tuple[str, Any, Fill]], *, seed: int) -> None:
    """Fill many tensors, (name, tensor, fill) each, that share no memory and that the kernel can write
    into (`device.able`): one launch for each device and dtype.

    Raises:
        InitwiseError: as `fill`; nothing is written then.
    """
    torch: Any = sys.modules["torch"]
    targets = [Target(tensor, law, name, seed) for name, tensor, law in items]
    for target in targets:
        _check_tensor(torch, target.tensor, target.name)
    with torch.no_grad():
        fill_there(torch, targets)
        for target in targets:
            _renew(torch, target.tensor)


def _renew(torch: Any, tensor: Any) -> None:
    """It was written behind autograd's back: let a backward pass that saved the old values know."""
    if not tensor.is_inference():
        torch.autograd.graph.increment_version(tensor)


def _check_tensor(torch: Any, out: Any, where: str) -> None:
    """Raise unless `out` is plain memory of a floating-point type."""
    from ..random.output import dtype_error, overlap_error
    from .torch.obstacles import backed

    kind = type(out).__name__
    if "Uninitialized" in kind:
        raise OutputError(
            "a lazy parameter without shape", where=where, fix="Run the model once on a batch, then fill it."
        )
    if out.device.type == "meta":
        raise OutputError(
            "a tensor on the meta device, which has no memory",
            where=where,
            fix='Give it memory first: model.to_empty(device="cpu").',
        )
    if out.layout != torch.strided:
        raise OutputError(
            f"a tensor of layout {out.layout}",
            where=where,
            expected="a dense tensor",
            fix="Fill it dense, then convert it.",
        )
    if out.is_quantized or out.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        raise dtype_error(str(out.dtype).removeprefix("torch."), where)
    if hasattr(out, "to_local") and hasattr(out, "placements"):
        raise UnsupportedError(
            "a DTensor",
            where=where,
            fix="Fill its local part: fill(tensor.to_local(), …, shape=tensor.shape, offset=…).",
        )
    if not backed(out):
        raise OutputError(
            "a tensor whose memory was freed or is smaller than its shape",
            where=where,
            fix="Materialize it first (FSDP: unshard its module).",
        )
    if any(stride == 0 and size > 1 for stride, size in zip(out.stride(), out.shape, strict=True)):
        raise overlap_error(out.shape, out.stride(), where)
    if out.is_neg():
        raise OutputError("a lazily negated view", where=where, fix="Fill the tensor it is a view of.")
