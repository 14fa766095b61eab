"""Building: a model's constructor run without memory, so that its own initialization is what is predicted."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]

from ..core.errors import InitwiseError, ModelError
from ..core.fill import Fill
from ..frameworks.torch.failure import placed
from . import values
from .failing import quietly
from .interpreter import Interpreter
from .moments import independent


def built(build: Callable[[], Any], interpreter: Interpreter) -> nn.Module:
    """What `build()` gives, its parameters fake tensors that hold what their initialization drew.

    Raises:
        ModelError: it raises, or gives no torch.nn.Module.
    """
    interpreter.building = True
    # copying a layer asks for addresses, and does nothing with them
    interpreter.fakes._allow_unsafe_data_ptr_access = True
    try:
        with contextlib.ExitStack() as stack:
            replaced = (_truncated_normal(interpreter), _materialized(interpreter), _swaps(interpreter))
            for context in (interpreter, *replaced, _copies(), quietly()):
                stack.enter_context(context)
            model = _called(build)
    finally:
        interpreter.building = False
        interpreter.fakes._allow_unsafe_data_ptr_access = False
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"{getattr(build, '__name__', 'the callable')} gave {type(model).__name__}",
            where="model",
            expected="a torch.nn.Module, or a callable without arguments that makes one",
        )
    return model


def without_memory(model: nn.Module) -> nn.Module:
    """A copy of a model that `built` made, its parameters on the meta device: what a plan is made for."""
    parameters = {
        id(p): nn.Parameter(torch.empty(p.shape, dtype=p.dtype, device="meta"), p.requires_grad)
        for p in model.parameters()
    }
    return copy.deepcopy(model, dict(parameters))


def _called(build: Callable[[], Any]) -> Any:
    try:
        return build()
    except InitwiseError:
        raise
    except Exception as error:
        raise ModelError(
            f"{getattr(build, '__name__', 'the callable')} raised {type(error).__name__}: {error}",
            where="model",
            expected="a callable that makes a model of tensors without memory",
            fix=f"{placed(error)}If it works by itself, it needs its numbers: give the model instead.",
        ) from error


@contextlib.contextmanager
def _copies() -> Iterator[None]:
    """copy.deepcopy asks a tensor for its address, which fake ones have not: they are cloned."""

    def deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            if not self.is_leaf:
                raise RuntimeError("Only leaf tensors support the deepcopy protocol at the moment")
            copied = self.detach().clone()
            given = self.requires_grad
            own = isinstance(self, nn.Parameter)
            memo[id(self)] = nn.Parameter(copied, given) if own else copied.requires_grad_(given)
        return memo[id(self)]  # type: ignore[no-any-return]

    before = FakeTensor.__dict__.get("__deepcopy__")
    FakeTensor.__deepcopy__ = deepcopy  # type: ignore[method-assign]
    try:
        yield
    finally:
        if before is None:
            del FakeTensor.__deepcopy__
        else:
            FakeTensor.__deepcopy__ = before  # type: ignore[method-assign]


@contextlib.contextmanager
def _truncated_normal(interpreter: Interpreter) -> Iterator[None]:
    """torch redraws until all values are within bounds, which fake tensors cannot tell: its law at once."""
    ours = torch.nn.init._no_grad_trunc_normal_

    def fill(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any = None) -> Tensor:
        if not isinstance(tensor, FakeTensor):
            return ours(tensor, mean, std, a, b, generator=generator)
        law = Fill.truncated_normal(mean, std, low=a, high=b)
        with torch.no_grad():
            tensor.normal_(law.mean, law.std)
        shape = tuple(tensor.shape)
        interpreter.attach(tensor, values.fresh(independent(shape, law.mean, law.std**2), parameter=True))
        return tensor

    torch.nn.init._no_grad_trunc_normal_ = fill
    try:
        yield
    finally:
        torch.nn.init._no_grad_trunc_normal_ = ours


@contextlib.contextmanager
def _swaps(interpreter: Interpreter) -> Iterator[None]:
    """model.half() swaps each fake parameter for its cast, and refuses where anything points at one."""
    ours = torch.utils.swap_tensors

    def swap(one: Tensor, other: Tensor) -> None:
        interpreter.fakes.fake_tensor_converter.meta_converter.tensor_memo.clear()
        ours(one, other)  # type: ignore[no-untyped-call]

    torch.utils.swap_tensors = swap
    try:
        yield
    finally:
        torch.utils.swap_tensors = ours


@contextlib.contextmanager
def _materialized(interpreter: Interpreter) -> Iterator[None]:
    """A lazy layer that meets its first batch in the constructor gets real memory: its tensor stays."""
    mixin: Any = UninitializedTensorMixin
    ours = mixin.materialize

    def materialize(self: Any, *args: Any, **kwargs: Any) -> None:
        interpreter.building = False
        try:
            ours(self, *args, **kwargs)
        finally:
            interpreter.building = True

    mixin.materialize = materialize
    try:
        yield
    finally:
        mixin.materialize = ours
