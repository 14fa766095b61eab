"""The scheme's mechanism: a row declares a law, `scheme(name, **options)` makes it a frozen noun.

A row's options are the keyword-only arguments of its law function: the default, the type and
the meaning stand there once (`Annotated[float, "what it does"]`), and checking, `explain` and
`initwise list` follow from them.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ..core.codec import JsonMixin
from ..core.errors import FillError, OptionError
from ..core.fill import Fill
from ..core.layout import Fans, Layout, fans
from ..core.parameter import ParameterInfo
from ..core.registry import Registry

Value = bool | float | str | None
EVIDENCE = ("verified in source", "computed", "second-hand", "recalled")

Rule = Callable[["Scheme", ParameterInfo], Fill | None]
"""What a role gets: (scheme, parameter) -> Fill, or None to leave the parameter alone."""


@dataclass(frozen=True)
class Option(JsonMixin):
    """One option of a scheme: its default, what it means, and its legal words, if it takes words."""

    name: str
    default: Value
    meaning: str
    legal: tuple[str, ...] = ()
    kind: str = "number"  # or "choice", "flag", "text", "number or choice"

    def checked(self, value: Any, where: str) -> Value:
        """`value` as the option's type. Raises OptionError with what would be right."""
        if "choice" in self.kind and isinstance(value, str):
            if value in self.legal:
                return value
        elif (self.kind == "flag" and isinstance(value, bool)) or (
            self.kind == "text" and isinstance(value, str)
        ):
            return value
        elif "number" in self.kind and _is_number(value):
            return float(value)
        raise OptionError(
            f"{self.name}={value!r}",
            where=where,
            expected={"flag": "True or False", "number": "a number", "text": "a text"}.get(self.kind, ""),
            legal=self.legal,
            given=str(value),
            fix=f"{self.name}: {self.meaning}.",
        )


def _is_number(value: Any) -> bool:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        return False
    return not math.isnan(float(value))


@dataclass(frozen=True)
class Known(JsonMixin):
    """A known answer, from the paper or from the framework's own numbers, never from this code.

    Attributes:
        shape, layout, groups, parts, stride: the weight, as for `fans`.
        options: of the scheme.
        attribute, value: an attribute of the Fill ("std", "high", "gain" …) and what it must be.
        source: where the value comes from.
    """

    shape: tuple[int, ...]
    layout: str
    attribute: str
    value: float
    options: tuple[tuple[str, Value], ...] = ()
    groups: int = 1
    parts: tuple[tuple[str, int], ...] = ()
    stride: tuple[int, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class SchemeRow:
    """One scheme, as the registry and `explain` know it.

    Attributes:
        name, aliases: what users call it.
        law: the function `law(fans, **options) -> Fill`.
        summary: plain words.
        formula: the law in closed form.
        citation: paper or source, with the equation.
        evidence: one of `EVIDENCE`.
        differences: where frameworks mean different things by this name.
        avoid: when not to use it.
        known: known answers, checked for every row.
        elementwise: the law needs no fans, so it suits tables, tokens and vectors too.
        roles: what particular roles get instead of `roles.RULES`.
        planner: "module:function" for schemes of a whole model, called as
            `function(model, example, seed=…, **options) -> Plan`; "" for all others.
    """

    name: str
    law: Callable[..., Fill]
    summary: str
    formula: str
    citation: str
    evidence: str
    differences: tuple[str, ...]
    avoid: str
    aliases: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    elementwise: bool = False
    roles: Mapping[str, Rule] = field(default_factory=dict)
    planner: str = ""

    @property
    def options(self) -> tuple[Option, ...]:
        """The law's options with their defaults and meanings."""
        return options_of(self.law)

    def checked(self, given: Mapping[str, Any]) -> tuple[tuple[str, Value], ...]:
        """All options as (name, value), defaults filled in. Raises OptionError for what is none."""
        return checked_options(f"scheme {self.name!r}", self.options, given)

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON data, its functions left out."""
        words = ("name", "aliases", "summary", "formula", "citation", "evidence", "differences", "avoid")
        data = {name: getattr(self, name) for name in words}
        for name in ("aliases", "differences"):
            data[name] = list(data[name])
        return {**data, "planner": self.planner, "options": [option.to_dict() for option in self.options]}


def checked_options(
    where: str, options: tuple[Option, ...], given: Mapping[str, Any]
) -> tuple[tuple[str, Value], ...]:
    """All `options` as (name, value), those not `given` at their defaults.

    Raises:
        OptionError: at `where`, for an unknown name or a value that the option cannot have.
    """
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise OptionError(
                f"it has no option {name!r}",
                where=where,
                legal=known,
                given=name,
                fix="" if known else "It has no options at all.",
            )
    return tuple(
        (name, option.checked(given[name], where) if name in given else option.default)
        for name, option in known.items()
    )


@functools.cache
def options_of(function: Callable[..., Any]) -> tuple[Option, ...]:
    """The keyword-only arguments of `function` as options."""
    hints = typing.get_type_hints(function, include_extras=True)
    return tuple(
        _option(name, hints[name], parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )


def _option(name: str, hint: Any, default: Any) -> Option:
    meaning = ""
    if typing.get_origin(hint) is Annotated:
        hint, meaning = typing.get_args(hint)
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    members = typing.get_args(hint) if union else (hint,)
    words = [member for member in members if typing.get_origin(member) is Literal]
    legal = tuple(word for member in words for word in typing.get_args(member))
    plain = {bool: "flag", float: "number", str: "text"}
    kinds = [plain[member] for member in members if member in plain]
    kind = " or ".join([*kinds, *(["choice"] if legal else [])])
    return Option(name, default, meaning, legal, kind)


registry: Registry[SchemeRow] = Registry("scheme", "initwise.schemes", "initwise.schemes")


@dataclass(frozen=True)
class Scheme(JsonMixin):
    """A named law with its options: `Scheme + Fans + gain → Fill`.

    Make one with `scheme(name, **options)`.

    Attributes:
        name: the row's name (an alias is replaced by it).
        options: every option as (name, value), those not given at their defaults.

    Raises:
        UnknownNameError: no scheme has this name.
        OptionError: an unknown option, or a value it cannot have.
        FillError: options that make no law (a negative std, empty bounds …).
    """

    name: str
    options: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        row = registry[self.name]
        object.__setattr__(self, "name", row.name)
        object.__setattr__(self, "options", row.checked(dict(self.options)))
        if not row.planner:
            # a law that is none shall be refused here, not at the first weight
            row.law(fans((1, 1), "oi"), **dict(self.options))

    def __str__(self) -> str:
        defaults = {option.name: option.default for option in self.row.options}
        given = [f"{name}={_short(value)}" for name, value in self.options if value != defaults[name]]
        return self.name + (f"({', '.join(given)})" if given else "")

    @property
    def row(self) -> SchemeRow:
        """The registry's row: summary, formula, citation, differences."""
        return registry[self.name]

    def fill(self, fans: Fans | None = None, *, gain: float = 1.0) -> Fill:
        """The Fill this law gives a weight with these fans; packed parts each by their own fans.

        Args:
            fans: from `initwise.fans(shape, layout)`; may be left out by laws that need none.
            gain: a factor ≥ 0 on the law's values (the engine's std is multiplied by it).

        Raises:
            OptionError: no fans for a law that needs them, or a scheme of a whole model.
            FillError: a fan of zero, a shape the law cannot fill, a negative or NaN gain.
        """
        row = self.row
        if row.planner:
            raise _needs_model(self)
        if fans is None and row.elementwise:
            return self._law(None, gain)
        if not isinstance(fans, Fans):
            raise OptionError(
                f"fans is {'missing' if fans is None else f'a {type(fans).__name__}'}",
                where=f"scheme {self.name!r}",
                expected="Fans",
                fix='initwise.fans(shape, layout) makes them: fans((256, 64), "oi").',
            )
        if fans.shape and not math.prod(fans.shape):
            return Fill.constant(0.0, layout=fans.layout, reason="no elements")
        if fans.parts and fans.layout is not None:
            return self._packed(fans, gain)
        return self._law(fans, gain)

    def fill_parameter(self, info: ParameterInfo, *, gain: float = 1.0) -> Fill | None:
        """The Fill for one parameter of a model, by its role (see `initwise.schemes.roles`).

        Args:
            info: the parameter, as the framework's adapter describes it.
            gain: a factor ≥ 0 on weights and recurrent matrices (and on a weight's magnitude).

        Returns:
            The Fill, or None: leave the parameter as it is.

        Raises:
            FillError, OptionError, ModelError: as `fill`, naming the parameter.
        """
        from .roles import fill_parameter

        if self.row.planner:
            raise _needs_model(self)
        return fill_parameter(self, info, gain)

    def _law(self, fans: Fans | None, gain: float) -> Fill:
        row = self.row
        fill = self._made(fans)
        if fill.layout is None and fans is not None:
            fill = dataclasses.replace(fill, layout=fans.layout)
        if not fill.citation:
            fill = fill.because(fill.reason or row.formula, row.citation)
        return scaled(fill, gain)

    def _made(self, fans: Fans | None) -> Fill:
        try:
            return self.row.law(fans, **dict(self.options))
        except ZeroDivisionError:
            name = "fan_in" if fans is None or fans.fan_in == 0 else "fan_out"
            raise FillError(
                f"{name} is 0",
                where=f"scheme {self.name!r}",
                expected=f"{name} > 0",
                cause="an axis of size zero, or fans made by hand",
            ) from None

    def _packed(self, fans: Fans, gain: float) -> Fill:
        layout = fans.layout or Layout("oi")
        sizes = dict(layout.parts)
        pieces = [(name, sizes[name], self.fill(part, gain=gain)) for name, part in fans.parts]
        if all(fill.law == "constant" for _, _, fill in pieces):
            return dataclasses.replace(pieces[0][2], layout=layout)
        reason = f"each of {', '.join(sizes)} by its own fans: {pieces[0][2].reason}"
        return Fill.packed(pieces, layout=layout, reason=reason, citation=pieces[0][2].citation)


def scaled(fill: Fill, gain: float) -> Fill:
    """`fill` times `gain`, which is told in the reason. Raises FillError for gain < 0 or NaN."""
    if isinstance(gain, bool) or not _is_number(gain) or not 0 <= float(gain) < math.inf:
        raise FillError(f"gain {gain!r}", expected="a finite number ≥ 0", fix='initwise.gain("relu") is one.')
    if gain == 1:
        return fill
    return fill.scaled(float(gain)).because(f"{fill.reason}, times gain {gain:.6g}")


def scheme(name: str, **options: Any) -> Scheme:
    """The scheme called `name` (or alias), with `options`.

    Raises:
        UnknownNameError: no such scheme; the nearest name is in the message.
        OptionError, FillError: see `Scheme`.

    >>> print(scheme("kaiming_normal", mode="fan_out"))
    he_normal(mode="fan_out")
    """
    return Scheme(registry[name].name, tuple(options.items()))


def schemes() -> tuple[SchemeRow, ...]:
    """All schemes, sorted by name."""
    return registry.rows()


def _short(value: Value) -> str:
    return (
        f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _needs_model(scheme: Scheme) -> OptionError:
    return OptionError(
        f"scheme {scheme.name!r} decides for a whole model, one weight's fans are not enough",
        cause="it looks at the layers around a weight, or at data passing through it",
        fix=f'initwise.init_(model, "{scheme.name}", example=example) applies it.',
    )
