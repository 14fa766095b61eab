"""The data pass for torch models. Imported only when a torch model is calibrated.

A torch function mode sees every call with its arguments, so a weight is recognised wherever it is
applied (in a module, in `F.linear`, in fused attention), in true execution order. At its first use the
weight is scaled in place, on a substituted tensor, and the operation repeated.

The end of a residual branch is scaled where the branch meets the stream: only there is the stream's
variance known. Until then its output is followed by a mark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..core.plan import Plan
from ..frameworks.torch.run import arguments, call
from ..frameworks.torch.state import reseed, untouched
from ..measure.substitutes import weights_for
from .calibrate import LARGEST, SMALLEST, Factor, Target

APPLICATIONS = frozenset(
    {
        "linear",
        "bilinear",
        *(f"conv{n}d" for n in (1, 2, 3)),
        *(f"conv_transpose{n}d" for n in (1, 2, 3)),
        *("matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum"),
        "multi_head_attention_forward",
    }
)
ADDITIONS = frozenset({"add", "__add__", "__radd__", "add_", "__iadd__"})
OVERWRITING = frozenset({"add_", "__iadd__"})


def measure_factors(
    model: nn.Module, example: Any, plan: Plan, targets: Mapping[str, Target], *, seed: int = 0
) -> dict[str, Factor]:
    """See `initwise.choose.calibrate.measure_factors`.

    The pass runs in training mode, so that batch norms use the batch, but with dropout switched off.
    """
    args, kwargs = arguments(model, example, seed=seed)
    weights = weights_for(model, plan, seed=seed)
    with untouched(model), torch.no_grad():
        reseed(seed)
        model.train()
        for module in model.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.eval()
        mode = _Pass({name: weights[name] for name in targets if name in weights}, targets)
        with mode:
            call(model, args, kwargs, weights)
    return mode.factors


class _Pass(TorchFunctionMode):
    """Scales each weight at its first use; `factors` tells what was done."""

    def __init__(self, weights: Mapping[str, Tensor], targets: Mapping[str, Target]) -> None:
        super().__init__()
        self.weights, self.targets = dict(weights), targets
        self.places = {tensor.untyped_storage().data_ptr(): name for name, tensor in weights.items()}
        self.factors: dict[str, Factor] = {}
        # outputs that depend linearly on a branch's last weight: id → (the tensor, the weight's name)
        self.marked: dict[int, tuple[Tensor, str]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        called = getattr(func, "__name__", "")
        if called in APPLICATIONS:
            return self._apply(func, args, kwargs)
        if called in ADDITIONS:
            args = self._meet(called, args)
            if args is None:
                return NotImplemented
            return func(*args, **kwargs)
        result = func(*args, **kwargs)
        self._follow(args, result)
        return result

    def _apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        name = next(self._names([*args, *kwargs.values()]), None)
        if name is None or name in self.factors:
            return result
        output = _first(result)
        if output is None:
            return result
        if self.targets[name].measure == "relative":
            self.marked[id(output)] = (output, name)
            return result
        target = self.targets[name]
        if self._scale(name, _measured(output.double(), target), target.value):
            return func(*args, **kwargs)
        return result

    def _meet(self, called: str, args: Any) -> Any:
        """Scale a branch where it is added to its stream; the arguments to go on with."""
        if len(args) < 2 or not all(isinstance(arg, Tensor) for arg in args[:2]):
            return args
        marks = [self.marked.get(id(arg)) for arg in args[:2]]
        if (marks[0] is None) == (marks[1] is None):
            return args
        place = 0 if marks[0] is not None else 1
        name = self._name_of(marks[place])
        branch, stream = args[place], args[1 - place]
        if stream.numel() != branch.numel() or name in self.factors:
            return args
        variance = float(stream.double().var())
        if self._scale(name, float(branch.double().var()), self.targets[name].value * variance):
            branch = (
                branch.mul_(self.factors[name].factor)
                if called in OVERWRITING and place == 0
                else (branch * self.factors[name].factor)
            )
        return (branch, stream, *args[2:]) if place == 0 else (stream, branch, *args[2:])

    @staticmethod
    def _name_of(mark: tuple[Tensor, str] | None) -> str:
        return mark[1] if mark else ""

    def _scale(self, name: str, measured: float, target: float) -> bool:
        """Multiply the weight so that `measured` becomes `target`; False if that makes no sense."""
        if not (measured > 0 and target > 0 and math.isfinite(measured)):
            return False
        factor = math.sqrt(target / measured)
        if not SMALLEST <= factor <= LARGEST:
            return False
        self.weights[name].mul_(factor)
        self.factors[name] = Factor(factor, measured, target)
        return True

    def _names(self, values: Any) -> Iterator[str]:
        for value in values:
            if isinstance(value, Tensor):
                name = self.places.get(_place(value))
                if name is not None:
                    yield name
            elif isinstance(value, (tuple, list)):
                yield from self._names(value)

    def _follow(self, args: Any, result: Any) -> None:
        """Carry a mark from an operation's input to its output."""
        found = next((self.marked[id(arg)] for arg in args if id(arg) in self.marked), None)
        if found is not None and isinstance(result, Tensor) and result.is_floating_point():
            self.marked[id(result)] = (result, found[1])


def _measured(output: Tensor, target: Target) -> float:
    if target.measure == "spread":
        return float(output.var(0).mean()) if len(output) > 1 else math.nan
    return float((output - target.bias).square().mean())


def _place(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return -1


def _first(result: Any) -> Tensor | None:
    if isinstance(result, Tensor):
        return result if result.is_floating_point() else None
    if isinstance(result, (tuple, list)):
        return next((found for item in result if (found := _first(item)) is not None), None)
    return None
