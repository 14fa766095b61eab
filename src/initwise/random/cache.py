"""Compiled kernels on disk, so that a second process need not compile them again.

One file for each kernel, in the user's cache folder or where INITWISE_CACHE says; INITWISE_CACHE=off keeps
nothing. A file is named by a digest of all that its code depends on, and begins with a digest of itself: one
that was cut short or belongs to another version is not used, nor one that somebody else may have written:
it is machine code. Nothing depends on the files: they may be deleted at any time, and a folder that cannot
be written is left alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from hashlib import blake2b
from pathlib import Path

SOURCES = (
    "calling",
    "constants",
    "cpu",
    "kernel",
    "lanes",
    "loops",
    "native",
    "orthogonal",
    "philox",
    "reflectors",
    "transforms",
)
"""Our modules that write LLVM code, compile it or call it."""
_DIGEST = 16


def file_of(kernel: str, processor: str) -> Path | None:
    """Where the code of `kernel` for `processor` is kept; None if nothing is to be kept."""
    folder, sources = _folder(), _sources()
    if folder is None or sources is None:
        return None
    key = blake2b(f"{kernel}|{processor}|{sources}".encode(), digest_size=_DIGEST).hexdigest()
    return folder / f"{kernel.replace(' ', '_')}-{key}.o"


def load(file: Path | None) -> bytes | None:
    """The code in `file`, if it is there and whole."""
    if file is None:
        return None
    try:
        if not _own(file):
            return None
        held = file.read_bytes()
    except OSError:
        return None
    digest, code = held[:_DIGEST], held[_DIGEST:]
    return code if code and _digest(code) == digest else None


def save(file: Path | None, code: bytes) -> None:
    """Keep the code. The file is whole from the moment it is seen; if it cannot be written, it is not."""
    if file is None:
        return
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as part:
                part.write(_digest(code) + code)
            os.replace(name, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def _own(file: Path) -> bool:
    """Can nobody but this user (and root) have written the file? Always yes where files have no owners."""
    if not hasattr(os, "getuid"):
        return True
    status = file.stat()
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & 0o022


def _folder() -> Path | None:
    asked = os.environ.get("INITWISE_CACHE")
    if asked is not None and asked.lower() in ("off", "0", "no", "none", "false"):
        return None
    if asked:
        return Path(asked).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("initwise", appauthor=False) / "kernels"


@functools.cache
def _sources() -> str | None:
    """A digest of our sources; None where they are not to be had, as in a frozen application."""
    here = Path(__file__).parent
    try:
        return _digest(b"".join((here / f"{name}.py").read_bytes() for name in SOURCES)).hex()
    except OSError:
        return None


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST).digest()
