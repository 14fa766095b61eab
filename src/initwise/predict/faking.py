"""Faking: the fake results of operations, their shapes found once per kind of arguments.

A network repeats its blocks, and asking torch each time for a result's shape takes longer than all that
the moments need. Whatever may depend on values, or is not plainly strided, is asked of torch every time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

Key = tuple[Any, ...]
Make = Callable[[tuple[Any, ...]], Any]
"""Arguments → the result."""

MOST = 8192
"""Kinds of calls that are remembered."""
ON_VALUES = {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output, torch.Tag.inplace_view}
UNTOLD = frozenset({"_unsafe_view", "lift", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"})
"""Views whose schema tells of none: tensors of their own, the first time as ever after."""
NEW, VIEW, SAME = "new", "view", "same"


class Faking:
    """Runs operations on fake tensors.

    Attributes:
        mode: that of all fake tensors.
    """

    def __init__(self, mode: FakeTensorMode) -> None:
        self.mode = mode
        self._known: dict[Key, Make] = {}

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of `func`: fake tensors without values."""
        way = _way(func)
        key = _key(func, args, kwargs) if way else None
        if key is None:
            return func(*args, **kwargs)
        make = self._known.get(key)
        if make is not None:
            return make(args)
        before = _geometry(args[0]) if way == SAME else None
        out = func(*args, **kwargs)
        # what is resized or set is another tensor afterwards
        found = self._again(way, out, args) if way != SAME or _geometry(args[0]) == before else None
        if found is not None and len(self._known) < MOST:
            self._known[key] = found
        return found(args) if found is not None and func.overloadpacket.__name__ in UNTOLD else out

    def _again(self, way: str, out: Any, args: tuple[Any, ...]) -> Make | None:
        """How to make the like of `out` from arguments of the same kind; None where that is not sure."""
        if way == SAME:
            return (lambda args: args[0]) if out is args[0] else None
        many = isinstance(out, (tuple, list))
        outs = list(out) if many else [out]
        if not all(_plain(one) for one in outs) or (way == VIEW and (many or not _plain(args[0]))):
            return None
        makers = [self._maker(one) for one in outs]
        if way == VIEW:
            return lambda args: makers[0](args[0].untyped_storage())
        if not many:
            return lambda args: makers[0](None)
        kind = type(out)
        return lambda args: kind(make(None) for make in makers)

    def _maker(self, like: FakeTensor) -> Callable[[Any], FakeTensor]:
        shape, stride, offset = tuple(like.shape), like.stride(), like.storage_offset()
        dtype, device, mode = like.dtype, like.fake_device, self.mode

        def make(storage: Any) -> FakeTensor:
            empty = torch.empty_strided(shape, stride, dtype=dtype, device="meta")
            if storage is not None:
                empty.set_(storage, offset, shape, stride)
            return FakeTensor(mode, empty, device)

        return make


@lru_cache(maxsize=4096)
def _way(func: Any) -> str:
    """Is the result new, a view of the first argument, or that argument? "" where it may be otherwise."""
    if not isinstance(func, torch._ops.OpOverload) or ON_VALUES & set(func.tags) or func.namespace != "aten":
        return ""
    schema = func._schema
    aliases = [argument.alias_info for argument in schema.arguments]
    returned = [found.alias_info for found in schema.returns]
    if not any(aliases) and not any(returned):
        return NEW
    only_first = aliases[0] is not None and not any(aliases[1:]) and len(returned) == 1
    if not only_first or returned[0] is None:
        return ""
    return SAME if schema.is_mutable else VIEW


def _key(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Key | None:
    """What the result's shape can depend on; None if that cannot be said."""
    parts: list[Any] = [func, torch.get_default_dtype()]
    for given in (args, tuple(kwargs.items())):
        for one in given:
            if not _described(one, parts):
                return None
    return tuple(parts)


def _described(given: Any, parts: list[Any]) -> bool:
    """Append what tells `given` from arguments of another kind."""
    if isinstance(given, Tensor):
        if not _plain(given) and type(given) not in (Tensor, torch.nn.Parameter):
            return False
        if given.layout is not torch.strided or given.is_complex():
            return False
        place = given.fake_device if isinstance(given, FakeTensor) else None
        parts += (tuple(given.shape), given.stride(), given.storage_offset(), given.dtype, place)
        return True
    if isinstance(given, (list, tuple)):
        parts += (type(given), len(given))
        return all(_described(one, parts) for one in given)
    if given is None or isinstance(given, (bool, int, float, str, torch.dtype, torch.device, torch.layout)):
        parts += (type(given), given)
        return True
    if isinstance(given, torch.memory_format):
        parts.append(given)
        return True
    return False


def _geometry(tensor: Tensor) -> Key:
    return tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.dtype


def _plain(tensor: Any) -> bool:
    """Is it a strided real fake tensor of unknown numbers?"""
    return (
        type(tensor) is FakeTensor
        and tensor.layout is torch.strided
        and tensor.constant is None
        and not tensor.is_complex()
        and not tensor.is_neg()
    )
