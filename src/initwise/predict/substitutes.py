"""Substitutes: operations that do not run on fake tensors as they are, run as others that do.

Each is taken apart into operations that have rules, under the interpreter, and gives the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

OPERATIONS: dict[str, Callable[..., Any]] = {}
"""Name → what runs in its place, with the operation's own arguments."""


def instead_of(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a substitute for the operations of these names."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            OPERATIONS[name] = function
        return function

    return register


@instead_of("_grouped_mm")
def grouped_mm(
    self: Tensor,
    mat2: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Tensor:
    """Products by groups: each row, (m, k), with its group's matrix, (g, k, n); torch fakes bfloat16's only.

    Two matrices whose shared axis is grouped, (m, k) and (k, n), give one product a group, (g, m, n).
    """
    if offs is None or isinstance(offs, FakeTensor) or (self.dim(), mat2.dim()) not in ((2, 3), (2, 2)):
        raise NotImplementedError("groups along columns, or of sizes that depend on values")
    grouped = self.shape[0] if mat2.dim() == 3 else self.shape[1]
    group = torch.searchsorted(offs, torch.arange(grouped, dtype=offs.dtype), right=True)
    group = group.clamp(max=offs.numel() - 1)
    if mat2.dim() == 3:
        return torch.bmm(self[:, None], mat2[group])[:, 0]
    outer = self.t()[:, :, None] * mat2[:, None, :]
    return outer.new_zeros((offs.numel(), *outer.shape[1:])).index_add(0, group, outer)


@instead_of("_ctc_loss_backward")
def ctc_gradient(
    grad: Tensor,
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    neg_log_likelihood: Tensor,
    log_alpha: Tensor,
    blank: int,
    zero_infinity: bool = False,
) -> Tensor:
    """g·(p − γ): γ, how the alignments share the classes, is that of even probabilities."""
    classes = log_probs.shape[-1]
    rest = (targets, input_lengths, target_lengths)
    even = torch.full(tuple(log_probs.shape), -math.log(classes))
    loss, alpha = torch.ops.aten._ctc_loss(even, *rest, blank, zero_infinity)
    slope = torch.ops.aten._ctc_loss_backward(
        torch.ones_like(loss), even, *rest, loss, alpha, blank, zero_infinity
    )
    shares: Tensor = 1 / classes - slope
    return (log_probs.exp() - shares) * grad.reshape(1, -1, 1)


INDEXED = frozenset({"index", "_unsafe_index", "index_put", "index_put_", "_unsafe_index_put"})


def numbered(mode: AbstractContextManager[Any], name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of `name`; where a mask is an index, the places where it holds instead.

    A mask that depends on values is drawn once, under `mode`, and is the same in the backward pass.
    """
    if name not in INDEXED or not any(map(_is_mask, args[1])):
        return args
    given: list[Tensor | None] = []
    for one in args[1]:
        given += _places(mode, one) if _is_mask(one) else [one]
    return (args[0], given, *args[2:])


def _is_mask(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype in (torch.bool, torch.uint8)


def _places(mode: AbstractContextManager[Any], mask: Tensor) -> tuple[Tensor, ...]:
    known: tuple[Tensor, ...] | None = getattr(mask, "_initwise_places", None)
    if known is None:
        with mode:
            known = torch.nonzero(mask).unbind(1)
        mask._initwise_places = known  # type: ignore[attr-defined]
    return known
