"""How long a training may take: found hanging, it is stopped where Python can be interrupted.

In a process' main thread on Unix an alarm interrupts whatever Python runs, a `sleep` or a lock too. Elsewhere
the clock is looked at between steps. What neither reaches (a hang in native code) ends with its process: see
`initwise.race.workers`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

Check = Callable[[], None]
"""To be called now and then; raises TimeoutError when the time is up."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[Check]:
    """Raise TimeoutError inside the block once `seconds` have passed; 0 means no limit."""
    if not seconds:
        yield lambda: None
        return
    until = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > until:
            raise _too_long(seconds)

    with _alarm(seconds) if _alarm_is_free() else contextlib.nullcontext():
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
def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise _too_long(seconds)

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
