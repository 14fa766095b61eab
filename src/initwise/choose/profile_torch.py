"""Variances of streams and branches of a torch model. Imported only when one is profiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..core.plan import Plan
from ..frameworks.torch.ops import OTHER, TABLE, operation
from ..frameworks.torch.run import arguments, call
from ..frameworks.torch.state import reseed, untouched
from ..measure.substitutes import weights_for
from .profile import Branch

PRODUCTS = frozenset({"mul", "multiply", "__mul__", "__rmul__", "__imul__", "mul_"})


def branches(
    model: nn.Module, example: Any, plan: Plan, factors: Sequence[str], *, seed: int = 0
) -> tuple[Branch, ...]:
    """Where each factor's product meets a branch, in execution order: eval mode, the plan's weights.

    Args:
        factors: parameters ω of x·ω + f(x). One that is met twice counts the first time.
    """
    args, kwargs = arguments(model, example, seed=seed)
    weights = weights_for(model, plan, seed=seed)
    with untouched(model), torch.no_grad():
        reseed(seed)
        model.eval()
        mode = _Meeting({name: weights[name] for name in factors})
        with mode:
            call(model, args, kwargs, weights)
    return tuple(mode.found.values())


class _Meeting(TorchFunctionMode):
    """Marks x·ω, and notes what is added to it."""

    def __init__(self, factors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.places = {tensor.untyped_storage().data_ptr(): name for name, tensor in factors.items()}
        self.factors = dict(factors)
        # products: id → (the tensor, the factor's name, the stream's variance)
        self.marked: dict[int, tuple[Tensor, str, float]] = {}
        self.found: dict[str, Branch] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        named = getattr(func, "__name__", "") in PRODUCTS
        pair = [*args, kwargs["other"]] if "other" in kwargs else list(args)
        name = self._factor(pair) if named else None
        variance = _variance(pair[0] if self._named(pair[1]) else pair[1]) if name is not None else 0.0
        if TABLE.get(operation(func)[0], OTHER).rule == "sum":
            self._meet(pair)
        result = func(*args, **kwargs)
        if name is not None:
            self.marked[id(result)] = (result, name, variance)
        return result

    def _factor(self, pair: Sequence[Any]) -> str | None:
        names = [self._named(value) for value in pair[:2]]
        return next((name for name in names if name), None) if len(names) == 2 and None in names else None

    def _named(self, value: Any) -> str | None:
        if not isinstance(value, Tensor):
            return None
        try:
            return self.places.get(value.untyped_storage().data_ptr())
        except (RuntimeError, NotImplementedError):
            return None

    def _meet(self, pair: Sequence[Any]) -> None:
        """A sum: is one of the two a product with a factor, and the other a branch?"""
        marks = [self.marked.get(id(value)) for value in pair[:2]]
        known = [mark for mark in marks if mark is not None]
        if len(known) != 1 or len(pair) < 2:
            return
        _, name, stream = known[0]
        other = pair[1] if marks[0] is not None else pair[0]
        if isinstance(other, Tensor) and name not in self.found:
            self.found[name] = Branch(name, stream, _variance(other))


def _variance(value: Any) -> float:
    return float(value.double().var(correction=0)) if isinstance(value, Tensor) else 0.0
