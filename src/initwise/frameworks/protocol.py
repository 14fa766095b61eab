"""The protocol between the house and a framework. One adapter per framework implements it.

An adapter reads a model of its framework and writes into it; everything else in the house works
on what it returns (ParameterInfo, Graph) and never sees a tensor of the framework.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.graph import Graph
from ..core.parameter import ParameterInfo
from ..core.registry import Registry


class Adapter(Protocol):
    """What initwise needs of a framework.

    The attributes that have a default here are optional. Those that name a function are doors,
    "module:function": the function is loaded when it is needed, and without it initwise says that it
    cannot do that for the framework's models. See `door`.
    """

    name: str
    aliases: tuple[str, ...]
    package: str
    """Top-level package whose presence in `sys.modules` makes the adapter worth asking."""
    models: str = ""
    """What its models are, in words for messages: "a torch.nn.Module"."""
    default_scheme: str = ""
    """The scheme that the framework's own constructors follow; "" if they follow none."""
    measure: str = ""
    """Door to `(model, example, *, plan, loss, seed) -> Pass`, one forward and backward with the
    plan's weights, or the model's own for None; see `measure.passing.Pass`."""
    together: str = ""
    """Door to `(model, fills, *, seed) -> None`, which writes many parameters at once; without it
    each is written by `write`."""
    calibrate: str = ""
    """Door to the data pass, called as `choose.calibrate.measure_factors` is."""
    adapters: str = ""
    """Door to `(model) -> adapting.Adapters`, the model's low-rank adapters."""
    branches: str = ""
    """Door to the variances of residual branches, called as `choose.profile_torch.branches` is."""
    unchanging: str = ""
    """Door to a context manager, `() -> …`, in which models are read once: nothing in them changes."""

    def recognises(self, model: Any) -> bool:
        """Is this one of the framework's models?"""
        ...

    def parameters(self, model: Any) -> tuple[ParameterInfo, ...]:
        """Every parameter, each tensor once, under its owner's name, in the model's order."""
        ...

    def check(self, model: Any, fills: Sequence[tuple[ParameterInfo, Fill]], *, seed: int) -> None:
        """Raise ModelError if `write` could not carry out these fills; called before the first write,
        so that bad input leaves nothing half-written."""
        ...

    def write(self, model: Any, info: ParameterInfo, fill: Fill, *, seed: int) -> None:
        """Fill one parameter in place, by the stream (seed, info.name). Gradients stay as they are."""
        ...

    def values(self, model: Any, name: str) -> Iterator[NDArray[np.generic]]:
        """One parameter's values, in storage order, in flat pieces of bounded size and of the stored
        bits (bfloat16 as uint16 bits). Called from several threads at once, for different names."""
        ...

    def trace(self, model: Any, example: Any) -> Graph:
        """What feeds what, found by running the model on `example` without changing it."""
        ...


adapters: Registry[Adapter] = Registry("framework", "initwise.frameworks", object, "initwise.frameworks")


def adapter_for(model: Any) -> Adapter:
    """The adapter that recognises `model`. Frameworks that are not imported are not asked.

    Raises:
        ModelError: none does.
    """
    for adapter in adapters:
        if adapter.package in sys.modules and adapter.recognises(model):
            return adapter
    raise ModelError(
        f"{type(model).__module__}.{type(model).__qualname__} is not a model initwise knows",
        where="model",
        expected=served(),
        cause=f"{_factory(model)} makes a model, it is none" if _factory(model) else "",
        fix=f"Call it: {_factory(model)}(…)."
        if _factory(model)
        else "For plain arrays, declare their axes: ArrayTree(arrays, layouts={'*.kernel': 'io'}).",
    )


def _factory(thing: Any) -> str:
    """The name of a function or class, "" for anything else."""
    made = isinstance(thing, (type, types.FunctionType, types.MethodType, functools.partial))
    return str(getattr(thing, "__name__", "it")) if made else ""


def door(adapter: Adapter, service: str) -> Callable[..., Any] | None:
    """The function behind one of an adapter's doors ("measure", "calibrate"), loaded now; None
    if the adapter has no such door."""
    module, _, function = getattr(adapter, service, "").partition(":")
    found: Callable[..., Any] | None = getattr(importlib.import_module(module), function) if module else None
    return found


def served(service: str = "name") -> str:
    """Which models can be had `service` for (all models, without one), in words: "a … or a …"."""
    able = [adapter for adapter in adapters if getattr(adapter, service, "")]
    return " or ".join(getattr(adapter, "models", "") or f"a model of {adapter.name}" for adapter in able)
