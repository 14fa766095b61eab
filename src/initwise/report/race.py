"""Race → Document."""

from __future__ import annotations

from collections import Counter

from ..core.records import Arm, Race
from .cells import listed, plural, share
from .document import Block, Column, Document, Items, Prose, Table
from .ranking import ranking_blocks, ranking_table

ARM_COLUMNS = (
    Column("scheme", "Scheme", "name"),
    Column("learning_rate", "LR", "rate"),
    Column("seed", "Seed", "count"),
    Column("status", "Status", "verdict"),
    Column("steps", "Steps", "count"),
    Column("loss", "Last loss", "number"),
    Column("metric", "Metric", "number"),
    Column("error", "Error", "prose"),
)


def race_document(race: Race) -> Document:
    """Who won, who ties, what it cost, the ranking, every training."""
    main = ranking_table(race.ranking, race.ties)
    blocks: list[Block] = [Prose(_outcome(race), lead=True), Prose(_cost(race))]
    if race.notes:
        blocks.append(Items("Notes", race.notes))
    blocks += ranking_blocks(race.ranking, race.ties)
    failures = tuple(dict.fromkeys(f"{arm.scheme}: {arm.error}" for arm in race.arms if arm.error))
    if failures:
        blocks.append(Items("Failed", failures))
    if race.arms:
        blocks.append(_arms(race.arms))
    return Document(f"Race on {race.problem}", tuple(blocks), main)


def _outcome(race: Race) -> str:
    where = f" on {race.problem}" if race.problem else ""
    stopped = " The race was interrupted; this is what had run." if race.interrupted else ""
    if not race.winner:
        return f"No scheme survived the race{where}.{stopped}"
    others = tuple(name for name in race.ties if name != race.winner)
    if others:
        tie = f", tied with {listed(others)}: the losses differ by less than their noise."
        return f"{race.winner} leads the race{where}{tie}{stopped}"
    return f"{race.winner} wins the race{where}.{stopped}"


def _cost(race: Race) -> str:
    counts = Counter(arm.status for arm in race.arms)
    ends = listed(tuple(f"{count} {status}" for status, count in counts.items()))
    trainings = f"{plural(len(race.arms), 'training')}" + (f" ({ends})" if ends else "")
    grid = f"{share(race.cost)} of the cost of the full grid of {race.steps}-step trainings"
    return f"{trainings}, {grid}, {race.seconds:.1f} s."


def _arms(arms: tuple[Arm, ...]) -> Table:
    rows = tuple(
        (
            arm.scheme,
            arm.learning_rate,
            arm.seed,
            arm.status,
            arm.steps,
            arm.losses[-1][1] if arm.losses else None,
            arm.metric,
            arm.error,
        )
        for arm in arms
    )
    return Table(ARM_COLUMNS, rows, "Trainings", hidden=frozenset({"error"}))
