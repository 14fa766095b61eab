"""The page of the coverage sweep, from its results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import transformers

from coverage_child import Outcome
from coverage_subjects import KINDS

ROOT = Path(__file__).resolve().parent.parent

TITLES = {
    "transformers": "Families of transformers",
    "zoo": "Modules of torch.nn",
    "classics": "Classics, rebuilt",
    "custom": "Custom code",
}
SAID = """\
Each model is built without memory by its own constructor and predicted with
`check(constructor, example, mode="predict")`: its forward, and its backward from a random cotangent. A model
*runs* if that ends without an error. A row is one call of one module; it is *whole* if its output's rms, the
gradient's there and its weight gradient's are predicted. A model is whole if all of its rows are. Rows *on a
draw* are predicted, and rest on an assumption that the record names: a router's choice, one sample of a mask.
Families of transformers are built small from their configurations, nothing is downloaded; those of several
modalities are given text alone where they take it alone, and their towers are families of their own."""


def page(results: Sequence[Outcome]) -> str:
    """The whole page, in Markdown."""
    parts = [
        "# What can be predicted",
        "<!-- written by: python benchmarks/coverage_sweep.py --write -->",
        f"torch {_version(torch)}, transformers {_version(transformers)}. {SAID}",
        _totals(results),
        *(
            _section(kind, [r for r in results if r.kind == kind])
            for kind in KINDS
            if any(r.kind == kind for r in results)
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _version(module: object) -> str:
    return str(getattr(module, "__version__", "")).partition("+")[0]


def _totals(results: Sequence[Outcome]) -> str:
    lines = [
        "| | tried | run | whole | rows | whole rows | on a draw | not tried |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in (*KINDS, ""):
        of = [r for r in results if r.kind == kind or not kind]
        if of:
            lines.append(_total(TITLES.get(kind, "**all**"), of))
    return "\n".join(lines)


def _total(title: str, results: Sequence[Outcome]) -> str:
    tried = [r for r in results if r.status != "untried"]
    ran = [r for r in tried if r.status != "failed"]
    whole = [r for r in ran if r.status == "predicted"]
    rows, good = sum(r.rows for r in ran), sum(r.whole for r in ran)
    return (
        f"| {title} | {len(tried)} | {_share(len(ran), len(tried))} | {_share(len(whole), len(tried))} | "
        f"{rows} | {_share(good, rows)} | {_share(sum(r.sampled for r in ran), rows)} | "
        f"{len(results) - len(tried)} |"
    )


def _share(part: int, of: int) -> str:
    return f"{part} ({part / of:.1%})" if of else "–"


def _section(kind: str, results: Sequence[Outcome]) -> str:
    ordered = sorted(results, key=lambda r: r.name)
    wanting = [r for r in ordered if r.status in ("failed", "partly")]
    untried = [r for r in ordered if r.status == "untried"]
    parts = [f"## {TITLES[kind]}"]
    if wanting:
        parts.append("### Not wholly predicted\n\n" + _wanting(wanting))
    if untried:
        parts.append("### Not tried\n\n" + _table(("model", "why"), ((r.name, r.error) for r in untried)))
    whole = (r for r in ordered if r.status == "predicted")
    header = ("model", "rows", "on a draw", "operations", "kinds", "s", "arguments")
    cells = (
        (r.name, r.rows, r.sampled, r.operations, r.kinds, f"{r.seconds:.1f}", ", ".join(r.given))
        for r in whole
    )
    parts.append("### Wholly predicted\n\n" + _table(header, cells))
    return "\n\n".join(parts)


def _wanting(results: Iterable[Outcome]) -> str:
    rows = []
    for r in results:
        why = [f"`{m.place}`: {m.reason} ({m.rows} rows)" for m in r.missing] or [r.error]
        rows.append((r.name, f"{r.whole}/{r.rows}" if r.rows else "raised", "<br>".join(why)))
    return _table(("model", "whole rows", "where first, and why"), rows)


def _cell(given: object) -> str:
    """As a cell's text: no paths of the machine it ran on, no bars."""
    text = re.sub(r"/[^\s:()]*/(?:site-packages|src|lib/python[\d.]+)/", "", str(given))
    return text.replace(f"{ROOT}/", "").replace("|", "\\|")


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines)
