"""One value → the characters that stand for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import count
from string import ascii_lowercase
from typing import Any

from .document import blank

NOTHING = "–"
ELLIPSIS = "…"
ROOT = "(model)"
"""The module whose path is empty."""
RIGHT = frozenset({"number", "rate", "count", "exponent", "share", "figure"})
"""Kinds whose cells line up on the right."""


def cell(value: Any, kind: str) -> str:
    """`value` as a table shows it; "–" where there is nothing to show."""
    if value == "" and kind == "name":
        return ROOT
    if blank(value) and not (kind == "shape" and value == ()):
        return NOTHING
    if kind == "number":
        return number(value)
    if kind == "exponent":
        return exponent(value)
    if kind == "rate":
        return f"{value:.3g}"
    if kind == "share":
        return share(value)
    if kind == "shape":
        return shape(value)
    return str(value)


def number(value: float) -> str:
    """3 significant digits: 0.0417, 1.00, 12.3, 1230; beyond 10⁻³…10⁴ in powers of ten."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = int(exponent)
    if -3 <= power < 4:
        return f"{float(f'{mantissa}e{power}'):.{max(0, 2 - power)}f}"
    return f"{mantissa}e{power}"


def exponent(value: float) -> str:
    """ "+0.50", "-1.00", "0.00"; never "-0.00"."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text


def with_error(value: float, error: float) -> str:
    """ "0.312 ± 0.004": the error to as many decimals as the value; never rounded down to nothing."""
    text = number(value)
    if "e" in text or not (math.isfinite(value) and math.isfinite(error)):
        return f"{text} ± {number(error)}"
    decimals = len(text.partition(".")[2])
    least = 10.0**-decimals
    return f"{text} ± {error:.{decimals}f}" if error == 0 or error >= least / 2 else f"{text} ± <{least:g}"


def share(value: float) -> str:
    """A fraction in per cent: 0%, <1%, 12%, >99%, 100%."""
    if 0 < value < 0.01:
        return "<1%"
    if 0.99 < value < 1:
        return ">99%"
    return f"{value:.0%}"


def shape(value: tuple[int, ...]) -> str:
    """(128, 64) as 128×64, () as scalar."""
    return "×".join(str(size) for size in value) or "scalar"


def shorten(name: str, width: int) -> str:
    """`name` in at most `width` characters: the middle goes first, because ends tell names apart."""
    if len(name) <= width:
        return name
    tail = width // 2
    return name[: max(0, width - 1 - tail)] + ELLIPSIS + (name[-tail:] if tail else "")


def plural(count: int, noun: str) -> str:
    """ "1 layer", "3 layers"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: tuple[str, ...]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def letters(reasons: Iterable[str]) -> dict[str, str]:
    """Reason → a, b … z, a1, b1 …: many rows share a few reasons, told once. "" has no letter."""
    names = (letter + (str(lap) if lap else "") for lap in count() for letter in ascii_lowercase)
    return dict(zip(dict.fromkeys(filter(None, reasons)), names, strict=False))
