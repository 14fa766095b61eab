"""How long a training, or a race, may take: it is stopped where Python can be interrupted.

In a process' main thread on Unix an alarm interrupts whatever Python runs, a `sleep` or a lock too. Elsewhere
the clock is looked at between steps. What neither reaches (a hang in native code) ends with its process: see
`initwise.race.workers`.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

Check = Callable[[], None]
"""To be called now and then; raises when the time is up."""


class OutOfTimeError(BaseException):
    """The time of the whole race is up: as Ctrl-C, no outcome of whatever training it meets."""


_END: ContextVar[float] = ContextVar("_END", default=math.inf)
"""When the race that runs here has to end, by time.monotonic."""


@contextlib.contextmanager
def ending(until: float) -> Iterator[None]:
    """Let whatever is `limited` inside raise OutOfTimeError once time.monotonic() passes `until`."""
    token = _END.set(until)
    try:
        yield
    finally:
        _END.reset(token)


def left() -> float:
    """Seconds until the race that runs here has to end; infinite without an end."""
    return _END.get() - time.monotonic()


def require_time() -> None:
    """Raise OutOfTimeError if none is left."""
    if left() < 0:
        raise OutOfTimeError


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[Check]:
    """Raise TimeoutError inside the block once `seconds` have passed; 0 means no limit.

    And OutOfTimeError where an `ending` around it comes first.
    """
    end, now = _END.get(), time.monotonic()
    until = min(now + seconds if seconds else math.inf, end)
    if until == math.inf:
        yield lambda: None
        return

    def check() -> None:
        if time.monotonic() > until:
            raise OutOfTimeError if until == end else _too_long(seconds)

    with _alarm(max(until - now, 1e-3), check) if _alarm_is_free() else contextlib.nullcontext():
        yield check


def _too_long(seconds: float) -> TimeoutError:
    return TimeoutError(f"not done within {seconds:.3g} s")


def _alarm_is_free() -> bool:
    """Nobody else waits for the alarm, and it would be heard here."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return False
    unused = signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    return unused and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@contextlib.contextmanager
def _alarm(seconds: float, check: Check) -> Iterator[None]:
    def ring(*_: Any) -> None:
        check()
        # clocks differ by a little: it rang before its time
        signal.setitimer(signal.ITIMER_REAL, 1e-3)

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
