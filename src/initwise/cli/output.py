"""What a command says: the result alone on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from ..core.errors import OutputError
from ..core.records import VERDICTS
from ..report import laid_out
from ..report import text as text_of
from ..report.ascii import readable
from ..report.document import Document
from ..report.style import tone
from .files import refuse_as_file, replacing
from .streams import discard_stdout

COLOURS = {"good": "green", "bad": "bold red", "quiet": "dim"}


def show(record: Any, *, as_json: bool) -> None:
    """The record as its report, or as one JSON document."""
    if as_json:
        _put_json(record.to_json(indent=2))
    else:
        put_report(text_of(record, _columns(), _encoding()))


def show_document(document: Document) -> None:
    """A report that is of no record."""
    put_report(laid_out(document, _columns(), _encoding()))


def show_data(data: Any) -> None:
    """JSON data that is no record, as one document."""
    _put_json(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def _put_json(text: str) -> None:
    """A JSON document; characters that stdout does not have are escaped, never replaced."""
    same = readable(text, _encoding()) == text
    put(text if same else json.dumps(json.loads(text), indent=2, allow_nan=False))


def _columns() -> int:
    """How wide a report may be: as COLUMNS says, else the terminal, if there is one."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100


def _encoding() -> str | None:
    return getattr(sys.stdout, "encoding", None)


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
    """One text on stdout. A reader that stops listening (`| head`) is no error.

    Raises:
        OutputError: stdout takes no more, say a file on a full disk.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        discard_stdout()
    except OSError as error:
        discard_stdout()
        raise OutputError(f"cannot be written ({error.strerror})", where="stdout") from error


def note(text: str) -> None:
    """One line beside the result."""
    if sys.stderr is not None:  # print() would take stdout instead
        print(readable(text, getattr(sys.stderr, "encoding", None)), file=sys.stderr)


def refuse_page(path: Path | None) -> None:
    """Raise OptionError if no page can be written at `path`."""
    refuse_as_file(path, f"--html {path}")


def write_page(record: Any, path: Path | None) -> None:
    """The record as an HTML page, if a path was given: the whole page, or what was there before."""
    if path is not None:
        with replacing(path, where=f"--html {path}") as (fresh,):
            record.to_html(fresh)
        note(f"Wrote {path}.")
