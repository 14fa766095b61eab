"""Which candidates are measured: all, or as many as asking may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .candidates import CandidateRow
from .planners import Case
from .rank import expected
from .verdicts import Judged, judge, unjudged

Progress = Callable[[str, int, int], None]

FAMILIAR = ("torch_default", "he_normal", "xavier_normal", "lsuv", "orthogonal")
"""Those that readers ask about, the framework's default first: they are measured before others."""


def measured(
    rows: Sequence[CandidateRow], case: Case, family: str, *, everything: bool, report: Progress
) -> list[Judged]:
    """Every row judged, in the given order: measured, or left at what is known of it from elsewhere.

    Args:
        family: of the network, for what is known.
        everything: measure all, whatever it costs. Else: by what is known until one is healthy, then
            others, the familiar first, as many as `Work.affordable` says.
    """
    if case.method == "analytic" and not everything:
        rows = [row for row in rows if not row.data]
    found: dict[str, Judged] = {}
    left = list(rows) if everything else expected(rows, family)
    spare = len(left) if everything else case.work.affordable * (not case.valueless)
    while left and (everything or spare > 0 or not _settled(found)):
        row = left.pop(0)
        report(f"measuring {row.name}", len(found), len(rows))
        found[row.name] = judge(row, case)
        if not everything and _settled(found):
            # the first healthy one is free
            spare -= len(found) > 1
            left.sort(key=lambda row: FAMILIAR.index(row.name) if row.name in FAMILIAR else len(FAMILIAR))
    report("measured", len(rows), len(rows))
    return [found.get(row.name) or unjudged(row, case) for row in rows]


def _settled(found: dict[str, Judged]) -> bool:
    """Is there one to choose: healthy, or one that nothing can be said about, as then of no other?"""
    return any(one.healthy or (one.unmeasured and one.plan is not None) for one in found.values())
