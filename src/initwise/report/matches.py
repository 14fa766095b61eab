"""Matches → Document."""

from __future__ import annotations

from ..core.matches import Match, Matches
from .cells import plural
from .document import Block, Code, Column, Document, Items, Prose, Table

COLUMNS = (
    Column("name", "Name", "name"),
    Column("kind", "Kind"),
    Column("_why", "Why", "prose"),
    Column("score", "Score", "rate"),
    Column("matched", "Matched"),
    Column("against", "Against"),
    Column("unsaid", "Unsaid"),
    Column("use", "Use for"),
    Column("avoid", "Not for"),
    Column("citation", "Source"),
    Column("evidence", "Evidence"),
)
HIDDEN = frozenset({"score", "matched", "against", "unsaid", "use", "avoid", "citation", "evidence"})


def matches_document(matches: Matches) -> Document:
    """What was understood, what fits and why, what something speaks against, how to go on."""
    main = _table(matches.rows, "What fits, best first", _more(matches.left))
    blocks: list[Block] = [Prose(_heading(matches), lead=True)]
    if matches.unknown:
        blocks.append(
            Items("Not understood, so left out", tuple(_unknown(*word) for word in matches.unknown))
        )
    blocks.append(main if matches.rows else Prose("Nothing fits all that is asked for."))
    if matches.against:
        blocks.append(_table(matches.against, "What something speaks against"))
    if matches.hints:
        blocks.append(Code("Go on", "\n".join(matches.hints)))
    return Document(f"For: {matches.query}", tuple(blocks), main)


def _heading(matches: Matches) -> str:
    told: dict[str, list[str]] = {}
    for words, trait in matches.understood:
        told.setdefault(words, []).append(trait)
    read = "; ".join(
        words if traits == [words] else f"{words} ({', '.join(traits)})" for words, traits in told.items()
    )
    return f"Understood: {read}."


def _unknown(word: str, near: str) -> str:
    return f"{word}: did you mean {near}?" if near else word


def _more(left: int) -> str:
    return f"{plural(left, 'more row')} fit no better; --limit shows more." if left else ""


def _table(rows: tuple[Match, ...], title: str, note: str = "") -> Table:
    cells = tuple(
        (match.name, match.kind, _why(match), *(getattr(match, column.key) for column in COLUMNS[3:]))
        for match in rows
    )
    return Table(COLUMNS, cells, title, hidden=HIDDEN, note=note)


def _why(match: Match) -> str:
    """What of the description it suits and what not, then its own words."""
    said = ", ".join(match.matched)
    if match.against:
        return f"[against it: {', '.join(match.against)}; for it: {said}] Not for {match.avoid}"
    silent = f"; says nothing of {', '.join(match.unsaid)}" if match.unsaid else ""
    own = f"For {match.use}" if match.kind == "scheme" else match.use
    return f"[{said}{silent}] {own}"
