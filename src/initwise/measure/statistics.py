"""The statistics of one tensor, as 0-d tensors on its own device; nothing here waits for it.

Sums run in float64 (float32 where there is none): a gradient of 1e-30 squared is still a number. On a CPU
large tensors are widened piece by piece, in its cache: the logits of a language model in float64 would be the
largest tensors of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..signals.gauge import FLAT, REACH, STEPS
from ..signals.scalars import widened

PIECE = 2**17
"""Elements widened at a time on a CPU: one megabyte."""


def rms(x: Tensor) -> Tensor:
    """Root mean square of all elements."""
    if not _large(x):
        return widened(x).square().mean().sqrt()
    return (_total(torch.dot(piece, piece) for piece in _pieces(x)) / x.numel()).sqrt()


def std(x: Tensor) -> Tensor:
    """Standard deviation of all elements, exactly 0 where all are the same."""
    if not _large(x):
        wide = widened(x)
        return (wide - wide.mean()).square().mean().sqrt() * (wide.amax() != wide.amin())
    centre = mean(x)
    squares = _total((piece - centre).square().sum() for piece in _pieces(x))
    return (squares / x.numel()).sqrt() * (x.amax() != x.amin())


def mean(x: Tensor) -> Tensor:
    """Mean of all elements."""
    return _total(piece.sum() for piece in _pieces(x)) / x.numel() if _large(x) else widened(x).mean()


def bad(x: Tensor) -> Tensor:
    """Share of elements that are infinite or NaN."""
    if not _large(x):
        return 1 - widened(torch.isfinite(x)).mean()
    return 1 - _total(widened(torch.isfinite(piece)).sum() for piece in _pieces(x)) / x.numel()


def size(x: Tensor) -> tuple[Tensor, Tensor]:
    """(rms, bad) of `x`, in one reading where it is large."""
    if not _large(x):
        return rms(x), bad(x)
    squares = _total(torch.dot(piece, piece) for piece in _pieces(x))
    # the squares of finite numbers of at most 32 bits have a finite sum in 64
    finite = x.element_size() <= 4 and bool(torch.isfinite(squares))
    return (squares / x.numel()).sqrt(), squares.new_zeros(()) if finite else bad(x)


def _large(x: Tensor) -> bool:
    """Is `x` better widened piece by piece? Only on a CPU, where doing so waits for nothing."""
    return x.device.type == "cpu" and x.numel() > PIECE and not x.is_complex()


def _pieces(x: Tensor) -> Iterator[Tensor]:
    """All elements of `x` in float64, some at a time, in the order of its memory."""
    strides = x.stride()
    order = sorted(range(x.dim()), key=lambda axis: -strides[axis])
    flat = x.permute(order).reshape(-1)
    return (widened(piece) for piece in torch.split(flat, PIECE))


def _total(parts: Iterator[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum()


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
    high, low = units.amax(0), units.amin(0)
    return relative((high - low).amax(), torch.maximum(high.amax(), -low.amin()))


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
    total = _squared_sum_of_directions(rows.reshape(batch, -1))
    return (total - batch) / (batch * (batch - 1))


def _squared_sum_of_directions(rows: Tensor) -> Tensor:
    """|Σ_b x_b/|x_b||² over the rows x_b."""
    if not _large(rows):
        rows = widened(rows)
        whole: Tensor = (rows / rows.norm(dim=1, keepdim=True)).sum(0).square().sum()
        return whole
    lengths = torch.stack([_total(torch.dot(piece, piece) for piece in _pieces(row)) for row in rows]).sqrt()
    width = max(PIECE // len(rows), 64)
    return _total((1 / lengths @ widened(part)).square().sum() for part in torch.split(rows, width, dim=1))


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
        # of the sum: a cotangent given to autograd makes it load its symbolic shapes, a second's work
        (slope,) = torch.autograd.grad(value.sum(), point)
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
    peak = torch.maximum(gradient.amax(), -gradient.amin())
    blocks = gradient.reshape(gates, gradient.shape[0] // gates, -1)
    spread = (blocks.amax(1) - blocks.amin(1)).amax()
    if gates == 1:
        spread = torch.minimum(spread, (gradient.amax(1) - gradient.amin(1)).amax())
    return relative(spread, peak)


def _by_unit(x: Tensor, axis: int) -> Tensor:
    """`x` as (units, observations)."""
    moved = x.movedim(axis, 0)
    return moved.reshape(moved.shape[0], -1)
