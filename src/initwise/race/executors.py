"""Running heats: in this process one after the other, or in any `concurrent.futures.Executor`.

One after the other is the default because it is what is fastest for the small models of a race:
starting processes costs seconds, threads wait for each other in the interpreter, and a large
model's own operations use all cores by themselves.

A heat that an executor loses (its process died, it hangs, its cluster gave up) is run once more in a
process of its own, and if that ends badly too, each of its arms in one of its own: so that the arm to blame
is found, and only that arm fails.
"""

from __future__ import annotations

import contextlib
import math
import pickle
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..core.errors import MissingError, OptionError, ProblemError
from .limits import OutOfTimeError, left, require_time
from .outcome import Outcome
from .workers import GRACE, WorkerDiedError, Workers, require_limits

if TYPE_CHECKING:
    from .heats import Heat

PARTS = ("model", "loss", "metric", "training", "validation")
NAMES = ("serial", "threads", "processes", "dask")
Work = Callable[["Heat"], tuple[Outcome, ...]]
Found = tuple[int, tuple[Outcome, ...]]


@dataclass(frozen=True)
class Where:
    """Where heats train, not opened yet: a kind of `NAMES` with its count or address, or an Executor."""

    kind: str = "serial"
    count: int | None = None
    address: str = ""
    memory: int | None = None
    given: Executor | None = None


def checked(executor: Executor | str | None, memory: int | None = None) -> Where:
    """What `executor` means; nothing is started.

    Args:
        executor: any Executor; or "serial", "threads", "threads:4", "processes", "processes:4" (guarded
            processes on this machine, see `Workers`), "dask:tcp://host:8786" (a Dask scheduler's address).
        memory: see `Workers`.

    Raises:
        OptionError: another name, a count that is none, or `memory` where no process of ours could be held
            to it.
        UnsupportedError: a limit of memory on a system that cannot hold processes to it.
        MissingError: Dask is not installed.
    """
    if not isinstance(executor, (str, Executor, type(None))) and not hasattr(executor, "submit"):
        raise OptionError(
            f"of type {type(executor).__name__}",
            where="executor",
            expected="a concurrent.futures.Executor or a name",
            legal=NAMES,
            fix="A Dask client gives one: client.get_executor()."
            if hasattr(executor, "get_executor")
            else "",
        )
    kind, _, rest = executor.partition(":") if isinstance(executor, str) else ("", "", "")
    if memory is not None and kind != "processes":
        raise OptionError(
            f"memory={memory}", where="memory", expected='none, or executor="processes"', cause=_OURS
        )
    if not isinstance(executor, str):
        return Where(given=executor)
    if kind == "dask":
        _require_dask(rest)
        return Where(kind, address=rest)
    if kind not in NAMES:
        raise OptionError(f"{kind!r}", where="executor", legal=NAMES, given=kind)
    count = _count(rest) if rest else None
    if kind == "processes":
        require_limits(count, memory)
    return Where(kind, count, memory=memory)


_OURS = "only processes that the race starts can be held to a limit"


@contextlib.contextmanager
def opened(where: Where) -> Iterator[Executor | None]:
    """The executor meant, None for this process; its end too if it was started here.

    Raises:
        OptionError: no Dask scheduler answers.
    """
    if where.kind == "dask":
        with _dask(where.address) as made:
            yield made
        return
    if where.given is not None or where.kind == "serial":
        yield where.given
        return
    threads = where.kind == "threads"
    pool = ThreadPoolExecutor(where.count) if threads else Workers(where.count, memory=where.memory)
    try:
        yield pool
    finally:
        _end(pool)


def _end(pool: Executor) -> None:
    """Without waiting for what still runs: whoever leaves early wants to leave."""
    if isinstance(pool, Workers):
        pool.kill()
    pool.shutdown(wait=isinstance(pool, Workers), cancel_futures=True)


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise OptionError(f"{text!r} workers", where="executor", expected="a whole number ≥ 1")


def _require_dask(address: str) -> None:
    if find_spec("distributed") is None:
        raise MissingError(
            "Dask is not installed", where="executor", fix='Install it with: pip install "initwise[dask]"'
        )
    if not address:
        raise OptionError(
            "no address", where="executor", expected='a scheduler\'s, as in "dask:tcp://host:8786"'
        )


@contextlib.contextmanager
def _dask(address: str) -> Iterator[Executor]:
    from distributed import Client

    try:
        client = Client(address, timeout="10s")  # type: ignore[no-untyped-call]
    except OSError as error:
        raise OptionError(f"no scheduler answers ({error})", where=f"executor dask:{address}") from error
    with client:
        yield client.get_executor()  # type: ignore[no-untyped-call]


def outcomes(work: Work, heats: Sequence[Heat], executor: Executor | None) -> Generator[Found, None, None]:
    """`(index, work(heats[index]))` for every heat, as they finish.

    Raises:
        ProblemError: a part of the problem cannot be sent to the executor's processes.
        OptionError: the executor takes no work.
        OutOfTimeError: the race's time is up (see `limits.ending`); what runs elsewhere is not waited for.
    """
    if executor is None:
        yield from ((index, work(heat)) for index, heat in enumerate(heats))
        return
    lost: list[tuple[int, BaseException]] = []
    for index, future in _finished(work, heats, executor):
        error = future.exception() if future.done() and not future.cancelled() else TimeoutError(_SILENT)
        if error is None:
            yield index, future.result()
        else:
            _require_sendable(heats[index], error)
            lost.append((index, error))
    own = executor if isinstance(executor, Workers) else None
    yield from _again(work, heats, lost, own is not None, own.memory if own else None)


_SILENT = "nothing came back in time"


def _finished(
    work: Work, heats: Sequence[Heat], executor: Executor
) -> Iterator[tuple[int, Future[tuple[Outcome, ...]]]]:
    """Futures as they finish; at last those of which nothing was heard for longer than any heat may take."""
    futures = {_submitted(executor, work, heat): index for index, heat in enumerate(heats)}
    patience = max((heat.seconds for heat in heats), default=0.0)
    pending = set(futures)
    try:
        while pending:
            most = min(patience + 2 * GRACE if patience else math.inf, max(left(), 0.0))
            done, pending = wait(pending, None if most == math.inf else most, FIRST_COMPLETED)
            if not done:
                require_time()
            yield from (
                (futures[future], future) for future in sorted(done or pending, key=futures.__getitem__)
            )
            if not done:
                return
    finally:
        for future in futures:
            future.cancel()


def _submitted(executor: Executor, work: Work, heat: Heat) -> Future[tuple[Outcome, ...]]:
    try:
        if isinstance(executor, Workers):
            return executor.submit_within(heat.seconds, work, heat)
        return executor.submit(work, heat)
    except Exception as error:
        _require_sendable(heat, error)
        if "shutdown" in str(error):
            raise OptionError(
                "it is shut down",
                where="executor",
                expected="one that takes work",
                fix="Race inside its with block.",
            ) from error
        future: Future[tuple[Outcome, ...]] = Future()
        future.set_exception(error)
        return future


def _again(
    work: Work,
    heats: Sequence[Heat],
    lost: Sequence[tuple[int, BaseException]],
    guarded: bool,
    memory: int | None,
) -> Iterator[Found]:
    """Lost heats once more, each in a guarded process: the whole heat, then its arms one by one."""
    if not lost:
        return
    workers = Workers(1, memory=memory)
    try:
        for index, error in lost:
            heat = heats[index]
            found = error if guarded else _tried(work, heat, workers)
            if isinstance(found, BaseException) and len(heat.tasks) > 1:
                yield index, tuple(_one(_tried(work, alone, workers)) for alone in heat.alone())
            else:
                yield index, (_one(found),) if isinstance(found, BaseException) else found
    finally:
        _end(workers)


def _tried(work: Work, heat: Heat, workers: Workers) -> tuple[Outcome, ...] | BaseException:
    future = workers.submit_within(heat.seconds, work, heat)
    most = left()
    wait([future], None if most == math.inf else max(most, 0.0))
    if not future.done():
        raise OutOfTimeError
    error = future.exception()
    if isinstance(error, ProblemError):
        raise error
    found: tuple[Outcome, ...] | BaseException = error or future.result()
    return found


def _one(found: tuple[Outcome, ...] | BaseException) -> Outcome:
    if not isinstance(found, BaseException):
        return found[0]
    kind = "" if isinstance(found, WorkerDiedError) else f"{type(found).__name__}: "
    return Outcome("failed", 0, error=f"{kind}{found}")


def _require_sendable(heat: Heat, error: BaseException) -> None:
    """Raise ProblemError if it is a part of the problem that kept the heat from being sent."""
    if isinstance(error, ProblemError):
        raise error
    if not any(word in str(error).lower() for word in ("pickl", "serializ", "local object")):
        return
    for part in PARTS:
        try:
            pickle.dumps(getattr(heat.tasks[0], part))
        except Exception as cause:
            raise ProblemError(
                f"{part} cannot be sent to another process ({cause})",
                where="Problem",
                expected="parts that can be pickled",
                cause="a lambda, a function inside a function, or something that holds an open file",
                fix=f"Define {part} at the top level of a module, or race without an executor.",
            ) from error
