"""Linear maps along one axis at a time: a matrix per axis, from which pairs are counted exactly.

y_p = Σ_i M_pi·x_i gives E[y_p·y_q] = Σ_ij M_pi·M_qj·E[x_i·x_j]: pairs (i, j) of one pattern go together,
and what is kept of (p, q) is the mean over each of their patterns. The matrix is what the operation
itself makes of the unit vectors along the axis, all others alike; a gradient has its transpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from .. import related, values
from ..axes import Array, Atom, along, patterns, start
from ..moments import Moments, flat, uniform
from ..values import Value
from .calling import Call

LARGEST = 768
"""Longer axes are counted on a shorter one of the same geometry."""

OTHER = 2
"""Size of the axes that are not looked at: antialiased interpolation is wrong where one has size 1."""


@dataclass(frozen=True)
class Table:
    """What a matrix does: to patterns, and to blocks."""

    atom: Atom
    pairs: Array
    blocks: Array


def table(matrix: Array, places: Atom, outputs: Atom) -> Table:
    """The Table of `matrix` (outputs, inputs), for inputs in blocks `places` and outputs in blocks."""
    k = len(places)
    owner = np.repeat(np.arange(len(outputs)), outputs)
    by_block = [matrix[:, begin:end] for begin, end in _ranges(places)]
    sums = np.stack([part.sum(1) for part in by_block], 1)
    found = np.zeros((len(outputs) * (len(outputs) + 1), k * (k + 1)))
    for b, part in enumerate(by_block):
        found[:, k * k + b] = _by_pattern(part @ part.T, owner, outputs)
    for a in range(k):
        for b in range(k):
            both = np.outer(sums[:, a], sums[:, b])
            alike = found[:, k * k + a] if a == b else 0.0
            found[:, a * k + b] = _by_pattern(both, owner, outputs) - alike
    means = np.stack([sums[owner == o].mean(0) for o in range(len(outputs))])
    return Table(outputs, found, means)


def _ranges(atom: Atom) -> list[tuple[int, int]]:
    ends = np.cumsum(atom)
    return [(int(end) - size, int(end)) for end, size in zip(ends, atom, strict=True)]


def _by_pattern(pairs: Array, owner: Array, atom: Atom) -> Array:
    """Mean of numbers over (p, q) for each pattern of p and q."""
    member = (owner[None] == np.arange(len(atom))[:, None]).astype(float)
    between, same = member @ pairs @ member.T, member @ np.diag(pairs)
    numbers = patterns(atom).pairs
    total = np.concatenate([(between - np.diag(same)).reshape(-1), same])
    return np.asarray(np.divide(total, numbers, out=np.zeros_like(total), where=numbers > 0))


def mapped(
    x: Moments, dim: int, matrix: Array, outputs: Atom | None = None, size: int | None = None
) -> Moments:
    """`x` with `matrix` applied along axis `dim`; outputs in blocks `outputs`, by default found.

    Args:
        size: of the axis to come, where `matrix` stands for a longer axis.
    """
    x = flat(x, dim)
    place, inputs = start(x.axes, dim), matrix.shape[1]
    second, mean = x.second, x.mean
    atom = x.axes[dim][0] if x.axes[dim] else (1,)
    if sum(atom) != inputs:
        x = uniform(x, dim)
        second, mean, atom = x.second, x.mean, (inputs,)
    if not x.axes[dim]:
        second, mean = np.stack([second, second], axis=place), np.expand_dims(mean, place)
    made = table(matrix, atom, outputs or _blocks(matrix, atom))
    second, mean, wanted = along(second, made.pairs, place), along(mean, made.blocks, place), made.atom
    if size is not None and size != sum(wanted):
        wanted = (size,) if len(wanted) == 1 else (wanted[0], size - wanted[0] - wanted[-1], wanted[-1])
    dims: tuple[Atom, ...] = (wanted,)
    if sum(wanted) == 1:
        second, mean, dims = np.take(second, -1, axis=place), np.take(mean, 0, axis=place), ()
    return Moments((*x.axes[:dim], dims, *x.axes[dim + 1 :]), second, mean)


def _blocks(matrix: Array, atom: Atom) -> Atom:
    """The ends apart, where the sums there have other weights than in the middle."""
    size = matrix.shape[0]
    if size < 4:
        return (size,)
    squares = (matrix**2).sum(1)
    middle = squares[1:-1]
    apart = np.abs(squares[[0, -1]] - middle.mean()).max() > 1e-3 * max(middle.mean(), 1e-300)
    return (1, size - 2, 1) if apart or len(atom) > 1 else (size,)


# the matrix of an operation


@lru_cache(maxsize=256)
def _matrix(name: str, size: int, arguments: tuple[tuple[str, Any], ...]) -> Array:
    """What the operation makes of unit vectors: its input is (1, unit vectors, size, OTHER, …)."""
    op = getattr(torch.ops.aten, name)
    given: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in arguments
    }
    rank = given.pop("rank")
    eye = torch.eye(size, dtype=torch.float64).view(1, size, size, *(1,) * (rank - 1))
    made: torch.Tensor = op(eye.expand(1, size, size, *(OTHER,) * (rank - 1)).contiguous(), **given)
    return made.reshape(size, -1, OTHER ** (rank - 1))[..., 0].T.numpy()


def operator(name: str, size: int, rank: int, **arguments: Any) -> Array:
    """The matrix (outputs, inputs) along one axis of `size` of a separable operation on `rank` axes.

    `arguments` are the operation's, as for an input whose other axes have size OTHER and keep it.
    """
    arguments["rank"] = rank
    frozen = {key: tuple(v) if isinstance(v, (list, tuple)) else v for key, v in arguments.items()}
    return _matrix(name, size, tuple(sorted(frozen.items(), key=lambda pair: pair[0])))


def first(rank: int, given: Any, other: Any) -> list[Any]:
    """An argument per axis: `given` for the first, `other` for those of size OTHER."""
    return [given, *[other] * (rank - 1)]


def applied(call: Call, x: Value, matrices: dict[int, Array], factor: float = 1.0) -> Value:
    """`x` with a matrix along each of some axes; sizes as the output's."""
    moments = x.moments
    for dim, matrix in matrices.items():
        moments = mapped(moments, dim, matrix, size=call.shape[dim])
    moved = values.fresh(moments, spread=x.scale_spread, notes=x.notes)
    related.depends(moved, x)
    return values.scaled(moved, factor) if factor != 1.0 else moved
