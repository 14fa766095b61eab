"""Philox-4x32-10 in vector lanes: the words of the 16 consecutive blocks of a group.

The counter's upper half and the stream's id are the same for all blocks of a run, and it takes three
rounds until each of the four words depends on the block. `opening` computes what stays the same once,
so that the first round costs one product instead of two, the second one, and no xor is done twice.

Lanes are 32 bits wide. A processor multiplies 32 × 32 → 64 bits in every other lane only, so a product
is made of two, of the even and of the odd lanes; its lower half is a plain 32-bit multiplication.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return, import-untyped"
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from . import constants as c
from .lanes import I32, I64, Lanes, splat, together, vector

LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Opening:
    """What is the same for all blocks: the constant operand of each exclusive or.

    first: of round 1; second: the two of round 2; third: of round 3; later: a pair for each round
    (round 3: of the first word only).
    """

    first: Lanes
    second: tuple[Lanes, Lanes]
    third: Lanes
    later: tuple[tuple[Lanes, Lanes], ...]


def opening(b: ir.IRBuilder, key: list[Any], high: Any, lanes: int) -> Opening:
    """Args: key: seed low, seed high, id low, id high; high: of the block numbers; 64-bit integers."""
    keys = [[_round_key(b, key[k], i, weyl) for k, weyl in _WEYL] for i in range(c.ROUNDS)]
    p1 = b.mul(key[2], I64(c.MULTIPLIER_1))
    x0 = b.xor(b.xor(b.lshr(p1, I64(32)), high), keys[0][0])
    p0 = b.mul(x0, I64(c.MULTIPLIER_0))
    kind = vector(I32, lanes)

    def same(*values: Any) -> Lanes:
        total = values[0]
        for value in values[1:]:
            total = b.xor(total, value)
        return splat(b, b.trunc(total, I32), kind)

    return Opening(
        same(key[3], keys[0][1]),
        (same(p1, keys[1][0]), same(b.lshr(p0, I64(32)), keys[1][1])),
        same(p0, keys[2][1]),
        tuple((same(k0), same(k1)) for k0, k1 in keys[2:]),
    )


_WEYL = ((0, c.WEYL_0), (1, c.WEYL_1))


def _round_key(b: ir.IRBuilder, key: Any, i: int, weyl: int) -> Any:
    """Word k of round i's key, a Weyl sequence from the seed."""
    return b.and_(b.add(key, I64(i * weyl & LOW)), I64(LOW))


def words(counter: Lanes, same: Opening, alone: bool) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """The four words of the blocks whose numbers' lower halves are `counter`.

    `alone` says that hardly anything else is to be computed: then the vectors go round by round.
    """
    high, x3 = _product(counter, c.MULTIPLIER_0)
    high, x1 = _product(high ^ same.first, c.MULTIPLIER_1)
    x0, x2 = high ^ same.second[0], x3 ^ same.second[1]
    (high0, x3), (high1, lower) = _product(x0, c.MULTIPLIER_0), _product(x2, c.MULTIPLIER_1)
    x0, x1, x2 = high1 ^ (x1 ^ same.later[0][0]), lower, high0 ^ same.third
    for k0, k1 in same.later[1:]:
        (high0, lower0), (high1, lower1) = _product(x0, c.MULTIPLIER_0), _product(x2, c.MULTIPLIER_1)
        x0, x1, x2, x3 = high1 ^ (x1 ^ k0), lower1, high0 ^ (x3 ^ k1), lower0
        if alone:
            x0, x2 = together([x0, x2]).side_by_side().split()
    return x0, x1, x2, x3


def _product(x: Lanes, multiplier: int) -> tuple[Lanes, Lanes]:
    """The upper and the lower halves of x times the multiplier."""
    wide = x.joined()
    even, odd = (wide & LOW) * multiplier, (wide >> 32) * multiplier
    return even.upper_halves(odd), x * multiplier
