"""Filling torch tensors that are not in the CPU's memory.

On a CUDA device with Triton, elementwise laws are made there, one launch for each dtype of all tensors
given together; sparse laws and those of the whole matrix are made on the CPU and copied. On other devices,
without Triton, or where Triton does not work, everything is: the same bits, slower.
"""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.fill import Fill
from ..random import engine, fill_array
from ..random.draw import KINDS

_broken: set[str] = set()
"""Devices on which Triton failed in this process: it is not tried there again."""


@dataclass(frozen=True)
class Target:
    """A tensor to fill, checked to be dense memory of a floating-point type.

    Attributes:
        tensor: the `torch.Tensor`.
        name, seed: its stream.
        shape, offset: of a shard, as for `initwise.fill`.
    """

    tensor: Any
    fill: Fill
    name: str
    seed: int
    shape: Sequence[int] | None = None
    offset: Sequence[int] | None = None


def able(torch: Any, tensor: Any) -> bool:
    """Can the kernel write into this tensor?"""
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter)
    if not (plain and tensor.is_cuda and torch.version.cuda) or str(tensor.device) in _broken:
        return False
    return _installed()


@functools.cache
def _installed() -> bool:
    """Triton is looked for, not imported."""
    return importlib.util.find_spec("triton") is not None


def fill_there(torch: Any, targets: Sequence[Target]) -> None:
    """Fill tensors by the kernel, where they are. They must not share memory.

    If Triton cannot compile or start the kernel, one RuntimeWarning says so and the tensors are made
    on the CPU and copied.

    Raises:
        InitwiseError: as `initwise.fill`; nothing is written then.
    """
    planned = [(target, planned_jobs(target)) for target in targets]
    for target in [target for target, jobs in planned if _ranked(jobs)]:
        copy_there(torch, target)
    planned = [(target, jobs) for target, jobs in planned if not _ranked(jobs)]
    for target, jobs in planned:
        for job in jobs:
            if job.fill.law not in KINDS:
                _copy_made(torch, target.tensor, job)
    for device in {str(target.tensor.device): target.tensor.device for target in targets}.values():
        here = [(target, jobs) for target, jobs in planned if target.tensor.device == device]
        try:
            _launch([job for _, jobs in here for job in jobs if job.fill.law in KINDS], device)
        except torch.OutOfMemoryError:
            raise
        except Exception as problem:  # whatever a compiler, a driver or their absence raises
            _broken.add(str(device))
            for target, _ in here:
                copy_there(torch, target)
            _tell(device, problem)


def copy_there(torch: Any, target: Target) -> None:
    """Make a tensor's values on the CPU and copy them to where it is."""
    host = torch.empty(target.tensor.shape, dtype=target.tensor.dtype)
    array, dtype = memory(torch, host)
    where = {"shape": target.shape, "offset": target.offset}
    fill_array(array, target.fill, name=target.name, seed=target.seed, dtype=dtype, **where)
    target.tensor.detach().copy_(host)


def memory(torch: Any, tensor: Any) -> tuple[NDArray[Any], str | None]:
    """A CPU tensor's own memory as a NumPy array, and the dtype's name where NumPy has none."""
    plain = tensor.detach()
    if plain.dtype == torch.bfloat16:
        return plain.view(torch.int16).numpy().view(np.uint16), "bfloat16"
    return plain.numpy(), None


def _ranked(jobs: Iterable[engine.Job]) -> bool:
    """Are some of the weights zero by their rank in a line? The kernel knows no neighbours."""
    return any(job.fill.law == "sparse" for job in jobs)


def _launch(jobs: Iterable[engine.Job], device: Any) -> None:
    jobs = list(jobs)
    if jobs:
        from ..random.cuda import fill_on_device

        fill_on_device(jobs, device)


def _tell(device: Any, problem: Exception) -> None:
    text = " ".join(str(problem).split())
    warnings.warn(
        f"Triton does not work on {device} ({type(problem).__name__}: {text[:200]}): initwise makes the "
        "weights on the CPU and copies them there: the same bits, slower.",
        RuntimeWarning,
        stacklevel=2,
    )


def planned_jobs(target: Target) -> list[engine.Job]:
    """What fills the target, checked. The jobs' arrays describe memory that is elsewhere: not to be read."""
    return engine.jobs(
        _outline(target.tensor),
        target.fill,
        name=target.name,
        seed=target.seed,
        shape=target.shape,
        offset=target.offset,
        dtype=_dtype(target.tensor),
        apart=True,
    )


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _outline(tensor: Any) -> NDArray[Any]:
    """An array of the tensor's address, shape and strides. Never to be read: the memory is elsewhere."""
    name = _dtype(tensor)
    form = np.dtype(np.uint16 if name == "bfloat16" else name)
    if not tensor.numel():
        return np.empty(tuple(tensor.shape), form)
    strides = tuple(stride * form.itemsize for stride in tensor.stride())
    return np.asarray(_Place(tensor.data_ptr(), tuple(tensor.shape), strides, form.str))


class _Place:
    """What NumPy asks of an object for an array of its memory."""

    def __init__(self, address: int, shape: tuple[int, ...], strides: tuple[int, ...], form: str) -> None:
        self.__array_interface__ = {
            "data": (address, False),
            "shape": shape,
            "strides": strides,
            "typestr": form,
            "version": 3,
        }


def _copy_made(torch: Any, tensor: Any, job: engine.Job) -> None:
    """Make what the kernel does not, a whole matrix, on the CPU and copy it to its place in the tensor."""
    host = np.empty(job.out.shape, job.out.dtype)
    engine.run([replace(job, out=host)])
    ahead = job.out.__array_interface__["data"][0] - tensor.data_ptr()
    strides = [stride // host.itemsize for stride in job.out.strides]
    start = tensor.storage_offset() + ahead // host.itemsize
    place = torch.as_strided(tensor.detach(), job.out.shape, strides, start)
    place.copy_(torch.from_numpy(host).view(tensor.dtype))
