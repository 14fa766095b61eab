"""Document → one self-contained HTML page. Every text of the record is escaped."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from .cells import RIGHT, cell
from .document import Block, Code, Column, Document, Items, Plot, Prose, Sketch, Table
from .style import SHEET, tone
from .svg import chart
from .svg_picture import drawing


def render(document: Document) -> str:
    """The whole page."""
    title = escape(document.title)
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{SHEET}</style>\n</head>\n"
        f"<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    return _FORMS[type(block)](block)


def _prose(block: Prose) -> str:
    return f'<p class="lead">{escape(block.text)}</p>' if block.lead else f"<p>{escape(block.text)}</p>"


def _items(block: Items) -> str:
    tag = "ol" if block.numbered else "ul"
    items = "".join(f"<li>{escape(item)}</li>" for item in block.items)
    return _title(block.title) + f"<{tag}>{items}</{tag}>"


def _code(block: Code) -> str:
    return _title(block.title) + f"<pre>{escape(block.text)}</pre>"


def _plot(block: Plot) -> str:
    return _title(block.title) + chart(block) + _note(block.note)


def _sketch(block: Sketch) -> str:
    return _title(block.picture.title) + drawing(block.picture) + _note(block.picture.note)


def _table(block: Table) -> str:
    table = block.shown()
    head = "".join(f'<th class="{_align(c)}">{escape(c.title)}</th>' for c in table.columns)
    rows = "\n".join(
        "<tr>" + "".join(_cell(value, c) for value, c in zip(row, table.columns, strict=True)) + "</tr>"
        for row in table.rows
    )
    return (
        _title(table.title) + f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>" + _note(table.note)
    )


def _cell(value: Any, column: Column) -> str:
    text = cell(value, column.kind)
    style = tone(text) if column.kind == "verdict" else _align(column)
    return f'<td class="{style}">{escape(text)}</td>'


def _align(column: Column) -> str:
    return "right" if column.kind in RIGHT else column.kind


def _title(text: str) -> str:
    return f"<h2>{escape(text)}</h2>\n" if text else ""


def _note(text: str) -> str:
    return f'\n<p class="note">{escape(text)}</p>' if text else ""


_FORMS: dict[type, Callable[[Any], str]] = {
    Prose: _prose,
    Items: _items,
    Code: _code,
    Plot: _plot,
    Sketch: _sketch,
    Table: _table,
}
