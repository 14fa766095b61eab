"""Document → plain text, 100 columns wide; on a narrower terminal as wide as that, from 60 on."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .cells import ELLIPSIS, NOTHING, RIGHT, cell, number, shorten
from .document import Block, Code, Column, Document, Items, Plot, Prose, Sketch, Table
from .folding import Fold
from .sketch import sketch

WIDTH, NARROWEST = 100, 60
INDENT = "  "
GAP, TIGHT = "  ", " "
PROSE_MIN, NAME_MIN = 30, 10
"""Prose with less room than this goes under its row; names are not cut shorter than this."""
FIRST_MIN, FIRST_WISH, KIND_MIN = 6, 24, 18
"""In a table too wide: the first column's least width, and what it should have unless columns move closer;
what other columns' names keep as long as the first gives way (its long names then stand above their row)."""
ROWS = 40
"""A longer table is shown by its first and last rows and those worth attention."""
BARS = "▁▂▃▄▅▆▇"  # odd, so that a flat signal lies inside the middle one
POINTS = 60


def render(document: Document, columns: int = WIDTH) -> str:
    """The whole document for a terminal of so many columns.

    Text and tables are 60 to 100 wide; pictures fit narrower ones too.
    """
    return "\n\n".join(block(item, columns) for item in document.blocks if item is not None)


def block(item: Block, columns: int = WIDTH) -> str:
    """One block."""
    if isinstance(item, Sketch):
        return sketch(item.picture, columns)
    return _FORMS[type(item)](item, max(NARROWEST, min(WIDTH, columns)))


def _prose(item: Prose, width: int) -> str:
    return textwrap.fill(item.text, width)


def _items(item: Items, width: int) -> str:
    lines = [textwrap.fill(item.title, width)] if item.title else []
    for index, text in enumerate(item.items, 1):
        mark = f"{index}. " if item.numbered else "- "
        lines.append(_hanging(mark, text, width))
    return "\n".join(lines)


def _hanging(mark: str, text: str, width: int) -> str:
    first = INDENT + mark
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=" " * len(first), break_long_words=False
    )


def _code(item: Code, width: int) -> str:
    # never wrapped: it is there to be copied
    return "\n".join([item.title, *("    " + line if line else "" for line in item.text.splitlines())])


def _plot(item: Plot, width: int) -> str:
    wide = max(len(name) for name, _ in item.series)
    lines = [textwrap.fill(item.title, width)]
    for name, values in item.series:
        ends = [value for value in values if not math.isnan(value)]
        span = f"{number(ends[0])} → {number(ends[-1])}" if ends else "nothing measured"
        room = min(POINTS, width - len(INDENT) - wide - 2 * len(GAP) - len(span))
        lines.append(f"{INDENT}{name.ljust(wide)}  {spark(values, room)}  {span}")
    return "\n".join([*lines, *([_note(item.note, width)] if item.note else [])])


def spark(values: Sequence[float], points: int = POINTS) -> str:
    """Values as bars on a logarithmic scale of at least four decades, so that flat looks flat.

    Zero is "_", not a number or infinite is "!".
    """
    if len(values) > points:
        values = [values[round(i * (len(values) - 1) / (points - 1))] for i in range(points)]
    logs = [math.log10(v) for v in values if math.isfinite(v) and v > 0]
    if not logs:
        return "".join("_" if v == 0 else "!" for v in values)
    low, high = min(logs), max(logs)
    spare = max(0.0, 4.0 - (high - low)) / 2
    low, high = low - spare, high + spare

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return "!"
        if value <= 0:
            return "_"
        return BARS[min(len(BARS) - 1, int((math.log10(value) - low) / (high - low) * len(BARS)))]

    return "".join(bar(value) for value in values)


def _table(item: Table, width: int) -> str:
    table = item.shown()
    head = [textwrap.fill(table.title, width)] if table.title else []
    if not table.rows:
        return "\n".join([*head, INDENT + "(none)"])
    picked = _pick(len(table.rows), table.keep, table.folds)
    texts = [[cell(value, column.kind) for value, column in _pairs(table, index)] for index in picked]
    lines = list(head)
    for count, part in enumerate(_parts(table.columns, texts, width)):
        lines += [""] if count else []
        lines += _lines(part, picked, table.folds, [[row[index] for index in part.places] for row in texts])
    return "\n".join([*lines, *([_note(table.note, width)] if table.note else [])])


def _lines(
    grid: _Grid, picked: Sequence[int], folds: Sequence[Fold], texts: Sequence[Sequence[str]]
) -> list[str]:
    """A table's lines, with a word about the rows left out between those shown."""
    told = {(fold.start, fold.stop): fold.text for fold in folds}
    lines, previous = grid.header(), -1
    for index, row in zip(picked, texts, strict=True):
        if index > previous + 1:
            left = told.get((previous + 1, index), f"{index - previous - 1} more")
            lines += [shorten(f"{INDENT}{ELLIPSIS} {left}", grid.line)]
        lines += grid.row(row)
        previous = index
    return lines


def _pairs(table: Table, index: int) -> list[tuple[Any, Column]]:
    return list(zip(table.rows[index], table.columns, strict=True))


def _note(text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=INDENT, subsequent_indent=INDENT)


def _pick(count: int, keep: frozenset[int], folds: Sequence[Fold] = ()) -> list[int]:
    """The rows to show: all of a short table; of a long one those outside folds, or its ends and `keep`."""
    if count <= ROWS:
        return list(range(count))
    folded = {index for fold in folds for index in range(fold.start, fold.stop)}
    left = [index for index in range(count) if index not in folded]
    worth = keep - folded
    if len(left) <= ROWS:
        return left
    ends = max(4, (ROWS - len(worth)) // 2)
    return sorted({*left[:ends], *left[-ends:], *worth})


@dataclass(frozen=True)
class _Grid:
    """Columns and their widths, and what is done about cells too wide for their column's room.

    Attributes:
        below: prose stands under its row.
        gap: what is between columns.
        line: how wide a line is.
        places: which of the table's columns these are.
    """

    columns: tuple[Column, ...]
    widths: tuple[int, ...]
    below: bool
    gap: str = GAP
    line: int = WIDTH
    places: tuple[int, ...] = ()

    @classmethod
    def fitted(cls, columns: Sequence[Column], texts: Sequence[Sequence[str]], line: int) -> _Grid:
        """The first that fits: prose wrapped in its column; prose below; columns closer; names above."""
        natural = [max(len(c.title), *(len(row[i]) for row in texts)) for i, c in enumerate(columns)]
        beside = _squeezed(columns, natural, "prose", PROSE_MIN, line)
        if _spare(beside, line) >= 0:
            return cls(tuple(columns), tuple(beside), below=False, line=line)
        if [column.kind for column in columns] == ["word", "prose"]:
            # labels that are too long stand above what they are of
            label = min(natural[0], FIRST_WISH)
            return cls(tuple(columns), (label, line - len(INDENT + GAP) - label), below=False, line=line)
        inline = [w if c.kind != "prose" else 0 for c, w in zip(columns, natural, strict=True)]
        for gap in (GAP, TIGHT):
            if _spare(inline, line, gap) >= 0:
                return cls(tuple(columns), tuple(inline), True, gap, line)
        widths, gap = _names_squeezed(columns, inline, line, GAP), GAP
        if widths[0] < FIRST_WISH:
            widths, gap = _names_squeezed(columns, inline, line, TIGHT), TIGHT
        return cls(tuple(columns), tuple(widths), True, gap, line)

    def fits(self) -> bool:
        """Is no line longer than it may be?"""
        return _spare(self.widths, self.line, self.gap) >= 0

    def header(self) -> list[str]:
        titles = ["" if self._under(c) else c.title for c in self.columns]
        rule = [("─" * w, c) for w, c in zip(self.widths, self.columns, strict=True) if not self._under(c)]
        return [*self.row(titles), INDENT + self.gap.join(text for text, _ in rule)]

    def row(self, texts: Sequence[str]) -> list[str]:
        above: list[str] = []
        if len(texts[0]) > self.widths[0] and not self._under(self.columns[0]):
            # whole, because it is the name that tells this row from the others
            above, texts = self._above(texts[0]), ["", *texts[1:]]
        cells = [
            (_stack(text, column, width), column, width)
            for text, column, width in zip(texts, self.columns, self.widths, strict=True)
            if not self._under(column)
        ]
        levels = range(max(len(stack) for stack, _, _ in cells))
        lines = [*above, *(_level(cells, level, self.gap) for level in levels)]
        return lines + [
            line
            for text, column in zip(texts, self.columns, strict=True)
            if self._under(column) and text not in ("", NOTHING)
            for line in self._beneath(text)
        ]

    def _above(self, text: str) -> list[str]:
        if self.columns[0].kind == "name":
            return [INDENT + shorten(text, self.line - len(INDENT))]
        return textwrap.wrap(text, self.line, initial_indent=INDENT, subsequent_indent=INDENT)

    def _under(self, column: Column) -> bool:
        return self.below and column.kind == "prose"

    def _beneath(self, text: str) -> list[str]:
        # a short first column (a rank) stays free, so that ranks can be read down the edge
        margin = INDENT + " " * (self.widths[0] + len(GAP) if self.widths[0] < NAME_MIN else 2 * len(GAP))
        return textwrap.wrap(text, self.line, initial_indent=margin, subsequent_indent=margin)


def _parts(columns: Sequence[Column], texts: Sequence[Sequence[str]], line: int) -> list[_Grid]:
    """The table, or where its columns have no room the first and some of them, then the first and others."""
    parts: list[_Grid] = []
    left = list(range(1, len(columns)))
    while left or not parts:
        for count in range(len(left), -1, -1):
            places = (0, *left[:count])
            rows = [[row[place] for place in places] for row in texts]
            grid = replace(_Grid.fitted([columns[p] for p in places], rows, line), places=places)
            if grid.fits() or count <= 1:
                break
        parts.append(grid)
        left = left[max(1, count) :]
    return parts


def _spare(widths: Sequence[int], line: int, gap: str = GAP) -> int:
    """How much of a line is left over; a width of 0 is no column."""
    return line - len(INDENT) - len(gap) * (sum(w > 0 for w in widths) - 1) - sum(widths)


def _squeezed(
    columns: Sequence[Column], natural: Sequence[int], kind: str, least: int, line: int, gap: str = GAP
) -> list[int]:
    """Widths within a line as far as columns of one kind can give way, the widest first."""
    widths = list(natural)
    for index in sorted(range(len(columns)), key=lambda i: -widths[i]):
        spare = _spare(widths, line, gap)
        if columns[index].kind == kind and spare < 0:
            widths[index] = max(min(least, widths[index]), widths[index] + spare)
    return widths


def _names_squeezed(columns: Sequence[Column], natural: Sequence[int], line: int, gap: str) -> list[int]:
    """The first column gives way before other names are cut: what is too long for it stands above."""
    widths = [
        min(width, KIND_MIN) if index and column.kind == "name" else width
        for index, (column, width) in enumerate(zip(columns, natural, strict=True))
    ]
    if columns[0].kind == "name":
        widths[0] = max(min(FIRST_MIN, widths[0]), widths[0] + min(0, _spare(widths, line, gap)))
    return _squeezed(columns, widths, "name", NAME_MIN, line, gap)


def _level(cells: Sequence[tuple[list[str], Column, int]], level: int, gap: str) -> str:
    parts = [
        _justify(stack[level] if level < len(stack) else "", column, width) for stack, column, width in cells
    ]
    return (INDENT + gap.join(parts)).rstrip()


def _stack(text: str, column: Column, width: int) -> list[str]:
    if column.kind == "prose":
        return textwrap.wrap(text, width) or [""]
    return [shorten(text, width)]


def _justify(text: str, column: Column, width: int) -> str:
    return text.rjust(width) if column.kind in RIGHT else text.ljust(width)


_FORMS: dict[type, Callable[[Any, int], str]] = {
    Prose: _prose,
    Items: _items,
    Code: _code,
    Plot: _plot,
    Table: _table,
}
