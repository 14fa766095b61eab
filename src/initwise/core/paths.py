"""Paths: which layers of a model lie behind each other, read from the rows of its signals.

What counts as one step of depth:

- A residual stream is the residual adds of numbered modules (`layers.3+`, `layer2.0+`). A block is the
  innermost numbered module that an add is in, and its last add is where the stream leaves it. Blocks
  whose names differ in numbers only are one stream. In a model whose adds are in no numbered module,
  each add is a step.
- A plain chain is layers with weights, in the order they ran, outside all blocks: norms and lookup
  tables are no steps, nor is the last layer with weights, which is the head.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

NUMBER = re.compile(r"\d+")
NO_STEP = ("Norm", "Embedding")
"""Kinds of layers that are no step of a chain."""


class Row(Protocol):
    """What is asked of a layer: see `records.LayerSignal`."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def forward_rms(self) -> float: ...
    @property
    def gradient_rms(self) -> float: ...
    @property
    def weight_gradient_rms(self) -> float: ...


@dataclass(frozen=True)
class Path:
    """Layers behind each other.

    Attributes:
        kind: "stream" or "chain".
        step: what is counted: "block", "add" or "layer".
        name: the blocks' name with "*" for each number, or the first and the last layer's.
        rows: one per step, in the order they ran.
    """

    kind: str
    step: str
    name: str
    rows: tuple[Row, ...]


def paths(rows: Sequence[Row]) -> list[Path]:
    """All streams and chains of at least two rows, in the order in which they begin."""
    blocks = _blocks(rows)
    streams = _streams(rows, blocks)
    inside = {block for block in blocks.values() if block}
    found = [*streams, *_chains(rows, inside)]
    order = {id(row): place for place, row in enumerate(rows)}
    return sorted(found, key=lambda path: order[id(path.rows[0])])


def _blocks(rows: Sequence[Row]) -> dict[int, str]:
    """Place of an add → the block it is in; "" where no module around it is numbered."""
    adds = {place: _module(row) for place, row in enumerate(rows) if row.kind == "add"}
    numbered = {place: _numbered(module) for place, module in adds.items()}
    templates = {NUMBER.sub("*", block) for block in numbered.values() if block}
    outer = {template for template in templates if not _within(template, templates)}
    return {
        place: block
        for place, block in numbered.items()
        if (not block and not outer) or NUMBER.sub("*", block) in outer
    }


def _module(row: Row) -> str:
    """The module that ran: an add's, without what tells its calls apart."""
    return row.name.partition("#")[0].removesuffix("+")


def _numbered(module: str) -> str:
    """`module` up to its last part with a number; "" if there is none."""
    parts = module.split(".")
    last = max((i for i, part in enumerate(parts) if NUMBER.search(part)), default=-1)
    return ".".join(parts[: last + 1])


def _within(template: str, others: Iterable[str]) -> bool:
    return any(template.startswith(f"{other}.") for other in others)


def _streams(rows: Sequence[Row], blocks: dict[int, str]) -> list[Path]:
    families: dict[str, dict[object, Row]] = {}
    for place, block in blocks.items():
        # the last add of a block stays; without blocks each add is its own step
        step: object = block or place
        families.setdefault(NUMBER.sub("*", block), {})[step] = rows[place]
    return [
        Path("stream", "block" if name else "add", name or "the adds", tuple(steps.values()))
        for name, steps in families.items()
        if len(steps) > 1
    ]


def _chains(rows: Sequence[Row], inside: set[str]) -> list[Path]:
    weighted = [row for row in rows if row.weight_gradient_rms == row.weight_gradient_rms]
    steps = [row for row in weighted if not any(kind in row.kind for kind in NO_STEP)]
    chains: list[list[Row]] = [[]]
    last = steps[-1] if steps else None
    for row in steps:
        if any(f"{_module(row)}.".startswith(f"{block}.") for block in inside):
            chains.append([])
        elif row is not last:
            chains[-1].append(row)
    return [
        Path("chain", "layer", f"{chain[0].name} … {chain[-1].name}", tuple(chain))
        for chain in chains
        if len(chain) > 1
    ]
