"""--plan NAME with its options, and the library's advice about them in the command's own words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from ..core.errors import InitwiseError, OptionError
from ..frameworks.planning import named

Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="An option of the plan, std=0.01 or assign='mlp.up=*.fc1.weight'; may be repeated "
        "(initwise explain NAME lists them).",
    ),
]


def plan_of(name: str | None, options: Sequence[str]) -> Any:
    """What --plan and --option mean: the scheme or recipe with its options, or the name alone.

    Raises:
        OptionError: options without a plan, or that the plan does not have.
        UnknownNameError: no scheme or recipe has this name.
    """
    if name is None and options:
        raise OptionError(
            "an option, and no plan that it is of",
            where=f"--option {options[0]}",
            fix="Say which scheme or recipe: --plan NAME.",
        )
    return named(name, given(options)) if name is not None and options else name


def given(options: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE, each, as names and values: numbers, true and false, else words."""
    found: dict[str, Any] = {}
    for text in options:
        name, sign, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or not name:
            raise OptionError(f"{text!r}", where="--option", expected="NAME=VALUE: mode=fan_out")
        if name in found:
            raise OptionError(f"{name} twice", where="--option", expected="each option once")
        found[name] = _value(value.strip())
    return found


def _value(text: str) -> bool | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text


_CALLS = (
    (
        re.compile(r'(?:initwise\.)?(?:recipe|scheme)\("([^"]+)", (\w+)="([^"]*)"\)'),
        r"--plan \1 --option '\2=\3'",
    ),
    (re.compile(r"(?<![\w.(])choose\(model, example\)"), "initwise choose TARGET --example SPEC"),
)
"""What errors advise to call, and how to type the same."""


@contextlib.contextmanager
def told_as_options() -> Iterator[None]:
    """Advice to call `recipe("gpt2", assign="…")` is told as the options that say the same."""
    try:
        yield
    except InitwiseError as error:
        text = str(error)
        for call, typed in _CALLS:
            text = call.sub(typed, text)
        error.args = (text,)
        raise
