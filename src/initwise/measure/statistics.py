"""The statistics of one tensor, as 0-d tensors on its own device; nothing here waits for it.

Sums run in float64 (float32 where there is none): a gradient of 1e-30 squared is still a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..signals.gauge import FLAT, REACH, STEPS
from ..signals.scalars import widened


def rms(x: Tensor) -> Tensor:
    """Root mean square of all elements."""
    return widened(x).square().mean().sqrt()


def std(x: Tensor) -> Tensor:
    """Standard deviation of all elements, exactly 0 where all are the same."""
    wide = widened(x)
    return (wide - wide.mean()).square().mean().sqrt() * (wide.amax() != wide.amin())


def mean(x: Tensor) -> Tensor:
    """Mean of all elements."""
    return widened(x).mean()


def bad(x: Tensor) -> Tensor:
    """Share of elements that are infinite or NaN."""
    return 1 - widened(torch.isfinite(x)).mean()


def dead(x: Tensor, axis: int) -> Tensor | None:
    """Share of units along `axis` whose value never changes; None with a single observation."""
    units = _by_unit(x, axis)
    if units.shape[1] < 2:
        return None
    return widened(units.amax(1) == units.amin(1)).mean()


def unit_spread(x: Tensor, axis: int) -> Tensor | None:
    """Largest difference between two units at one place over the largest value; None for one unit.

    All zeros count as no difference.
    """
    units = _by_unit(x, axis)
    if units.shape[0] < 2:
        return None
    return relative((units.amax(0) - units.amin(0)).amax(), units.abs().amax())


def relative(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, and 0 where both are 0."""
    part, whole = widened(part), widened(whole)
    return torch.where(whole == 0, torch.zeros_like(part), part / torch.where(whole == 0, 1.0, whole))


def correlation(x: Tensor, batch: int, axis: int = 0) -> Tensor | None:
    """Mean cosine between the outputs for two different inputs; None where inputs cannot be told.

    Not centred: a common part (a bias, a positive activation) counts, so healthy networks may
    show .9; `verdicts` judges how 1 - correlation shrinks against the inputs' own.
    """
    if batch < 2 or x.dim() < 2:
        return None
    rows = x.movedim(axis, 0)
    if rows.shape[0] != batch:
        return None
    rows = widened(rows.reshape(batch, -1))
    rows = rows / rows.norm(dim=1, keepdim=True)
    total: Tensor = rows.sum(0).square().sum()
    return (total - batch) / (batch * (batch - 1))


def flatness(
    x: Tensor, function: Callable[..., Any], rest: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Tensor, Tensor] | None:
    """(share of `x` where the activation is flat, 1.0 if it is flat at both ends else 0.0).

    None where the derivative cannot be taken elementwise: parameters per channel, no autograd.
    """
    try:
        grid = torch.linspace(-REACH, REACH, STEPS, device=x.device, dtype=x.dtype)
        slopes = _slope(grid, function, rest, options).abs()
        here = _slope(x.detach(), function, rest, options).abs()
    except (RuntimeError, TypeError, ValueError):
        return None
    floor = FLAT * slopes.amax()
    ends = (slopes[0] < floor) & (slopes[-1] < floor)
    return widened(here < floor).mean(), widened(ends)


def _slope(x: Tensor, function: Callable[..., Any], rest: tuple[Any, ...], options: dict[str, Any]) -> Tensor:
    # hooks of our own: what is saved here must not count as saved by a checkpoint around us
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(_same, _same):
        point = x.clone().requires_grad_()
        # a copy that is no leaf, so that in-place functions may write into it
        value = function(point * 1, *rest, **options)
        (slope,) = torch.autograd.grad(value, point, torch.ones_like(value))
    return slope


def _same(x: Tensor) -> Tensor:
    return x


def row_spread(gradient: Tensor, gates: int = 1) -> Tensor | None:
    """Largest difference between units' weight gradients over the largest value; None for vectors.

    Whichever of the first two axes is the units', so that (in, out) storage is no different;
    `gates` blocks along axis 0 are compared within themselves.
    """
    if gradient.dim() < 2 or min(gradient.shape[:2]) < 1:
        return None
    peak = gradient.abs().amax()
    blocks = gradient.reshape(gates, gradient.shape[0] // gates, -1)
    spread = (blocks.amax(1) - blocks.amin(1)).amax()
    if gates == 1:
        spread = torch.minimum(spread, (gradient.amax(1) - gradient.amin(1)).amax())
    return relative(spread, peak)


def _by_unit(x: Tensor, axis: int) -> Tensor:
    """`x` as (units, observations)."""
    moved = x.movedim(axis, 0)
    return moved.reshape(moved.shape[0], -1)
