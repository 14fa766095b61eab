"""What a report says, before it is known whether it becomes text, a page or a frame.

A record is described once, as a Document of these blocks (one file per record in this room);
`plain.py`, `page.py` and `dataframe.py` each turn any Document into their form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.picture import Picture
from .folding import Fold

KINDS = (
    "name",  # a path or identifier; shortened in the middle when space is short
    "word",  # a short label
    "verdict",  # one of the verdicts or statuses; coloured where colour is possible
    "prose",  # a sentence; wrapped
    "number",  # 3 significant digits
    "rate",  # 3 significant digits at most, no trailing zeros (learning rates)
    "count",  # an integer
    "exponent",  # with its sign and 2 decimals
    "share",  # a fraction, shown in per cent
    "shape",  # a tuple of integers
    "figure",  # a number already in words ("0.312 ± 0.004")
)


@dataclass(frozen=True)
class Column:
    """One column: the record's own field name, a title for people, and how its cells are written.

    A key that begins with "_" is made for the eye from other fields; frames leave it out.
    """

    key: str
    title: str
    kind: str = "word"


@dataclass(frozen=True)
class Table:
    """Rows of raw values; formatting is the renderers' matter.

    Attributes:
        keep: indices of the rows that a shortened view must still show.
        hidden: keys of columns that only the frame shows.
        note: what the columns mean, under the table.
        folds: rows that a shortened view leaves out, each with a text in its place.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    title: str = ""
    keep: frozenset[int] = frozenset()
    hidden: frozenset[str] = frozenset()
    note: str = ""
    folds: tuple[Fold, ...] = ()

    def shown(self) -> Table:
        """This table with its hidden columns, and those that hold nothing, left out."""
        seen = [
            index
            for index, column in enumerate(self.columns)
            if column.key not in self.hidden
            # an empty name is the root module's, and that is something
            and any(
                not blank(row[index]) or (column.kind == "name" and row[index] == "") for row in self.rows
            )
        ]
        return Table(
            tuple(self.columns[index] for index in seen),
            tuple(tuple(row[index] for index in seen) for row in self.rows),
            self.title,
            self.keep,
            note=self.note,
            folds=self.folds,
        )


@dataclass(frozen=True)
class Prose:
    """A paragraph; `lead` marks the answer, which is said first and loudest."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Items:
    """A list of sentences, numbered or not, under a title."""

    title: str
    items: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    title: str
    text: str


@dataclass(frozen=True)
class Plot:
    """Quantities over depth, on a logarithmic axis.

    Attributes:
        labels: one per point: the layers' names.
        series: (name, values), all as long as `labels`.
    """

    title: str
    labels: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    note: str = ""


@dataclass(frozen=True)
class Sketch:
    """A small picture."""

    picture: Picture


Block = Table | Prose | Items | Code | Plot | Sketch


@dataclass(frozen=True)
class Document:
    """A whole report: what it is about, its blocks in reading order, and the table a frame shows."""

    title: str
    blocks: tuple[Block, ...]
    main: Table


def blank(value: Any) -> bool:
    """Does this cell hold nothing: None, "", (), or NaN?"""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or value == "" or value == ()


def fields_table(
    columns: Sequence[Column],
    records: Sequence[Any],
    *,
    title: str = "",
    keep: frozenset[int] = frozenset(),
    hidden: frozenset[str] = frozenset(),
    note: str = "",
) -> Table:
    """A table whose columns are attributes of `records`."""
    rows = tuple(tuple(getattr(record, column.key) for column in columns) for record in records)
    return Table(tuple(columns), rows, title, keep, hidden, note)
