"""A gain and a kind of law → the Fill of one weight, packed parts and groups included."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..core.fill import Fill
from ..core.layout import Fans
from ..core.parameter import ParameterInfo

LAWS = ("normal", "orthogonal", "delta_orthogonal", "identity")
MEASURES = ("second", "signal", "relative", "spread")
NAMES = {"o": "rows", "i": "columns"}


@dataclass(frozen=True)
class Decision:
    """What a rule decides for one weight.

    Attributes:
        gain: entries get the standard deviation gain/√fan_in.
        law: "normal", "orthogonal", "delta_orthogonal" or "identity".
        bias: the constant its bias gets.
        spread: standard deviation of its bias, where that is drawn and not constant.
        target: what a data pass steers its output y to; None where none should rescale it.
        mirror: "rows" if outputs come in pairs ±z, "columns" if inputs do, "both", or "" (see `mirror`).
        measure: what `target` is: "second", E[(y − bias)²]; "signal", the same, but of a mean that all
            inputs share at most four times their variance; "relative", the variance of y as a share of
            the residual stream's; "spread", the variance of y from input to input.
        reason, citation: for the Fill.
    """

    gain: float
    law: str = "normal"
    bias: float = 0.0
    target: float | None = None
    measure: str = "signal"
    mirror: str = ""
    spread: float = 0.0
    reason: str = ""
    citation: str = ""

    def fill(self, info: ParameterInfo) -> Fill | None:
        """The Fill for the weight `info`, or None if its fans are unknown."""
        if info.fans is None:
            return None
        if self.mirror:
            fill = mirrored(info.fans, self.gain, self.mirror, self.law)
            return fill.because(self.reason, self.citation)
        make = {
            "normal": normal,
            "orthogonal": orthogonal,
            "delta_orthogonal": delta_orthogonal,
            "identity": identity,
        }[self.law]
        return by_parts(info.fans, lambda fans: make(fans, self.gain)).because(self.reason, self.citation)


def by_parts(fans: Fans, make: Callable[[Fans], Fill]) -> Fill:
    """`make` applied to the weight, or to each packed part by its own fans."""
    if not fans.parts or fans.layout is None:
        return make(fans)
    sizes = dict(fans.layout.parts)
    return Fill.packed([(name, sizes[name], make(part)) for name, part in fans.parts], layout=fans.layout)


def normal(fans: Fans, gain: float) -> Fill:
    """N(0, gain/√fan_in)."""
    return Fill.normal(0.0, gain / math.sqrt(max(fans.fan_in, 1e-12)), layout=fans.layout)


def orthogonal(fans: Fans, gain: float) -> Fill:
    """Orthogonal, scaled so that entries have the std gain/√fan_in too.

    For a matrix that is gain·√max(1, out/in)·Q: it keeps the second moment per unit, not the norm.
    A matrix of a single row or column has nothing to be orthogonal to: it gets the normal law.
    """
    if min(fans.fan_in, _rows(fans)) < 2:
        return normal(fans, gain)
    unit = Fill.matrix("orthogonal", 1.0, shape=fans.shape, layout=fans.layout).std
    if not unit > 0:
        return normal(fans, gain)
    factor = gain / (unit * math.sqrt(max(fans.fan_in, 1e-12)))
    return Fill.matrix("orthogonal", factor, shape=fans.shape, layout=fans.layout)


def delta_orthogonal(fans: Fans, gain: float) -> Fill:
    """Orthogonal at the centre of the kernel and zero elsewhere, entries with the std gain/√fan_in."""
    unit = Fill.matrix("delta_orthogonal", 1.0, shape=fans.shape, layout=fans.layout).std
    factor = gain / (unit * math.sqrt(max(fans.fan_in, 1e-12)))
    return Fill.matrix("delta_orthogonal", factor, shape=fans.shape, layout=fans.layout)


def mirrored(fans: Fans, gain: float, sides: str, law: str = "orthogonal") -> Fill:
    """[[Q, −Q], [−Q, Q]] or its first column or row, Q orthogonal and entries with the std gain/√fan_in.

    Args:
        sides: "rows" for [Q; −Q], "columns" for [Q, −Q], "both".
        law: "orthogonal" or "delta_orthogonal", of Q. All blocks draw the numbers of one.
    """
    assert fans.layout is not None
    layout, shape = fans.layout, list(fans.shape)
    wanted = "".join(letter for letter, name in NAMES.items() if sides in (name, "both"))
    for letter in wanted:
        shape[layout.axes.index(letter)] //= 2
    unit = Fill.matrix(law, 1.0, shape=shape, layout=layout).std
    block = gain / (unit * math.sqrt(max(fans.fan_in, 1e-12)))
    swapped = replace(layout, axes=layout.axes.translate({ord("o"): "i", ord("i"): "o"}), transposed=False)

    def part(factor: float, letters: str, draw: str) -> Fill:
        if not letters:
            return Fill.matrix(law, factor, shape=shape, layout=layout, draw=draw)
        letter, rest = letters[0], letters[1:]
        size = shape[layout.axes.index(letter)]
        name = NAMES[letter]
        halves = [(name, size, part(factor, rest, "")), (f"mirrored {name}", size, part(-factor, rest, name))]
        return Fill.packed(halves, layout=layout if letter == "o" else swapped, draw=draw)

    return part(block, wanted, "")


def identity(fans: Fans, gain: float) -> Fill:
    """gain on the diagonal, 0 elsewhere."""
    return Fill.matrix("identity", gain, shape=fans.shape, layout=fans.layout)


def _rows(fans: Fans) -> float:
    """Output units of one group."""
    if fans.layout is None:
        return float(fans.shape[0]) if fans.shape else 1.0
    return fans.layout.size(fans.shape, "o") / (1 if fans.layout.transposed else fans.layout.groups)
