"""The door between records and the room that shows them.

Records live in core, what people read is made in `initwise.report`, and core imports nothing of
ours: so the door is a name, opened only when somebody asks to see a record.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

ROOM = "initwise.report"


def render(record: Any, form: str) -> Any:
    """`record` in one of the forms of `initwise.report`: "text", "html" or "frame"."""
    return getattr(importlib.import_module(ROOM), form)(record)


class Rendered:
    """`print()`, `.to_frame()` and `.to_html()` for a record."""

    def __str__(self) -> str:
        return str(render(self, "text"))

    def to_frame(self) -> Any:
        """The record's main table as a pandas DataFrame. Raises MissingError without pandas."""
        return render(self, "frame")

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """One self-contained HTML page; written to `path` if given. Returns the page."""
        page = str(render(self, "html"))
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page
