"""Masks: scores of which some take no part, and numbers in place of others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import values
from ..moments import Moments, expand, measured
from ..values import Value
from .calling import Call, UnpredictedError, rule

HIDDEN = -1e4
"""Scores below this take no part."""


def _keep_mask(tensor: Tensor) -> Tensor:
    return tensor > HIDDEN if tensor.is_floating_point() else tensor


def masked(x: Value, keep: Tensor) -> Value:
    """Scores of which only `keep` take part in the softmax to come."""
    return replace(x, mask=keep if x.mask is None else keep & x.mask)


def chosen_by(x: Value, keep: Tensor, fill: float, shape: tuple[int, ...]) -> Value:
    """x where `keep`, else `fill`: products with the mask's own statistics."""
    kept = _numbers(keep)
    whole = values.expanded(x, shape)
    found = values.times(whole, values.fresh(expand(kept, shape)))
    if fill == 0:
        return found
    rest = values.fresh(expand(_numbers(~keep), shape))
    return values.plus(found, rest, fill)


def _numbers(mask: Tensor) -> Moments:
    return measured(mask.detach().to(torch.float64).numpy())


@rule("masked_fill")
def masked_fill(call: Call) -> Value:
    """A number where a real mask says."""
    mask, given = call["mask"], call["value"]
    if isinstance(mask, FakeTensor):
        raise UnpredictedError("its mask depends on values that are not there")
    number = call.of(given).moments.overall_mean if isinstance(given, Tensor) else float(given)
    x, shape = call.value("self"), call.shape
    if number >= HIDDEN:
        return chosen_by(x, ~mask, number, shape)
    whole = values.expanded(x, shape)
    return masked(whole, ~mask)


@rule("where")
def where(call: Call) -> Value:
    """One or the other where a real mask says."""
    keep = call["condition"]
    if isinstance(keep, FakeTensor):
        raise UnpredictedError("its condition depends on values that are not there")
    sides = [(call["self"], call["other"], keep), (call["other"], call["self"], ~keep)]
    for one, other, mask in sides:
        number = _number(other)
        if number is not None and isinstance(one, FakeTensor):
            if number < HIDDEN:
                x, shape = call.of(one), call.shape
                return masked(values.expanded(x, shape), mask)
            return chosen_by(call.of(one), mask, number, call.shape)
    one, other = (chosen_by(call.of(t), m, 0.0, call.shape) for t, _, m in sides)
    return values.plus(one, other)


def _number(given: Any) -> float | None:
    """A scalar, real or a real tensor of one element."""
    if isinstance(given, Tensor):
        return float(given) if given.numel() == 1 and not isinstance(given, FakeTensor) else None
    return float(given)


def additive(call: Call) -> Value | None:
    """x + a real mask of zeros and very negative numbers: scores of which some take no part."""
    for x, mask in ((call["self"], call["other"]), (call["other"], call["self"])):
        if isinstance(x, FakeTensor) and _is_mask(mask):
            value, shape = call.of(x), call.shape
            whole = values.expanded(value, shape)
            return masked(whole, _keep(mask))
    return None


_KEPT: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = {}


def _is_mask(tensor: Any) -> bool:
    if not isinstance(tensor, Tensor) or isinstance(tensor, FakeTensor) or not tensor.is_floating_point():
        return False
    return tensor.numel() > 1 and (_place(tensor) in _KEPT or float(tensor.min()) < HIDDEN)


def _place(tensor: Tensor) -> tuple[Any, ...]:
    return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor._version)


def _keep(tensor: Tensor) -> Tensor:
    """Which scores an additive mask lets take part; the same tensor each time."""
    place = _place(tensor)
    if place not in _KEPT:
        if len(_KEPT) > 64:
            _KEPT.clear()
        _KEPT[place] = (_keep_mask(tensor), tensor)
    return _KEPT[place][0]
