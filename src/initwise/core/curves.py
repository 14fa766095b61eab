"""Laws that are functions: of an element's uniform variate ("mapped") or of its place ("indexed").

Each is a row of `MAPPED` or `INDEXED`. They use libm (exp, log, sin), so they are the same everywhere only
up to 1e-12 relative before rounding; see docs/stream-v1.md.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .codec import JsonMixin
from .errors import FillError
from .layout import Layout
from .numbers import Moments
from .shaped import default_layout
from .whole import WHOLE, Whole

F64 = NDArray[np.float64]
Numbers = tuple[float, ...]
PIECE = 1 << 18
"""Elements of an indexed tensor looked at together when its moments are computed."""


@dataclass(frozen=True)
class Curve(JsonMixin):
    """A function by its name in `MAPPED` or `INDEXED`, and its numbers.

    Raises:
        FillError: a number that is not finite. Which names and numbers are legal, `checked` says.
    """

    name: str
    numbers: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        try:
            numbers = tuple(float(number) for number in self.numbers)
        except (TypeError, ValueError):
            raise FillError(f"{self.name}: numbers {self.numbers!r}", expected="numbers") from None
        if not all(math.isfinite(number) for number in numbers):
            raise FillError(f"{self.name}: numbers {numbers}", expected="finite numbers")
        object.__setattr__(self, "numbers", numbers)


@dataclass(frozen=True)
class Index:
    """Where the elements of a block stand: open grids of indices, one per axis in canonical order.

    Attributes:
        grids: float64 arrays that broadcast to the block. sizes: of the whole tensor, canonical.
        layout: the axes, in storage order.
    """

    grids: tuple[F64, ...]
    sizes: tuple[int, ...]
    layout: Layout

    def axes(self, letters: str) -> list[int]:
        """Canonical positions of the axes with these letters."""
        order = self.layout.canonical
        return [place for place, axis in enumerate(order) if self.layout.axes[axis] in letters]


@dataclass(frozen=True)
class Mapped:
    """value = function(u, *numbers), monotone in u ∈ [0, 1).

    Attributes:
        words: the law in closed form, with {0}, {1} … for the numbers.
        arity: how many numbers. legal: are these numbers legal? expected: what they must be.
        kinks: where in u it is not smooth.
    """

    function: Callable[..., F64]
    words: str
    arity: int
    expected: str
    legal: Callable[..., bool]
    kinks: Callable[..., tuple[float, ...]] = lambda *numbers: ()


@dataclass(frozen=True)
class Indexed:
    """value = function(index, *numbers).

    Attributes:
        words, arity, expected, legal: as for `Mapped`.
        axes: how many of the last canonical axes matter; 0: all.
    """

    function: Callable[..., F64]
    words: str
    arity: int
    expected: str
    legal: Callable[..., bool]
    axes: int = 1


# functions of a uniform variate ---------------------------------------------------------------------


def _log_uniform(u: F64, low: float, high: float) -> F64:
    return np.exp(math.log(low) + u * (math.log(high) - math.log(low)))


def _log_of_uniform(u: F64, low: float, high: float) -> F64:
    return np.log(low + u * (high - low))


def _inverse_softplus(u: F64, low: float, high: float, floor: float) -> F64:
    step = np.maximum(_log_uniform(u, low, high), floor)
    result: F64 = step + np.log(-np.expm1(-step))
    return result


def _floored(low: float, high: float, floor: float) -> tuple[float, ...]:
    return (math.log(floor / low) / math.log(high / low),) if low < floor < high else ()


def _log_inverse_root(u: F64, low: float, high: float) -> F64:
    # 1/√x − 1 without cancellation where x is near 1
    result: F64 = np.log(np.expm1(-np.log(low + u * (high - low)) / 2))
    return result


def _arcsine(u: F64) -> F64:
    return np.cos(math.pi * u)


MAPPED: Mapping[str, Mapped] = {
    "log_uniform": Mapped(
        _log_uniform, "log-uniform on [{0:g}, {1:g})", 2, "0 < low < high", lambda a, b: 0 < a < b
    ),
    "log_of_uniform": Mapped(
        _log_of_uniform, "ln U[{0:g}, {1:g})", 2, "0 < low < high", lambda a, b: 0 < a < b
    ),
    "inverse_softplus_log_uniform": Mapped(
        _inverse_softplus,
        "softplus⁻¹(log-uniform on [{0:g}, {1:g}), at least {2:g})",
        3,
        "0 < low < high, 0 < floor < high",
        lambda a, b, c: 0 < a < b and 0 < c < b,
        _floored,
    ),
    "log_of_inverse_root_uniform": Mapped(
        _log_inverse_root,
        "ln(1/√U[{0:g}, {1:g}) − 1)",
        2,
        "0 < low < high < 1",
        lambda a, b: 0 < a < b < 1,
    ),
    "arcsine": Mapped(_arcsine, "cos(πU)", 0, "no numbers", lambda: True),
}
"""Functions of u, the element's uniform variate moved to [0, 1)."""


# functions of the place -----------------------------------------------------------------------------


def _linear(at: Index, start: float, step: float) -> F64:
    return start + step * at.grids[-1]


def _log_linear(at: Index, start: float, step: float) -> F64:
    return np.log(start + step * at.grids[-1])


def _power(at: Index, first: float, last: float, exponent: float) -> F64:
    share = at.grids[-1] / max(at.sizes[-1] - 1, 1)
    return first + (last - first) * share**exponent


def _zigzag(
    at: Index, first: float, last: float, exponent: float, height: float, period: float, shift: float
) -> F64:
    half = max(period - 1, 1) / 2
    wave = (np.mod(at.grids[-1] + shift, period) - (period - 1) / 2) / half
    return _power(at, first, last, exponent) + height * wave * np.abs(wave)


def _inverse(at: Index) -> F64:
    state = 2.0 * at.sizes[-1]
    return state / math.pi * (state / (2 * at.grids[-1] + 1) - 1)


def _quadratic(at: Index) -> F64:
    return (2 * at.grids[-1] + 1) ** 2 / math.pi


def _root_odd(at: Index) -> F64:
    return np.sqrt(2 * at.grids[-1] + 1)


def _legs(at: Index) -> F64:
    n, k = at.grids[-2:]
    below = -np.sqrt((2 * n + 1) * (2 * k + 1))
    return np.where(n > k, below, np.where(n == k, -(n + 1), 0.0))


def _sinusoidal(at: Index, base: float, interleaved: float) -> F64:
    position, column = at.grids[-2:]
    width = at.sizes[-1]
    half = (width + 1) // 2
    pair, odd = (np.floor(column / 2), column % 2) if interleaved else (column % half, column >= half)
    angle = position * np.exp(-math.log(base) * 2 * pair / width)
    return np.where(odd, np.cos(angle), np.sin(angle))


def _bilinear(at: Index) -> F64:
    """The tent of each spatial axis, on the diagonal of each group's channels."""
    value = np.ones(())
    for axis in at.axes("hwdk"):
        size = at.sizes[axis]
        half = math.ceil(size / 2)
        centre = (2 * half - 1 - half % 2) / (2 * half)
        value = value * (1 - np.abs(at.grids[axis] / half - centre))
    rows, columns = at.axes("o"), at.axes("iv")
    if not rows or not columns:
        return value
    row, column = at.grids[rows[0]], at.grids[columns[0]]
    if at.layout.transposed:
        column = column % max(at.sizes[columns[0]] // at.layout.groups, 1)
    else:
        row = row % max(at.sizes[rows[0]] // at.layout.groups, 1)
    return np.where(row == column, value, 0.0)


def _any(*numbers: float) -> bool:
    return True


INDEXED: Mapping[str, Indexed] = {
    "linear": Indexed(_linear, "{0:g} + {1:g}·n", 2, "two numbers", _any),
    "log_linear": Indexed(
        _log_linear, "ln({0:g} + {1:g}·n)", 2, "start > 0, step ≥ 0", lambda a, b: a > 0 and b >= 0
    ),
    "power": Indexed(_power, "{0:g} … {1:g} by (n/(N − 1))^{2:g}", 3, "exponent > 0", lambda a, b, c: c > 0),
    "zigzag": Indexed(
        _zigzag,
        "{0:g} … {1:g} by (n/(N − 1))^{2:g}, and a sawtooth ±{3:g} of period {4:g}",
        6,
        "exponent > 0, period a whole number ≥ 1, shift a whole number ≥ 0",
        lambda a, b, c, d, e, f: c > 0 and e >= 1 and e == int(e) and f >= 0 and f == int(f),
    ),
    "s4d_inverse": Indexed(_inverse, "(2N/π)(2N/(2n + 1) − 1)", 0, "no numbers", _any),
    "s4d_quadratic": Indexed(_quadratic, "(2n + 1)²/π", 0, "no numbers", _any),
    "root_odd": Indexed(_root_odd, "√(2n + 1)", 0, "no numbers", _any),
    "hippo_legs": Indexed(_legs, "HiPPO-LegS", 0, "no numbers", _any, axes=2),
    "sinusoidal": Indexed(
        _sinusoidal,
        "sines and cosines, base {0:g}",
        2,
        "base > 1, and 1 (sine and cosine in turn) or 0 (first all sines)",
        lambda a, b: a > 1 and b in (0, 1),
        axes=2,
    ),
    "bilinear": Indexed(_bilinear, "bilinear interpolation", 0, "no numbers", _any, axes=0),
}
"""Functions of the place; n counts along the last canonical axis, of N elements."""


def checked(table: Mapping[str, Mapped] | Mapping[str, Indexed] | Mapping[str, Whole], curve: Curve) -> None:
    """Raise FillError unless `table` has this curve and the numbers suit it."""
    row = table.get(curve.name)
    if row is None:
        raise FillError(f"curve {curve.name!r}", legal=tuple(table), given=str(curve.name))
    if len(curve.numbers) != row.arity or not row.legal(*curve.numbers):
        raise FillError(f"{curve.name}: numbers {curve.numbers}", expected=row.expected)


def words(curve: Curve) -> str:
    """The law in closed form."""
    row = MAPPED.get(curve.name) or INDEXED.get(curve.name) or WHOLE[curve.name]
    return row.words.format(*curve.numbers)


@functools.lru_cache(maxsize=4096)
def mapped_moments(curve: Curve) -> Moments:
    """Of f(U), U uniform on [0, 1): by Gauss–Legendre on panels that shrink towards both ends."""
    row = MAPPED[curve.name]
    nodes, weights = np.polynomial.legendre.leggauss(20)
    ends = 0.5 ** np.arange(1, 54)
    edges = np.unique([0.0, 1.0, *ends, *(1 - ends), *row.kinks(*curve.numbers)])
    half = (edges[1:] - edges[:-1])[:, None] / 2
    u = edges[:-1][:, None] + half * (1 + nodes)
    value, mass = row.function(u, *curve.numbers), weights * half
    mean = float((value * mass).sum())
    std = math.sqrt(float(((value - mean) ** 2 * mass).sum()))
    low, high = (float(v) for v in row.function(np.array([0.0, 1.0]), *curve.numbers))
    return mean, std, min(low, high), max(low, high)


@functools.lru_cache(maxsize=4096)
def indexed_moments(curve: Curve, shape: tuple[int, ...], layout: Layout | None) -> Moments:
    """Of the elements of a tensor of this shape; NaN and ±inf while the shape is not known."""
    if not shape or not math.prod(shape):
        return math.nan, math.nan, -math.inf, math.inf
    row, axes = INDEXED[curve.name], layout or default_layout(len(shape))
    if len(shape) < row.axes:
        raise FillError(f"{curve.name}: shape {shape}", expected=f"at least {row.axes} axes")
    sizes = tuple(shape[axis] for axis in axes.canonical)
    # where only the last axes matter, all others hold the same
    kept = sizes if row.axes == 0 else (1,) * (len(sizes) - row.axes) + sizes[-row.axes :]
    lead = next((place for place, size in enumerate(kept) if size > 1), 0)
    step = max(1, PIECE * kept[lead] // math.prod(kept))
    count, mean, square, low, high = 0, 0.0, 0.0, math.inf, -math.inf
    for begin in range(0, kept[lead], step):
        starts = [begin if place == lead else 0 for place in range(len(kept))]
        block = tuple(min(step, size - begin) if place == lead else size for place, size in enumerate(kept))
        value = np.broadcast_to(row.function(_index(starts, block, sizes, axes), *curve.numbers), block)
        n, average = value.size, float(value.mean())
        gap = average - mean
        square += float(((value - average) ** 2).sum()) + gap * gap * count * n / (count + n)
        mean += gap * n / (count + n)
        count += n
        low, high = min(low, float(value.min())), max(high, float(value.max()))
    return mean, math.sqrt(square / count), low, high


def _index(starts: list[int], block: tuple[int, ...], sizes: tuple[int, ...], layout: Layout) -> Index:
    grids = tuple(
        np.arange(start, start + size, dtype=np.float64).reshape(
            [-1 if place == axis else 1 for place in range(len(block))]
        )
        for axis, (start, size) in enumerate(zip(starts, block, strict=True))
    )
    return Index(grids, sizes, layout)


def indexed_values(
    curve: Curve,
    shape: tuple[int, ...],
    offset: tuple[int, ...],
    size: tuple[int, ...],
    layout: Layout | None,
) -> F64:
    """The block's values, axes in storage order.

    Args:
        shape: of the whole tensor. offset, size: of the block.
    """
    axes = layout or default_layout(len(shape))
    order = axes.canonical
    block = tuple(size[axis] for axis in order)
    index = _index([offset[axis] for axis in order], block, tuple(shape[axis] for axis in order), axes)
    value = np.broadcast_to(INDEXED[curve.name].function(index, *curve.numbers), block)
    return value.transpose(np.argsort(order))
