"""Leaving a model and the world around it exactly as they were found."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Undo = Callable[[], None]

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Whatever the body does to `model` and to torch's, NumPy's and Python's state is undone.

    Restored bit for bit, also when the body raises: the random states (CPU, every CUDA device
    once CUDA is in use, `random`, `numpy.random`); every submodule's train/eval flag, hooks and
    attributes (an attribute set or replaced, and what a plain list, dict or set among them holds,
    but nothing deeper);
    the values, gradients and `requires_grad` of parameters; the values of buffers; torch's grad
    mode, default dtype and determinism flag. Inside, every `.grad` is None.

    Costs one copy of the parameters and buffers.
    """
    # a stack runs every undo, last saved first, whatever an earlier one or the body raises
    with contextlib.ExitStack() as undos:
        for save in (_random_states, _modes, _modules, _tensors, _gradients):
            for undo in save(model):
                undos.callback(undo)
        yield


def _random_states(model: nn.Module) -> Iterator[Undo]:
    cpu, python, numpy = torch.get_rng_state(), random.getstate(), np.random.get_state()
    yield lambda: torch.set_rng_state(cpu)
    yield lambda: random.setstate(python)
    yield lambda: np.random.set_state(numpy)
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        cuda = torch.cuda.get_rng_state_all()
        yield lambda: torch.cuda.set_rng_state_all(cuda)
    if torch.backends.mps.is_available():
        mps = torch.mps.get_rng_state()
        yield lambda: torch.mps.set_rng_state(mps)


def _modes(model: nn.Module) -> Iterator[Undo]:
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    yield lambda: torch._C._set_grad_enabled(grad)
    yield lambda: torch.set_default_dtype(dtype)

    def undo() -> None:
        now = torch.are_deterministic_algorithms_enabled()
        if (now, torch.is_deterministic_algorithms_warn_only_enabled()) != (deterministic, warn_only):
            # asked for only then: it loads torch's compiler, which takes seconds
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)

    yield undo


def _modules(model: nn.Module) -> Iterator[Undo]:
    """Train/eval flags, hooks, children, registered tensors, caches: all live in `__dict__`."""
    for module in list(model.modules()):
        yield _restore_dict(module.__dict__)
        for value in list(module.__dict__.values()):
            if type(value).__name__ in ("dict", "OrderedDict"):
                yield _restore_dict(value)
            elif type(value) is list:
                yield _restore_list(value)
            elif type(value) is set:
                yield _restore_set(value)


def _restore_dict(live: dict[Any, Any]) -> Undo:
    saved = dict(live)

    def undo() -> None:
        # same keys in the same order and the same objects: leave it alone
        if list(live) == list(saved) and all(live[key] is saved[key] for key in saved):
            return
        live.clear()
        live.update(saved)

    return undo


def _restore_list(live: list[Any]) -> Undo:
    saved = list(live)

    def undo() -> None:
        live[:] = saved

    return undo


def _restore_set(live: set[Any]) -> Undo:
    saved = set(live)

    def undo() -> None:
        live.clear()
        live.update(saved)

    return undo


def _tensors(model: nn.Module) -> Iterator[Undo]:
    for tensor in [*model.parameters(), *model.buffers()]:
        if has_data(tensor):
            yield _restore_values(tensor) if _strided(tensor) else _restore_composed(tensor)


def _strided(tensor: Tensor) -> bool:
    """Is it one block of memory, addressed by strides?"""
    return tensor.layout == torch.strided and not tensor.is_nested


def _restore_composed(tensor: Tensor) -> Undo:
    """For what is stored in several tensors or out of sight: sparse, nested, MKL-DNN."""
    parts = _parts(tensor)
    # a sparse tensor's in-place operations replace or resize what it is stored in
    place = _compressed(tensor, parts) if len(parts) == 3 else tensor.data
    undos = [_restore_values(part) for part in parts]
    saved = None if parts else tensor.detach().clone()

    def undo() -> None:
        for restore in undos:
            restore()
        if saved is not None:
            place.copy_(saved)
        if len(parts) == 3:
            _refill(tensor, place)
        else:
            tensor.data = place

    return undo


def _parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that a sparse one is stored in, its values last; none for other forms."""
    tensor = tensor.detach()
    if tensor.layout == torch.sparse_coo:
        return tensor._indices(), tensor._values()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.ccol_indices(), tensor.row_indices(), tensor.values()
    return ()


def _refill(tensor: Tensor, place: Tensor) -> None:
    """Compressed sparse tensors ignore a new `.data`; zero_() leaves them without elements."""
    if tensor._nnz() != place._nnz():
        with torch.no_grad():
            tensor.resize_as_sparse_(place)
            tensor.copy_(place)


def _compressed(tensor: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
    """Another handle on the memory of a compressed sparse tensor."""
    bounds, places, values = parts
    return torch.sparse_compressed_tensor(
        bounds, places, values, tensor.shape, layout=tensor.layout, check_invariants=False
    )


def _restore_values(tensor: Tensor) -> Undo:
    place = tensor.data
    written = _once(place)
    saved = written.clone()

    def undo() -> None:
        # through .data: an autograd graph the user still holds must not see a new version
        if not _unchanged(written, saved):
            written.copy_(saved)
        if tensor.data_ptr() != place.data_ptr():
            tensor.data = place

    return undo


def _gradients(model: nn.Module) -> Iterator[Undo]:
    for parameter in model.parameters():
        yield _restore_gradient(parameter)


def _restore_gradient(parameter: nn.Parameter) -> Undo:
    gradient, requires = parameter.grad, parameter.requires_grad
    hooks = parameter._backward_hooks
    listed = dict(hooks) if hooks is not None else None
    parameter.grad = None

    def undo() -> None:
        parameter.requires_grad_(requires)
        parameter.grad = gradient
        if parameter._backward_hooks is not hooks:
            parameter._backward_hooks = hooks
        if hooks is not None and listed is not None and dict(hooks) != listed:
            hooks.clear()
            hooks.update(listed)

    return undo


def has_data(tensor: Tensor) -> bool:
    """Does `tensor` have values to read: not lazy, not on the meta device?"""
    return not nn.parameter.is_lazy(tensor) and tensor.device.type != "meta"


def readable(tensor: Tensor) -> bool:
    """Are there numbers behind `tensor`: is it neither on the meta device nor fake?"""
    # by its name: fake tensors are no part of a plain `import torch`
    return tensor.device.type != "meta" and type(tensor).__name__ != "FakeTensor"


def _once(place: Tensor) -> Tensor:
    """`place` without the axes along which it was expanded: each element of memory once."""
    for axis, (stride, size) in enumerate(zip(place.stride(), place.shape, strict=True)):
        if stride == 0 and size > 1:
            place = place.narrow(axis, 0, 1)
    return place


def _unchanged(place: Tensor, saved: Tensor) -> bool:
    """Need nothing be copied back? Only asked where asking does not stop a device to wait for it."""
    return place.device.type == "cpu" and same_bits(place, saved)


def reseed(seed: int) -> None:
    """Seed torch's, NumPy's and Python's global generators; only ever inside `untouched`."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Are two tensors of one shape and dtype equal bit for bit (NaN = NaN, -0 ≠ 0)?"""
    if one.is_quantized or not _strided(one):
        return False
    if one.is_complex():
        one, other = torch.view_as_real(one.resolve_conj()), torch.view_as_real(other.resolve_conj())
    kind = _BITS[one.element_size()]
    return torch.equal(one.view(kind), other.view(kind))
