"""Tensors that share memory without being the same tensor."""

from __future__ import annotations

from collections.abc import Iterable

Extent = tuple[int, int, str]
"""First byte, one past the last, name."""


def overlapping(extents: Iterable[Extent]) -> dict[str, str]:
    """name → the name of another whose bytes overlap its own.

    Extents are compared, not elements, so that interleaved but disjoint views count as well.
    """
    found: dict[str, str] = {}
    reach: Extent | None = None
    for extent in sorted(extents):
        if reach is not None and extent[0] < reach[1]:
            found.setdefault(reach[2], extent[2])
            found.setdefault(extent[2], reach[2])
        if reach is None or extent[1] > reach[1]:
            reach = extent
    return found
