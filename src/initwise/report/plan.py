"""Plan → Document."""

from __future__ import annotations

from ..core.fill import Fill
from ..core.plan import Plan
from .cells import letters, plural
from .document import Column, Document, Items, Prose, Table

COLUMNS = (
    Column("tensor", "Tensor", "name"),
    Column("formula", "Law", "name"),
    Column("std", "Std", "number"),
    Column("_why", "Why"),
    Column("law", "Kind"),
    Column("mean", "Mean", "number"),
    Column("reason", "Because", "prose"),
    Column("citation", "Source", "prose"),
)
HIDDEN = frozenset({"law", "mean", "reason", "citation"})
REASONS = 16
"""More reasons than this are left to the frame."""


def plan_document(plan: Plan) -> Document:
    """What every tensor is to hold, why, what is left alone, and where the rules come from."""
    main = plan_table(plan)
    head = f"Plan {plan.name}: fills {plural(len(plan.fills), 'tensor')}"
    head += f", leaves {len(plan.kept)} alone." if plan.kept else "."
    return Document(f"Plan {plan.name}", (Prose(head, lead=True), main, *plan_notes(plan)), main)


def plan_table(plan: Plan, title: str = "") -> Table:
    """A row per tensor: its law in closed form, the std it gives, and the letter of its reason."""
    told = _letters(plan)
    rows = tuple(_row(name, fill, told.get(fill.reason, "")) for name, fill in plan.fills)
    return Table(COLUMNS, rows, title, hidden=HIDDEN)


def _row(name: str, fill: Fill, letter: str) -> tuple[object, ...]:
    return name, fill.formula, fill.std, letter, fill.law, fill.mean, fill.reason, fill.citation


def plan_notes(plan: Plan) -> tuple[Items, ...]:
    """The reasons by letter, what the plan leaves alone, and the distinct citations."""
    reasons = [f"{letter}: {reason}" for reason, letter in _letters(plan).items()]
    if len(reasons) > REASONS:
        reasons = [*reasons[:REASONS], f"… {len(reasons) - REASONS} more in to_frame()"]
    kept = tuple(f"{name}: {reason}" for name, reason in plan.kept)
    sources = tuple(dict.fromkeys(fill.citation for _, fill in plan.fills if fill.citation))
    notes = (Items("Because", tuple(reasons)), Items("Left alone", kept), Items("Sources", sources))
    return tuple(item for item in notes if item.items)


def _letters(plan: Plan) -> dict[str, str]:
    return letters(fill.reason for _, fill in plan.fills)
