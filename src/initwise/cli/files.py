"""Files that commands write: refused before anything runs, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import OptionError


def refuse_as_file(path: Path | None, where: str) -> None:
    """Raise OptionError if no file can be written at `path`: better now than after an hour of training."""
    if path is None:
        return
    if path.is_dir():
        raise OptionError(f"{path} is a directory", where=where, expected="a file to write")
    if not path.parent.is_dir():
        raise OptionError(
            f"there is no directory {path.parent}",
            where=where,
            fix=f"Make it (mkdir -p {path.parent}), or name a file elsewhere.",
        )
    _refuse_locked(path.parent, where)


def refuse_as_directory(path: Path, where: str) -> None:
    """Raise OptionError if `path` is no directory and cannot become one."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise OptionError(f"{there} is a file", where=where, expected="a directory, there or not")
    _refuse_locked(there, where)


def _refuse_locked(directory: Path, where: str) -> None:
    if not os.access(directory, os.W_OK):
        raise unwritable(where, f"no permission to write in {directory}")


def unwritable(where: str, why: str) -> OptionError:
    """The error of an option whose place does not take what is to be written there."""
    return OptionError(f"cannot be written ({why})", where=where, fix="Name another place.")


@contextlib.contextmanager
def replacing(*paths: Path, where: str) -> Iterator[tuple[Path, ...]]:
    """Paths to write to instead, moved to `paths` when the block ends well: all of them, or none.

    Raises:
        OptionError: the system refuses; `where` names the option.
    """
    fresh = tuple(_beside(path) for path in paths)
    try:
        yield fresh
        for path, place in zip(fresh, paths, strict=True):
            if path != place:
                os.replace(path, place.resolve())
    except OSError as error:
        raise unwritable(where, error.strerror or str(error)) from error
    finally:
        for path, place in zip(fresh, paths, strict=True):
            if path != place:
                path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    # a terminal or pipe (/dev/stdout) is written to; replacing it would be no favour
    if path.exists() and not path.is_file():
        return path
    place = path.resolve()
    return place.with_name(f".{place.name}.{os.getpid()}")
