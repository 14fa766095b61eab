"""Workers: processes that may hang, crash or run out of memory without taking the race along.

`concurrent.futures.ProcessPoolExecutor` breaks as a whole when one of its processes dies, and cannot stop
one that hangs. Here each process serves one call at a time; one that dies or takes too long is ended and
replaced, and only its own call fails.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from ..core.errors import OptionError, ProblemError, UnsupportedError

GRACE = 10.0
"""Seconds on top of a call's limit: inside, a training stops by itself where it can."""


class WorkerDiedError(RuntimeError):
    """The process that ran a call ended before the call did."""


def require_limits(processes: int | None, memory: int | None) -> None:
    """Raise what `Workers` raises for numbers that make no sense; nothing is started."""
    if (processes or 1) < 1 or (memory is not None and memory < 1):
        raise OptionError(f"processes={processes}, memory={memory}", where="Workers", expected="numbers ≥ 1")
    if memory is not None and not sys.platform.startswith("linux"):
        raise UnsupportedError(
            f"memory={memory}",
            where="Workers",
            expected="no limit",
            cause=f"{sys.platform} has no such limit",
        )


class Workers(Executor):
    """An Executor of processes on this machine, each guarded.

    Args:
        processes: how many; None means one per core.
        memory: bytes that a process may allocate beyond what it needs to start (Linux only); None: no limit.

    Raises:
        OptionError: fewer than one process, or no memory.
        UnsupportedError: a limit of memory on a system that cannot hold processes to it.
    """

    def __init__(self, processes: int | None = None, *, memory: int | None = None) -> None:
        require_limits(processes, memory)
        count = processes or os.cpu_count() or 1
        self.memory = memory
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="initwise-race")
        self._children = [_Child(memory) for _ in range(count)]
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        for child in self._children:
            self._idle.put(child)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As `Executor.submit`, without a limit of time."""
        return self.submit_within(0.0, fn, *args, **kwargs)

    def submit_within(
        self, seconds: float, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """As `submit`; a call that takes longer than `seconds` (and a little) raises TimeoutError."""
        return self._pool.submit(self._call, seconds, fn, args, kwargs)

    def _call(self, seconds: float, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        message = pickle.dumps((fn, args, kwargs))
        child = self._idle.get()
        try:
            return child.call(message, seconds)
        finally:
            self._idle.put(child)

    def kill(self) -> None:
        """End all processes, in mid-call too: their calls raise WorkerDiedError."""
        for child in self._children:
            child.over = True
            child.end()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; without `wait`, in mid-call too."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
        self.kill()


class _Child:
    """One process, started when it is first needed and again after it died."""

    def __init__(self, memory: int | None) -> None:
        self._memory, self.over = memory, False
        self._process: Any = None
        self._line: Connection | None = None

    def call(self, message: bytes, seconds: float) -> Any:
        """What the call in `message` returns; raises what it raises."""
        try:
            line = self._started()
            line.send_bytes(message)
            answer = line.recv_bytes() if line.poll(seconds + GRACE if seconds else None) else None
        except (EOFError, OSError) as error:
            raise self._dead() from error
        if answer is None:
            self.end()
            raise TimeoutError(f"not done within {seconds:.3g} s")
        kind, value = pickle.loads(answer)
        if kind == "unreadable":
            raise _unreadable(value)
        if kind == "raised":
            raise RuntimeError(value)
        return value

    def _started(self) -> Connection:
        if self.over:
            raise WorkerDiedError("the process was ended")
        if self._line is None or not self._process.is_alive():
            self.end()
            context = multiprocessing.get_context("spawn")
            self._line, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._memory), daemon=True)
            self._process.start()
            theirs.close()
            # a limit of time is for the call, not for the process to start
            self._line.recv_bytes()
        return self._line

    def _dead(self) -> WorkerDiedError:
        process = self._process
        if process is None:
            return WorkerDiedError("the process was ended")
        process.join()
        code = process.exitcode
        self.end()
        if code is not None and code < 0:
            return WorkerDiedError(f"the process died of {signal.Signals(-code).name}{_often(-code)}")
        return WorkerDiedError(f"the process ended with exit code {code}")

    def end(self) -> None:
        """Kill the process, if there is one."""
        process, line = self._process, self._line
        self._process = self._line = None
        if process is not None:
            process.kill()
            process.join()
        if line is not None:
            line.close()


def _often(number: int) -> str:
    return ": out of memory, most often" if number in (signal.SIGKILL, signal.SIGABRT) else ""


def _serve(line: Connection, memory: int | None) -> None:
    """The process' life: calls come, results go."""
    # Ctrl-C is for the race, which then ends its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if memory is not None:
        _hold_to(memory)
    line.send_bytes(b"ready")
    while True:
        try:
            message = line.recv_bytes()
        except EOFError:
            return
        line.send_bytes(_answer(message))


def _answer(message: bytes) -> bytes:
    """("done", value), ("raised", text) or ("unreadable", text); errors themselves may not be picklable."""
    try:
        fn, args, kwargs = pickle.loads(message)
    except Exception as error:
        return pickle.dumps(("unreadable", str(error)))
    try:
        return pickle.dumps(("done", fn(*args, **kwargs)))
    except (Exception, SystemExit) as error:
        return pickle.dumps(("raised", f"{type(error).__name__}: {error}"))


def _unreadable(text: str) -> ProblemError:
    return ProblemError(
        f"another process cannot import it ({text})",
        where="Problem",
        expected="parts that other processes can import",
        cause="something defined in a notebook, or under if __name__ == '__main__'",
        fix="Define it at the top level of a module that can be imported, or race without an executor.",
    )


def _hold_to(memory: int) -> None:
    """Let this process allocate `memory` bytes more than it has once torch is loaded."""
    import resource

    import torch  # noqa: F401

    with open("/proc/self/status", encoding="ascii") as file:
        held = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (held + memory, resource.RLIM_INFINITY))
