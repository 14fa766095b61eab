"""What a command says: the result alone on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from ..core.records import VERDICTS
from ..report.style import tone

COLOURS = {"good": "green", "bad": "bold red", "quiet": "dim"}


def show(record: Any, *, as_json: bool) -> None:
    """The record as its report, or as one JSON document."""
    if as_json:
        put(record.to_json(indent=2))
    else:
        put_report(str(record))


def show_data(data: Any) -> None:
    """JSON data that is no record, as one document."""
    put(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def put_report(text: str) -> None:
    """A report; on a terminal its verdicts are coloured, unless NO_COLOR says otherwise."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        put(text)
        return
    from rich.console import Console

    Console(soft_wrap=True).print(coloured(text))


def coloured(text: str) -> Any:
    """`text` as rich Text, each verdict in its colour and the titles bold."""
    from rich.text import Text

    painted = Text(text)
    for verdict in VERDICTS:
        painted.highlight_regex(rf"(?<![\w'-]){re.escape(verdict)}(?![\w'-])", COLOURS[tone(verdict)])
    painted.highlight_regex(r"(?m)^(?=\S)[A-Z][^.\n]*$", "bold")
    return painted


def put(text: str) -> None:
    """One text on stdout. A reader that stops listening (`| head`) is no error."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # what is left in the buffer must not fail again when Python exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """One line beside the result."""
    print(text, file=sys.stderr)


def write_page(record: Any, path: Path | None) -> None:
    """The record as an HTML page, if a path was given."""
    if path is not None:
        record.to_html(path)
        note(f"Wrote {path}.")
