"""Laws that know the tensor's shape: the matrices in it, how many entries are zero, an entry's moments."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from .codec import JsonMixin
from .errors import FillError
from .layout import Layout

UNITS = ("input", "output")
RULES = ("count", "keep", "zero")


@dataclass(frozen=True)
class Sparsity(JsonMixin):
    """How many weights of each unit are exactly zero.

    Attributes:
        rule: "zero": ⌈amount·n⌉ of a unit's n weights are zero (torch). "keep": ⌊amount·n⌋ are not
            (Lasagne). "count": `amount` are not, or all if there are fewer (Martens).
        amount: a fraction in [0, 1]; for "count" a whole number ≥ 0.
        unit: whose weights are counted. "input": those that leave an input, a column of an (out, in)
            matrix, n its outputs. "output": those that enter an output, a row, n its inputs.

    The product amount·n is the double nearest to it, as torch and Lasagne form it: 0.07·100 is a little
    more than 7 there, and 8 are zero.

    Raises:
        FillError: a rule or unit that is none, or an amount outside these.
    """

    rule: str
    amount: float
    unit: str

    def __post_init__(self) -> None:
        for what, value, legal in (("rule", self.rule, RULES), ("unit", self.unit, UNITS)):
            if value not in legal:
                raise FillError(f"sparse: {what} {value!r}", legal=legal, given=str(value))
        object.__setattr__(self, "amount", self._checked())

    def _checked(self) -> float:
        try:
            amount = float("nan" if isinstance(self.amount, (bool, str)) else self.amount)
        except (TypeError, ValueError):
            amount = math.nan
        if self.rule == "count":
            if not (amount >= 0 and amount.is_integer()):
                raise FillError(
                    f"sparse: count {self.amount!r}", expected="a whole number ≥ 0 of weights kept"
                )
        elif not 0 <= amount <= 1:
            raise FillError(
                f"sparse: sparsity {self.amount!r}",
                expected="a fraction from 0 to 1",
                cause="a percentage or a count was passed" if amount > 1 else "",
            )
        return amount

    def zeros(self, n: int) -> int:
        """How many of a unit's n weights are zero."""
        if self.rule == "zero":
            return math.ceil(self.amount * n)
        return n - (int(self.amount * n) if self.rule == "keep" else min(int(self.amount), n))

    def __str__(self) -> str:
        amount = {"count": "{:g} kept", "keep": "⌊{:g}·n⌋ kept", "zero": "⌈{:g}·n⌉ zero"}[self.rule]
        return f"each {self.unit} {amount.format(self.amount)}"


def default_layout(rank: int) -> Layout:
    """(out, in, spatial…): what a bare array is taken for when a matrix law gets no layout."""
    return Layout("o" if rank == 1 else "oi" + "k" * (rank - 2))


def matrix_sizes(shape: tuple[int, ...], layout: Layout | None) -> tuple[int, int, int]:
    """(out, in, kernel elements) of one of the tensor's matrices: of one batch entry and group."""
    axes = layout or default_layout(len(shape))
    rows = axes.size(shape, "o") // (1 if axes.transposed else axes.groups)
    cols = axes.size(shape, "iv") // (axes.groups if axes.transposed else 1)
    return rows, cols, axes.size(shape, "hwdk")


def matrix_moments(
    law: str, gain: float, shape: tuple[int, ...], layout: Layout | None
) -> tuple[float, float]:
    """Mean and std of an entry taken at random of a matrix law's tensor; std NaN without a shape."""
    if not shape or not math.prod(shape):
        return (0.0, math.nan)
    rows, cols, field = matrix_sizes(shape, layout)
    if law == "orthogonal":
        return 0.0, abs(gain) / math.sqrt(max(rows, cols * field))
    if law == "delta_orthogonal":
        return 0.0, abs(gain) / math.sqrt(max(rows, cols) * field)
    entry, total, filled = 1.0, min(rows, cols), min(rows, cols)
    if law == "hadamard" and rows > cols:
        entry, total, filled = hadamard_entry(rows), sign_sum(rows, cols), rows * cols
    # in integers, so that equal entries have std 0 and not a rounding error
    count = rows * cols * field
    return gain * entry * total / count, abs(gain) * entry * math.sqrt(filled * count - total**2) / count


def sparse_std(std: float, sparsity: Sparsity, shape: tuple[int, ...], layout: Layout | None) -> float:
    """Std of an entry taken at random: √(share not zero)·std; NaN without a shape."""
    if not shape or not math.prod(shape):
        return math.nan
    rows, cols, field = matrix_sizes(shape, layout)
    n = rows if sparsity.unit == "input" else cols * field
    return std * math.sqrt(1 - sparsity.zeros(n) / n)


def hadamard_entry(rows: int) -> float:
    """2^(−m/2) with m = ⌈log2 rows⌉: what scales the Sylvester matrix of order 2^m to orthogonal."""
    m = (rows - 1).bit_length()
    return math.ldexp(math.sqrt(0.5) if m % 2 else 1.0, -(m // 2))


@functools.lru_cache(maxsize=4096)
def sign_sum(rows: int, cols: int) -> int:
    """Σ (−1)^popcount(r & c) over r < rows, c < cols: the sum of a corner of a Sylvester matrix."""
    if min(rows, cols) <= 1:
        return rows * cols
    half = 1 << ((max(rows, cols) - 1).bit_length() - 1)
    top, left = min(rows, half), min(cols, half)
    below, right = rows - top, cols - left
    # over all of a period only row or column 0 has a sum that is not 0
    corner = half if half in (top, left) else sign_sum(top, left)
    return corner + sign_sum(below, left) + sign_sum(top, right) - sign_sum(below, right)
