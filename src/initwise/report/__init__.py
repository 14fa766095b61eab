"""What people read: pure functions from a record to text, a page or a frame.

A record is described once (`plan.py`, `signals.py`, `ledger.py`, `advice.py`, `race.py`,
`explanation.py`: record → Document) and rendered three ways (`plain.py`, `page.py`,
`dataframe.py`). A new form or a new record is one new file.
"""

from __future__ import annotations

from typing import Any

__all__ = ["frame", "html", "text"]


def text(record: Any, columns: int = 100) -> str:
    """`record` as plain text, at most 100 columns wide whatever the terminal.

    Args:
        record: a Plan, Signals, Ledger, Advice, Race, Explanation or Matches.
        columns: of the terminal; pictures are made to fit.

    Raises:
        RecordError: anything else.
    """
    from .describe import describe
    from .plain import render

    return render(describe(record), columns)


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
