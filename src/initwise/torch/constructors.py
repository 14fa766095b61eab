"""What constructors do when they call torch.nn.init: `drop_in` and `no_init`.

Constructors reach torch's functions by many ways: `init.normal_(…)`, a name imported long ago, a table
of "the original functions" that a library keeps. So within the block not a module's attribute is replaced
but the functions' code, which all of those share. It asks a context variable what to do, so that other
threads and tasks get what they always got; torch's code is back when the last block has ended.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import Any

import torch

from ..core.errors import UnhealthyError
from ..core.stream import checked_seed

Handler = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]

_DRAWING = (
    "uniform_",
    "normal_",
    "trunc_normal_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "orthogonal_",
    "sparse_",
    "_no_grad_uniform_",
    "_no_grad_normal_",
    "_no_grad_trunc_normal_",
)
_OTHERS = ("constant_", "ones_", "zeros_", "eye_", "dirac_")
_HANDLER: ContextVar[Handler | None] = ContextVar("initwise_torch_init", default=None)
_LOCK = threading.Lock()
_open = 0
"""How many blocks are open, in all threads."""


@contextmanager
def drop_in(*, seed: int | None = None) -> Iterator[None]:
    """Within the block, every call of a torch.nn.init function in this thread is one of this module's.

        with init.drop_in(seed=0):
            model = MyModel()          # nn.Linear, transformers, timm: their own laws, this stream

    Args:
        seed: draws come from a generator of this seed instead of torch's default one, which then
            stays as it is. A call's own `generator` goes first.

    Raises:
        StreamError: a seed that is no integer from 0 to 2**64 - 1; nothing is run then.

    Blocks may be nested; the innermost counts. What a constructor draws without torch.nn.init
    (`torch.randn`, `tensor.normal_()`) is not reached. Also a decorator.
    """
    generator = None if seed is None else torch.Generator().manual_seed(checked_seed(seed))
    with _handled_by(functools.partial(_ours, generator)):
        yield


@contextmanager
def no_init() -> Iterator[None]:
    """Within the block, functions of torch.nn.init that draw do nothing in this thread.

        with init.no_init():
            model = MyModel()                       # or AutoModel.from_config(config)
        initwise.init_(model, "he_normal")
        init.assert_filled(model)

    Zeros, ones, constants, identities are still written: they are cheap, and norms and biases start right.
    A tensor left alone is uninitialised memory, whatever was there; its first and last elements are set
    to NaN, so that a model which is used all the same says so, and `unfilled` finds it. Also a decorator.
    """
    with _handled_by(_skip):
        yield


def unfilled(model: torch.nn.Module) -> tuple[str, ...]:
    """Names of the parameters that hold a NaN, as `no_init` leaves them, or have no memory.

    Reads every floating-point parameter once.
    """
    return tuple(name for name, parameter in model.named_parameters() if _is_unfilled(parameter))


def assert_filled(model: torch.nn.Module) -> None:
    """Raise UnhealthyError, with their names, if any parameters are `unfilled`."""
    names = unfilled(model)
    if names:
        listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        raise UnhealthyError(
            f"{len(names)} parameters hold NaN or have no memory: {listed}",
            cause="they were made under no_init() or on the meta device and nothing has filled them",
            fix="Fill them: initwise.init_(model, …) with a rule for these names, or load_state_dict.",
        )


def _is_unfilled(parameter: Any) -> bool:
    from .drawing import has_no_memory
    from .sharded import is_sharded

    if has_no_memory(parameter):
        return True
    with torch.no_grad():
        values = parameter.to_local() if is_sharded(parameter) else parameter.detach()
        if values.is_complex():
            values = torch.view_as_real(values)
        if not values.is_floating_point() or not values.numel():
            return False
        # a minimum is NaN if any element is; float8 has none
        return bool((values.float() if values.element_size() == 1 else values).amin().isnan())


# the handlers ---------------------------------------------------------------------------------------


def _ours(generator: torch.Generator | None, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from . import init

    if generator is not None and name in _DRAWING and kwargs.get("generator") is None:
        given = len(args) > _position(name) and args[_position(name)] is not None
        if not given:
            args, kwargs = args[: _position(name)], {**kwargs, "generator": generator}
    return getattr(init, name)(*args, **kwargs)


@functools.cache
def _position(name: str) -> int:
    from . import init

    return list(inspect.signature(getattr(init, name)).parameters).index("generator")


def _skip(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name not in _DRAWING:
        return _originals()[name](*args, **kwargs)
    tensor = args[0] if args else kwargs["tensor"]
    _mark(tensor)
    return tensor


def _mark(tensor: Any) -> None:
    """Set the first and the last element to NaN."""
    from .sharded import is_sharded

    with torch.no_grad():
        memory = tensor.to_local() if is_sharded(tensor) else tensor.detach()
        if memory.numel() and (memory.is_floating_point() or memory.is_complex()):
            for end in (0, -1):
                memory[(end,) * memory.dim()] = float("nan")


# torch's functions, their code and back -------------------------------------------------------------


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    _enter()
    token = _HANDLER.set(handler)
    try:
        yield
    finally:
        _HANDLER.reset(token)
        _leave()


def _enter() -> None:
    global _open
    with _LOCK:
        if _open == 0:
            _originals()
            for name, function in _functions().items():
                function.__code__ = _asking(name)
        _open += 1


def _leave() -> None:
    global _open
    with _LOCK:
        _open -= 1
        if _open == 0:
            for name, function in _functions().items():
                function.__code__ = _originals()[name].__code__


def _called(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What torch's function `name` does while a block is open somewhere."""
    handler = _HANDLER.get()
    return _originals()[name](*args, **kwargs) if handler is None else handler(name, args, kwargs)


@functools.cache
def _functions() -> dict[str, FunctionType]:
    return {name: getattr(torch.nn.init, name) for name in (*_DRAWING, *_OTHERS)}


@functools.cache
def _originals() -> dict[str, FunctionType]:
    """Copies of torch's functions that keep their own code."""
    return {name: _copy(function) for name, function in _functions().items()}


def _copy(function: FunctionType) -> FunctionType:
    code, closure = function.__code__, function.__closure__
    return FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)


def _asking(name: str) -> CodeType:
    """Code that asks `_called`. It will run with torch.nn.init's globals, so it imports what it needs."""
    code = _template.__code__
    constants = tuple(name if constant == "NAME" else constant for constant in code.co_consts)
    return code.replace(co_consts=constants, co_name=name)


def _template(*args: Any, **kwargs: Any) -> Any:
    from initwise.torch.constructors import _called

    return _called("NAME", args, kwargs)
