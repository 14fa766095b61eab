"""One model of the coverage sweep, predicted in a process of its own with bounded memory and time."""

from __future__ import annotations

import logging
import math
import multiprocessing
import resource
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import torch

import initwise
from coverage_subjects import Subject
from initwise.core.errors import InitwiseError
from initwise.frameworks.torch.run import arguments
from initwise.predict import running
from initwise.predict.expected import Expected
from initwise.predict.interpreter import Interpreter
from initwise.signals.passing import Pass
from initwise.signals.reading import Reading

GIB = 1 << 30


@dataclass(frozen=True)
class Missing:
    """Why rows were not predicted: the operation's reason, the first row that met it, how many rows did."""

    reason: str
    place: str
    rows: int


@dataclass(frozen=True)
class Outcome:
    """What became of one subject.

    Attributes:
        status: "predicted" (every row), "partly", "failed" (it raised, and runs with real numbers),
            "untried" (no input is known, or it runs with real numbers neither).
        error: why it failed or was not tried.
        rows, whole: modules' calls, and those of them with every quantity predicted.
        sampled: rows that rest on a draw or another assumption that is named.
        missing: what was not predicted.
        operations: run on fake tensors, and of how many kinds.
        seconds: of the prediction. given: names of the arguments.
    """

    name: str
    kind: str
    status: str
    error: str = ""
    rows: int = 0
    whole: int = 0
    sampled: int = 0
    missing: tuple[Missing, ...] = ()
    operations: int = 0
    kinds: int = 0
    seconds: float = 0.0
    given: tuple[str, ...] = field(default_factory=tuple)


def outcome(subject: Subject, seconds: float, memory: float) -> Outcome:
    """The subject's outcome, from a child with at most `memory` GiB more than this process, and `seconds`."""
    if subject.untried:
        return Outcome(subject.name, subject.kind, "untried", subject.untried)
    forking = multiprocessing.get_context("fork")
    near, far = forking.Pipe(duplex=False)
    child = forking.Process(target=_child, args=(subject, far, memory))
    child.start()
    far.close()
    try:
        found = near.recv() if near.poll(seconds) else f"it took more than {seconds:g} s"
    except EOFError:
        child.join()
        found = f"its process ended with code {child.exitcode}"
    finally:
        child.kill()
        child.join()
    return found if isinstance(found, Outcome) else Outcome(subject.name, subject.kind, "failed", found)


def _child(subject: Subject, far: Connection, memory: float) -> None:
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(memory * GIB),) * 2)
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore")
    result = tried(subject)
    if result.status == "untried" and subject.instead is not None:
        other = tried(subject.instead)
        result = result if other.status == "untried" else other
    far.send(result)


def tried(subject: Subject) -> Outcome:
    """Predict it, here."""
    try:
        example = subject.made_example()
    except Exception as error:
        return Outcome(subject.name, subject.kind, "untried", f"no example: {_said(error)}")
    given = tuple(example) if isinstance(example, dict) else ()
    began = time.perf_counter()
    try:
        with _recorded() as record:
            initwise.check(subject.build, example, mode="predict")
    except Exception as error:
        return _failed(subject, example, error, given)
    return _read(subject, record, time.perf_counter() - began, given)


def _failed(subject: Subject, example: Any, error: Exception, given: tuple[str, ...]) -> Outcome:
    """Is it the example, or us? With real numbers it shows."""
    try:
        with torch.enable_grad():
            model = subject.build()
            args, kwargs = arguments(model, example)
            model(*args, **kwargs)
    except Exception as real:
        return Outcome(
            subject.name, subject.kind, "untried", f"not with real numbers either: {_said(real)}", given=given
        )
    return Outcome(subject.name, subject.kind, "failed", _said(error), given=given)


def _said(error: BaseException) -> str:
    """Its text in one line, and the innermost place in code of others."""
    cause = error.__cause__ or error
    where = ""
    for frame in traceback.extract_tb(cause.__traceback__):
        if "site-packages/t" in frame.filename and "site-packages/torch/" not in frame.filename:
            where = f" ({frame.filename.rpartition('site-packages/')[2]}:{frame.lineno})"
    text = str(error) if isinstance(error, InitwiseError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:600] + where


class _Record:
    """What a prediction used and gave."""

    passed: Pass
    interpreter: Interpreter

    def __init__(self) -> None:
        self.weights: list[str] = []


@contextmanager
def _recorded() -> Iterator[_Record]:
    """Keep the interpreter, the pass, and the weight gradients that were not predicted."""
    record, ours = _Record(), (running.Interpreter, running.Expected, running.run_pass)

    class Kept(Interpreter):
        def __init__(self) -> None:
            super().__init__()
            record.interpreter = self

    class Counting(Expected):
        def weight_gradient(self, x: torch.Tensor, gates: int) -> Any:
            found = super().weight_gradient(x, gates)
            if not found:
                record.weights.append(self.unknown(x))
            return found

    def passing(*args: Any, **kwargs: Any) -> Pass:
        record.passed = ours[2](*args, **kwargs)
        return record.passed

    running.Interpreter, running.Expected, running.run_pass = Kept, Counting, passing  # type: ignore[misc,assignment]
    try:
        yield record
    finally:
        running.Interpreter, running.Expected, running.run_pass = ours  # type: ignore[misc,assignment]


def _lost(reading: Reading) -> str:
    """A quantity that is no number, though nothing said so; "" if all are numbers."""
    ungraded = reading.gradient == "reached" and math.isnan(reading.gradient_rms)
    return "not predicted: no number" if math.isnan(reading.forward_rms) or ungraded else ""


def _read(subject: Subject, record: _Record, seconds: float, given: tuple[str, ...]) -> Outcome:
    readings = record.passed.readings
    missed = [(reading.name, reading.missed or _lost(reading)) for reading in readings]
    missed = [(name, why) for name, why in missed if why]
    missed += [
        (reading.name, f"its weight gradient was not predicted: {'; '.join(dict.fromkeys(record.weights))}")
        for reading in readings
        if record.weights
        and reading.trained
        and not reading.missed
        and math.isnan(reading.weight_gradient_rms)
        and reading.gradient == "reached"
    ]
    reasons: dict[str, list[str]] = {}
    for name, why in missed:
        reasons.setdefault(why.partition(": ")[2], []).append(name)
    missing = tuple(Missing(why, names[0], len(names)) for why, names in reasons.items())
    if record.weights and not missing:  # its row has other weights, whose gradients are known
        missing = (Missing("; ".join(dict.fromkeys(record.weights)), "a weight beside others", 0),)
    status = "partly" if missing else "predicted"
    counts = record.interpreter.operations
    return Outcome(
        subject.name, subject.kind, status,
        rows=len(readings), whole=len(readings) - len(missed),
        sampled=sum(bool(reading.rests) for reading in readings), missing=missing,
        operations=counts.total(), kinds=len(counts), seconds=round(seconds, 2), given=given,
    )  # fmt: skip
