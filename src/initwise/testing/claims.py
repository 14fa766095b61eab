"""What every check is made of: claims about a row, and what every row must say of itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from ..core.errors import InitwiseError
from ..core.registry import Registry
from ..schemes import Option
from ..schemes.base import EVIDENCE

Claim = Callable[[bool, str], None]
"""Raises AssertionError with the text unless the first argument holds."""


def about(kind: str, row: Any) -> Claim:
    """Claims about this row."""
    where = f"{kind} {getattr(row, 'name', row)!r}"

    def claim(holds: bool, text: str) -> None:
        if not holds:
            raise AssertionError(f"{where}: {text}")

    return claim


def check_words(claim: Claim, row: Any, words: Iterable[str]) -> None:
    """The row says what it is: no field of these is empty, the summary is a sentence."""
    for word in words:
        claim(bool(getattr(row, word)), f"{word} is empty")
    if hasattr(row, "summary"):
        claim(row.summary.endswith("."), "its summary does not end with a full stop")
    if hasattr(row, "evidence"):
        claim(row.evidence in EVIDENCE, f"evidence {row.evidence!r} is none of {', '.join(EVIDENCE)}")


def check_found(claim: Claim, row: Any, registry: Registry[Any]) -> None:
    """The registry has this row under its name and all aliases, so the entry point works."""
    for name in (row.name, *row.aliases):
        claim(
            name in registry,
            f"no {registry.kind} is called {name!r}: is the package installed, with its "
            f"entry point in the group initwise.{registry.kind}s?",
        )
        claim(registry[name] is row, f"{name!r} is another row's name")


def check_options(claim: Claim, options: Iterable[Option], make: Callable[..., Any]) -> None:
    """Every option says what it means, and refuses what it cannot be; so does the row an unknown one."""
    for option in options:
        claim(bool(option.meaning), f'option {option.name!r} has no meaning: Annotated[…, "what it does"]')
        claim(bool(option.kind), f"option {option.name!r} is of no kind: bool, float, str or Literal[…]")
        for value in strange(option):
            _refused(claim, f"{option.name}={value!r}", make, {option.name: value})
    _refused(claim, "an unknown option", make, {"no_such_option": 1})


def strange(option: Option) -> list[Any]:
    """Values that this option cannot have, whatever it means."""
    wrong: list[Any] = [[], object(), 1 + 2j, b"1"]
    if option.kind != "flag":
        wrong += [True]
    if "number" in option.kind:
        wrong += [math.nan, "no such word"]
    if "choice" in option.kind:
        wrong += ["no such word"]
    if option.kind in ("choice", "flag", "text"):
        wrong += [1.5]
    if option.default is not None:
        wrong += [None]
    return wrong


def _refused(claim: Claim, what: str, make: Callable[..., Any], options: dict[str, Any]) -> None:
    try:
        make(**options)
    except InitwiseError:
        return
    except Exception as error:
        claim(False, f"{what} raises {type(error).__name__}: {error}; an InitwiseError says what is wrong")
    claim(False, f"{what} is taken without a word")
