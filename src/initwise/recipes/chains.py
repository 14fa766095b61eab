"""Chains of layers: which one is the first, which the last."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core.parameter import ParameterInfo

NUMBERED = re.compile(r"(?:^|(?<=\.))(\d+)(?=\.|$)")
"""A number between dots."""


def positions_in(infos: Sequence[ParameterInfo]) -> dict[str, str]:
    """first, last, only or middle of its chain, for every matrix and its bias.

    A chain is a sequence of layers that differ by their number ("actor.0", "actor.2"). Layers without
    numbers that stand side by side ("fc1", "fc2", "out") are one chain, if there are no others.
    """
    found: dict[str, dict[str, None]] = {}
    for info in infos:
        if info.role == "weight":
            found.setdefault(_chain(info.layer), {})[info.layer] = None
    layers = {chain: list(members) for chain, members in found.items()}
    beside = len({members[0].rpartition(".")[0] for members in layers.values()}) == 1
    if beside and all(len(members) == 1 for members in layers.values()):
        layers = {"": [members[0] for members in layers.values()]}
    where = {
        layer: _ordinal(i, len(members)) for members in layers.values() for i, layer in enumerate(members)
    }
    return {info.name: where[info.layer] for info in infos if info.layer in where}


def _chain(layer: str) -> str:
    match = NUMBERED.search(layer)
    return layer[: match.start()] if match else layer


def _ordinal(index: int, count: int) -> str:
    if count == 1:
        return "only"
    return "first" if index == 0 else "last" if index == count - 1 else "middle"
