"""Draw: the numbers a backend needs to turn words into one elementwise law's values.

Every backend computes, per element, one standard variate z (float32) from the stream's words, then
`location + scale·z` in the computing type, kept within [low, high], then rounds once to the output.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np

from ..core.errors import FillError
from ..core.fill import Fill
from . import exact
from .constants import HALF_NORMAL

WORDS = 2**32
KINDS = ("constant", "uniform", "normal", "truncated_normal")


@dataclass(frozen=True)
class Side:
    """One side of a truncated normal, seen from its mode outwards.

    Attributes:
        last: how many of the 2³² words fall on this side, less one.
        near: words counted from the mode up to this one are handled as x = (k + ½)·step,
            words further out, counted from the far end, as the survival (k + ½)·step + floor.
        step: probability of one word, of this side's mass beyond the mode.
        floor: the mass beyond the bound over that beyond the mode; 0 for an infinite bound.
    """

    last: int
    near: int
    step: float
    floor: float


@dataclass(frozen=True)
class Truncation:
    """A normal cut to an interval, as distances t ≥ 0 from its mode there, in sigmas.

    Attributes:
        split: words below this fall on the minor side, the others on the major one.
        major, minor: the two sides; the major one holds at least half of the words.
        hazard, hazard_squared: of the standard normal at the mode.
        coefficients: of t/y, see `exact.quantile_coefficients`.
    """

    split: int
    major: Side
    minor: Side
    hazard: float
    hazard_squared: float
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Draw:
    """An elementwise law, ready to be drawn.

    Attributes:
        kind: one of `KINDS`.
        location, scale: value = location + scale·z. The scale of a truncated normal is negative
            if its major side is the lower one.
        low, high: the support; `low_open` says whether `low` itself is excluded (`high` always is).
    """

    kind: str
    location: float
    scale: float
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    truncation: Truncation | None = None


@functools.lru_cache(maxsize=4096)
def draw_of(fill: Fill) -> Draw:
    """The Draw of an elementwise fill. Raises FillError for laws that are not elementwise."""
    return _draw(fill.law, fill.mean, fill.std, fill.low, fill.high, fill.loc, fill.scale)


@functools.lru_cache(maxsize=4096)
def _draw(law: str, mean: float, std: float, low: float, high: float, loc: float, scale: float) -> Draw:
    if law == "constant":
        return Draw("constant", mean, 0.0)
    if law == "normal":
        return Draw("normal", mean, std)
    if law == "uniform":
        return Draw("uniform", low + (high - low) / 2, high / 2 - low / 2, low, high)
    if law == "truncated_normal":
        return _truncated(loc, scale, low, high)
    raise FillError(f"law {law!r} is not elementwise", legal=KINDS, given=law)


def _truncated(loc: float, scale: float, low: float, high: float) -> Draw:
    with localcontext(prec=exact.DIGITS, Emin=-999_999, Emax=999_999):
        alpha = (Decimal(low) - Decimal(loc)) / Decimal(scale)
        beta = (Decimal(high) - Decimal(loc)) / Decimal(scale)
        if alpha > 0:
            truncation, sign = _one_sided(alpha, beta), 1.0
        elif beta < 0:
            truncation, sign = _one_sided(-beta, -alpha), -1.0
        else:
            truncation, sign = _two_sided(-alpha, beta)
    location = low if alpha > 0 else high if beta < 0 else loc
    return Draw("truncated_normal", location, sign * scale, low, high, True, truncation)


def _one_sided(near: Decimal, far: Decimal) -> Truncation:
    """The mode is the bound nearer to the mean: all mass lies beyond it."""
    inverse = exact.mills(near)
    # the ratio of survivals, without forming numbers as small as exp(−near²/2)
    rho = Decimal(0) if far.is_infinite() else (-exact.exponent(near, far - near)).exp()
    side = _side(WORDS, rho)
    coefficients = _single(exact.quantile_coefficients(near))
    return Truncation(0, side, side, float(1 / inverse), float(1 / inverse**2), coefficients)


def _two_sided(below: Decimal, above: Decimal) -> tuple[Truncation, float]:
    """The mode is the mean; `below` and `above` are the distances to the bounds."""
    major, minor = _half_mass(max(below, above)), _half_mass(min(below, above))
    split = int((WORDS * minor / (major + minor)).to_integral_value())
    hazard = 1 / exact.mills(Decimal(0))
    truncation = Truncation(
        split,
        _side(WORDS - split, 1 - 2 * major),
        _side(split, 1 - 2 * minor),
        float(hazard),
        float(hazard**2),
        HALF_NORMAL,
    )
    return truncation, 1.0 if above >= below else -1.0


def _half_mass(x: Decimal) -> Decimal:
    return exact.central(x) if x <= 8 else Decimal("0.5") - exact.survival(x)


def _side(count: int, rho: Decimal) -> Side:
    if count == 0:
        return Side(0, 0, 0.0, 0.0)
    mass = 1 - rho
    near = count if 2 * mass <= 1 else int(count / (2 * mass))
    return Side(count - 1, max(near, 1) - 1, float(mass / count), float(rho))


def _single(values: list[Decimal]) -> tuple[float, ...]:
    return tuple(float(np.float32(float(value))) for value in values)


def support(draw: Draw, dtype: type[np.floating], where: str = "") -> tuple[float, float]:
    """The least and the greatest number of `dtype` (float32 or float64) within the draw's support.

    Raises:
        FillError: no such number lies strictly between the bounds.
    """
    low, high = _least(draw.low, draw.low_open, dtype), -_least(-draw.high, True, dtype)
    if low > high:
        raise FillError(
            f"no {np.dtype(dtype).name} lies strictly between {draw.low!r} and {draw.high!r}",
            where=where,
            cause="the bounds are closer together than the type's numbers are there",
            fix="Widen the bounds, or fill a float64 tensor.",
        )
    return low, high


def _least(bound: float, is_open: bool, dtype: type[np.floating]) -> float:
    if math.isinf(bound):
        return bound
    with np.errstate(over="ignore"):
        number = dtype(bound)
    if float(number) < bound or (is_open and float(number) == bound):
        number = np.nextafter(number, dtype(np.inf))
    return float(number)
