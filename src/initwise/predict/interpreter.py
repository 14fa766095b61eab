"""Interpreter: runs a model's own forward and backward on fake tensors that carry values.

Fake tensors have shapes and dtypes and no memory. Autograd dispatches the backward pass as ATen
operations too, so one mechanism serves both directions. What is real (token ids, masks, rotary
tables) stays real and is computed for real.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from . import failing, sampling, substitutes, values
from .faking import Faking
from .maps import resize
from .parts import of_tensor
from .rules import Call, UnpredictedError, rule_for
from .storages import NEVER, UNWRITTEN, State, Storages, blank, covers
from .values import Value

UPSTREAM = NEVER[2]
LARGE_REAL = 1 << 22
"""Real tensors of more elements are measured at some of their places."""
MOST_BYTES = 64 << 20
"""Memory of real tensors that are kept."""
MOST_REAL = 256
"""Real tensors whose moments are kept."""
SLIGHT = 0.02
"""While a model is built, a write into a smaller share (a table's padding row) leaves a tensor's moments."""
SMALL = 1 << 16
"""Constants of at most so many elements stay real while a model is built: masks, running statistics."""
LARGE = 1 << 24
"""Memory without numbers for more elements than these is never real."""
DEVICE = torch.ops.prim.device.default
DRAWN = frozenset({"empty", "empty_strided", "randn", "rand", "normal"})
CONSTANT = frozenset({"zeros", "ones", "full"})
EMPTY = frozenset(
    {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"}
)
INPLACE_VIEWS = frozenset(
    {"as_strided_", "squeeze_", "swapaxes_", "swapdims_", "t_", "transpose_", "unsqueeze_"}
)


class UpstreamError(UnpredictedError):
    """An operand is not known, for a reason that was met before."""


class Interpreter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is active, operations on fake tensors carry their values along.

    Attributes:
        building: is a model being made? Then new tensors of numbers to be drawn, and large ones, are fake.
        fakes: the FakeTensorMode that makes fake tensors.
        unpredicted: (operation, reason) → how often.
        operations: operation → how often it ran on fake tensors.
        decided: what one draw of values has decided so far; whatever is computed later may rest on it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.building = False
        self.decided: frozenset[str] = frozenset()
        self.fakes = FakeTensorMode(allow_non_fake_inputs=True)
        # an address of nothing, given to a C library, ends the process
        self.fakes._allow_unsafe_data_ptr_access = False
        self._faking = Faking(self.fakes)
        self.unpredicted: Counter[tuple[str, str]] = Counter()
        self.operations: Counter[str] = Counter()
        self._stamps = itertools.count(1)
        self._storages = Storages(self.fakes)
        self._real: dict[tuple[Any, ...], tuple[Value, Tensor]] = {}
        self._kept_bytes = 0

    # states

    def fake(self, shape: Sequence[int], dtype: torch.dtype, value: Value | None) -> Tensor:
        """A fake tensor of `shape` that holds `value`."""
        with self.fakes:
            tensor = torch.empty(tuple(shape), dtype=dtype)
        return self.attach(tensor, value)

    def attach(self, tensor: Tensor, value: Value | None, why: str = UPSTREAM) -> Tensor:
        """Say what `tensor` holds from now on; None: nothing is known, and why."""
        tensor._initwise = (next(self._stamps), value, why)  # type: ignore[attr-defined]
        return tensor

    def value(self, tensor: Tensor) -> Value:
        """What a tensor holds. Raises UnpredictedError, with the reason, if nothing is known."""
        tensor = self.standing(tensor)
        if not isinstance(tensor, FakeTensor):
            return self._measured(tensor)
        _, found, why = self._state(tensor)
        if found is None:
            raise UpstreamError(why)
        shape = tuple(tensor.shape)
        if found.shape != shape:
            return values.reshaped(found, shape)
        return found

    def standing(self, tensor: Any) -> Any:
        """The fake tensor that stands for a real one since a fake one was written into it; or the tensor."""
        return self._storages.standing(tensor) if self._storages.shadowed else tensor

    def _state(self, tensor: Tensor) -> State:
        return self._storages.state(tensor, getattr(tensor, "_initwise", NEVER))

    def _as_measured(self, tensor: Tensor) -> State:
        try:
            return (next(self._stamps), self._measured(tensor), UPSTREAM)
        except UnpredictedError as reason:
            return (next(self._stamps), None, str(reason))

    def _measured(self, tensor: Tensor) -> Value:
        place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        # writes through .data raise no version; a NaN is unlike itself and measured again
        key = (*place, tensor._version, tensor.is_conj(), tensor.detach().sum().item())
        if key not in self._real:
            self._kept_bytes += tensor.numel() * tensor.element_size()
            if len(self._real) >= MOST_REAL or self._kept_bytes > MOST_BYTES:
                self._real.clear()
                self._kept_bytes = tensor.numel() * tensor.element_size()
            # the tensor is kept, so that its address stays its own
            self._real[key] = (_of_real(tensor), tensor)
        return self._real[key][0]

    # dispatch

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name, given = kwargs or {}, func.overloadpacket.__name__, args
        for target in _real_targets(name, args, kwargs):
            self._storages.shadow(target, self._as_measured)
        if self._storages.shadowed:
            args, kwargs = tree_map(self._storages.standing, (args, kwargs))
        if not _any_fake(args) and not _any_fake(kwargs.values()):
            if not (self.building and _to_be_faked(name, args, kwargs)) and not _huge(name, args):
                out = func(*args, **kwargs)
                return blank(out) if name in EMPTY else out
            with self.fakes:
                out = func(*args, **kwargs)
        elif name in INPLACE_VIEWS:
            return self._turned(func, args, kwargs)
        elif name in sampling.OPERATIONS:
            return sampling.run(self, func, args, kwargs)
        elif name in substitutes.OPERATIONS:
            with self:
                return substitutes.OPERATIONS[name](*args, **kwargs)
        else:
            if name in failing.CHECKED:
                failing.check_operands(name, args)
            args = substitutes.numbered(self, name, args)
            out = self._faking.run(func, args, kwargs)
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        if any(isinstance(tensor, FakeTensor) for tensor in outs):
            self._interpret(func, args, kwargs, out, outs)
            sampling.remember(self, func, args, kwargs, outs)
        return given[0] if args and out is args[0] else out

    def _turned(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A view in place: the tensor is what the view would be."""
        with self:
            seen = getattr(torch.ops.aten, func.overloadpacket.__name__[:-1])(*args, **kwargs)
        _, value, why = self._state(seen)
        return self.attach(func(*args, **kwargs), value, why)

    def _interpret(self, func: Any, args: Any, kwargs: Any, out: Any, outs: list[Any]) -> None:
        self.operations[func.overloadpacket.__name__] += 1
        found, why = self._outcome(func, args, kwargs, out)
        given = list(found) if isinstance(found, (tuple, list)) else [found] * len(outs)
        for tensor, value in zip(outs, given, strict=False):
            if isinstance(tensor, FakeTensor):
                self._store(func, tensor, value, why)

    def _outcome(self, func: Any, args: Any, kwargs: Any, out: Any) -> tuple[Any, str]:
        """(what the rule gives, why there is none)."""
        rule = rule_for(func)
        name = func.overloadpacket.__name__
        if not any(one.numel() for one in (out if isinstance(out, (tuple, list)) else [out]) if _fake(one)):
            return None, "it has no elements"
        if rule is None:
            return None, self._missed(name, f"no rule for the operation {name}")
        try:
            return rule(Call(func, args, kwargs, out, self.value)), UNWRITTEN if name in EMPTY else UPSTREAM
        except UpstreamError as reason:
            return None, str(reason)
        except UnpredictedError as reason:
            return None, self._missed(name, str(reason))
        except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
            # a rule that did not foresee this call: nothing is guessed, and the rest goes on
            return None, self._missed(name, f"its rule failed with {type(error).__name__}: {error}")

    def _missed(self, name: str, why: str) -> str:
        self.unpredicted[name, why] += 1
        return why

    def _store(self, func: Any, tensor: Tensor, value: Value | None, why: str) -> None:
        if self.decided and value is not None and not self.decided <= value.notes:
            value = values.noted(value, self.decided)
        if value is not None and value.shape != tuple(tensor.shape):
            odd = f"its rule gives shape {value.shape}, not {tuple(tensor.shape)}"
            value, why = None, self._missed(func.overloadpacket.__name__, odd)
        if func.overloadpacket.__name__ in EMPTY:
            self._storages.made(tensor)
        if func._schema.is_mutable and not self._slight(tensor):
            self._storages.overwrite(tensor, (next(self._stamps), value, why), self._state)
        self.attach(tensor, value, why)

    def _slight(self, tensor: Tensor) -> bool:
        """Is it a small part of a table that is being made, which has numbers already?"""
        whole = tensor._base
        if not self.building or whole is None or covers(tensor):
            return False
        if self._state(whole)[1] is None:
            return False
        written = getattr(whole, "_written", 0) + tensor.numel()  # many small parts are a large one
        if written > SLIGHT * whole.numel():
            return False
        whole._written = written  # type: ignore[attr-defined]
        return True


_dispatched = Interpreter.__torch_dispatch__  # as torch has wrapped it


def _dispatch(
    self: Interpreter, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
) -> Any:
    """The engine asks for devices twice as often as for all else: answered before what torch wraps around."""
    return args[0].fake_device if func is DEVICE else _dispatched(self, func, types, args, kwargs)


Interpreter.__torch_dispatch__ = _dispatch  # type: ignore[method-assign]


def _real_targets(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Real tensors that fake ones are written into."""
    targets = [args[0]] if args and name.endswith("_") else []
    targets = [one for one in (*targets, kwargs.get("out")) if _real(one)]
    return targets if targets and (_any_fake(args[1:]) or _any_fake(kwargs.values())) else []


def _fake(one: Any) -> bool:
    return isinstance(one, FakeTensor)


def _real(one: Any) -> bool:
    return isinstance(one, Tensor) and not isinstance(one, FakeTensor)


def _of_real(tensor: Tensor) -> Value:
    """The moments of its numbers; of some places of each axis where there are very many."""
    if tensor.numel() <= LARGE_REAL:
        return of_tensor(tensor)
    moments = of_tensor(sampling.thinned(tensor, LARGE_REAL)).moments
    for dim, size in enumerate(tensor.shape):
        moments = resize(moments, dim, size)
    return values.fresh(moments)


def _any_fake(given: Iterable[Any]) -> bool:
    """Is a fake tensor among arguments, or in a list among them?"""
    return any(
        isinstance(one, FakeTensor) or (isinstance(one, (list, tuple)) and _any_fake(one)) for one in given
    )


def _huge(name: str, args: tuple[Any, ...]) -> bool:
    """Is it memory without numbers, and more of it than is cleared in passing?"""
    sized = args[-1] if args and isinstance(args[-1], (list, tuple)) else ()
    return name in EMPTY and bool(sized) and math.prod(sized) > LARGE


def _to_be_faked(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Is it a new floating tensor whose numbers are drawn, or a large constant?"""
    if name not in DRAWN | CONSTANT or not args or not isinstance(args[0], (list, tuple)):
        return False
    dtype = kwargs.get("dtype") or torch.get_default_dtype()
    size = math.prod(args[0])
    return dtype.is_floating_point and size > (0 if name in DRAWN else SMALL)
