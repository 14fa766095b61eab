"""A scheme or recipe as it is printed, `he_normal(mode="fan_out")`: its name and options."""

from __future__ import annotations

import ast
from typing import Any

from ..core.errors import OptionError


def call_of(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the options in it; words need no quotes. Raises OptionError for what is no such call.

    >>> call_of("he_normal(mode=fan_out, scale=2)")
    ('he_normal', {'mode': 'fan_out', 'scale': 2})
    """
    name, bracket, _ = text.partition("(")
    if not bracket:
        return text, {}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError(text)
        given = {word.arg or "**": _value(word.value) for word in call.keywords}
    except (ValueError, SyntaxError) as error:
        raise OptionError(
            repr(text),
            where="explain",
            expected="options by their names",
            fix=f"For example {name.strip()}(NAME=VALUE), or {name.strip()} --option NAME=VALUE.",
        ) from error
    return name.strip(), given


def _value(node: ast.expr) -> Any:
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)
