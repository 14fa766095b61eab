"""The mechanism of layouts: which row a layer's class has.

Classes are named by their paths, as texts: a row loads no framework, and the row of a layer that
nobody uses loads nothing. A row is looked up along the class's own inheritance, so that a subclass
is known by the layer it extends, and the row of the nearest class wins.
"""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import ModelError, OptionError
from ...core.layout import Layout, Parts
from ...core.parameter import ROLES
from ...core.registry import Registry


@dataclass(frozen=True)
class Slot:
    """What one parameter of a layer is.

    Attributes:
        role: one of `core.parameter.ROLES`.
        layout: its axes.
        of: local names of the weights whose fans a vector takes; several are packed in this order.
        gates: names and sizes of packed pieces.
        fan_hidden: hidden size of a recurrent layer.
        zero_row: padding row of a table.
        start: the value the constructor gives a vector, None where it is drawn.

    Raises:
        ModelError: a role that does not exist.
    """

    role: str
    layout: Layout
    of: tuple[str, ...] = ()
    gates: Parts = ()
    fan_hidden: int = 0
    zero_row: int | None = None
    start: float | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ModelError(f"role {self.role!r}", where="Slot", legal=ROLES, given=str(self.role))


Slots = Mapping[str, Slot]
"""Local parameter names ("weight", "bias") and what they are; names the layer lacks do no harm."""


@dataclass(frozen=True)
class LayoutRow:
    """One kind of layer, as the registry knows it.

    Attributes:
        name, aliases: what the kind is called.
        layers: paths of its classes ("torch.nn.Linear"); a name without a dot is a class of that
            name in any package but torch.
        slots: function of a layer of this kind that gives its slots. It reads the layer's sizes and
            changes nothing.
        summary: how it is stored, in words.
        citation: where that can be read.
        kind: what its parameters' `kind` says instead of the class's own name.
    """

    name: str
    layers: tuple[str, ...]
    slots: Callable[[Any], Slots]
    summary: str
    citation: str
    aliases: tuple[str, ...] = ()
    kind: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON data, its function left out."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del data["slots"]
        return {**data, "layers": list(self.layers), "aliases": list(self.aliases)}

    def read(self, layer: Any) -> Slots:
        """The layer's slots. Raises ModelError, naming the row, if the row's function fails."""
        where = f"layout {self.name!r} of {type(layer).__name__}"
        try:
            found = self.slots(layer)
        except Exception as error:
            raise ModelError(
                f"its function raised {type(error).__name__}: {error}",
                where=where,
                cause="the row and the layer are of different versions",
            ) from error
        if not isinstance(found, Mapping) or not all(isinstance(slot, Slot) for slot in found.values()):
            raise ModelError(
                f"its function gave {found!r:.80}", where=where, expected="a mapping from names to Slots"
            )
        return found


class LayoutRegistry(Registry[LayoutRow]):
    """Rows by name; no two for one class of layer."""

    def _add(self, row: LayoutRow, home: str) -> LayoutRow:
        taken = {path: other for other in self._rows.values() for path in other.layers}
        for path in getattr(row, "layers", ()):
            if path in taken:
                raise OptionError(
                    f"layer {path} has two layouts",
                    where=home,
                    cause=f"{taken[path].name!r} of {self._homes[taken[path].name]} is for it too",
                    fix="Make the layer a class of its own, a subclass for example.",
                )
        _known.clear()
        return super()._add(row, home)


Found = tuple[LayoutRow, str]
_known: weakref.WeakKeyDictionary[type, Found | None] = weakref.WeakKeyDictionary()
registry = LayoutRegistry("layout", "initwise.frameworks.layouts", LayoutRow, "initwise.layouts")


def row_of(cls: type) -> Found | None:
    """The row of a layer's class and the name of the class it was found by; None for a class no row knows."""
    if cls not in _known:
        _known[cls] = _find(cls)
    return _known[cls]


def _find(cls: type) -> Found | None:
    exact = _among(cls, registry.own())
    if exact is not None:
        return exact
    rows = registry.rows()
    return next((found for each in cls.__mro__ if (found := _among(each, rows)) is not None), None)


def _among(cls: type, rows: tuple[LayoutRow, ...]) -> Found | None:
    row = next((row for row in rows for path in row.layers if _is(cls, path)), None)
    return (row, row.kind or cls.__name__) if row is not None else None


def _is(cls: type, path: str) -> bool:
    """Is `path` the class, by where it is defined or where a loaded module has it?"""
    module, _, name = path.rpartition(".")
    if not module:
        return cls.__name__ == name and not cls.__module__.startswith("torch.")
    if name != cls.__name__ and name != cls.__qualname__:
        return False
    return cls.__module__ == module or getattr(sys.modules.get(module), name, None) is cls


def layouts() -> tuple[LayoutRow, ...]:
    """All layouts, sorted by name. Loads no framework."""
    return registry.rows()
