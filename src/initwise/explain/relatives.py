"""What stands beside a row: related rows, and all of them by the years of their papers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..schemes import SchemeRow, registry, schemes

MOST = 6
"""Related rows named, at most."""


def year(citation: str) -> int | None:
    """The year of the first work cited, None if there is none: numbers of papers are not years."""
    found = re.search(r"(?<![\d.:/-])(19|20)\d\d(?![\d.])", citation)
    return int(found[0]) if found else None


def related(row: SchemeRow) -> tuple[str, ...]:
    """The schemes its row names; else those of the same file."""
    if row.see:
        return row.see
    same = [other for other in schemes() if other.law.__module__ == row.law.__module__]
    return tuple(other.name for other in same if other.name != row.name)[:MOST]


def history(row: SchemeRow, names: Sequence[str]) -> tuple[str, ...]:
    """ "1998 lecun_normal", "2015 he_normal": the row among its relatives; () if only one has a year."""
    rows = [row, *(registry[name] for name in names)]
    dated = sorted((found, other.name) for other in rows if (found := year(other.citation)))
    years = {found for found, _ in dated}
    if len(years) < 2 or year(row.citation) is None:
        return ()
    return tuple(f"{found} {', '.join(name for y, name in dated if y == found)}" for found in sorted(years))
