"""Real: the gauge for tensors that hold numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from ..frameworks.example import Spec, draw
from ..signals.gauge import Read
from ..signals.reading import Inputs
from ..signals.scalars import Scalars
from . import inputs, statistics


class Real:
    """Statistics of the numbers themselves, each computed on its tensor's device."""

    def running(self) -> AbstractContextManager[Any]:
        """Nothing special."""
        return nullcontext()

    def inputs(
        self, given: Sequence[Tensor], scalars: Scalars, batch: int, time: int
    ) -> Callable[[Sequence[float]], Inputs]:
        """See `inputs.read`."""
        places = inputs.read(given, scalars, batch, time)
        return lambda values: inputs.found(places, values)

    def output(self, x: Tensor, axis: int, batch: int, batch_axis: int) -> Read:
        """Of a layer's output."""
        rms, bad = statistics.size(x)
        return {
            "forward_rms": rms,
            "forward_mean": statistics.mean(x),
            "bad": bad,
            "dead": statistics.dead(x, axis),
            "unit_spread": statistics.unit_spread(x, axis),
            "correlation": statistics.correlation(x, batch, batch_axis),
        }

    def gradient(self, x: Tensor) -> Read:
        """Of the gradient there."""
        rms, bad = statistics.size(x)
        return {"gradient_rms": rms, "gradient_bad": bad}

    def dead(self, x: Tensor, axis: int) -> Tensor | None:
        """See `statistics.dead`."""
        return statistics.dead(x, axis)

    def flatness(
        self, x: Tensor, function: Callable[..., Any], rest: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[Tensor, Tensor] | None:
        """See `statistics.flatness`."""
        return statistics.flatness(x, function, rest, options)

    def weight(self, x: Tensor) -> Read:
        """Its rms and standard deviation."""
        return {"rms": statistics.rms(x), "std": statistics.std(x)}

    def weight_gradient(self, x: Tensor, gates: int) -> Read:
        """Its rms, and the largest difference between units."""
        return {"gradient": statistics.rms(x), "spread": statistics.row_spread(x, gates)}

    def cotangent(self, end: Tensor, seed: int, index: int) -> Tensor:
        """A standard normal of unit rms, the same on every device."""
        numbers = draw(Spec("float64", tuple(end.shape)), seed=seed, where=f"cotangent[{index}]")
        flat = numbers.reshape(-1)
        numbers /= max(math.sqrt(float(flat @ flat) / flat.size), 1e-30)
        return torch.from_numpy(numbers).to(device=end.device, dtype=end.dtype)

    def number(self, x: Tensor) -> Tensor:
        """It itself."""
        return x.reshape(())

    def unknown(self, x: Tensor) -> str:
        """Everything is known."""
        return ""

    def notes(self, x: Tensor) -> Sequence[str]:
        """Nothing is assumed."""
        return ()
