"""A pool of plain threads for work that releases the GIL.

Tasks are independent, so any number of threads gives the same bits. The threads are our own and not a
library's: no setting of the process changes, forked children get new ones, and several Python threads
may fill at once.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.errors import OptionError

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

MOST = 1024
"""Threads."""
Task = Callable[[], None]
_lock = threading.Lock()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def thread_count() -> int:
    """How many threads fill: INITWISE_THREADS, or the processors this process may run on.

    Raises:
        OptionError: INITWISE_THREADS is no number from 1 to 1024.
    """
    asked = os.environ.get("INITWISE_THREADS", "")
    if asked:
        return _checked(asked)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _checked(asked: str) -> int:
    count = int(asked) if asked.isdecimal() else 0
    if not 1 <= count <= MOST:
        raise OptionError(
            f"INITWISE_THREADS={asked!r}",
            expected=f"a whole number from 1 to {MOST}",
            fix="Unset it to use every processor.",
        )
    return count


def run_all(tasks: Sequence[Task], threads: int | None = None) -> None:
    """Run every task; the calling thread works too. An exception or Ctrl-C stops the rest and is raised
    once the tasks under way have ended, so that nothing writes into the tensor afterwards.

    Tasks of a task run one after the other: their threads are already at work.
    """
    count = 1 if _inside.task else min(threads or thread_count(), len(tasks))
    if count <= 1:
        for task in tasks:
            task()
        return
    turn, stop = itertools.count(), threading.Event()

    def work() -> None:
        # next() of a count is atomic: no task is run twice
        _inside.task = True
        try:
            while not stop.is_set() and (index := next(turn)) < len(tasks):
                tasks[index]()
        except BaseException:
            stop.set()
            raise
        finally:
            _inside.task = False

    helpers: list[Future[None]] = []
    try:
        helpers.extend(_pool(count - 1).submit(work) for _ in range(count - 1))
        work()
    finally:
        # also set when Ctrl-C hits between two submissions
        stop.set()
        # one that has not begun is not waited for: its thread may be busy with another caller's tasks
        _end([helper for helper in helpers if not helper.cancel()])
    for helper in helpers:
        helper.result() if not helper.cancelled() else None


def _end(helpers: Sequence[Future[None]]) -> None:
    """Wait for all helpers; Ctrl-C meanwhile is raised afterwards, for they still write."""
    from concurrent.futures import wait

    try:
        wait(helpers)
    except KeyboardInterrupt:
        _end(helpers)
        raise


class _Inside(threading.local):
    """Is this thread running a task?"""

    task = False


_inside = _Inside()


def _pool(size: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    # keyed by process too: threads do not survive a fork
    with _lock:
        key = (os.getpid(), size)
        if key not in _pools:
            _pools[key] = ThreadPoolExecutor(size, thread_name_prefix="initwise")
        return _pools[key]


def _after_fork() -> None:
    """Whoever held the lock does not exist in the child, nor does this thread run a task there."""
    global _lock
    _lock = threading.Lock()
    _inside.task = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
