"""What a rule is given, and how it registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..values import Value

Outcome = Value | Sequence[Value | None] | None
"""What a rule gives: the output's value, or one for each output; None for outputs without any."""


class UnpredictedError(Exception):
    """A rule does not know what comes out; its message says why, in words for the user."""


class Call:
    """One call of an ATen operation on fake tensors.

    Arguments go by the names of the operation's schema: `call["dim"]`, defaults filled in.

    Attributes:
        op: the operation.
        out: its fake result: a tensor, or a sequence.
    """

    def __init__(
        self, op: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any, known: Callable[[Tensor], Value]
    ) -> None:
        self.op, self.out, self._known = op, out, known
        names, defaults = _schema(op)
        self.arguments = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The argument, or `default` where this overload has none of that name."""
        return self.arguments.get(name, default)

    @property
    def name(self) -> str:
        """The operation's name without namespace and overload: "mm", "native_layer_norm"."""
        return str(self.op.overloadpacket.__name__)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the (first) output."""
        first = self.out if isinstance(self.out, Tensor) else self.out[0]
        return tuple(first.shape)

    def value(self, name: str) -> Value:
        """The value of the tensor argument `name`. Raises UnpredictedError if nothing is known of it."""
        return self.of(self.arguments[name])

    def of(self, tensor: Tensor) -> Value:
        """The value of a tensor, fake or real. Raises UnpredictedError if nothing is known of it."""
        return self._known(tensor)

    def dims(self, rank: int, name: str = "dim") -> list[int]:
        """The axes that `name` gives, counted from 0; all for none."""
        given = self.arguments.get(name)
        if given is None or (isinstance(given, (list, tuple)) and not given):
            return list(range(rank))
        return [d % max(rank, 1) for d in ([given] if isinstance(given, int) else given)]


Rule = Callable[[Call], Outcome]

RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for the operations of these names (of namespace aten, any overload)."""

    def register(function: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"two rules for {name}"
            RULES[name] = function
        return function

    return register


def rule_for(op: Any) -> Rule | None:
    """The rule for `op`; in-place operations have the rule of the ones they are the in-place form of."""
    name = op.overloadpacket.__name__
    found = RULES.get(name) or (RULES.get(name[:-1]) if name.endswith("_") else None)
    if found is None and torch.Tag.pointwise in op.tags:
        return RULES["pointwise"]
    if found is None and op.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd):
        return RULES["composite"]
    return found


@lru_cache(maxsize=4096)
def _schema(op: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    arguments = op._schema.arguments
    return (
        tuple(argument.name for argument in arguments),
        {a.name: a.default_value for a in arguments if a.has_default_value()},
    )
