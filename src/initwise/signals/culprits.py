"""Culprits: where a signal or gradient that drifts too far has lost, or gained, most of it in one step.

A drift is noticed where it passes a threshold, which may be an innocent layer behind the one that did it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .reading import Reading

MOST = 0.5
"""Share of the drift's logarithm: a layer that brings as much by itself is what to look at; where many
layers bring a little each, none is to blame more than the others."""


def begun(drifts: Mapping[int, float], travelled: Sequence[int], noticed: int) -> int | None:
    """The place in `travelled` whose one step brought most of the drift at `noticed`, by its index there.

    None where no single step did.

    Args:
        drifts: place → size over the reference's; a place that is missing has 0.
        travelled: places in the direction of travel.
        noticed: the index at which the drift is too large.
    """
    logs = [_log(drifts.get(place, 0.0)) for place in travelled[: noticed + 1]]
    total, at = logs[noticed], noticed
    while at and logs[at - 1] * total > 0 and abs(logs[at - 1]) >= MOST * abs(total):
        at -= 1
    step = logs[at] - (logs[at - 1] if at else 0.0)
    return at if step * total > 0 and abs(step) >= MOST * abs(total) else None


def does(row: Reading, factor: float) -> bool:
    """Is its own weight as small, or as large, as it takes to change a gradient by most of `factor`?

    A matrix multiplies a gradient's norm by σ·√fan_in on its way back.
    """
    if (
        row.role != "weight"
        or not 0 < row.weight_rms < math.inf
        or not row.units
        or not row.weight_count
        or not factor
    ):
        return False
    gain = math.log(row.weight_rms * math.sqrt(row.weight_count / row.units))
    wanted = math.log(factor)
    return gain * wanted > 0 and abs(gain) >= MOST * abs(wanted)


def _log(drift: float) -> float:
    return math.log(drift) if drift > 0 else -math.inf
