"""Registry: rows that find their own way in.

A registry belongs to one package. On the first look-up it imports every module of that package
(each module calls `registry.add(row)`); so a new scheme, activation, recipe, layout or problem is
one row in one file and nothing else. Rows of third-party packages come through entry points, and
only when a name is asked for that is not among its own, or all rows are. One that is broken is
told about and left out (docs/decisions/0016-third-party-rows.md).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import re
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from .errors import BrokenRowError, BrokenRowWarning, OptionError, UnknownNameError


class Row(Protocol):
    """What every row has."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...


RowT = TypeVar("RowT", bound=Row)
T = TypeVar("T")

RESERVED = ("keep",)
"""What stands for a scheme in rules, and is none."""
_NAME = re.compile(r"[^\W_][\w.+-]{0,79}")


@dataclass(frozen=True)
class Broken:
    """A third-party row that could not be had.

    Attributes:
        kind: "scheme", "activation" … name: the entry point's. package: the distribution and its
            version. entry: what the entry point loads. cause: why it could not be had.
    """

    kind: str
    name: str
    package: str
    entry: str
    cause: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.package} ({self.entry}) is left out: {self.cause}"

    def error(self) -> BrokenRowError:
        """For whoever asks for it."""
        return BrokenRowError(
            f"{self.kind} {self.name!r} comes from {self.package} ({self.entry}) and cannot be had",
            cause=self.cause,
            fix=f"Repair or uninstall {self.package.partition(' ')[0]}; everything else works without it.",
        )


class Registry(Generic[RowT]):
    """Rows of one kind, by name and alias.

    Args:
        kind: "scheme", "activation", "recipe" …, for messages.
        package: the package whose modules hold the rows.
        row: the class of the rows; object for any that has a name and aliases.
        entry_points: group under which other packages add theirs; each entry point loads to a
            row or to a module that adds rows when imported.
        confused: names in lower case that are easily mistaken, and what was probably meant.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        row: type[Any] = object,
        entry_points: str = "",
        confused: Mapping[str, str] | None = None,
    ) -> None:
        self.kind, self._package, self._row, self._group = kind, package, row, entry_points
        self._confused = confused or {}
        self._rows: dict[str, RowT] = {}
        self._names: dict[str, str] = {}
        self._homes: dict[str, str] = {}
        self._broken: tuple[Broken, ...] = ()
        self._own = self._loaded = self._loading = False
        self._lock = threading.RLock()
        # of its own, and never held during an import: a module that adds its row may wait for no other
        self._tables = threading.Lock()

    def add(self, row: RowT) -> RowT:
        """Register `row`. Raises OptionError if it is none, or one of its names is taken.

        Two names that differ by case alone are one name.
        """
        home = sys._getframe(1).f_globals.get("__name__", "")
        if not home.startswith(f"{self._package}."):
            # its own rows come first, whoever is imported first
            self._load_own()
        return self._add(row, home)

    def _add(self, row: RowT, home: str) -> RowT:
        if not isinstance(row, self._row) or not all(hasattr(row, name) for name in ("name", "aliases")):
            raise OptionError(
                f"a {type(row).__name__} is no {self.kind}", where=home, expected=f"a {self._row.__name__}"
            )
        names = self._spelled(row, home)
        with self._tables:
            return self._entered(row, names, home)

    def _spelled(self, row: RowT, home: str) -> tuple[str, ...]:
        """The row's names. Raises OptionError for one that could not be typed, printed or told apart."""
        names = (row.name, *row.aliases) if isinstance(row.aliases, (tuple, list)) else (row.aliases,)
        for name in names:
            if not (isinstance(name, str) and _NAME.fullmatch(name)) or name in RESERVED:
                raise OptionError(
                    f"{self.kind} name {name!r:.100}",
                    where=home,
                    expected="a letter or digit, then up to 79 letters, digits or _ . + -",
                    cause=f"{name!r} means that a parameter is left alone" if name in RESERVED else "",
                )
        return names

    def _entered(self, row: RowT, names: tuple[str, ...], home: str) -> RowT:
        folded = {known.lower(): known for known in self._names}
        for index, name in enumerate(names):
            taken = folded.get(name.lower())
            if taken is not None or name.lower() in {other.lower() for other in names[:index]}:
                owner = self._names.get(taken or "", row.name)
                alias = f"alias {name!r} of {self.kind} {row.name!r} is taken"
                raise OptionError(
                    alias if index else f"{self.kind} {name!r} is registered twice",
                    where=home,
                    cause=f"{taken or name!r} is a name of {owner!r} of {self._homes.get(owner, home)}.",
                    fix="Give it a name of its own; names that differ by case alone count as one.",
                )
        self._rows[row.name], self._homes[row.name] = row, home
        self._names.update(dict.fromkeys(names, row.name))
        return row

    def _copied(self, table: Mapping[str, T]) -> dict[str, T]:
        """A table as it is now: another thread may add to it while it is gone through."""
        with self._tables:
            return dict(table)

    def __getitem__(self, name: str) -> RowT:
        """The row called `name` or with that alias.

        Raises:
            UnknownNameError: nothing has this name; with the nearest names. BrokenRowError: it comes
                from a third-party package that cannot be loaded.
        """
        if name not in self:
            raise unknown(name, self)
        return self._rows[self._names[name]]

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        self._load_own()
        if name not in self._names:
            self._load()
        return name in self._names

    def __iter__(self) -> Iterator[RowT]:
        return iter(self.rows())

    def rows(self) -> tuple[RowT, ...]:
        """All rows, sorted by name."""
        self._load()
        return tuple(row for _, row in sorted(self._copied(self._rows).items(), key=lambda item: item[0]))

    def names(self) -> tuple[str, ...]:
        """All names and aliases, sorted."""
        self._load()
        return tuple(sorted(self._copied(self._names)))

    def own(self) -> tuple[RowT, ...]:
        """The rows of its own package, sorted by name; third-party packages are not loaded."""
        self._load_own()
        homes = self._copied(self._homes)
        mine = (name for name, home in homes.items() if home.startswith(f"{self._package}."))
        return tuple(self._rows[name] for name in sorted(mine))

    def broken(self) -> tuple[Broken, ...]:
        """The third-party rows that could not be had, and why."""
        self._load()
        return self._broken

    def meant(self, name: Any) -> str:
        """What was probably meant by a name that is easily mistaken, "" for all others."""
        return self._confused.get(str(name).lower(), "")

    def _load_own(self) -> None:
        if self._own:
            return
        with self._lock:
            # a module that looks a row up while it is loaded sees what is there so far
            if self._own or self._loading:
                return
            self._loading = True
            try:
                self._load_modules()
                self._own = True
            finally:
                self._loading = False

    def _load(self) -> None:
        self._load_own()
        if self._loaded:
            return
        with self._lock:
            if self._loaded or self._loading:
                return
            self._loading = True
            try:
                self._broken = tuple(self._load_entry_points())
                self._loaded = True
            finally:
                self._loading = False
        for broken in self._broken:
            warnings.warn(str(broken), BrokenRowWarning, stacklevel=2)

    def _load_modules(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")

    def _load_entry_points(self) -> Iterator[Broken]:
        entries = entry_points(self._group) if self._group else []
        for entry in entries:
            before = self._copied(self._rows), self._copied(self._names), self._copied(self._homes)
            try:
                self._take(entry)
            except (Exception, SystemExit) as error:
                # all of an entry point's rows or none
                self._rows, self._names, self._homes = before
                cause = _as_sentences(error) if isinstance(error, OptionError) else _as_raised(error)
                yield Broken(self.kind, entry.name, _origin(entry), entry.value, " ".join(cause.split()))

    def _take(self, entry: EntryPoint) -> None:
        loaded = entry.load()
        if isinstance(loaded, ModuleType):
            package = loaded.__name__.partition(".")[0]
            if not any(home.partition(".")[0] == package for home in self._copied(self._homes).values()):
                raise OptionError(f"module {loaded.__name__} adds no {self.kind}", expected="registry.add(…)")
        elif not any(row is loaded for row in self._copied(self._rows).values()):
            self._add(loaded, entry.module)
        if not isinstance(loaded, ModuleType) and entry.name not in (loaded.name, *loaded.aliases):
            raise OptionError(
                f"the entry point is called {entry.name!r}, its {self.kind} {loaded.name!r}",
                expected="one name",
                fix="Give the entry point the row's name.",
            )


def _as_raised(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _as_sentences(error: OptionError) -> str:
    """An error of ours in one line."""
    head = f"{error.got}; expected {error.expected}" if error.expected else error.got
    told = f"{error.where}: {head}" if error.where else head
    return " ".join(f"{text.rstrip('.')}." for text in (told, error.cause, error.fix) if text)


def unknown(
    name: Any, *registries: Registry[Any], kind: str = "", legal: Iterable[str] = (), listing: str = ""
) -> UnknownNameError | BrokenRowError:
    """The error for a name that nothing in these registries has.

    Args:
        kind: what it should be, in words; without it, as the registries say.
        legal: names that would do besides theirs.
        listing: the command that lists them all; without it, that of the one registry.
    """
    broken = [item for registry in registries for item in registry.broken()]
    asked = next((item for item in broken if item.name == name), None)
    if asked is not None:
        return asked.error()
    meant = next(filter(None, (registry.meant(name) for registry in registries)), "")
    meant = meant or (_elsewhere(name, registries[0].kind) if len(registries) == 1 else "")
    plural = f" {registries[0].kind}s" if len(registries) == 1 else ""
    return UnknownNameError(
        f"no {kind or ' or '.join(registry.kind for registry in registries)} is called {name!r}",
        cause=_left_out(broken),
        legal=() if meant else {*legal, *(known for registry in registries for known in registry.names())},
        given=str(name),
        fix=meant,
        listing=listing or f"initwise list{plural}",
    )


def _left_out(broken: Iterable[Broken]) -> str:
    """The broken rows, each on a line of its own, "" if there are none."""
    lines = "".join(f"\n    {str(item).rstrip('.')}." for item in broken)
    return f"it may be of a package whose rows are left out:{lines}" if lines else ""


NEIGHBOURS = {"scheme": "recipe", "recipe": "scheme"}
"""Kinds of which one is easily asked for by the other's function: `initwise.schemes`, `initwise.recipes`."""


def _elsewhere(name: Any, kind: str) -> str:
    """How to have what has this name among the neighbours of a kind, "" if there is none."""
    other = NEIGHBOURS.get(kind)
    # the package by its name: this room knows none of those above it
    registry = importlib.import_module(f"initwise.{other}s").registry if other else ()
    if name not in registry:
        return ""
    return f'It is a {other}: {other}("{name}"), or init_(model, "{name}").'


def entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group, in a fixed order; those of damaged distributions are left out."""
    try:
        found = list(importlib.metadata.entry_points(group=group))
    except Exception:
        # one distribution's damaged metadata shall not hide all others
        found = [entry for each in importlib.metadata.distributions() for entry in _of(each, group)]
    return sorted(found, key=lambda entry: (_origin(entry), entry.name, entry.value))


def _of(distribution: importlib.metadata.Distribution, group: str) -> list[EntryPoint]:
    try:
        return list(distribution.entry_points.select(group=group))
    except Exception:
        return []


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown package"
