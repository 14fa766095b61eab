"""Document → pandas DataFrame of its main table, raw values."""

from __future__ import annotations

from typing import Any

from ..core.errors import MissingError
from .document import Document


def render(document: Document) -> Any:
    """The main table, every column, nothing formatted. Raises MissingError without pandas."""
    try:
        import pandas
    except ImportError as error:
        raise MissingError(
            "pandas is not installed",
            where="to_frame()",
            fix='Install it: pip install "initwise[report]" (or pip install pandas).',
        ) from error
    table = document.main
    raw = [index for index, column in enumerate(table.columns) if not column.key.startswith("_")]
    keys = [table.columns[index].key for index in raw]
    return pandas.DataFrame([[row[index] for index in raw] for row in table.rows], columns=keys)
