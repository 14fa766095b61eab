"""Laws that are functions of a whole tensor's draws ("whole"), and copies of filters ("repeated").

A whole law's numbers follow from the normal variates of all of a line, a matrix or a tensor: unit columns,
filters that are orthonormal in the Fourier domain, a positive matrix with largest eigenvalue 1. Here are
their names and moments; random/whole.py makes them. All are rows of `WHOLE`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .codec import JsonMixin
from .errors import FillError
from .layout import Layout
from .numbers import Moments
from .shaped import matrix_sizes

UNKNOWN: Moments = (0.0, math.nan, -math.inf, math.inf)
ORDERS = ("neighbours", "tiles")


@dataclass(frozen=True)
class Repeat(JsonMixin):
    """Each of a smaller tensor's filters stands `times` times along the output axis.

    Attributes:
        times: copies of each filter, > 0.
        order: "neighbours": output o is filter ⌊o/times⌋, as torch's PixelShuffle groups channels (ONNX:
            CRD). "tiles": output o is filter o mod (outputs/times), as TensorFlow's depth_to_space (DCR).

    Raises:
        FillError: values outside these.
    """

    times: int
    order: str = "neighbours"

    def __post_init__(self) -> None:
        if isinstance(self.times, bool) or not isinstance(self.times, int) or self.times < 1:
            raise FillError(f"repeated: times {self.times!r}", expected="a whole number > 0")
        if self.order not in ORDERS:
            raise FillError(f"repeated: order {self.order!r}", legal=ORDERS, given=str(self.order))


def single(shape: tuple[int, ...], axis: int, times: int) -> tuple[int, ...]:
    """The shape of the tensor whose filters are repeated; its output axis rounded up."""
    return (*shape[:axis], -(-shape[axis] // times), *shape[axis + 1 :])


@dataclass(frozen=True)
class Whole:
    """value = gain · function(all normal variates, *numbers).

    Attributes:
        words: the law in closed form, with {0} … for the numbers.
        arity: how many numbers. legal: are these numbers legal? expected: what they must be.
        moments: of gain 1 in a tensor of this shape, which is not empty.
        square: it needs square matrices.
    """

    words: str
    arity: int
    expected: str
    legal: Callable[..., bool]
    moments: Callable[[tuple[int, ...], Layout | None], Moments]
    square: bool = False


def _unit(shape: tuple[int, ...], layout: Layout | None) -> Moments:
    _, columns, field = matrix_sizes(shape, layout)
    return 0.0, (columns * field) ** -0.5, -1.0, 1.0


def _standard(shape: tuple[int, ...], layout: Layout | None) -> Moments:
    return 0.0, 1.0, -math.inf, math.inf


SMALL_POSITIVE = {
    1: (1.0, 0.0),
    2: (0.3763765680, 0.4258436115),
    3: (0.2139340365, 0.3458375694),
    4: (0.1461808006, 0.2900662101),
    5: (0.1100946945, 0.2521740062),
    6: (0.0879433618, 0.2249518397),
    7: (0.0730494, 0.2044065),
}
"""Mean and std of (I + RᵀR/n)/λ, integrated over the eigenvalues by benchmarks/normalized_positive.py."""


def _positive(shape: tuple[int, ...], layout: Layout | None) -> Moments:
    """Of (I + RᵀR/n)/λ, λ at its mean: E[RᵀR/n] = I, off the diagonal its entries have variance 1/n, on it
    2/n. λ − 1 is the largest eigenvalue of a Wishart matrix: Johnstone 2001, theorem 1.1: from n = 8 on
    within 1 % of the std."""
    n, _, _ = matrix_sizes(shape, layout)
    if n in SMALL_POSITIVE:
        return *SMALL_POSITIVE[n], -1.0, 1.0
    centre = 4 * n - 2
    spread = math.sqrt(centre) * (2 / math.sqrt(n - 0.5)) ** (1 / 3)
    largest = 1 + max(centre - 1.2065 * spread, n / 2) / n
    second = (4 + (n - 1) / n + 2 / n) / n
    mean = 2 / n
    return mean / largest, math.sqrt(second - mean**2) / largest, -1.0, 1.0


WHOLE: Mapping[str, Whole] = {
    "unit_outputs": Whole("each output's weights of length 1", 0, "no numbers", lambda: True, _unit),
    "convolution_aware": Whole(
        "Fourier-orthonormal filters, noise {0:g}, to std 1",
        1,
        "noise ≥ 0",
        lambda noise: noise >= 0,
        _standard,
    ),
    "normalized_positive": Whole(
        "(I + RᵀR/n)/largest eigenvalue", 0, "no numbers", lambda: True, _positive, square=True
    ),
}
"""Functions of a tensor's normal variates."""


def whole_moments(name: str, shape: tuple[int, ...], layout: Layout | None) -> Moments:
    """Of gain 1; std NaN while the shape is not known."""
    if not shape or not math.prod(shape) or (layout is None and len(shape) < 2):
        return UNKNOWN
    return WHOLE[name].moments(shape, layout)
