"""Kin: how bases were made, and which of them may covary because they came of the same draws.

A weight that is used in several places (a recurrence, a layer applied again, copies of a layer) gives
outputs that covary as its inputs do; `covariances` finds how much by going back through two histories side
by side. Histories are kept as records of how each base was made. Nothing is looked for as long as no weight
was met twice: networks without one pay for the records alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

import torch

from .axes import Array
from .moments import Moments

if TYPE_CHECKING:
    from .bases import Base, Factor
    from .terms import Term
    from .values import Value


@dataclass(frozen=True)
class Product:
    """A product of two values in a way that `key` tells; `change` is linear in the second moments of each."""

    x: Value
    y: Value
    key: Hashable
    change: Callable[[Moments, Moments], Moments]

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return (*self.x.bases, *self.y.bases)


@dataclass(frozen=True)
class Mapped:
    """A value gone through a weight in a way that `key` tells; `change` is linear in second moments."""

    x: Value
    weight: Base
    key: Hashable
    change: Callable[[Moments], Moments]

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(self.x.bases)


@dataclass(frozen=True)
class Sum:
    """A sum of terms, or one term."""

    terms: tuple[Term, ...]

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(factor.base for term in self.terms for factor in term.factors)


@dataclass(frozen=True)
class View:
    """The elements of another base in other places."""

    base: Base
    key: Hashable
    change: Callable[[Moments], Moments]

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return (self.base,)

    @property
    def place(self) -> tuple[int, int] | None:
        """(axis, index), if it is one place of an axis."""
        match self.key:
            case ("select", int(dim), int(index)):
                return dim, index
        return None


@dataclass(frozen=True)
class Linear:
    """A value gone through a fixed linear map that `key` tells, `change` of its second moments."""

    x: Value
    key: Hashable
    change: Callable[[Moments], Moments]

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(self.x.bases)


@dataclass(frozen=True)
class Norm:
    """A value less its mean over `dims` if `centred`, times `rate` over the blocks of `moments`."""

    x: Value
    moments: Moments
    dims: tuple[int, ...]
    centred: bool
    rate: Array

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(self.x.bases)


@dataclass(frozen=True)
class Joined:
    """Values one after another along `dim`."""

    pieces: tuple[Value, ...]
    moments: Moments
    dim: int

    @property
    def sources(self) -> tuple[Base, ...]:
        """What it was made from."""
        return tuple(base for piece in self.pieces for base in piece.bases)


MIXED = 64
"""What came of more than this is not told apart by how it is seen: each view of it would double the marks."""

Made = Product | Mapped | Sum | View | Linear | Norm | Joined
Known = tuple[Any, Any, Moments | None]


@dataclass
class Family:
    """What one prediction knows of draws that return.

    Attributes:
        shared: was anything met twice?
        exhausted: were there more covariances than are followed?
        met: the numbers of weights and biases that were met.
        selected: base by identity → the base and the first place that was selected of it.
        marks: (what, how it is seen) → a bit; see `marks_of`.
        covariances, products, rests, pairs: what `covariances` has found, by identities; the operands are
            kept, so that identities last.
    """

    shared: bool = False
    exhausted: bool = False
    met: set[int] = field(default_factory=set)
    selected: dict[int, tuple[Base, tuple[int, int]]] = field(default_factory=dict)
    marks: dict[Hashable, int] = field(default_factory=dict)
    covariances: dict[tuple[int, int], Known] = field(default_factory=dict)
    products: dict[tuple[tuple[int, ...], tuple[int, ...]], Known] = field(default_factory=dict)
    rests: dict[tuple[tuple[int, ...], tuple[int, ...]], Known] = field(default_factory=dict)
    pairs: dict[tuple[int, int], tuple[Factor, Factor, Moments]] = field(default_factory=dict)


_FAMILY = Family()


@contextlib.contextmanager
def followed() -> Iterator[None]:
    """A family of its own for one prediction."""
    global _FAMILY
    before, _FAMILY = _FAMILY, Family()
    try:
        yield
    finally:
        _FAMILY = before


def family() -> Family:
    """That of the prediction that runs."""
    return _FAMILY


def meets(value: Value) -> None:
    """Say that a parameter is used here: met again on the way forward, it is shared."""
    if torch._C._current_graph_task_id() >= 0:
        return
    for base in value.bases:
        _FAMILY.shared |= base.number in _FAMILY.met
        _FAMILY.met.add(base.number)


def remembered() -> bool:
    """Is it kept how bases are made? On the way back, where nothing else keeps values, only if it is used."""
    return _FAMILY.shared or torch._C._current_graph_task_id() < 0


def remember(value: Value, made: Made) -> None:
    """Keep how a value of its own was made."""
    if remembered():
        (term,) = value.terms
        term.factors[0].base.made = made


# who may covary


def marks_of(base: Base) -> int:
    """What a base came of last, as bits: bases without a common one do not covary.

    A product with a weight has that weight's mark, whatever it was multiplied with; a sum those of its terms;
    other views of the same have other marks, but for places of one axis.
    """
    stack = [base]
    while stack:
        one = stack[-1]
        if one.marks is None:
            missing = [source for source in _asked(one) if source.marks is None]
            if missing:  # no recursion: histories are long
                stack += missing
                continue
            one.marks = _marks(one)
        stack.pop()
    assert base.marks is not None
    return base.marks


def _asked(base: Base) -> tuple[Base, ...]:
    made = base.made
    if made is None or isinstance(made, Mapped):
        return ()
    if isinstance(made, Product) and _weight(made) is not None:
        return ()
    return made.sources


def _weight(made: Product) -> Base | None:
    """The weight that it is a product with."""
    for value in (made.y, made.x):
        if value.parameter and value.single is not None:
            return value.terms[0].factors[0].base
    return None


def _marks(base: Base) -> int:
    made = base.made
    if isinstance(made, Product):
        weight = _weight(made)
        if weight is not None:
            return _mark(("weight", id(weight), made.key))
    if isinstance(made, Mapped):
        return _mark(("weight", id(made.weight), made.key))
    if made is None:
        return _mark(("base", base.number))
    bits = 0
    for source in made.sources:
        bits |= source.marks or 0
    return _seen(bits, made.key) if _elsewhere(made) else bits


def _elsewhere(made: Made) -> TypeGuard[Linear | View]:
    """Does it choose among elements? To lay them out otherwise, and back, is none."""
    if isinstance(made, View):
        layout = isinstance(made.key, tuple) and made.key[:1] in (("reshape",), ("permute",), ("expand",))
        return made.place is None and not layout
    return isinstance(made, Linear)


def _mark(what: Hashable) -> int:
    return 1 << _FAMILY.marks.setdefault(what, len(_FAMILY.marks))


def _seen(bits: int, key: Hashable) -> int:
    """The marks of what has `bits`, seen by `key`; of very many those that others have, beside themselves."""
    places = [place for place, digit in enumerate(bin(bits)[:1:-1]) if digit == "1"]
    if len(places) > MIXED:
        known = (_FAMILY.marks.get(("view", place, key)) for place in places)
        return bits | sum({1 << number for number in known if number is not None})
    found = 0
    for place in places:
        found |= _mark(("view", place, key))
    return found


def akin(one: tuple[Factor, ...], other: tuple[Factor, ...]) -> bool:
    """May products of functions of different bases covary?

    Not if one of mean 0 has nothing in common with any of the others.
    """
    if not _FAMILY.shared:
        return False
    left, right = ([marks_of(factor.base) for factor in side] for side in (one, other))
    mine, theirs = _any_of(left), _any_of(right)
    if not mine & theirs:
        return False
    lonely = (f.centred and not m & theirs for f, m in zip(one, left, strict=True))
    return not any(lonely) and not any(f.centred and not m & mine for f, m in zip(other, right, strict=True))


def _any_of(marks: list[int]) -> int:
    found = 0
    for mark in marks:
        found |= mark
    return found
