"""What the writers of generated pages share: `docs/build.py` and `docs/reference.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "<!-- written by docs/{file}: make readme, or python docs/build.py rows -->\n"


def made(file: str) -> str:
    """The first line of a page that docs/`file` writes."""
    return MADE.format(file=file)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars and line breaks in cells break no row."""
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def anchor(name: str) -> str:
    """Where a heading of this name is linked to."""
    return "".join(c for c in name.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
