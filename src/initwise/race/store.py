"""The store: every finished training, in one SQLite file, so that a race can be taken up again."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from ..core.errors import ProblemError, RecordError
from .outcome import Outcome

_SCHEMA = """
CREATE TABLE IF NOT EXISTS race (version INTEGER, problem TEXT, fingerprint TEXT);
CREATE TABLE IF NOT EXISTS trainings (key TEXT PRIMARY KEY, description TEXT, outcome TEXT);
"""
VERSION = 3


class Store:
    """Outcomes by key. A path of None keeps nothing.

    Args:
        path: the file, made if it is not there.
        problem: the problem's name, for messages.
        fingerprint: of the problem; a store made for another one is refused.

    Raises:
        ProblemError: the store belongs to another problem.
        RecordError: the file is something else, or of another version.
    """

    def __init__(self, path: str | os.PathLike[str] | None, problem: str, fingerprint: str) -> None:
        self._connection: sqlite3.Connection | None = None
        self._path = path
        if path is None:
            return
        try:
            self._connection = connection = sqlite3.connect(Path(path))
            connection.executescript(_SCHEMA)
            _claim(connection, str(path), problem, fingerprint)
        except sqlite3.Error as error:
            raise RecordError(
                f"cannot be used as a store ({error})",
                where=str(path),
                expected="a path to write to, or a file written by a race",
            ) from error

    def get(self, key: str) -> Outcome | None:
        """The outcome stored under `key`, or None."""
        if self._connection is None:
            return None
        query = "SELECT outcome FROM trainings WHERE key = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        return None if row is None else Outcome.from_json(row[0])

    def put(self, rows: Iterable[tuple[str, str, Outcome]]) -> None:
        """Store `(key, description, outcome)` of arms that finished together at once; it survives a kill.

        Raises:
            RecordError: the file cannot be written any more.
        """
        if self._connection is None:
            return
        values = [(key, description, outcome.to_json()) for key, description, outcome in rows]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO trainings VALUES (?, ?, ?)", values)
        except sqlite3.Error as error:
            raise RecordError(
                f"what has run cannot be kept ({error})",
                where=str(self._path),
                expected="a file that can be written",
                cause="a full disk, or another race that writes to the same file",
                fix="What it held before is safe; the same command goes on from there.",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()


def _claim(connection: sqlite3.Connection, path: str, problem: str, fingerprint: str) -> None:
    """Write the problem's name into a new store; refuse a store with another's."""
    row = connection.execute("SELECT version, problem, fingerprint FROM race").fetchone()
    if row is None:
        with connection:
            connection.execute("INSERT INTO race VALUES (?, ?, ?)", (VERSION, problem, fingerprint))
        return
    version, name, known = row
    if version != VERSION:
        raise RecordError(f"version {version}", where=path, expected=f"version {VERSION}")
    if known != fingerprint:
        same = "the name is the same, but the model, the loss, the metric or the data is not"
        raise ProblemError(
            f"the store belongs to {name!r}, the race is of {problem!r}",
            where=path,
            expected="a store of the same problem",
            cause=same if name == problem else "",
            fix="Pass another path, or delete the file.",
        )


def digest(*things: Any) -> str:
    """A SHA-256 over JSON-able things and arrays."""
    hashed = hashlib.sha256()
    for thing in _flat(things):
        hashed.update(thing if isinstance(thing, bytes) else json.dumps(thing, default=str).encode())
        hashed.update(b"\0")
    return hashed.hexdigest()


def _flat(value: Any) -> Iterable[Any]:
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, dict):
        yield from _flat(tuple(value.items()))
    elif hasattr(value, "detach"):
        yield from _flat(value.detach().cpu().resolve_conj().double().numpy())
    elif hasattr(value, "tobytes"):
        yield from (str(value.dtype), list(value.shape), value.tobytes())
    else:
        yield value
