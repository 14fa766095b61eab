"""Ledger → Document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..core.records import Ledger, LedgerEntry
from .cells import plural
from .document import Block, Column, Document, Items, Prose, Table

MANY = 5
"""More tensors than these, left for one reason, share a line."""
NAMED = 3
"""How many of them are named there; the table has all."""

COLUMNS = (
    Column("name", "Tensor", "name"),
    Column("shape", "Shape", "shape"),
    Column("dtype", "Dtype"),
    Column("formula", "Law", "name"),
    Column("declared_mean", "Mean", "number"),
    Column("measured_mean", "Mean found", "number"),
    Column("declared_std", "Std", "number"),
    Column("measured_std", "Std found", "number"),
    Column("status", "Status", "verdict"),
    Column("reason", "Reason", "prose"),
    Column("law", "Kind"),
)


def ledger_document(ledger: Ledger) -> Document:
    """How much was filled, what was not and why, then tensor by tensor: declared against measured."""
    main = _table(ledger)
    counts = Counter(entry.status for entry in ledger.entries)
    rest = ", ".join(f"{count} {status}" for status, count in counts.items() if status != "filled")
    head = f"Filled {counts['filled']} of {plural(len(ledger.entries), 'tensor')}"
    head += f" by plan {ledger.plan}, seed {ledger.seed}" + (f" ({rest})." if rest else ".")
    blocks: list[Block] = [Prose(head, lead=True)]
    if ledger.untouched:
        blocks.append(Items("Not filled", _untouched(ledger.untouched)))
    blocks.append(main)
    if ledger.digest:
        blocks.append(Prose(f"SHA-256 of the filled weights: {ledger.digest}"))
    return Document(f"Ledger of {ledger.plan}", tuple(blocks), main)


def _table(ledger: Ledger) -> Table:
    worth = frozenset(i for i, entry in enumerate(ledger.entries) if entry.status != "filled")
    hidden = {"reason", "law"}
    if all(entry.declared_mean == 0 or entry.fill is None for entry in ledger.entries):
        # a column of zeros and its noise tells nothing
        hidden |= {"declared_mean", "measured_mean"}
    note = "Std: as the law declares it. Found: measured in memory after filling."
    return Table(COLUMNS, tuple(map(_row, ledger.entries)), "", worth, frozenset(hidden), note)


def _row(entry: LedgerEntry) -> tuple[object, ...]:
    return (
        entry.name,
        entry.shape,
        entry.dtype,
        entry.fill.formula if entry.fill else None,
        entry.declared_mean,
        entry.measured_mean,
        entry.declared_std,
        entry.measured_std,
        entry.status,
        entry.reason,
        entry.fill.law if entry.fill else "",
    )


def _untouched(entries: Sequence[LedgerEntry]) -> tuple[str, ...]:
    """A line for each entry, and one for all that were left for the same reason if they are many."""
    alike: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        alike.setdefault((entry.status, entry.reason), []).append(entry.name)
    lines: list[str] = []
    for (status, reason), names in alike.items():
        why = status + (f", {reason}" if reason else "")
        many = len(names) > MANY
        lines += (
            [f"{len(names)} {why}: {', '.join(names[:NAMED])} and {len(names) - NAMED} more"]
            if many
            else [f"{name}: {why}" for name in names]
        )
    return tuple(lines)
