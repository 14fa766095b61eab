"""Choices: among which keys each query of an attention chooses, counted from its mask.

A causal mask makes queries unlike: the i-th chooses among i keys. So queries and keys fall into
blocks of doubling size, and what is counted is the mean over each pair of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .axes import Array, Atom, common, patterns, refined


@dataclass(frozen=True)
class Choice:
    """What a mask leaves to choose from, for queries and keys in blocks.

    Attributes:
        queries, keys: the atoms.
        share: E[a_ij·a_i′j′] over (query pattern, key pattern), a_ij = allowed/(number allowed to i).
        inverse: mean of 1/(number allowed) over each block of queries.
        mean: mean of a_ij over (query block, key block).
    """

    queries: Atom
    keys: Atom
    share: Array
    inverse: Array
    mean: Array


MOST = 16
FEW, SEEN = 8, 1 << 18
"""Pages of a mask that are looked at: at least so many, and so many elements in all."""
_CHOICES: dict[tuple[Any, ...], tuple[Choice, Tensor]] = {}


def choice(mask: Tensor | None, queries: int, keys: int) -> Choice:
    """The Choice of a mask that broadcasts to (…, queries, keys); without one all keys are allowed."""
    if mask is None:
        return _unmasked(queries, keys)
    key = (mask.data_ptr(), tuple(mask.shape), mask.stride(), mask._version, queries, keys)
    if key not in _CHOICES:
        if len(_CHOICES) >= MOST:
            _CHOICES.clear()
        every = bool(mask.all())
        made = _unmasked(queries, keys) if every else _counted(_pages(mask, queries, keys))
        _CHOICES[key] = (made, mask)
    return _CHOICES[key][0]


def forget() -> None:
    """Let go of all masks met."""
    _CHOICES.clear()


def _unmasked(queries: int, keys: int) -> Choice:
    share = np.full((2, 2), 1 / keys**2)
    return Choice((queries,), (keys,), share, np.array([1 / keys]), np.array([[1 / keys]]))


BLOCKS = 4
"""Blocks of queries or keys that are told apart: class and register tokens beside all others."""


def finer(known: Choice, queries: Atom | None, keys: Atom | None) -> Choice:
    """The same choice with blocks that are also those of `queries` and `keys`, where these are few."""
    wanted = [
        common(old, new) if new is not None and len(new) <= BLOCKS and sum(new) == sum(old) else old
        for old, new in ((known.queries, queries), (known.keys, keys))
    ]
    if wanted == [known.queries, known.keys]:
        return known
    (q, of_query), (k, of_key) = refined(known.queries, wanted[0]), refined(known.keys, wanted[1])
    return Choice(
        wanted[0],
        wanted[1],
        known.share[np.ix_(q, k)],
        known.inverse[of_query],
        known.mean[np.ix_(of_query, of_key)],
    )


def _pages(mask: Tensor, queries: int, keys: int) -> Array:
    """The mask as (pages, queries, keys); of many large pages a few, by chance: they may recur in turn."""
    whole = mask.expand(*mask.shape[:-2], queries, keys) if mask.dim() > 1 else mask.expand(1, queries, keys)
    pages = whole.reshape(-1, queries, keys)
    count = pages.shape[0]
    kept = min(count, max(FEW, SEEN // max(queries * keys, 1)))
    if kept < count:
        pages = pages[np.sort(np.random.default_rng(0).choice(count, kept, replace=False))]
    found: Array = pages.to(torch.float64).numpy()
    return found


def _counted(pages: Array) -> Choice:
    allowed = np.maximum(pages.sum(-1, keepdims=True), 1)
    chosen = pages / allowed
    queries, keys = _atoms(allowed[..., 0].mean(0), pages.shape[2])
    share = np.mean([_pair_shares(page, queries, keys) for page in chosen], axis=0)
    inverse = _by_block((1 / allowed[..., 0]).mean(0), queries)
    mean = np.stack([_by_block(column, queries) for column in _columns(chosen.mean(0), keys)], -1)
    return Choice(queries, keys, share, inverse, mean)


def _atoms(allowed: Array, keys: int) -> tuple[Atom, Atom]:
    """Blocks of doubling size for a causal mask, else one block each."""
    queries = len(allowed)
    rising = bool(np.all(np.diff(allowed) >= 0)) and allowed[-1] > 2 * allowed[0]
    return (doubling(queries), doubling(keys)) if rising else ((queries,), (keys,))


def doubling(size: int) -> Atom:
    """Blocks of 1, 1, 2, 4, … places."""
    sizes: list[int] = []
    left = size
    while left > 0:
        sizes.append(min(max(sum(sizes), 1), left))
        left -= sizes[-1]
    return tuple(sizes)


def _edges(atom: Atom) -> list[int]:
    return [0, *list(accumulate(atom))[:-1]]


def _by_block(numbers: Array, atom: Atom) -> Array:
    means: Array = np.add.reduceat(numbers, _edges(atom)) / np.array(atom, float)
    return means


def _columns(matrix: Array, keys: Atom) -> list[Array]:
    sums = np.add.reduceat(matrix, _edges(keys), axis=1) / np.array(keys, float)
    return list(sums.T)


def _pair_shares(page: Array, queries: Atom, keys: Atom) -> Array:
    """Mean of a_ij·a_i′j′ over each (query pattern, key pattern)."""
    q, k = patterns(queries), patterns(keys)
    found = np.zeros((len(q.left), len(k.left)))
    by_query = np.add.reduceat(page, _edges(queries), axis=0)
    both = np.add.reduceat(by_query, _edges(keys), axis=1)
    squares = np.add.reduceat(np.add.reduceat(page**2, _edges(queries), axis=0), _edges(keys), axis=1)
    rows = np.add.reduceat(page, _edges(keys), axis=1)
    same_query = np.add.reduceat(rows[:, :, None] * rows[:, None, :], _edges(queries), axis=0)
    columns = by_query[:, None, :] * by_query[None, :, :]
    same_key = np.add.reduceat(columns, _edges(keys), axis=2)
    for row, (a, b, equal) in enumerate(zip(q.left, q.right, q.equal, strict=True)):
        for column, (c, d, alike) in enumerate(zip(k.left, k.right, k.equal, strict=True)):
            found[row, column] = _pair_sum(
                a, b, c, d, bool(equal), bool(alike), both, squares, same_query, same_key
            )
    pairs = np.outer(q.pairs, k.pairs)
    return np.asarray(np.divide(found, pairs, out=np.zeros_like(found), where=pairs > 0))


def _pair_sum(
    a: int,
    b: int,
    c: int,
    d: int,
    equal: bool,
    alike: bool,
    both: Array,
    squares: Array,
    rows: Array,
    columns: Array,
) -> float:
    """Σ a_ij·a_i′j′ over one pattern, by inclusion and exclusion of equal indices."""
    if equal and alike:
        return float(squares[a, c])
    if equal:
        return float(rows[a, c, d] - (squares[a, c] if c == d else 0.0))
    if alike:
        return float(columns[a, b, c] - (squares[a, c] if a == b else 0.0))
    every = both[a, c] * both[b, d]
    every -= rows[a, c, d] if a == b else 0.0
    every -= columns[a, b, c] if c == d else 0.0
    every += squares[a, c] if a == b and c == d else 0.0
    return float(every)
