"""Memory that can hold weights: which dtypes, what they can tell apart, and which strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Dtype:
    """A floating-point format.

    Attributes:
        largest: the largest finite number.
        smallest: the smallest number above zero, subnormal.
        spacing: distance from 1 to the next number; relative spacing elsewhere.
    """

    largest: float
    smallest: float
    spacing: float


def _binary(exponent: int, digits: int) -> Dtype:
    """IEEE 754 by its largest exponent and its significant binary digits, the hidden one included."""
    largest = math.ldexp(2.0 - 2.0 ** (1 - digits), exponent)
    return Dtype(largest, math.ldexp(1.0, 2 - exponent - digits), 2.0 ** (1 - digits))


DTYPES = {
    "float64": _binary(1023, 53),
    "float32": _binary(127, 24),
    "float16": _binary(15, 11),
    "bfloat16": _binary(127, 8),
}
"""Name → format, of every dtype that can be filled."""


def overlaps(shape: Sequence[int], strides: Sequence[int], itemsize: int = 1) -> bool:
    """May two elements of one tensor share memory (an expanded view)? Strides in units of `itemsize`
    as given: bytes beside an itemsize in bytes, elements beside 1.

    Axes must nest, the finer within one step of the coarser; the few disjoint layouts that do not
    nest count as overlapping.
    """
    reach = itemsize
    for stride, size in sorted((abs(s), n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if stride < reach:
            return math.prod(shape) > 1
        reach += stride * (size - 1)
    return False


def extent(start: int, shape: Sequence[int], strides: Sequence[int], itemsize: int) -> tuple[int, int]:
    """First byte and one past the last of a tensor whose first element is at `start`; strides in bytes."""
    steps = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    low, high = sum(s for s in steps if s < 0), sum(s for s in steps if s > 0)
    return start + low, start + high + itemsize
