"""initwise list: what there is, straight from the registries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from ..activations import activations
from ..choose.candidates import CANDIDATES
from ..core.errors import UnknownNameError
from ..problems import problems
from ..recipes import recipes
from ..report.document import Column, Document, Table
from ..report.plain import render
from ..schemes import schemes
from .options import Command, Debug, Json
from .output import put_report, show_data

KINDS: dict[str, tuple[Callable[[], Iterable[Any]], str]] = {
    "schemes": (schemes, "summary"),
    "activations": (activations, "formula"),
    "recipes": (recipes, "summary"),
    "problems": (problems, "summary"),
    "candidates": (lambda: CANDIDATES, "says"),
}
"""Kind → its rows, and the attribute that tells what a row is."""


def show_list(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}; nothing: all.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the schemes, activations, recipes, bundled problems and candidates there are."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"nothing is called {kind!r}", where="list", legal=KINDS, given=kind)
    kinds = [kind] if kind else list(KINDS)
    if as_json:
        show_data({name: _data(name) for name in kinds})
    else:
        tables = tuple(_table(name) for name in kinds)
        put_report(render(Document("initwise", tables, tables[0])))


def _data(kind: str) -> list[dict[str, Any]]:
    rows, says = KINDS[kind]
    return [{"name": row.name, "aliases": list(row.aliases), "says": getattr(row, says)} for row in rows()]


def _table(kind: str) -> Table:
    columns = (
        Column("name", "Name"),
        Column("says", "What it is", "prose"),
        Column("aliases", "Also", "prose"),
    )
    rows = tuple((row["name"], row["says"], ", ".join(row["aliases"])) for row in _data(kind))
    return Table(columns, rows, kind.capitalize(), keep=frozenset(range(len(rows))))


COMMAND = Command(
    "list",
    "What schemes, activations, recipes, problems there are.",
    show_list,
    (
        "initwise list",
        "initwise list schemes",
        "initwise list problems --json",
    ),
    runs_code=False,
    place=5,
)
