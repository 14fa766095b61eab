"""No law writes infinities: options too large for floating point are refused."""

from __future__ import annotations

import math

from ..core.errors import FillError
from ..core.fill import SHAPED_LAWS, Fill


def check_finite(fill: Fill, scheme: str) -> None:
    """Raise FillError unless the moments are finite; those of a shaped law may be unknown."""
    unknown = math.isnan(fill.mean) or math.isnan(fill.std)
    if math.isinf(fill.mean) or math.isinf(fill.std) or (unknown and fill.law not in SHAPED_LAWS):
        raise no_law(f"values of mean {fill.mean:g} and std {fill.std:g}", scheme)


def no_law(got: str, scheme: str) -> FillError:
    """The error for options that give no finite weights."""
    return FillError(
        got,
        where=f"scheme {scheme!r}",
        expected="finite weights",
        cause="an option is too large or too small for floating point",
    )
