"""A seed from the generator, and a law's values into the tensor."""

from __future__ import annotations

import functools
import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..core.errors import InitwiseError
from ..core.fill import Fill
from ..core.storage import DTYPES
from ..core.stream import Stream
from ..frameworks.memory import fill
from ..random.direct import SMALL, ready
from . import sharded
from .captured import captured
from .laws import KEPT, InitError, fill_of, renamed, unit_fill

STREAM = "torch.nn.init"
"""The stream's name: which numbers a call draws is told by its seed alone."""


class _Words(threading.local):
    """One 64-bit word for each thread: where a generator's draw is put."""

    def __init__(self) -> None:
        # made here, neither an inference tensor nor one of another device serves later calls
        with torch.inference_mode(False):
            self.word = torch.empty((), dtype=torch.int64, device="cpu")


_words = _Words()


def next_seed(generator: torch.Generator | None) -> int:
    """64 random bits. Advances `generator`, or torch's default CPU generator, by one draw."""
    word = _words.word
    if generator is not None and generator.device.type != "cpu":
        word = torch.empty((), dtype=torch.int64, device=generator.device)
    return int(word.random_(-(2**63), None, generator=generator).item()) & _WORD


def draw(
    tensor: Tensor, where: str, law: str, numbers: Sequence[float], generator: torch.Generator | None = None
) -> Tensor:
    """Fill `tensor` by a law of `laws.fill_of`, its seed drawn from the generator. Returns `tensor`.

    Args:
        where: the function's name, for errors.
        generator: None means torch's default CPU generator.

    Raises:
        InitError: numbers that make no law, or a tensor that cannot hold it; the generator is then
            what it was.
    """
    if _is_traced():
        return captured(tensor, where, law, numbers, generator)
    if type(tensor) in _PLAIN and _draw_small(tensor, law, numbers, generator):
        return tensor
    _check(tensor, generator, where)
    values = fill_of(law, numbers, where)
    if has_no_memory(tensor) or not tensor.numel():
        return tensor
    if tensor.is_complex():
        values, memory = _complex(values, tensor, where)
        _draw_large(memory, where, values, generator)
    else:
        _draw_large(tensor, where, values, generator)
    return tensor


def _draw_small(tensor: Tensor, law: str, numbers: Sequence[float], generator: Any) -> bool:
    """The short way for a small plain tensor, whose planning would take longer than its filling.

    False: it is no such case, or an error; nothing was drawn.
    """
    size, dtype = tensor.numel(), _ENGINE.get(tensor.dtype)
    if dtype is None or not 0 < size <= SMALL or not tensor.is_cpu or tensor.layout is not torch.strided:
        return False
    if not tensor.is_contiguous() or tensor.is_neg() or tensor.is_inference():
        return False
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return False
    if generator is not None and type(generator) is not torch.Generator:
        return False
    try:
        found = _ready(law, tuple(map(float, numbers)), dtype, tuple(tensor.shape))
    except TypeError:
        return False
    if found is None:
        return False
    seed = next_seed(generator)
    key = struct.pack("<4Q", seed & _LOW, seed >> 32, *_STREAM_WORDS)
    found[0](key, found[1], 0, size, tensor.data_ptr())
    torch.autograd.graph.increment_version(tensor)
    return True


@functools.lru_cache(maxsize=KEPT)
def _ready(law: str, numbers: tuple[float, ...], dtype: str, shape: tuple[int, ...]) -> Any:
    """The kernel's call, the law's address and the memory there; None for what needs the long way."""
    try:
        return ready(fill_of(law, numbers, ""), dtype, shape)
    except InitError:
        return None


_LOW, _WORD = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
_STREAM_WORDS = (Stream(0, STREAM).id & _LOW, Stream(0, STREAM).id >> 32)
_PLAIN = (Tensor, torch.nn.Parameter)
_ENGINE = {getattr(torch, name): name for name in DTYPES}


def _draw_large(tensor: Tensor, where: str, values: Fill, generator: torch.Generator | None) -> None:
    source = torch.default_generator if generator is None else generator
    before = source.get_state()
    try:
        write(tensor, values, next_seed(generator))
    except BaseException as error:
        source.set_state(before)
        if isinstance(error, InitwiseError):
            raise renamed(error, where) from None
        raise


def write(tensor: Tensor, values: Fill, seed: int) -> None:
    """Write a law's values into a tensor that has memory, or its shard of them. Raises InitwiseError."""
    if sharded.is_sharded(tensor):
        sharded.fill_shard(tensor, values, STREAM, seed)
    else:
        fill(tensor, values, name=STREAM, seed=seed)


def write_identity(tensor: Tensor, where: str, groups: int = 1) -> Tensor:
    """1 where output and input of one group have one number, at the kernel's centre; else 0. Any dtype."""
    if sharded.is_sharded(tensor):
        try:
            write(tensor, unit_fill(tensor.dim(), groups), 0)
        except InitwiseError as error:
            raise renamed(error, where) from None
    elif tensor.numel():
        with torch.no_grad():
            centre = tuple(size // 2 for size in tensor.shape[2:])
            whole: Any = tensor.zero_()
            matrices = whole.unflatten(0, (groups, -1))[(..., *centre)]
            matrices.diagonal(dim1=1, dim2=2).fill_(1)
    return tensor


def has_no_memory(tensor: Tensor) -> bool:
    """A meta or fake tensor: filling it is nothing, as in torch, so that models can be built on "meta"."""
    if tensor.is_meta:
        return True
    fake = sys.modules.get("torch._subclasses.fake_tensor")
    return fake is not None and isinstance(tensor, fake.FakeTensor)


def _is_traced() -> bool:
    """In code that is compiled, exported or traced for a graph?"""
    return torch.compiler.is_compiling() or torch._C._get_dispatch_mode(_PROXY) is not None


_PROXY = torch._C._TorchDispatchModeKey.PROXY


def _check(tensor: Any, generator: Any, where: str) -> None:
    if not isinstance(tensor, Tensor):
        raise InitError(
            f"a {type(tensor).__module__}.{type(tensor).__qualname__}",
            where=where,
            expected="a torch.Tensor",
            fix="initwise.fill fills NumPy arrays too.",
        )
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        raise InitError(
            "a tensor inside torch.vmap, torch.func.grad or the like",
            where=where,
            fix="Fill it before it is passed to the function.",
        )
    if generator is not None and not isinstance(generator, torch.Generator):
        raise InitError(
            f"generator {generator!r}",
            where=where,
            expected="a torch.Generator or None",
            fix="For example torch.Generator().manual_seed(0).",
        )


def _complex(values: Fill, tensor: Tensor, where: str) -> tuple[Fill, Tensor]:
    """A normal law of complex numbers, as torch has it: real and imaginary part are N(mean, std/√2)."""
    if values.law not in ("normal", "constant"):
        raise InitError(
            f"{values.law} for a tensor of {tensor.dtype}",
            where=where,
            expected="a real tensor",
            fix="Complex tensors can be filled by normal_, xavier_normal_ and kaiming_normal_.",
        )
    if tensor.is_conj():
        raise InitError("a lazily conjugated view", where=where, fix="Fill the tensor it is a view of.")
    if values.law == "normal":
        values = fill_of("normal", (values.mean, values.std / 2**0.5), where)
    with torch.no_grad():
        return values, torch.view_as_real(tensor)
