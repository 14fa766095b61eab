"""Plan → Document."""

from __future__ import annotations

from ..core.plan import Plan
from .cells import plural
from .document import Column, Document, Items, Prose, Table

COLUMNS = (
    Column("tensor", "Tensor", "name"),
    Column("formula", "Law", "name"),
    Column("std", "Std", "number"),
    Column("reason", "Because", "prose"),
    Column("law", "Kind"),
    Column("mean", "Mean", "number"),
    Column("citation", "Source", "prose"),
)
HIDDEN = frozenset({"law", "mean", "citation"})


def plan_table(plan: Plan, title: str = "") -> Table:
    """A row per tensor: its law in closed form, the std it gives, and why."""
    rows = tuple(
        (name, fill.formula, fill.std, fill.reason, fill.law, fill.mean, fill.citation)
        for name, fill in plan.fills
    )
    return Table(COLUMNS, rows, title, hidden=HIDDEN)


def plan_document(plan: Plan) -> Document:
    """What every tensor is to hold, what is left alone and why, and where the rules come from."""
    main = plan_table(plan)
    head = f"Plan {plan.name}: fills {plural(len(plan.fills), 'tensor')}"
    head += f", leaves {len(plan.kept)} alone." if plan.kept else "."
    return Document(f"Plan {plan.name}", (Prose(head, lead=True), main, *plan_notes(plan)), main)


def plan_notes(plan: Plan) -> tuple[Items, ...]:
    """What the plan leaves alone, and the distinct citations in order of appearance."""
    kept = tuple(f"{name}: {reason}" for name, reason in plan.kept)
    sources = tuple(dict.fromkeys(fill.citation for _, fill in plan.fills if fill.citation))
    return tuple(item for item in (Items("Left alone", kept), Items("Sources", sources)) if item.items)
