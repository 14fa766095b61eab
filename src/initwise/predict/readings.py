"""Readings: a function known on a grid, read at other places."""

from __future__ import annotations

import numpy as np

from .axes import Array


def read(at: Array, grid: Array, values: Array) -> Array:
    """A function on a rising grid, read at other places; straight beyond the ends."""
    found = np.interp(at, grid, values)
    for end, inner in ((0, 1), (-1, -2)):
        step = grid[end] - grid[inner]
        if step:
            beyond = at < grid[0] if end == 0 else at > grid[-1]
            slope = (values[end] - values[inner]) / step
            found = np.where(beyond, values[end] + (at - grid[end]) * slope, found)
    return np.asarray(found)


JUMP = 8.0
"""A step this many times those beside it is a jump of the function, no slope."""


def with_jumps(found: Array, at: Array, grid: Array, values: Array) -> Array:
    """What was read, but without slopes where the function jumps: it does so in the middle of two points."""
    steps = np.abs(np.diff(values))
    beside = np.maximum(np.append(steps[1:], 0.0), np.insert(steps[:-1], 0, 0.0))
    for place in np.flatnonzero(steps > JUMP * beside + 1e-9 * np.abs(values).max()):
        inside = (at > grid[place]) & (at < grid[place + 1])
        upper = at > (grid[place] + grid[place + 1]) / 2
        found[inside] = values[place + upper[inside]]
    return found
