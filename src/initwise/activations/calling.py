"""Calling whatever a user hands in as an activation: NumPy functions, torch functions, modules."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import OptionError
from .quadrature import Array, Function

WIDE, NARROW = 1e-13, 1e-4
"""Tolerances for functions computed in float64 and in float32 (whose derivatives are noisy)."""

_PROBE = np.array([-2.5, -1.0, -0.3, 0.2, 0.7, 1.9])


def name_of(thing: Any) -> str:
    """A readable name of a callable."""
    return str(getattr(thing, "__name__", None) or type(thing).__name__)


def elementwise(thing: Callable[..., Any]) -> tuple[Function, float]:
    """`thing` as a function of float64 arrays, and its relative precision.

    Raises:
        OptionError: it cannot be called on an array or tensor, or its values depend on each
            other, on chance or on the call.
    """
    with np.errstate(all="ignore"):
        return _first_that_works(thing)


def _first_that_works(thing: Callable[..., Any]) -> tuple[Function, float]:
    errors: list[str] = []
    for caller, precision in _callers(thing):
        try:
            found = caller(_PROBE)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
            continue
        if found.shape != _PROBE.shape:
            errors.append(f"shape {_PROBE.shape} became {found.shape}")
            continue
        alone = np.concatenate([caller(_PROBE[:2]), caller(_PROBE[2:])])
        if not np.allclose(alone, found, rtol=1e-5, atol=1e-7, equal_nan=True):
            raise OptionError(
                f"activation {name_of(thing)!r} is no elementwise function",
                cause="its values depend on each other (softmax, a norm) or on chance (dropout)",
                fix="Pass a function that maps each number on its own.",
            )
        return caller, precision
    raise OptionError(
        f"activation {name_of(thing)!r} cannot be called on an array",
        cause=errors[0] if errors else "",
        expected="a function of one array",
    )


def _callers(thing: Callable[..., Any]) -> list[tuple[Function, float]]:
    """Ways to call it with the precision of each, the likeliest first."""
    torch = sys.modules.get("torch")
    plain = (_numpy_caller(thing), _numpy_precision(thing))
    if torch is None:
        return [plain]
    if isinstance(thing, torch.nn.Module):
        # a copy in float64 and eval mode: the module itself is not touched
        thing = copy.deepcopy(thing).double().eval()
    wide = (_torch_caller(torch, thing, "float64"), WIDE)
    narrow = (_torch_caller(torch, thing, "float32"), NARROW)
    origin = str(getattr(thing, "__module__", "") or "")
    likely = isinstance(thing, torch.nn.Module) or origin.split(".")[0] == "torch"
    return [wide, narrow, plain] if likely else [plain, wide, narrow]


def _numpy_caller(thing: Callable[..., Any]) -> Function:
    return lambda x: np.asarray(thing(x), dtype=np.float64)


def _numpy_precision(thing: Callable[..., Any]) -> float:
    try:
        return NARROW if np.asarray(thing(_PROBE)).dtype.itemsize < 8 else WIDE
    except Exception:
        return WIDE


def _torch_caller(torch: Any, thing: Callable[..., Any], dtype: str) -> Function:
    def call(x: Array) -> Array:
        # a copy, because in-place activations write into it; the fork, because some draw numbers
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            result = thing(torch.tensor(x, dtype=getattr(torch, dtype)))
            return np.asarray(result.double().cpu().numpy(), dtype=np.float64)

    return call
