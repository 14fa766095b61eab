"""Storages: memory that was written in place, and what all its views hold from then on.

Real tensors that a fake one is written into get a fake *shadow*, which stands for them ever after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef

from . import values
from .moments import coarse
from .rules.strided import Geometry, Place, alike, geometry, place_of, read, split_for
from .values import Value
from .writing import written

State = tuple[int, Value | None, str]
"""(stamp: later ones count, what is known, why nothing is)."""

NEVER: State = (0, None, "an operation before it was not predicted")
PARTLY = "part of it was written in place"
UNWRITTEN = "it was made without numbers"
BLANK = "_initwise_blank"
"""The attribute of a real tensor without numbers that tells its version."""
"""Why nothing is known of new memory."""
MOST = 4096
"""Storages that are remembered before a first look for those that are gone."""
WRITES = 64
"""Parts written that are remembered of a storage."""
BLOCKS = 24
"""Blocks along an axis, from piece to piece written, above which like ones are averaged."""


@dataclass(frozen=True)
class Kept:
    """What is known of a storage: the newest state of the tensor that it was made for.

    Attributes:
        whole: that tensor's place. missing: its elements that nobody has written yet.
        writes: (stamp, place) of parts written, the last ones.
    """

    state: State
    whole: Geometry
    missing: int = 0
    writes: tuple[tuple[int, Place | None], ...] = ()

    def touched(self, place: Place | None, since: int) -> bool:
        """Was anything of `place` written after that stamp?"""
        if place is None or (self.writes[0][0] > since and len(self.writes) == WRITES):
            return True
        return any(stamp > since and (at is None or at.meets(place)) for stamp, at in self.writes)

    def has(self, place: Place | None) -> bool:
        """Was all of it written, at once?"""
        if not self.missing:
            return True
        return place is not None and any(at is not None and place.within(at) for _, at in self.writes)


class Storages:
    """Memory by its address, as long as it lives."""

    def __init__(self, fakes: FakeTensorMode) -> None:
        self.fakes = fakes
        self._kept: dict[StorageWeakRef, Kept] = {}
        self._shadows: dict[StorageWeakRef, Tensor] = {}
        self._most = MOST

    def state(self, tensor: Tensor, own: State) -> State:
        """What `tensor` holds: what it was given itself, or what was written to its memory later."""
        kept = self._kept.get(_storage(tensor)) if self._kept else None
        # a part of what is not wholly written may be: its whole could not tell
        asked = kept is not None and bool(kept.missing) and own[1] is None
        if kept is None or (kept.state[0] <= own[0] and not asked):
            return own
        stamp, value, why = kept.state
        shape, place = tuple(tensor.shape), place_of(geometry(tensor), kept.whole)
        if not asked and not kept.touched(place, own[0]):
            return own
        if value is None or not kept.has(place):
            return (stamp, None, why or PARTLY)
        if covers(tensor):
            return (stamp, values.reshaped(value, shape), why)
        return (stamp, None, PARTLY) if place is None else (stamp, read(value, place, shape), why)

    def made(self, tensor: Tensor) -> None:
        """New memory without numbers: what operations cut out of it is known as part of it."""
        self._pruned()
        self._kept[_storage(tensor)] = Kept((0, None, UNWRITTEN), geometry(tensor))

    def _pruned(self) -> None:
        if len(self._kept) < self._most:
            return
        self._kept = {k: v for k, v in self._kept.items() if not k.expired()}  # type: ignore[no-untyped-call]
        # a model of many parameters keeps them all: the next look when there are twice as many
        self._most = max(MOST, 2 * len(self._kept))

    def overwrite(self, tensor: Tensor, state: State, known: Callable[[Tensor], State]) -> None:
        """`tensor` was written in place: the memory it lies in changes for all views.

        Args:
            state: of `tensor` afterwards. known: the state of the tensor that the memory was made for.
        """
        self._pruned()
        key = _storage(tensor)
        if covers(tensor):
            self._kept[key] = Kept(state, geometry(tensor), writes=((state[0], None),))
        else:
            self._kept[key] = self._written(tensor, state, self._before(key, tensor, known))

    def _before(self, key: StorageWeakRef, tensor: Tensor, known: Callable[[Tensor], State]) -> Kept | None:
        if key in self._kept:
            return self._kept[key]
        base = tensor._base
        return None if base is None else Kept(known(base), geometry(base))

    @staticmethod
    def _alone(tensor: Tensor) -> bool:
        """Is it all of its memory, in whatever order?"""
        return tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()

    def _written(self, tensor: Tensor, state: State, before: Kept | None) -> Kept:
        stamp, piece, why = state
        if before is None and self._alone(tensor):
            return Kept(state, geometry(tensor), writes=((stamp, None),))
        if before is None:
            return Kept((stamp, None, PARTLY), geometry(tensor), writes=((stamp, None),))
        _, old, reason = before.state
        whole = split_for(geometry(tensor), before.whole)
        place, missing = place_of(geometry(tensor), whole), before.missing
        # places that were written under other axes cannot be compared any more
        earlier = [(when, at if whole == before.whole else None) for when, at in before.writes]
        sizes, writes = whole[0], (*earlier, (stamp, place))[-WRITES:]
        if old is None and reason == UNWRITTEN:
            old, missing = values.fixed(sizes, 0.0), torch.Size(sizes).numel()
        if old is None or piece is None:
            return Kept((stamp, None, reason if old is None else why), whole, missing, writes)
        found = None if place is None else written(values.reshaped(old, sizes), place, piece)
        if found is None:
            share = min(tensor.numel() / max(torch.Size(sizes).numel(), 1), 1.0)
            found = alike(sizes, (piece, share), (old, 1 - share))
        missing = max(missing - tensor.numel(), 0)
        return Kept((stamp, _fewer(found), PARTLY if missing else why), whole, missing, writes)

    # shadows

    def shadow(self, tensor: Tensor, measured: Callable[[Tensor], State]) -> None:
        """From now on a fake tensor stands for the real one, and for all that share its memory."""
        key = _storage(tensor)
        if key in self._shadows:
            return
        whole = tensor if tensor._base is None else tensor._base
        with self.fakes:
            flat = torch.empty(tensor.untyped_storage().nbytes() // tensor.element_size(), dtype=tensor.dtype)
        self._shadows[key] = flat
        if getattr(whole, BLANK, None) == whole._version:
            self._kept[_storage(flat)] = Kept((0, None, UNWRITTEN), geometry(whole))
            return
        state = measured(whole)
        self._kept[_storage(flat)] = Kept(state, geometry(whole), writes=((state[0], None),))

    def standing(self, leaf: object) -> object:
        """The fake tensor that stands for `leaf`, or `leaf`."""
        if not isinstance(leaf, Tensor) or isinstance(leaf, FakeTensor) or leaf.layout != torch.strided:
            return leaf
        flat = self._shadows.get(_storage(leaf))
        if flat is None:
            return leaf
        with self.fakes:
            return flat.as_strided(leaf.shape, leaf.stride(), leaf.storage_offset())

    @property
    def shadowed(self) -> bool:
        """Does any fake tensor stand for a real one?"""
        return bool(self._shadows)


def _fewer(value: Value) -> Value:
    """`value`, its blocks along an axis averaged where they are too many."""
    if all(len(atom) <= BLOCKS for dim in value.moments.axes for atom in dim):
        return value
    return values.fresh(coarse(value.moments), spread=value.scale_spread, notes=value.notes)


def blank(tensor: Tensor) -> Tensor:
    """A real tensor that was made without numbers: cleared, for what lies there by chance must not be met."""
    setattr(tensor.zero_(), BLANK, tensor._version)
    return tensor


def covers(tensor: Tensor) -> bool:
    """Is the tensor the whole of its storage?"""
    size = tensor.numel() * tensor.element_size()
    return (
        tensor.is_contiguous() and tensor.storage_offset() == 0 and size == tensor.untyped_storage().nbytes()
    )


def _storage(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
