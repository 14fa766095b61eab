"""Folding: which rows of a table are repeated blocks that say nothing new.

A block is what shares a name up to a part with a number: `layers.7` of `layers.7.mlp.up`, and inside it
`experts.3`. Blocks behind each other are alike if their rows have the same names, kinds, shapes and verdicts
and their numbers lie on a line: the first and the last of them stand for all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

LEAST = 4
"""So many blocks alike at least are folded."""
KINK = math.log(2)
"""A number that is twice or half of what its neighbours say is no line."""
_NAME = re.compile(r"(?P<path>.*?)(?P<call>\+?(#\d+)?)$")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Fold:
    """Rows `start` to before `stop` are left out; `text` stands for them."""

    start: int
    stop: int
    text: str


@dataclass(frozen=True)
class _Block:
    """Rows of one numbered module. `rows`: per row what has to be the same, and what on a line."""

    path: str
    start: int
    stop: int
    rows: tuple[tuple[tuple[Any, ...], tuple[float, ...]], ...]

    @property
    def family(self) -> str:
        return _NUMBER.sub("*", self.path)

    @property
    def same(self) -> tuple[tuple[Any, ...], ...]:
        return tuple(same for same, _ in self.rows)

    @property
    def line(self) -> list[float]:
        """Logarithms of all numbers."""
        return [math.log(v) if 0 < v < math.inf else 0.0 for _, values in self.rows for v in values]


def folds(rows: Sequence[Any], numbers: Sequence[str]) -> tuple[Fold, ...]:
    """What to leave out of a table with a row per element of `rows`.

    Args:
        rows: with name, kind and verdict, and perhaps a shape.
        numbers: attributes that are to lie on a line.
    """
    return tuple(_folded(rows, numbers, 0, len(rows), 0))


def _folded(rows: Sequence[Any], numbers: Sequence[str], start: int, stop: int, level: int) -> Iterator[Fold]:
    for run in _runs(list(_blocks(rows, numbers, start, stop, level))):
        ends = run if len(run) < LEAST else [run[0], run[-1]]
        inside = [_folded(rows, numbers, b.start, b.stop, b.path.count(".") + 1) for b in ends]
        yield from inside[0]
        if ends is not run:
            yield Fold(run[0].stop, run[-1].start, _told(run, rows))
        for more in inside[1:]:
            yield from more


def _told(run: Sequence[_Block], rows: Sequence[Any]) -> str:
    inner = run[1:-1]
    verdicts = sorted({row.verdict for b in inner for row in rows[b.start : b.stop]} - {"ok"})
    said = f", with the same verdicts: {', '.join(verdicts)}" if verdicts else ""
    return f"{len(inner)} blocks like it: {inner[0].path} to {inner[-1].path}{said}"


def _blocks(
    rows: Sequence[Any], numbers: Sequence[str], start: int, stop: int, level: int
) -> Iterator[_Block]:
    place = start
    while place < stop:
        path = _block_of(rows[place].name, level)
        end = place + 1
        while path and end < stop and _block_of(rows[end].name, level) == path:
            end += 1
        if path:
            yield _Block(path, place, end, tuple(_row(row, path, numbers) for row in rows[place:end]))
        place = end


def _block_of(name: str, level: int) -> str:
    """`name` up to its first part with a number from `level` on; "" without one."""
    match = _NAME.match(name)
    parts = match["path"].split(".") if match else []
    place = next((i for i, part in enumerate(parts) if i >= level and _NUMBER.search(part)), None)
    return "" if place is None else ".".join(parts[: place + 1])


def _row(row: Any, path: str, numbers: Sequence[str]) -> tuple[tuple[Any, ...], tuple[float, ...]]:
    same = (row.name.removeprefix(path), row.kind, getattr(row, "shape", ()), row.verdict)
    return same, tuple(getattr(row, number) for number in numbers)


def _runs(blocks: Sequence[_Block]) -> Iterator[list[_Block]]:
    """Blocks that follow each other and are alike."""
    odd = {i for i in range(1, len(blocks) - 1) if _kink(*blocks[i - 1 : i + 2])}
    run: list[_Block] = []
    for i, block in enumerate(blocks):
        if run and (i in odd or i - 1 in odd or not _alike(run[-1], block)):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _alike(one: _Block, other: _Block) -> bool:
    return (one.family, one.same, one.stop) == (other.family, other.same, other.start)


def _kink(before: _Block, block: _Block, after: _Block) -> bool:
    if not (before.same == block.same == after.same):
        return False
    lines = zip(before.line, block.line, after.line, strict=True)
    return any(abs(here - (left + right) / 2) > KINK for left, here, right in lines)
