"""Precision: what a number format does to the values of a pass. Pure functions of Readings.

Values are taken as Gaussian with the mean and rms read. Formats: IEEE 754-2019 (binary16, 32, 64); bfloat16;
Micikevicius et al. 2022, arXiv:2209.05433, table 1 (E4M3, without infinities, and E5M2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import OptionError
from .reading import Reading
from .verdicts import Mark


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
        largest: finite number.
        tiny: the smallest normal number.
        smallest: positive number, below the normal ones.
        step: distance from 1 to the next number above.
    """

    largest: float
    tiny: float
    smallest: float
    step: float


FORMATS = {
    "bfloat16": Format((2 - 2**-7) * 2.0**127, 2.0**-126, 2.0**-133, 2.0**-7),
    "float16": Format(65504.0, 2.0**-14, 2.0**-24, 2.0**-10),
    "float32": Format((2 - 2**-23) * 2.0**127, 2.0**-126, 2.0**-149, 2.0**-23),
    "float64": Format(1.7976931348623157e308, 2.0**-1022, 5e-324, 2.0**-52),
    "float8_e4m3fn": Format(448.0, 2.0**-6, 2.0**-9, 2.0**-3),
    "float8_e5m2": Format(57344.0, 2.0**-14, 2.0**-16, 2.0**-2),
}
ALIASES = {
    "bf16": "bfloat16",
    "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "float8_e4m3": "float8_e4m3fn",
    "fp16": "float16",
    "fp32": "float32",
    "fp64": "float64",
    "fp8_e4m3": "float8_e4m3fn",
    "fp8_e5m2": "float8_e5m2",
    "half": "float16",
}
ONCE = 1e-3
"""Expected number of values beyond the range in one pass: one pass in a thousand is one too many, because
one infinity makes every gradient NaN."""
LARGEST_SCALE = 1023
"""Exponent of the largest power of two that a float holds."""
SIGMAS = 6.0
"""A scale of the loss is to leave the largest gradients so many rms below the largest number."""


def format_name(dtype: Any) -> str:
    """The format's own name, for a name, an alias or a dtype. Raises OptionError for any other."""
    text = str(dtype).removeprefix("torch.").lower()
    name = ALIASES.get(text, text)
    if name not in FORMATS:
        legal = (*FORMATS, *ALIASES)
        raise OptionError(f"dtype {dtype!r}", where="check", legal=legal, given=text)
    return name


def lowered(readings: Sequence[Reading], dtype: str) -> list[Reading]:
    """`readings` as if every output, gradient and weight were kept in `dtype`."""
    tiny = FORMATS[dtype].tiny
    return [replace(row, dtype=dtype, tiny=tiny, weight_dtype=dtype) for row in readings]


def zeroed(rms: float, form: Format) -> float:
    """Share of values of N(0, rms²) that are nearer to zero than to the smallest number."""
    return math.erf(form.smallest / 2 / (rms * math.sqrt(2))) if rms > 0 else 1.0


def beyond(rms: float, mean: float, form: Format) -> float:
    """Share of Gaussian values that lie beyond the largest number."""
    mean = 0.0 if math.isnan(mean) else abs(mean)
    std = math.sqrt(max(rms**2 - mean**2, 0.0))
    if std == 0:
        return float(mean > form.largest)
    tails = [math.erfc((form.largest + side * mean) / (std * math.sqrt(2))) for side in (1, -1)]
    return sum(tails) / 2


# one rule per verdict


def beyond_range(readings: Sequence[Reading], free: bool = False) -> list[Mark]:
    """Values that are finite so far, or not computed at all, and will not stay so in their format.

    Args:
        free: the gradient's scale is arbitrary, and so not judged.
    """
    if any(row.bad > 0 or row.gradient_bad > 0 for row in readings):
        return []
    forward = [(i, row.forward_rms, row.forward_mean) for i, row in enumerate(readings)]
    backward = [] if free else [(i, row.gradient_rms, 0.0) for i, row in enumerate(readings)]
    return [
        *_beyond(readings, "output", forward, lambda rms, form: ""),
        *_beyond(readings, "gradient at its output", backward[::-1], _smaller),
    ]


def _smaller(rms: float, form: Format) -> str:
    return f"; scale the loss by 2^-{math.ceil(math.log2(SIGMAS * rms / form.largest))}"


def _beyond(
    readings: Sequence[Reading],
    what: str,
    values: Sequence[tuple[int, float, float]],
    cure: Callable[[float, Format], str],
) -> list[Mark]:
    found: list[Mark] = []
    for place, rms, mean in values:
        row = readings[place]
        form = FORMATS.get(row.dtype)
        if form is None or not 0 < rms < math.inf:
            continue
        share = beyond(rms, mean, form)
        if share * math.prod(row.shape) > ONCE:
            reason = f"the {what} has rms {rms:.2g}: {_one_in(share)} beyond {row.dtype}'s largest number "
            reason += f"{form.largest:.5g}{cure(rms, form)}"
            found.append(Mark(place, "overflow", reason, rms / form.largest, finding=not found))
    return found


def _one_in(share: float) -> str:
    return f"{share:.0%} of its values lie" if share > 0.05 else f"one value in {1 / share:.2g} lies"


def underflow(readings: Sequence[Reading], free: bool = False) -> list[Mark]:
    """Below the dtype's smallest normal number, forward or backward.

    Args:
        free: the gradient's scale is arbitrary: it counts as if it were as large as the format allows.
    """
    lift = _lift(readings) if free else 1.0
    forward = [(i, row.forward_rms) for i, row in enumerate(readings)]
    backward = [(i, row.gradient_rms * lift) for i, row in enumerate(readings)]
    return [
        *_below_range(readings, "output", forward, lambda: ""),
        *_below_range(readings, "gradient at its output", backward[::-1], lambda: _larger(readings, free)),
    ]


def _lift(readings: Sequence[Reading]) -> float:
    """The largest power of two by which all gradients can be scaled without overflow."""
    rooms = [
        math.log2(FORMATS[row.dtype].largest) - math.log2(SIGMAS * row.gradient_rms)
        for row in readings
        if row.dtype in FORMATS and 0 < row.gradient_rms < math.inf
    ]
    return 2.0 ** min(math.floor(min(rooms)), LARGEST_SCALE) if rooms else 1.0


def _larger(readings: Sequence[Reading], free: bool) -> str:
    """By which power of two the loss is to be scaled, if one is enough."""
    judged = [row for row in readings if row.dtype in FORMATS and 0 < row.gradient_rms < math.inf]
    needed = max(math.ceil(math.log2(row.tiny) - math.log2(row.gradient_rms)) for row in judged)
    worst = max(judged, key=lambda row: row.gradient_rms / FORMATS[row.dtype].largest)
    if free:
        return f"; that is with the loss scaled as far as {worst.name!r} lets it"
    if needed <= math.log2(_lift(readings)):
        return f"; scale the loss by 2^{needed}"
    return f"; no one scale of the loss fits it and {worst.name!r} (rms {worst.gradient_rms:.2g})"


def _below_range(
    readings: Sequence[Reading], what: str, values: list[tuple[int, float]], cure: Callable[[], str]
) -> list[Mark]:
    found: list[Mark] = []
    for place, value in values:
        row = readings[place]
        if 0 < value < row.tiny:
            reason = f"the {what} has rms {value:.2g}, {_below(value, row)}{cure()}"
            found.append(Mark(place, "underflow", reason, value / row.tiny, finding=not found))
    return found


def _below(value: float, row: Reading) -> str:
    form = FORMATS.get(row.dtype)
    if form is None or zeroed(value, form) < 0.01:
        return f"below {row.dtype}'s smallest normal number {row.tiny:.2g}"
    lost = f"{zeroed(value, form):.0%} of its values become zero"
    if value >= form.smallest:
        return f"below {row.dtype}'s smallest normal number {row.tiny:.2g}: {lost}"
    return (
        f"{form.smallest / value:.2g} times below {row.dtype}'s smallest number {form.smallest:.2g}: {lost}"
    )


def rounded(readings: Sequence[Reading]) -> list[Mark]:
    """Weights that differ by less than their format can tell: 1 + a small noise, or a tiny std."""
    found: list[Mark] = []
    for place, row in enumerate(readings):
        form = FORMATS.get(row.weight_dtype)
        if form is None or not 0 < row.weight_std < math.inf:
            continue
        mean = math.sqrt(max(row.weight_rms**2 - row.weight_std**2, 0.0))
        spacing = _spacing(mean, form) if mean > row.weight_std else form.smallest
        if row.weight_std < spacing / 2:
            lost = math.erf(spacing / 2 / (row.weight_std * math.sqrt(2)))
            around = f"around {mean:.3g}, where" if spacing > form.smallest else "around 0, and"
            reason = (
                f"its weight has std {row.weight_std:.2g} {around} {row.weight_dtype} tells numbers apart "
            )
            reason += f"by {spacing:.2g}: {lost:.0%} of them become the same"
            found.append(Mark(place, "rounded", reason, 2 * row.weight_std / spacing, finding=not found))
    return found


def _spacing(mean: float, form: Format) -> float:
    """Distance from `mean` to the next number below: half of that above, at a power of two."""
    mantissa, exponent = math.frexp(mean)
    below = exponent - 2 if mantissa == 0.5 else exponent - 1
    return max(form.step * 2.0**below, form.smallest)
