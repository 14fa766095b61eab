"""Laws of recipes: a Fill for a place in a model, with the formula told in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Layout, fans
from ..schemes import scheme
from ..schemes.roles import known_fans
from .structure import Place

TRUNCATED = 0.87962566103423978
"""Std of N(0, 1) conditioned on |z| < 2."""


@dataclass(frozen=True)
class Formula:
    """A number that depends on the place: `value(place)`, told as `words`."""

    value: Callable[[Place], float]
    words: str


Number = float | Formula


@dataclass(frozen=True)
class Law:
    """What a parameter gets: `make(place)` is its Fill, or None to leave it; told as `words`."""

    make: Callable[[Place], Fill | None]
    words: str

    def __str__(self) -> str:
        return self.words


def at(number: Number, place: Place) -> float:
    """The number at this place."""
    return number.value(place) if isinstance(number, Formula) else float(number)


def say(number: Number) -> str:
    """The number in words."""
    return number.words if isinstance(number, Formula) else f"{number:g}"


def formula(words: str) -> Callable[[Callable[[Place], float]], Formula]:
    """Decorator: a function of the place as a Formula told in these words."""
    return lambda value: Formula(value, words)


def positive(recipe: str, **options: float) -> None:
    """Raise OptionError unless every option is > 0."""
    for name, value in options.items():
        if not value > 0:
            raise OptionError(f"{name}={value!r}", where=f"recipe {recipe!r}", expected=f"{name} > 0")


def times(factor: float, number: Number) -> Number:
    """A number times a constant."""
    if not isinstance(number, Formula):
        return factor * number
    return Formula(lambda place: factor * number.value(place), f"{factor:g}·{number.words}")


def over_depth(std: Number) -> Formula:
    """std/√(2L): two residual branches in each of L blocks."""
    return Formula(lambda p: at(std, p) / math.sqrt(2 * p.L), f"{say(std)}/√(2L)")


def over_index(std: Number) -> Formula:
    """std/√(2(l+1)), l the block's index from 0."""
    return Formula(lambda p: at(std, p) / math.sqrt(2 * (p.l + 1)), f"{say(std)}/√(2(l+1))")


INVERSE_ROOT_WIDTH = Formula(lambda p: p.d**-0.5, "1/√d")
INVERSE_ROOT_FAN_IN = Formula(lambda p: p.fan_in**-0.5, "1/√fan_in")


def normal(std: Number, mean: float = 0.0) -> Law:
    """N(mean, std)."""
    words = f"N({mean:g}, {say(std)})"
    return Law(lambda p: Fill.normal(mean, at(std, p), reason=_why(words, p)), words)


def truncated(std: Number, cut: float = 2.0) -> Law:
    """N(0, std) cut at `cut` sigmas: the written std is smaller (0.8796·std for 2)."""
    words = f"N(0, {say(std)}) cut at ±{cut:g}σ"

    def make(p: Place) -> Fill:
        s = at(std, p)
        return Fill.truncated_normal(0.0, s, -cut * s, cut * s, reason=_why(words, p))

    return Law(make, words)


def truncated_at(std: Number, bound: float = 2.0) -> Law:
    """N(0, std) cut at ±bound in weight units: torch's trunc_normal_. For std 0.02 it cuts nothing."""
    words = f"N(0, {say(std)}) cut at ±{bound:g}"
    return Law(lambda p: Fill.truncated_normal(0.0, at(std, p), -bound, bound, reason=_why(words, p)), words)


def corrected(std: Number) -> Law:
    """A normal cut at ±2σ, widened so that the written std is `std`: lecun_normal and the like in JAX."""
    words = f"normal cut at ±2σ, written std {say(std)}"

    def make(p: Place) -> Fill:
        s = at(std, p) / TRUNCATED
        return Fill.truncated_normal(0.0, s, -2 * s, 2 * s, reason=_why(words, p))

    return Law(make, words)


def uniform(bound: Number) -> Law:
    """U(±bound)."""
    words = f"U(±{say(bound)})"

    def make(p: Place) -> Fill:
        a = at(bound, p)
        return Fill.uniform(-a, a, reason=_why(words, p))

    return Law(make, words)


def between(low: float, high: float) -> Law:
    """U[low, high)."""
    words = f"U[{low:g}, {high:g})"
    return Law(lambda p: Fill.uniform(low, high, reason=words), words)


def constant(value: Number) -> Law:
    """Every element is `value`."""
    words = say(value)
    return Law(lambda p: Fill.constant(at(value, p), reason=_why(words, p)), words)


ZERO = constant(0.0)
ONE = constant(1.0)


def orthogonal(gain: Number = 1.0) -> Law:
    """Semi-orthogonal × gain."""
    words = f"orthogonal × {say(gain)}"

    def make(p: Place) -> Fill:
        return Fill.matrix(
            "orthogonal", at(gain, p), shape=p.info.shape, layout=p.info.layout, reason=_why(words, p)
        )

    return Law(make, words)


def mapped(curve: str, *numbers: float) -> Law:
    """A function of the element's uniform variate, one of `core.curves.MAPPED`."""
    words = Fill.mapped(curve, *numbers).formula
    return Law(lambda p: Fill.mapped(curve, *numbers, reason=_why(words, p)), words)


def indexed(curve: str, *numbers: float) -> Law:
    """A function of the element's place, one of `core.curves.INDEXED`: nothing is drawn."""
    words = Fill.indexed(curve, *numbers).formula

    def make(p: Place) -> Fill:
        shape, layout = p.info.shape, p.info.layout
        return Fill.indexed(curve, *numbers, shape=shape, layout=layout, reason=_why(words, p))

    return Law(make, words)


def by(name: str, *, gain: float = 1.0, whole: bool = False, **options: float | str | bool) -> Law:
    """The scheme called `name`, by the weight's own fans.

    Args:
        gain: a factor on the std.
        whole: a packed matrix counts as one, as frameworks that know no packing have it.
    """
    chosen = scheme(name, **options)
    words = f"{chosen}" + (f" × {gain:.4g}" if gain != 1 else "") + (" of the packed whole" if whole else "")

    def make(p: Place) -> Fill:
        known = known_fans(p.info)
        if whole and known.parts and known.layout is not None:
            known = fans(known.shape, replace(known.layout, parts=()))
        return chosen.fill(known, gain=gain)

    return Law(make, words)


def by_role(name: str, **options: float | str | bool) -> Law:
    """The scheme called `name` with its own rules for biases, norms and tables: a framework's default."""
    chosen = scheme(name, **options)
    return Law(lambda p: chosen.fill_parameter(p.info), f"{chosen}, by role")


def halves(first: Law, second: Law, names: tuple[str, str] = ("gate", "up")) -> Law:
    """A matrix that packs two of one size along its outputs, or a stack of such: each half by its own law."""

    def make(p: Place) -> Fill | None:
        layout = _packed_layout(p)
        size = p.info.shape[layout.part_axis] // 2
        fills = [(name, law.make(p)) for name, law in zip(names, (first, second), strict=True)]
        parts = tuple((name, size) for name in names)
        pieces = [(name, size, fill) for name, fill in fills if fill is not None]
        return Fill.packed(pieces, layout=replace(layout, parts=parts), reason=f"{p.part}: {words}")

    words = f"{names[0]} {first}, {names[1]} {second}"
    return Law(make, words)


def _packed_layout(p: Place) -> Layout:
    """The axes of a matrix, or of a stack of experts, whose inputs are as many as the model is wide."""
    if p.info.layout is not None:
        return p.info.layout
    if len(p.info.shape) == 2:
        return Layout("oi")
    return Layout("boi" if p.info.shape[-1] == p.d else "bio")


def scaled(law: Law, factor: Number) -> Law:
    """The law times a factor that may depend on the place."""

    def make(p: Place) -> Fill | None:
        fill = law.make(p)
        return None if fill is None else fill.scaled(at(factor, p))

    return Law(make, f"{law} × {say(factor)}")


KEPT = Law(lambda p: None, "left as it is")


def _why(words: str, place: Place) -> str:
    """The words, with the block they were computed for."""
    facts = []
    if "L" in words and place.blocks is not None:
        facts.append(f"L = {place.blocks}")
    if "(l+1)" in words and place.block is not None:
        facts.append(f"l = {place.block}")
    what = place.part or place.role
    return f"{what}: {words}" + (f" with {', '.join(facts)}" if facts else "")
