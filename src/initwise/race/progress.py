"""Progress: a bar with the time left where somebody is watching, or the caller's own callback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Report = Callable[[int, int, str], None]
"""`report(done, total, text)`: optimiser steps done and planned, and what is going on."""


@contextlib.contextmanager
def reporting(progress: bool | Report, title: str = "race") -> Iterator[Report]:
    """The report to call: the caller's, a bar on stderr if that is a terminal, or nothing.

    Args:
        title: what the bar says before the first report.
    """
    if callable(progress):
        yield progress
    elif progress and sys.stderr is not None and sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield lambda done, total, text: None


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total, text: bar.update(task, completed=done, total=total, description=text)
