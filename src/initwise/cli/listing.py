"""initwise list: what there is, straight from the registries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from ..activations import activations
from ..choose.candidates import CANDIDATES
from ..core.errors import OptionError, UnknownNameError
from ..explain import glossary
from ..explain.finding import KINDS as SEARCHED
from ..explain.finding import SHOWN, find, passes, rows_of
from ..explain.parts import several
from ..frameworks.layouts import layouts
from ..problems import problems
from ..recipes import recipes
from ..report.document import Column, Document, Table
from ..schemes import NEEDS, schemes
from ..schemes.base import EVIDENCE
from .broken import broken_data, broken_tables, quiet
from .options import Command, Debug, Json
from .output import show, show_data, show_document

KINDS: dict[str, tuple[Callable[[], Iterable[Any]], str]] = {
    "schemes": (schemes, "summary"),
    "activations": (activations, "formula"),
    "recipes": (recipes, "summary"),
    "layouts": (layouts, "summary"),
    "problems": (problems, "summary"),
    "candidates": (lambda: CANDIDATES, "says"),
    "glossary": (glossary, "meaning"),
}
"""Kind → its rows, and the attribute that tells what a row is."""


For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="TEXT",
        help='What the network is, in your words: "deep relu cnn without norm", "ViT", "1000 layers". '
        "Ranks the rows that fit, and says why.",
    ),
]
Evidence = Annotated[
    str | None, typer.Option(metavar="WORD", help=f"Only laws known this well: {', '.join(EVIDENCE)}.")
]
Needs = Annotated[
    str | None,
    typer.Option(metavar="WORD", help=f"Only schemes that need this: {', '.join(NEEDS)}, or none."),
]


def show_list(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}; nothing: all.")
    ] = None,
    text: For = None,
    evidence: Evidence = None,
    needs: Needs = None,
    limit: Annotated[int, typer.Option(min=1, help="With --for: how many rows to show.")] = SHOWN,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the schemes, activations, recipes, layouts, bundled problems and candidates there are.

    With --for, those that fit a network, best first, and why.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"nothing is called {kind!r}", where="list", legal=KINDS, given=kind)
    with quiet():
        if text is not None:
            kinds = _searched(kind, needs)
            show(find(text, kinds=kinds, evidence=evidence, needs=needs, limit=limit), as_json=as_json)
        else:
            _show_all(_filtered(kind, evidence, needs), evidence, needs, as_json)


def _show_all(kinds: list[str], evidence: str | None, needs: str | None, as_json: bool) -> None:
    """Every row of the kinds that passes the filters, and the broken ones."""
    data = {name: _data(name, evidence, needs) for name in kinds}
    if as_json:
        broken = broken_data(kinds)
        show_data({**data, "broken": broken} if broken else data)
        return
    tables = (*(_table(name, rows) for name, rows in data.items()), *broken_tables(kinds))
    show_document(Document("initwise", tables, tables[0]))


def _searched(kind: str | None, needs: str | None) -> list[str]:
    """The kinds that --for looks through; only schemes need anything."""
    if kind is not None and kind not in SEARCHED:
        raise OptionError(
            f"{kind} cannot be looked through", where="--for", legal=SEARCHED, fix=f"initwise list {kind}"
        )
    return [kind] if kind else ["schemes"] if needs else ["schemes", "recipes"]


def _filtered(kind: str | None, evidence: str | None, needs: str | None) -> list[str]:
    """The kinds to list; with a filter those that can be filtered by it."""
    rows_of([], evidence=evidence, needs=needs)  # refuses words that are none
    able = [
        name
        for name in KINDS
        if (not evidence or name in ("schemes", "recipes")) and (not needs or name == "schemes")
    ]
    if kind is not None and kind not in able:
        option = "--needs" if needs else "--evidence"
        raise OptionError(f"{kind} have nothing of the kind", where=option, legal=able)
    return [kind] if kind else able


def _data(kind: str, evidence: str | None, needs: str | None) -> list[dict[str, Any]]:
    rows, says = KINDS[kind]
    kept = (row for row in rows() if passes(row, evidence, needs))
    return [{"name": row.name, "aliases": list(row.aliases), "says": getattr(row, says)} for row in kept]


def _table(kind: str, data: list[dict[str, Any]]) -> Table:
    columns = (
        Column("name", "Name"),
        Column("says", "What it is", "prose"),
        Column("aliases", "Also", "prose"),
    )
    rows = tuple((row["name"], row["says"], several(row["aliases"])) for row in data)
    return Table(columns, rows, kind.capitalize(), keep=frozenset(range(len(rows))))


COMMAND = Command(
    "list",
    "What schemes, activations, recipes, layouts, problems there are.",
    show_list,
    (
        "initwise list",
        "initwise list schemes",
        'initwise list schemes --for "deep relu cnn without norm"',
        'initwise list --for "ViT"',
        "initwise list schemes --needs depth",
        "initwise list problems --json",
    ),
    runs_code=False,
    place=5,
)
