"""Expected: the gauge for fake tensors, whose numbers are expectations over everything that is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..signals.gauge import FLAT, REACH, STEPS, Read
from ..signals.reading import Inputs
from ..signals.scalars import Scalars
from . import choices, quadrature, values
from .axes import Array, patterns
from .causal import Causal
from .interpreter import Interpreter
from .moments import Moments, independent
from .rules import UnpredictedError, masks
from .values import Value


class Expected:
    """Reads the values of an interpreter's tensors. See `signals.gauge.Gauge`."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter

    @contextmanager
    def running(self) -> Iterator[None]:
        """The interpreter, and attention and matrix kernels as operations it has rules for."""
        # fused kernels have no moments: attention, recurrences and products shall be plain operations
        enabled = torch._C._get_mkldnn_enabled()
        with sdpa_kernel(SDPBackend.MATH), Causal(), self.interpreter:
            torch._C._set_mkldnn_enabled(False)
            try:
                yield
            finally:
                torch._C._set_mkldnn_enabled(enabled)
                choices.forget()
                masks.forget()

    def value(self, x: Tensor) -> Value | None:
        """What is known of `x`, or None."""
        try:
            return self.interpreter.value(x)
        except UnpredictedError:
            return None

    def unknown(self, x: Tensor) -> str:
        """Why nothing is known of `x`."""
        try:
            self.interpreter.value(x)
        except UnpredictedError as reason:
            return str(reason)
        return ""

    def notes(self, x: Tensor) -> Sequence[str]:
        """The assumptions its value rests on."""
        value = self.value(x)
        return sorted(value.notes) if value is not None else ()

    def inputs(
        self, given: Sequence[Tensor], scalars: Scalars, batch: int, time: int
    ) -> Callable[[Sequence[float]], Inputs]:
        """Correlation and rms of the first input."""
        value = self.value(given[0]) if given and isinstance(given[0], FakeTensor) else None
        if value is None:
            return lambda numbers: Inputs()
        correlation = _correlation(value.moments, batch, int(bool(time))) or 0.0
        found = Inputs(correlation, math.sqrt(value.moments.mean_square))
        return lambda numbers: found

    def output(self, x: Tensor, axis: int, batch: int, batch_axis: int) -> Read:
        """Of a layer's output."""
        value = self.value(x)
        if value is None:
            return {}
        return {
            "forward_rms": math.sqrt(value.moments.mean_square),
            "forward_mean": value.moments.overall_mean,
            "forward_spread": math.sqrt(value.spread.variance) / 2,
            "unit_spread": _unlike(value.moments, axis),
            "correlation": _correlation(value.moments, batch, batch_axis),
        }

    def gradient(self, x: Tensor) -> Read:
        """Of the gradient there."""
        value = self.value(x)
        if value is None:
            return {}
        spread = math.sqrt(value.spread.variance) / 2
        return {"gradient_rms": math.sqrt(value.moments.mean_square), "gradient_spread": spread}

    def dead(self, x: Tensor, axis: int) -> float | None:
        """Not predicted: it takes a batch."""
        return None

    def flatness(
        self, x: Tensor, function: Callable[..., Any], rest: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[float, float] | None:
        """Share of the values' law where the activation is flat, and whether it is so at both ends."""
        value = self.value(x)
        if value is None:
            return None
        factor = value.single or value.rebased().single
        assert factor is not None
        points = np.concatenate([np.linspace(-REACH, REACH, STEPS), factor.overall])
        try:
            with torch.utils._python_dispatch._disable_current_modes():
                slopes = _slopes(function, rest, options, points)
        except (RuntimeError, TypeError, ValueError):
            return None
        everywhere, at = slopes[:STEPS], slopes[STEPS:]
        floor = FLAT * everywhere.max()
        share = float(quadrature.mean((at < floor).astype(float)))
        return share, float(everywhere[0] < floor and everywhere[-1] < floor)

    def weight(self, x: Tensor) -> Read:
        """Its rms and standard deviation."""
        value = self.value(x)
        if value is None:
            return {}
        square, mean = value.moments.mean_square, value.moments.overall_mean
        variance = square - mean**2
        # what is left of a constant by rounding is no spread
        std = math.sqrt(variance) if variance > 1e-12 * square else 0.0
        return {"rms": math.sqrt(square), "std": std}

    def weight_gradient(self, x: Tensor, gates: int) -> Read:
        """Its rms, and how unlike its units are."""
        value = self.value(x)
        if value is None:
            return {}
        spread = _unlike(value.moments, 0) if x.dim() > 1 else None
        return {"gradient": math.sqrt(value.moments.mean_square), "spread": spread}

    def number(self, x: Tensor) -> float | None:
        """Its mean."""
        value = self.value(x)
        return None if value is None else value.moments.overall_mean

    def cotangent(self, end: Tensor, seed: int, index: int) -> Tensor:
        """Independent standard normal elements."""
        shape = tuple(end.shape)
        return self.interpreter.fake(shape, end.dtype, values.fresh(independent(shape, 0.0, 1.0)))


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _slopes(
    function: Callable[..., Any], rest: tuple[Any, ...], options: dict[str, Any], points: Array
) -> Array:
    # a checkpoint counts what is saved while it is open, and this is not the model's
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):
        point = torch.tensor(points, dtype=torch.float64).requires_grad_()
        value = function(point * 1, *rest, **options)
        (slope,) = torch.autograd.grad(value, point, torch.ones_like(value))
    found: Array = slope.abs().numpy()
    return found


def _paired(moments: Moments, dim: int) -> float:
    """E[x·x′] of elements that differ in axis `dim` alone."""
    second, place = moments.second, 0
    for d, atoms in enumerate(moments.axes):
        for atom in atoms:
            table = patterns(atom)
            wanted = table.pairs * (~table.equal if d == dim else table.equal)
            second = (
                np.tensordot(second, wanted / wanted.sum(), (place, 0)) if wanted.sum() else second[..., 0]
            )
    return float(second)


def _correlation(moments: Moments, batch: int, axis: int) -> float | None:
    """Mean cosine between the tensors of different inputs: E[x·x′]/E[x²]."""
    if batch < 2 or len(moments.axes) < 2 or not moments.axes[axis] or moments.shape[axis] != batch:
        return None
    size = moments.mean_square
    return _paired(moments, axis) / size if size > 0 else None


def _unlike(moments: Moments, axis: int) -> float | None:
    """rms difference of two units over their rms: 0 where all units say the same."""
    axis %= max(len(moments.axes), 1)
    if not moments.axes or not moments.axes[axis]:
        return None
    size = moments.mean_square
    return math.sqrt(max(2 - 2 * _paired(moments, axis) / size, 0.0)) if size > 0 else 0.0
