"""What schemes of low-rank adapters are given: the base weight, data, the adapter's rank and factor.

`Given` is for one adapter, as part of its `Site`. `Data` is what a user gives `init_` for a whole model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import FillError

F64 = NDArray[np.float64]
Draws = Callable[[str, tuple[int, ...]], F64]
"""(name, shape) -> standard normal numbers, always the same for the same name."""


@dataclass(frozen=True, eq=False)
class Data:
    """Data for the adapters of a model, beside or instead of `init_`'s example.

    Attributes:
        inputs: layer's path → what it is given, (…, in); of any number of batches together.
        gradients: layer's path → the gradient of the base weight, (out, in).
        loss: `loss(output) -> scalar` on the example; close over the targets. Not needed where the
            model's output has a `loss` of its own.
    """

    inputs: Mapping[str, ArrayLike] | None = None
    gradients: Mapping[str, ArrayLike] | None = None
    loss: Callable[[Any], Any] | None = None


@dataclass(frozen=True, eq=False)
class Given:
    """One low-rank adapter W + s·B·A, with A (r, in) and B (out, r), and what is known around it.

    Attributes:
        rank: r. scale: s, α/r or α/√r.
        weight: W, (out, in). inputs: what the layer is given, (samples, in). gradient: of W, (out, in).
        draw: standard normal numbers by name and shape.
        where: the layer's name, for errors.
    """

    rank: int
    scale: float = 1.0
    weight: ArrayLike | None = None
    inputs: ArrayLike | None = None
    gradient: ArrayLike | None = None
    draw: Draws | None = None
    where: str = ""

    @property
    def W(self) -> F64:  # noqa: N802 - the literature's letter
        """The base weight. Raises FillError without one."""
        return self._array(self.weight, "weight")

    @property
    def X(self) -> F64:  # noqa: N802 - the literature's letter
        """The layer's inputs, (samples, in). Raises FillError without them."""
        x = self._array(self.inputs, "inputs")
        return x.reshape(-1, x.shape[-1]) if x.ndim else x

    @property
    def G(self) -> F64:  # noqa: N802 - the literature's letter
        """The base weight's gradient. Raises FillError without one."""
        return self._array(self.gradient, "gradient")

    def normal(self, name: str, *shape: int) -> F64:
        """Standard normal draws. Raises FillError without a source of them."""
        if self.draw is None:
            raise self._missing("draw")
        return self.draw(name, shape)

    def _array(self, value: ArrayLike | None, name: str) -> F64:
        if value is None:
            raise self._missing(name)
        return np.asarray(value, np.float64)

    def _missing(self, name: str) -> FillError:
        return FillError(
            f"{name} is missing",
            where=self.where,
            expected=WHAT[name],
            fix=f"Give it: Site(given=Given(rank, {name}=…)), both from initwise.schemes.",
        )


WHAT = {
    "weight": "the base weight W, (out, in)",
    "inputs": "what the layer is given on a batch, (samples, in)",
    "gradient": "the base weight's gradient on a batch, (out, in)",
    "draw": "standard normal numbers by name and shape",
}
