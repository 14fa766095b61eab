"""Lines: a convolution's geometry along one axis, counted place by place.

A matrix takes the patterns of input pairs to those of output pairs. What a border does is in the counts; the
outermost places are blocks of their own, since they see less.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .axes import Array, Atom, patterns

COUNTED = 384
"""Longer axes are not counted pair by pair: one block, borders as shares."""


@dataclass(frozen=True)
class Line:
    """A convolution's geometry along one axis, seen from the places that sum.

    Attributes:
        inputs, outputs: number of places summed over, and of sums.
        kernel, stride, padding, dilation: of the convolution.
        turned: is this the transposed convolution of that geometry?
        taps: by how much each tap's E[w²] is above their mean's, where they are not alike.
    """

    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    turned: bool = False
    taps: tuple[float, ...] = ()

    @property
    def shares(self) -> Array:
        """`taps`, 1 for each where they are alike."""
        return np.array(self.taps or (1.0,) * self.kernel)

    def seen(self) -> NDArray[np.int64]:
        """(sums, taps): the place that a sum sees through a tap, −1 for none."""
        places, taps = np.arange(self.outputs)[:, None], np.arange(self.kernel)[None] * self.dilation
        if not self.turned:
            found = places * self.stride - self.padding + taps
            return np.where((found >= 0) & (found < self.inputs), found, -1)
        found, rest = np.divmod(places + self.padding - taps, self.stride)
        return np.where((rest == 0) & (found >= 0) & (found < self.inputs), found, -1)


@dataclass(frozen=True)
class Tables:
    """What a line does to patterns and blocks.

    Attributes:
        atom: the sums' blocks.
        same: Σ over taps, both places through the same tap; (patterns of sums, patterns of places).
        every: Σ over all pairs of taps.
        blocks: Σ over taps, over blocks.
    """

    atom: Atom
    same: Array
    every: Array
    blocks: Array


@lru_cache(maxsize=512)
def tables(line: Line, places: Atom, sums: Atom) -> Tables:
    """The tables of a line, for blocks of the places and of the sums."""
    if max(line.inputs, line.outputs) > COUNTED:
        return _shares(line)
    seen, k = line.seen(), len(places)
    block = np.repeat(np.arange(k), places)
    of_sum = np.repeat(np.arange(len(sums)), sums)
    code = _codes(np.arange(line.outputs), of_sum, len(sums))
    shares = line.shares
    same = sum(shares[t] * _counted(code, seen[:, t], seen[:, t], block, sums, k) for t in range(line.kernel))
    every = sum(
        _counted(code, seen[:, t], seen[:, u], block, sums, k)
        for t in range(line.kernel)
        for u in range(line.kernel)
    )
    return Tables(sums, np.asarray(same), np.asarray(every), _block_table(line, block, of_sum, sums, k))


def _codes(index: NDArray[np.int64], block: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The pattern of each pair (i, j)."""
    between = block[:, None] * k + block[None]
    return np.where(index[:, None] == index[None], k * k + block[:, None], between)


def _counted(
    code: NDArray[np.int64],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    block: NDArray[np.int64],
    sums: Atom,
    k: int,
) -> Array:
    """Share of the pairs of sums of each pattern that see a pair of places of each pattern."""
    left, right = np.broadcast_arrays(one[:, None], other[None])
    valid = (left >= 0) & (right >= 0)
    between = block[left] * k + block[right]
    seen = np.where(left == right, k * k + block[left], between)
    wide = k * (k + 1)
    counts = np.bincount((code * wide + seen)[valid], minlength=len(sums) * (len(sums) + 1) * wide)
    pairs = patterns(sums).pairs[:, None]
    shaped = counts.reshape(-1, wide).astype(float)
    return np.asarray(np.divide(shaped, pairs, out=np.zeros_like(shaped), where=pairs > 0))


def _block_table(
    line: Line, block: NDArray[np.int64], of_sum: NDArray[np.int64], sums: Atom, k: int
) -> Array:
    seen, found = line.seen(), np.zeros((len(sums), k))
    rows, shares = (np.broadcast_to(x, seen.shape) for x in (of_sum[:, None], line.shares[None]))
    np.add.at(found, (rows[seen >= 0], block[seen[seen >= 0]]), shares[seen >= 0])
    return np.asarray(found / np.array(sums, float)[:, None])


def _shares(line: Line) -> Tables:
    """One block each: Σf places of one sum, Σf² pairs of two, f the share at which a tap sees a place."""
    f, shares = (line.seen() >= 0).mean(0), line.shares
    same = np.diag([float((shares * f**2).sum()), float((shares * f).sum())])
    every = same.copy()
    every[:, 0] += float(f.sum() ** 2 - (f**2).sum())
    return Tables((line.outputs,), same, every, np.array([[float((shares * f).sum())]]))


def edged(size: int, lines: Line, places: Atom) -> Atom:
    """Blocks of the sums: the outermost places apart, where a border makes them see less."""
    if size > COUNTED or max(lines.inputs, size) > COUNTED or size < 4:
        return (size,)
    return (1, size - 2, 1) if len(places) > 1 or (lines.seen() < 0).any() else (size,)
