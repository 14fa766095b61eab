"""Masks: scores of which some take no part, and numbers in place of others."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import values
from ..values import Value
from .calling import Call, UnpredictedError, rule

HIDDEN = -1e4
"""Scores below this take no part."""
FAINT = -30.0
"""Nor do those that a tensor of zeros and nothing above this is added to (windows that are shifted: −100)."""
KEEP = "_initwise_keep"
"""The attribute of a mask that says at once which scores it lets take part; see `causal`."""


def _keep_mask(tensor: Tensor) -> Tensor:
    return tensor > FAINT if tensor.is_floating_point() else tensor


def masked(x: Value, keep: Tensor) -> Value:
    """Scores of which only `keep` take part in the softmax to come."""
    return replace(x, mask=keep if x.mask is None else keep & x.mask)


def chosen_by(x: Value, keep: Value, fill: float, shape: tuple[int, ...]) -> Value:
    """x where `keep`, else `fill`: fill + keep·(x − fill)."""
    whole = values.expanded(x, shape)
    moved = values.times(values.shifted(whole, -fill) if fill else whole, values.expanded(keep, shape))
    return values.shifted(moved, fill) if fill else moved


def either(x: Value, y: Value, keep: Value, shape: tuple[int, ...]) -> Value:
    """x where `keep`, else y: keep·x + (1 − keep)·y."""
    keep = values.expanded(keep, shape)
    rest = values.shifted(values.scaled(keep, -1.0), 1.0)
    one, other = values.expanded(x, shape), values.expanded(y, shape)
    return values.plus(values.times(one, keep), values.times(other, rest))


@rule("masked_fill")
def masked_fill(call: Call) -> Value:
    """A number, or a tensor of one element, where a mask says."""
    mask, given = call["mask"], call["value"]
    x, shape = call.value("self"), call.shape
    if isinstance(given, FakeTensor) and not call.of(given).moments.fixed:
        return either(values.expanded(call.of(given), shape), x, call.of(mask), shape)
    number = call.of(given).moments.overall_mean if isinstance(given, Tensor) else float(given)
    if number >= HIDDEN:
        return chosen_by(x, _complement(call.of(mask)), number, shape)
    if isinstance(mask, FakeTensor):
        raise UnpredictedError("scores are hidden by a mask that depends on values that are not there")
    return masked(values.expanded(x, shape), ~mask)


def _complement(mask: Value) -> Value:
    return values.shifted(values.scaled(mask, -1.0), 1.0)


@rule("where")
def where(call: Call) -> Value:
    """One or the other where a mask says."""
    keep, shape = call["condition"], call.shape
    chosen = call.of(keep)
    sides = [(call["self"], call["other"], chosen), (call["other"], call["self"], _complement(chosen))]
    for one, other, mask in sides:
        number = _number(other)
        if number is None or not isinstance(one, FakeTensor):
            continue
        if number >= HIDDEN:
            return chosen_by(call.of(one), mask, number, shape)
        if isinstance(keep, FakeTensor):
            raise UnpredictedError("scores are hidden where values that are not there say")
        return masked(values.expanded(call.of(one), shape), keep if mask is chosen else ~keep)
    one, other = (
        call.of(t) if isinstance(t, Tensor) else values.fixed(shape, float(t))
        for t in (call["self"], call["other"])
    )
    return either(one, other, chosen, shape)


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


_KEPT: list[Tensor] = []
"""Masks met, the newest last."""
MOST = 8
LARGE = 1 << 20
"""Elements of a mask whose memory is worth giving back."""


def _is_mask(tensor: Any) -> bool:
    if not isinstance(tensor, Tensor) or isinstance(tensor, FakeTensor) or not tensor.is_floating_point():
        return False
    return hasattr(tensor, KEEP) or (tensor.numel() > 1 and _hides(tensor))


def _hides(tensor: Tensor) -> bool:
    lowest = float(tensor.min())
    return lowest < HIDDEN or (lowest <= FAINT and bool(((tensor == 0) | (tensor <= FAINT)).all()))


def forget() -> None:
    """Let go of all masks met."""
    _KEPT.clear()


def _keep(tensor: Tensor) -> Tensor:
    """Which scores an additive mask lets take part; the same tensor for every layer that makes the like."""
    known: Tensor | None = getattr(tensor, KEEP, None)
    if known is not None:
        return known
    keep = _keep_mask(tensor)
    if tensor.numel() > LARGE:
        _give_back()
    for known in reversed(_KEPT):
        if known.shape == keep.shape and torch.equal(known, keep):
            return known
    _KEPT.append(keep)
    del _KEPT[:-MOST]
    return keep


def _give_back() -> None:
    """Masks that a model makes anew for each layer leave holes in the heap, which the C library keeps."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
