"""Gauge: how a tensor is read while a model runs, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from torch import Tensor

from .reading import Inputs
from .scalars import Scalar, Scalars

FLAT = 0.05
"""An activation is flat where |φ′| is below this share of its largest value anywhere."""
REACH = 10.0
"""The activation's largest slope is looked for on [-REACH, REACH]; its ends tell boundedness."""
STEPS = 2001
Read = Mapping[str, Scalar | None]
"""Name of a statistic, as in `Reading`, → its number; None where it does not apply."""


class Gauge(Protocol):
    """Reads tensors. All numbers are 0-d tensors, fetched later, or floats."""

    def running(self) -> AbstractContextManager[Any]:
        """What the pass runs under."""

    def inputs(
        self, inputs: Sequence[Tensor], scalars: Scalars, batch: int, time: int
    ) -> Callable[[Sequence[float]], Inputs]:
        """Read the example into `scalars`; what it gives makes Inputs of the numbers fetched."""

    def output(self, x: Tensor, axis: int, batch: int, batch_axis: int) -> Read:
        """forward_rms, forward_mean, bad, dead, unit_spread, correlation, forward_spread."""

    def gradient(self, x: Tensor) -> Read:
        """gradient_rms, gradient_bad, gradient_spread."""

    def dead(self, x: Tensor, axis: int) -> Scalar | None:
        """Share of units that are constant."""

    def flatness(
        self, x: Tensor, function: Callable[..., Any], rest: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[Scalar, Scalar] | None:
        """(share of `x` where the activation is flat, 1 if it is flat at both ends)."""

    def weight(self, x: Tensor) -> Read:
        """rms, std."""

    def weight_gradient(self, x: Tensor, gates: int) -> Read:
        """gradient (its rms), spread (between units)."""

    def cotangent(self, end: Tensor, seed: int, index: int) -> Tensor:
        """Standard normal numbers of unit rms, as the gradient to start from."""

    def number(self, x: Tensor) -> Scalar | None:
        """Of a tensor of one element, what it is or is expected to be; None if nothing is known."""

    def unknown(self, x: Tensor) -> str:
        """Why nothing is known of `x`; "" where it is."""

    def notes(self, x: Tensor) -> Sequence[str]:
        """What the numbers of `x` rest on and may fail."""
