"""Operations by their parts: torch's own decomposition, each part by its rule.

Only operations whose parts are known to share nothing that their rules overlook are listed; the
conformance test holds each to samples. Composite operations, which torch takes apart by itself
wherever gradients are recorded, are taken apart here too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..values import Value
from .calling import Call, Outcome, UnpredictedError, rule, rule_for

BY_PARTS = (
    *(f"{name}{end}" for name in ("mse_loss", "soft_margin_loss") for end in ("", "_backward")),
    "log_sigmoid_forward",
    "log_sigmoid_backward",
    *(f"{name}{end}" for name in ("binary_cross_entropy", "glu") for end in ("", "_backward")),
    "binary_cross_entropy_with_logits",
    "_prelu_kernel",
    "_prelu_kernel_backward",
    "mish_backward",
    "addr",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "native_channel_shuffle",
    "diag_embed",
    "tril",
    "triu",
    "nansum",
    "trace",
    "dist",
    "linalg_cross",
    "block_diag",
    "rot90",
    "renorm",
    "aminmax",
    "multi_margin_loss",
    "_euclidean_dist",
    "take",
)


class Parts(TorchDispatchMode):
    """Runs a decomposition on the fake operands of `call`, each part by its rule."""

    def __init__(self, call: Call) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.call = call
        self.known: dict[int, Value] = {}
        self.unknown: dict[int, str] = {}
        # their addresses stay their own as long as they live
        self.kept: list[Tensor] = []

    def value(self, tensor: Tensor) -> Value:
        """The value of an operand, or of what a part gave."""
        if id(tensor) in self.unknown:
            raise UnpredictedError(self.unknown[id(tensor)])
        return self.known[id(tensor)] if id(tensor) in self.known else self.call.of(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        outs = list(out) if isinstance(out, (list, tuple)) else [out]
        if not any(isinstance(tensor, FakeTensor) for tensor in outs):
            return out
        try:
            found = self._outcome(func, args, kwargs, out)
        except UnpredictedError as reason:
            found, why = None, str(reason)
        else:
            why = f"{func.overloadpacket.__name__} gives no values"
        given: list[Any] = list(found) if isinstance(found, (list, tuple)) else [found] * len(outs)
        for tensor, value in zip(outs, given, strict=False):
            self._keep(tensor, value, why)
        return out

    def _outcome(self, func: Any, args: Any, kwargs: Any, out: Any) -> Outcome:
        found = rule_for(func)
        if found is None:
            raise UnpredictedError(f"its part {func.overloadpacket.__name__} has no rule")
        return found(Call(func, args, kwargs, out, self.value))

    def _keep(self, tensor: Any, value: Value | None, why: str) -> None:
        if not isinstance(tensor, Tensor):
            return
        self.kept.append(tensor)
        self.unknown.pop(id(tensor), None)
        if value is not None and value.shape == tuple(tensor.shape):
            self.known[id(tensor)] = value
        else:
            self.unknown[id(tensor)] = why


@rule(*BY_PARTS, "composite")
def by_parts(call: Call) -> Outcome:
    """What its parts give one after another."""
    parts = Parts(call)
    arguments = call.op._schema.arguments
    positional = [call[a.name] for a in arguments if not a.kwarg_only and a.name in call.arguments]
    named = {a.name: call[a.name] for a in arguments if a.kwarg_only and a.name in call.arguments}
    with parts:
        out = _taken_apart(call.op)(*positional, **named)
    outs = list(out) if isinstance(out, (list, tuple)) else [out]
    found = [parts.value(tensor) if isinstance(tensor, FakeTensor) else None for tensor in outs]
    return found if isinstance(call.out, (list, tuple)) else found[0]


def _taken_apart(op: Any) -> Any:
    """torch's decomposition of `op`, in Python or as a composite."""
    if op in decomposition_table and not composite(op):
        return decomposition_table[op]
    return op.decompose


def composite(op: Any) -> bool:
    """Is it made of others wherever gradients are recorded?"""
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return bool(op.has_kernel_for_dispatch_key(key))
