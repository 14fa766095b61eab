"""What people read: pure functions from a record to text, a page or a frame.

A record is described once (`plan.py`, `signals.py`, `ledger.py`, `advice.py`, `race.py`,
`explanation.py`: record → Document) and rendered three ways (`plain.py`, `page.py`,
`dataframe.py`). A new form or a new record is one new file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .document import Document

__all__ = ["frame", "html", "laid_out", "text"]


def text(record: Any, columns: int = 100, encoding: str | None = None) -> str:
    """`record` as plain text.

    Args:
        record: a Plan, Signals, Ledger, Advice, Race, Explanation or Matches.
        columns: of the terminal: text and tables are as wide, from 60 to 100; pictures fit any.
        encoding: of the terminal: words stand in for symbols it lacks. None: it has them all.

    Raises:
        RecordError: anything else.
    """
    from .describe import describe

    return laid_out(describe(record), columns, encoding)


def laid_out(document: Document, columns: int = 100, encoding: str | None = None) -> str:
    """A Document as plain text; arguments as for `text`."""
    from .ascii import readable, spelled_in
    from .plain import render

    return readable(render(spelled_in(document, encoding), columns), encoding)


def html(record: Any) -> str:
    """`record` as one self-contained HTML page: no scripts, no external resources, light and dark.

    Raises:
        RecordError: not a record that reports know.
    """
    from .describe import describe
    from .page import render

    return render(describe(record))


def frame(record: Any) -> Any:
    """`record`'s main table as a pandas DataFrame of raw values, one column per field.

    Raises:
        RecordError: not a record that reports know.
        MissingError: pandas is not installed.
    """
    from .dataframe import render
    from .describe import describe

    return render(describe(record))
