"""stdout as a file descriptor: kept for the result, whoever else writes to it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """For as long as the block runs, what is written to stdout goes to stderr.

    Not only what Python prints: the descriptor itself is pointed elsewhere, for C code, child processes
    and `sys.__stdout__`, whose buffers are emptied before it is put back.
    """
    with _descriptor_to_stderr(), contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    if sys.__stdout__ is None:  # started without one: the number may be any file's by now
        yield
        return
    _flush()
    saved = os.dup(STDOUT)
    try:
        _point_at_stderr()
        yield
    finally:
        _flush()
        os.dup2(saved, STDOUT)
        os.close(saved)


def end_stdout() -> None:
    """Nothing more is to come: what the user's code prints when Python exits goes to stderr."""
    if sys.__stdout__ is not None:
        _flush()
        _point_at_stderr()


def discard_stdout() -> None:
    """Send what is left in stdout's buffer nowhere: it must not fail again when Python exits."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is not None:
            _point_nowhere(sys.stdout.fileno())


def _point_at_stderr() -> None:
    if sys.__stderr__ is None:
        _point_nowhere(STDOUT)
    else:
        os.dup2(STDERR, STDOUT)


def _point_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _flush() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    # printf's buffer; where there is no such library to ask, C code keeps it
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
