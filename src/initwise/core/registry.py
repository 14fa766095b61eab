"""Registry: rows that find their own way in.

A registry belongs to one package. On the first look-up it imports every module of that package
(each module calls `registry.add(row)`) and then the entry points of third-party packages. So a
new scheme, activation, recipe or problem is one row in one file and nothing else.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import threading
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from .errors import OptionError, UnknownNameError


class Row(Protocol):
    """What every row has."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...


RowT = TypeVar("RowT", bound=Row)


class Registry(Generic[RowT]):
    """Rows of one kind, by name and alias.

    Args:
        kind: "scheme", "activation", "recipe" …, for messages.
        package: the package whose modules hold the rows.
        entry_points: group under which other packages add theirs; each entry point loads to a
            row or to a module that adds rows when imported.
    """

    def __init__(self, kind: str, package: str, entry_points: str | None = None) -> None:
        self.kind, self._package, self._group = kind, package, entry_points
        self._rows: dict[str, RowT] = {}
        self._names: dict[str, str] = {}
        self._loaded = self._loading = False
        self._lock = threading.RLock()

    def add(self, row: RowT) -> RowT:
        """Register `row`. Raises OptionError if one of its names is taken."""
        for name in (row.name, *row.aliases):
            if name in self._names:
                raise OptionError(
                    f"{self.kind} {name!r} is registered twice", cause="two rows share a name or alias"
                )
        self._rows[row.name] = row
        self._names.update(dict.fromkeys((row.name, *row.aliases), row.name))
        return row

    def __getitem__(self, name: str) -> RowT:
        """The row called `name` or with that alias. Raises UnknownNameError with the nearest name."""
        self._load()
        if not isinstance(name, str) or name not in self._names:
            raise UnknownNameError(f"no {self.kind} is called {name!r}", legal=self._names, given=str(name))
        return self._rows[self._names[name]]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._names

    def __iter__(self) -> Iterator[RowT]:
        return iter(self.rows())

    def rows(self) -> tuple[RowT, ...]:
        """All rows, sorted by name."""
        self._load()
        return tuple(self._rows[name] for name in sorted(self._rows))

    def _load(self) -> None:
        if self._loaded:
            return
        with self._lock:
            # a module that looks a row up while it is loaded sees what is there so far
            if self._loaded or self._loading:
                return
            self._loading = True
            try:
                self._load_modules()
                self._load_entry_points()
                self._loaded = True
            finally:
                self._loading = False

    def _load_modules(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")

    def _load_entry_points(self) -> None:
        for entry in importlib.metadata.entry_points(group=self._group) if self._group else ():
            loaded = entry.load()
            is_row = hasattr(loaded, "name") and hasattr(loaded, "aliases")
            if is_row and self._rows.get(loaded.name) is not loaded:
                self.add(loaded)
