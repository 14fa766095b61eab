"""Candidates, best first → the table that Advice and Race share."""

from __future__ import annotations

import math
from dataclasses import replace

from ..core.records import Candidate
from .cells import number, with_error
from .document import Column, Table, blank

COLUMNS = (
    Column("_rank", "#"),
    Column("name", "Scheme", "name"),
    Column("forward", "Forward", "number"),
    Column("backward", "Backward", "number"),
    Column("verdict", "Verdict", "verdict"),
    Column("_loss", "Loss", "figure"),
    Column("learning_rate", "LR", "rate"),
    Column("share", "Trained", "share"),
    Column("reason", "Why", "prose"),
    Column("score", "Score", "number"),
    Column("loss", "Loss", "number"),
    Column("loss_error", "±", "number"),
)
NOTE = (
    "Forward: the signal's rms in the last over the first hidden layer. Backward: the gradient's in the "
    "first over the last. 1 is flat."
)
RACE_NOTE = (
    "Loss: on validation batches at the best LR, ± one standard error. Trained: share of a full training."
)


def ranking_table(candidates: tuple[Candidate, ...], ties: tuple[str, ...], title: str = "") -> Table:
    """A row per candidate; ties share the first rank, vetoed candidates have none.

    Nor have those that stayed out of a race the others ran: nothing compares them with these.
    """
    raced = any(not blank(candidate.loss) for candidate in candidates)
    hidden = frozenset({"loss", "loss_error", "score"} | (set() if raced else {"share"}))
    ranks = [_rank(place, candidate, ties, raced) for place, candidate in enumerate(candidates, 1)]
    rows = tuple(_row(rank, candidate) for rank, candidate in zip(ranks, candidates, strict=True))
    measured = any(not blank(candidate.forward) for candidate in candidates)
    note = " ".join([NOTE] * measured + [RACE_NOTE] * raced)
    return Table(COLUMNS, rows, title, hidden=hidden, note=note)


def ranking_blocks(candidates: tuple[Candidate, ...], ties: tuple[str, ...]) -> tuple[Table, ...]:
    """For the eye: those in the running, best first, those not measured, and those that are out, and why."""
    running = tuple(candidate for candidate in candidates if candidate.verdict == "ok")
    unmeasured = tuple(candidate for candidate in candidates if candidate.verdict == "unmeasured")
    vetoed = tuple(candidate for candidate in candidates if candidate.verdict not in ("ok", "unmeasured"))
    if not running and not unmeasured:
        return (ranking_table(vetoed, ties, "All are out, the least damaged first"),)
    tables = (
        ranking_table(running, ties, "Ranking, best first"),
        ranking_table(unmeasured, ties, "Not measured, by what is known from elsewhere"),
        ranking_table(vetoed, ties, "Out, and why"),
    )
    first, *others = (table for table in tables if table.rows)
    return first, *(replace(table, note="") for table in others)


def _row(rank: str, candidate: Candidate) -> tuple[object, ...]:
    return (
        rank,
        candidate.name,
        candidate.forward,
        candidate.backward,
        candidate.verdict,
        _loss(candidate),
        candidate.learning_rate,
        candidate.share or math.nan,
        candidate.reason,
        candidate.score,
        candidate.loss,
        candidate.loss_error,
    )


def _rank(place: int, candidate: Candidate, ties: tuple[str, ...], raced: bool) -> str:
    if candidate.verdict != "ok" or (raced and blank(candidate.loss)):
        return ""
    return "1=" if len(ties) > 1 and candidate.name in ties else str(place)


def _loss(candidate: Candidate) -> str:
    if blank(candidate.loss) or blank(candidate.loss_error):
        return number(candidate.loss) if not blank(candidate.loss) else ""
    return with_error(candidate.loss, candidate.loss_error)
