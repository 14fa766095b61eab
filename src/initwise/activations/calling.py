"""Calling whatever a user hands in as an activation: NumPy, torch, JAX or plain Python."""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.errors import OptionError
from .quadrature import Array, Function

WIDE, NARROW = 1e-13, 1e-4
"""Tolerances for functions computed in float64 and in float32 (whose derivatives are noisy)."""

# in no order, so that sorting and running sums show
_PROBE = np.array([0.7, -2.5, 1.9, -1.0, 0.2, -0.3])


def name_of(thing: Any) -> str:
    """A readable name of a callable."""
    if isinstance(thing, functools.partial):
        given = ", ".join(f"{name}={value}" for name, value in thing.keywords.items())
        return f"{name_of(thing.func)}({given})"
    return str(getattr(thing, "__name__", None) or type(thing).__name__)


def elementwise(thing: Callable[..., Any]) -> tuple[Function, float]:
    """`thing` as a function of float64 arrays, and its relative precision.

    Raises:
        OptionError: it cannot be called on an array, a tensor or a number, or its values depend on
            each other, on chance or on the call.
    """
    thing = _instance(thing)
    errors: list[str] = []
    with np.errstate(all="ignore"):
        for caller in _callers(thing):
            try:
                found = caller(_PROBE)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
                continue
            if found.shape == _PROBE.shape:
                _check_alone(thing, caller, found)
                return caller, _precision(found)
            errors.append(f"shape {_PROBE.shape} became {found.shape}")
    raise OptionError(
        f"activation {name_of(thing)!r} cannot be called on an array",
        cause="; ".join(dict.fromkeys(text for text in (*errors[-1:], *errors[1:2]) if text)),
        expected="a function of one array",
    )


def _instance(thing: Any) -> Any:
    """A module class, like torch.nn.GELU, stands for the module with its defaults."""
    torch = sys.modules.get("torch")
    if torch is None or not (isinstance(thing, type) and issubclass(thing, torch.nn.Module)):
        return thing
    try:
        return thing()
    except TypeError as error:
        raise OptionError(
            f"activation {thing.__name__!r} is a class", cause=str(error), fix="Pass an instance of it."
        ) from None


def _check_alone(thing: Any, caller: Function, found: Array) -> None:
    """Each number on its own gives what it gave among others."""
    alone = np.concatenate([caller(_PROBE[:2]), caller(_PROBE[2:])])
    if not np.allclose(alone, found, rtol=1e-5, atol=1e-7, equal_nan=True):
        raise OptionError(
            f"activation {name_of(thing)!r} is no elementwise function",
            cause="its values depend on each other (softmax, a norm) or on chance (noise in every call)",
            fix="Pass a function that maps each number on its own.",
        )


def _callers(thing: Callable[..., Any]) -> Iterator[Function]:
    """Ways to call it, the likeliest first."""
    torch, origin = sys.modules.get("torch"), str(getattr(thing, "__module__", "") or "").split(".")[0]
    if torch is not None and isinstance(thing, torch.nn.Module):
        # a copy on the CPU, in float64 and eval mode: the module itself is not touched
        thing = copy.deepcopy(thing).to("cpu").double().eval()
        yield from _torch_callers(torch, thing)
    elif torch is not None and origin == "torch":
        yield from _torch_callers(torch, thing)
    else:
        yield _jax_caller(thing)
        yield _numpy_caller(thing)
        yield from _torch_callers(torch, thing)
    yield _number_caller(thing)


def _precision(values: Array) -> float:
    """NARROW for values that are float32 numbers, unless they are so round that they would be anyway."""
    with np.errstate(all="ignore"):
        single, half = values.astype(np.float32), values.astype(np.float16)
    return NARROW if (single == values).all() and (half != values).any() else WIDE


def _numpy_caller(thing: Callable[..., Any]) -> Function:
    # a copy, because in-place functions write into it
    return lambda x: _real(thing(x.copy()))


def _real(result: Any) -> Array:
    values = np.asarray(result)
    if np.iscomplexobj(values):
        raise TypeError("its values are complex")
    return values.astype(np.float64)


def _number_caller(thing: Callable[..., Any]) -> Function:
    """For functions of one Python number, and constants. One that takes arrays, but mixes them, is none."""

    def call(x: Array) -> Array:
        numbers = _real([thing(number) for number in x.tolist()])
        try:
            together = np.asarray(thing(x.copy()))
        except Exception:
            return numbers
        if together.shape or not (numbers == together).all():
            raise TypeError(f"shape {x.shape} became {together.shape}")
        return numbers

    return call


def _torch_callers(torch: Any, thing: Callable[..., Any]) -> Iterator[Function]:
    if torch is not None:
        yield _torch_caller(torch, thing, "float64")
        yield _torch_caller(torch, thing, "float32")


def _torch_caller(torch: Any, thing: Callable[..., Any], dtype: str) -> Function:
    def call(x: Array) -> Array:
        # a copy, because in-place activations write into it; the fork, because some draw numbers
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            result = thing(torch.tensor(x, dtype=getattr(torch, dtype)))
            # torch's own cast would drop an imaginary part with a warning
            return _real((result if result.is_complex() else result.double()).cpu().numpy())

    return call


def _jax_caller(thing: Callable[..., Any]) -> Function:
    """In float64, in this thread and for this call only; sizes are powers of two, to compile few."""

    def call(x: Array) -> Array:
        jax = sys.modules.get("jax")
        if jax is None:
            raise TypeError("JAX is not imported")
        size = max(64, 1 << (x.size - 1).bit_length())
        # it was in jax.experimental before JAX 0.8
        wide = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
        with wide(True):
            result = thing(np.concatenate([x, np.full(size - x.size, 0.5)]))
        if not isinstance(result, jax.Array) or result.shape != (size,):
            raise TypeError("not a JAX function of an array")
        return _real(result)[: x.size]

    return call
