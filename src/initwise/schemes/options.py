"""Options of a law: the keyword-only arguments of its function, checked."""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ..core.codec import JsonMixin
from ..core.errors import OptionError

Value = bool | float | str | None


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
        if value is None and self.default is None:
            return None
        if "choice" in self.kind and isinstance(value, str):
            if value in self.legal:
                return value
        elif (self.kind == "flag" and isinstance(value, bool)) or (
            self.kind == "text" and isinstance(value, str)
        ):
            return value
        elif "number" in self.kind and is_number(value):
            return float(value)
        raise OptionError(
            f"{self.name}={value!r}",
            where=where,
            expected={"flag": "True or False", "number": "a number", "text": "a text"}.get(self.kind, ""),
            legal=self.legal,
            given=str(value),
            fix=f"{self.name}: {self.meaning}.",
        )


def is_number(value: Any) -> bool:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        return False
    return not math.isnan(float(value))


def by_name(call: str, name: str, options: tuple[Option, ...], unnamed: Sequence[Any]) -> OptionError:
    """The error for values without a name: with the first option that can have the first of them."""
    value = unnamed[0]
    fitting = next((option.name for option in options if _can_have(option, value)), "NAME")
    return OptionError(
        f"{value!r} without a name",
        where=f'{call}("{name}")',
        expected="options by their names",
        legal=[option.name for option in options],
        fix=f'{call}("{name}", {fitting}={value!r}).' if options else "It has no options at all.",
    )


def _can_have(option: Option, value: Any) -> bool:
    try:
        option.checked(value, "")
    except OptionError:
        return False
    return True


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
