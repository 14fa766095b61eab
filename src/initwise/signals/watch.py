"""Watch: what is read while a torch model runs forward and backward.

Module hooks read outputs; a torch-function mode beside them sees what has no module: functional
activations and residual adds. Gradients are read by hooks on the output tensors themselves, which
give the gradient of the value before any in-place operation that follows. Nothing read is kept
except 0-d tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from ..frameworks.torch.ops import TABLE, operation
from ..frameworks.torch.run import tensors
from ..frameworks.torch.wrappers import clean
from . import roles
from .gauge import Gauge, Read
from .scalars import Scalar, Scalars

_PASSING = ("dropout", "view", "same")
# elementwise, but no unit's activation: flatness says nothing there
_NO_ACTIVATION = frozenset({"exp", "abs", "square", "prelu", "rrelu"})


OnProgress = Callable[[str, int, int], None]
"""`on_progress(what, done, total)`: what was done last, and how much of the pass is done."""


@dataclass
class Note:
    """One call of one layer while it is being read; numbers are places in a `Scalars`."""

    name: str
    module: nn.Module | None
    output: tuple[int, ...]
    dtype: torch.dtype
    axis: int
    places: dict[str, int] = field(default_factory=dict)
    differentiable: bool = False
    result: bool = False
    unknown: str = ""
    ungraded: str = ""
    rests: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Mark:
    """What is known of a living tensor: whose output it is, and where its units lie."""

    note: Note | None
    axis: int | None


class Watch(TorchFunctionMode):
    """Reads a model while it is open (`with Watch(...) as watch:`); hooks go when it closes.

    Args:
        model: the model.
        gauge: how tensors are read.
        scalars: where the numbers go.
        batch: number of different inputs, 0 if unknown; `time` the length of the axis before the
            batch in time-first models, else 0.
        on_progress: called after each layer's first output, and after the gradient of that.

    Attributes:
        notes: one per call, in order of completion.
    """

    def __init__(
        self,
        model: nn.Module,
        gauge: Gauge,
        scalars: Scalars,
        batch: int,
        time: int = 0,
        on_progress: OnProgress | None = None,
    ) -> None:
        super().__init__()
        self._on_progress, self._done = on_progress, 0
        self.gauge, self.scalars, self.batch, self.time = gauge, scalars, batch, time
        self.notes: list[Note] = []
        self.rows = roles.reported(model)
        self._names = {module: clean(model, path) for path, module in model.named_modules()}
        self._marks: Any = WeakIdKeyDictionary()
        self._calls: dict[str, int] = {}
        self._stack: list[tuple[nn.Module, int, bool]] = []
        self._handles: list[Any] = []
        self._forward = True
        self._model = model

    def __enter__(self) -> Self:
        for module in self._names:
            if not isinstance(module, torch.jit.ScriptModule):
                self._handles.append(module.register_forward_pre_hook(self._started))
                self._handles.append(module.register_forward_hook(self._ended))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._forward = False

    def close(self) -> None:
        """Take the hooks off; after the backward pass, which may run parts of the forward again."""
        for handle in self._handles:
            handle.remove()

    def finished(self, result: Any) -> None:
        """The forward is over, and `result` is what the model gave."""
        for tensor in tensors(result):
            mark = self._marks.get(tensor)
            if mark is not None and mark.note is not None:
                mark.note.result = True

    # modules

    def _started(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self._forward:
            with torch._C.DisableTorchFunction():
                found = [t for t in tensors(args) if t.is_floating_point()]
                rank = found[0].dim() if found else -1
                self._stack.append((module, rank, len(found) == 1 and _bare(module)))

    def _ended(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        # hooks run under the mode too, and what they compute is not the model's
        with torch._C.DisableTorchFunction():
            if self._forward:
                self._finish(module, args, output)
            else:
                self._again(module, output)

    def _finish(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        while self._stack and self._stack.pop()[0] is not module:
            pass  # a layer whose error the model itself caught
        path = self._names[module]
        found = next((t for t in tensors(output) if t.is_floating_point()), None)
        # a wrapper goes by the name of what it wraps, and has no row
        if self.rows.get(path) is module and found is not None and found.numel():
            given = next((self._marks[t] for t in tensors(args) if t in self._marks), None)
            axis = roles.unit_axis(module, found, given.axis if given else None)
            self._read(path, module, found, axis)

    def _again(self, module: nn.Module, output: Any) -> None:
        """A checkpointed part runs again during backward: only now do its tensors have gradients."""
        missing = [n for n in self.notes if n.module is module and not n.differentiable]
        found = next((t for t in tensors(output) if t.is_floating_point()), None)
        if len(missing) == 1 and found is not None and found.requires_grad:
            self._await_gradient(missing[0], found)

    def _read(self, path: str, module: nn.Module | None, output: Tensor, axis: int) -> Note:
        count = self._calls[path] = self._calls.get(path, 0) + 1
        name = path if count == 1 else f"{path}#{count}"
        note = Note(name, module, tuple(output.shape), output.dtype, axis)
        self._read_output(note, output.detach())
        if output.requires_grad:
            self._await_gradient(note, output)
        self._marks[output] = Mark(note, axis)
        self.notes.append(note)
        self._progressed("forward", note)
        return note

    def _progressed(self, direction: str, note: Note) -> None:
        """Each layer counts twice, forward and backward; adds and further calls do not."""
        if self._on_progress is not None and note.name in self.rows:
            self._done += 1
            self._on_progress(f"{direction} {note.name}".rstrip(), self._done, 2 * len(self.rows))

    def _read_output(self, note: Note, x: Tensor) -> None:
        note.unknown = self.gauge.unknown(x)
        note.rests |= set(self.gauge.notes(x))
        self._put_all(note, self.gauge.output(x, note.axis, self.batch, self._batch_axis(x)))

    def _batch_axis(self, x: Tensor) -> int:
        return int(bool(self.time) and x.dim() == 3 and tuple(x.shape[:2]) == (self.time, self.batch))

    def _await_gradient(self, note: Note, output: Tensor) -> None:
        def hook(gradient: Tensor) -> None:
            note.ungraded = self.gauge.unknown(gradient)
            note.rests |= set(self.gauge.notes(gradient))
            self._put_all(note, self.gauge.gradient(gradient.detach()))
            self._progressed("backward", note)

        note.differentiable = True
        output.register_hook(hook)  # type: ignore[no-untyped-call]

    def _put_all(self, note: Note, read: Read) -> None:
        for what, value in read.items():
            self._put(note, what, value)

    def _put(self, note: Note, what: str, value: Scalar | None) -> None:
        if value is not None:
            note.places[what] = self.scalars.add(value)

    # functions

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = operation(func)[0]
        rule = TABLE[name].rule if name in TABLE else ""
        mark = self._marks.get(args[0]) if args and isinstance(args[0], Tensor) else None
        if rule == "activation" and mark is not None:
            return self._activation(func, name, args, kwargs, mark)
        adds = rule == "sum" and self._residual(args)
        result = func(*args, **kwargs)
        if adds and isinstance(result, Tensor):
            axis = roles.unit_axis(None, result, mark.axis if mark else None)
            self._read(f"{self._names[self._stack[-1][0]]}+", None, result, axis)
        elif rule in _PASSING and mark is not None and isinstance(result, Tensor):
            same = result.shape == args[0].shape and rule != "view"
            self._marks[result] = Mark(mark.note, mark.axis if same else None)
        return result

    def _activation(
        self, func: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any], mark: Mark
    ) -> Any:
        note, x = mark.note, args[0].detach()
        first = note is not None and "saturated" not in note.places and name not in _NO_ACTIVATION
        flat = self.gauge.flatness(x, func, args[1:], kwargs) if first else None
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor):
            return result
        axis = roles.unit_axis(None, result, mark.axis)
        if flat is not None and note is not None:
            self._put(note, "saturated", flat[0])
            self._put(note, "bounded", flat[1])
            self._put(note, "dead", self.gauge.dead(result.detach(), axis))
        self._marks[result] = Mark(None, axis)
        return result

    def _residual(self, args: Any) -> bool:
        """Are two signals of one shape added, in a module that works on signals of that rank?"""
        if len(args) < 2 or not all(isinstance(x, Tensor) and x.is_floating_point() for x in args[:2]):
            return False
        one, other = args[:2]
        if not self._stack or one.shape != other.shape or one.dim() < 2 or one is other:
            return False
        if (one.is_leaf and other.is_leaf) or not (one.requires_grad or other.requires_grad):
            return False
        if (one.is_leaf and one.requires_grad) or (other.is_leaf and other.requires_grad):
            return False  # a parameter: a bias or a table, no second signal
        module, rank, function = self._stack[-1]
        if function and module is not self._model:
            return False  # x + c·x³ inside an activation: there is one signal
        if "parametrizations" in self._names[module].split("."):
            return False
        return module is self._model or rank in (-1, one.dim())


def _bare(module: nn.Module) -> bool:
    """Has it neither weights nor parts: is it no more than a function?"""
    return not module._modules and not module._parameters
