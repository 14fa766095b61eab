"""What the example itself is like, before any layer: read on its own device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.errors import ExampleError
from ..signals.reading import Inputs
from ..signals.scalars import Scalars, widened
from . import statistics


@dataclass
class InputPlaces:
    """Where the numbers read of the inputs are in a `Scalars`, per tensor that has them."""

    bad: list[int] = field(default_factory=list)
    correlation: list[int] = field(default_factory=list)
    rms: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    zero: list[int] = field(default_factory=list)


def read(inputs: Sequence[Tensor], scalars: Scalars, batch: int, time: int) -> InputPlaces:
    """Read `inputs`, of which the first has `batch` different ones along the batch axis."""
    places, axis = InputPlaces(), int(bool(time))
    filled = [t for t in inputs if t.numel() and t.layout == torch.strided and not t.is_nested]
    floats = [t for t in filled if t.is_floating_point()]
    places.bad = [scalars.add(statistics.bad(t)) for t in floats]
    if inputs and floats and inputs[0] is floats[0]:
        places.rms.append(scalars.add(statistics.rms(floats[0])))
        value = statistics.correlation(floats[0], batch, axis)
        places.correlation += [] if value is None else [scalars.add(value)]
    rows = [t for t in filled if batch > 1 and t.dim() > axis and t.shape[axis] == batch]
    places.same = [scalars.add(_same(t, axis)) for t in rows]
    places.zero = [scalars.add(_zero(t)) for t in filled]
    return places


def _same(x: Tensor, axis: int) -> Tensor:
    """1 if the inputs along `axis` are all equal, else 0."""
    return widened((x == x.narrow(axis, 0, 1)).all())


def _zero(x: Tensor) -> Tensor:
    """1 if every number is a floating-point zero, else 0: an index or a flag of 0 means something."""
    return widened((x == 0).all() if x.is_floating_point() else x.new_zeros((), dtype=torch.bool))


def found(places: InputPlaces, values: Sequence[float]) -> Inputs:
    """The Inputs whose numbers are in `values`.

    Raises:
        ExampleError: infinities or NaN.
    """
    if any(values[place] > 0 for place in places.bad):
        raise ExampleError(
            "holds infinities or NaN",
            where="example",
            expected="finite numbers",
            fix="Clean the batch first: nothing can be said about the weights through it.",
        )
    correlation = next((values[place] for place in places.correlation), 0.0)
    return Inputs(
        correlation=0.0 if math.isnan(correlation) else correlation,
        rms=next((values[place] for place in places.rms), 1.0),
        same=bool(places.same) and all(values[place] for place in places.same),
        zero=bool(places.zero) and all(values[place] for place in places.zero),
    )
