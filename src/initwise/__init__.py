"""initwise: the right starting weights for any network, chosen, explained, proven.

    import initwise
    initwise.init_(model, initwise.choose(model, example), seed=0)

The rooms and the order of their imports (machine-checked, one way):

    cli | testing > problems > explain > race > choose > predict | measure | torch > frameworks
        > recipes | random | report > schemes > activations > core

Importing this loads next to nothing: a room is opened when one of its names is first used, and no
framework, compiler or plotting library before a call needs it.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .activations import activation, activations, gain
    from .choose import choose
    from .core.errors import InitwiseError
    from .core.fill import Fill
    from .core.layout import Fans, Layout, fans
    from .core.plan import Plan
    from .core.problem import Problem
    from .core.records import Advice, Explanation, Ledger, Race, Signals
    from .core.stream import Stream
    from .core.trends import Trend
    from .core.widths import WidthCheck
    from .explain import explain
    from .frameworks.initialize import init_
    from .frameworks.inputs import Input
    from .frameworks.memory import fill
    from .frameworks.numpy import ArrayTree
    from .measure import check
    from .race import race
    from .recipes import Recipe, recipe, recipes
    from .schemes import Scheme, scheme, schemes

__version__ = "0.1.0.dev0"

_HOMES = {
    "activation": "activations",
    "activations": "activations",
    "Advice": "core.records",
    "ArrayTree": "frameworks.numpy",
    "check": "measure",
    "choose": "choose",
    "explain": "explain",
    "Explanation": "core.records",
    "Fans": "core.layout",
    "fans": "core.layout",
    "Fill": "core.fill",
    "fill": "frameworks.memory",
    "gain": "activations",
    "init_": "frameworks.initialize",
    "InitwiseError": "core.errors",
    "Input": "frameworks.inputs",
    "Layout": "core.layout",
    "Ledger": "core.records",
    "Plan": "core.plan",
    "Problem": "core.problem",
    "Race": "core.records",
    "race": "race",
    "Recipe": "recipes",
    "recipe": "recipes",
    "recipes": "recipes",
    "Scheme": "schemes",
    "scheme": "schemes",
    "schemes": "schemes",
    "Signals": "core.records",
    "Stream": "core.stream",
    "Trend": "core.trends",
    "WidthCheck": "core.widths",
}

__all__ = [  # noqa: RUF022  (sorted as people sort, not by case)
    "__version__",
    "activation",
    "activations",
    "Advice",
    "ArrayTree",
    "check",
    "choose",
    "explain",
    "Explanation",
    "Fans",
    "fans",
    "Fill",
    "fill",
    "gain",
    "init_",
    "InitwiseError",
    "Input",
    "Layout",
    "Ledger",
    "Plan",
    "Problem",
    "Race",
    "race",
    "Recipe",
    "recipe",
    "recipes",
    "Scheme",
    "scheme",
    "schemes",
    "Signals",
    "Stream",
    "Trend",
    "WidthCheck",
]


_ROOMS = ("testing", "torch")
"""Rooms that are used by their own name, as `initwise.torch.init`."""


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'initwise' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, the rooms used by their own name, and what every module has."""
    special = {name for name in globals() if name.startswith("__")}
    return sorted({*special, *__all__, *_ROOMS})


class _House(ModuleType):
    """A package whose public functions are not hidden by its rooms of the same name.

    Python binds a sub-package to its parent when it is first imported; `initwise.choose` is to
    stay the function (see docs/decisions/0001-the-house.md).
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _House
