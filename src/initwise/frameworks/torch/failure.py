"""When a model's forward raises: which layer, after which, and whether the example is to blame."""

from __future__ import annotations

import inspect
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from ...core.errors import ExampleError, ForwardError, InitwiseError
from .lines import own_line
from .wrappers import clean


class Progress:
    """Which modules are running and which have finished, while a model runs.

    A context manager: its hooks are there only while it is open.

    Attributes:
        running: (path, module, its inputs) from the root to the innermost one.
        finished: paths of the leaf modules that came to an end, in order.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.running: list[tuple[str, nn.Module, tuple[Any, ...]]] = []
        self.finished: list[str] = []
        self.weighted = False
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for path, module in self.model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            name = clean(self.model, path)
            self._handles.append(module.register_forward_pre_hook(self._start(name), with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._end))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def failed(self, error: Exception) -> tuple[str, nn.Module, tuple[Any, ...]] | None:
        """(path, module, its inputs) of the innermost module that `error` came out of.

        By the traceback, not by who is still running: a model may have caught an earlier error.
        """
        raising = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
        inner = next((m for m in reversed(raising) if any(m is entry[1] for entry in self.running)), None)
        return next((entry for entry in reversed(self.running) if entry[1] is inner), None)

    def _start(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.running.append((name, module, (*args, *kwargs.values())))

        return hook

    def _end(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        # a model may catch what a layer raised: such layers were never taken off
        while (entry := self.running.pop())[1] is not module:
            pass
        name = entry[0]
        if not list(module.children()):
            self.finished.append(name)
        self.weighted = self.weighted or bool(module._parameters)


@dataclass(frozen=True)
class Mismatch:
    """A layer's input against what the layer takes, in words."""

    got: str
    expected: str


def explained(
    error: Exception,
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    progress: Progress,
) -> InitwiseError:
    """The InitwiseError that says what went wrong; to be raised from `error`."""
    if isinstance(error, InitwiseError):
        return error
    refused = _refused_call(error, model, args, kwargs)
    if refused is not None:
        return refused
    name, module, inputs = progress.failed(error) or ("", model, args)
    mismatch = mismatched(module, inputs)
    where = f"{name or 'the model'} ({type(module).__name__})"
    if mismatch and not progress.weighted:
        return _unfit(error, mismatch, where)
    return _broken(error, mismatch, where, progress.finished)


def _unfit(error: Exception, mismatch: Mismatch, where: str) -> ExampleError:
    """The example does not fit the first layer with weights."""
    return ExampleError(
        mismatch.got,
        where=where,
        expected=mismatch.expected,
        cause=f"the example does not fit the model's first layer ({said(error)})",
        fix="Give an example of the shape and dtype the layer expects.",
    )


def _broken(error: Exception, mismatch: Mismatch | None, where: str, finished: Sequence[str]) -> ForwardError:
    """A layer raised; the layers in `finished` went well before it."""
    met = f" ({mismatch.got}, the layer expects {mismatch.expected})" if mismatch else ""
    cause = "the size of the example, or the sizes of this layer and of those before it" if mismatch else ""
    last = f"The last layer that went well is {finished[-1]!r}." if finished else ""
    return ForwardError(
        f"the forward raised {said(error)}{met}",
        where=where,
        cause=cause,
        fix=f"{placed(error)}{last or 'No layer went well before it.'}",
    )


def placed(error: BaseException | None) -> str:
    """The line of the user's code that `error` came out of, as a line of a message; "" without one."""
    line = own_line(error)
    return f"At {line}\n  " if line else ""


def said(error: BaseException, length: int = 300) -> str:
    """An error's kind and text on one line, a long text cut after a word."""
    text = textwrap.shorten(str(error), length, placeholder=" …").removesuffix(".") or type(error).__name__
    return f"{type(error).__name__}: {text}"


def _refused_call(
    error: Exception, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> ExampleError | None:
    """Arguments that `forward` does not take."""
    if not isinstance(error, TypeError):
        return None
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as problem:
        pair = len(args) == 2 and not kwargs
        return ExampleError(
            f"{type(model).__name__}.forward{signature} cannot be called so: {problem}",
            where="example",
            cause="a DataLoader's (inputs, targets); a tuple means positional arguments" if pair else "",
            fix="Give the inputs alone." if pair else "A tuple is positional arguments, a dict keyword ones.",
        )
    return None


def mismatched(module: nn.Module, inputs: tuple[Any, ...]) -> Mismatch | None:
    """How `inputs` differ from what `module` takes, for the layers that declare it; else None."""
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return _embedding_mismatch(module, inputs)
    declared = _declared(module)
    if declared is None or not inputs or not isinstance(inputs[0], Tensor):
        return None
    fits, expected, dtype = declared
    given = inputs[0]
    wrong_dtype = dtype is not None and given.dtype != dtype
    if fits(given) and not wrong_dtype:
        return None
    kind = str(dtype).removeprefix("torch.") if dtype else ""
    return Mismatch(f"its input is {_shown(given)}", f"{kind} {expected}".strip())


def _shown(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def _declared(module: nn.Module) -> tuple[Callable[[Tensor], bool], str, torch.dtype | None] | None:
    """(does a tensor fit, how a fitting one looks, its dtype) of a layer with declared sizes."""
    dtype = next((p.dtype for p in module.parameters(recurse=False) if p.is_floating_point()), None)
    if isinstance(module, nn.Linear):
        size = module.in_features
        return lambda x: x.dim() >= 1 and x.shape[-1] == size, f"(…, {size})", dtype
    if isinstance(module, nn.modules.conv._ConvNd):
        channels, rank = module.in_channels, len(module.kernel_size)
        sizes = ("length", "height, width", "depth, height, width")[rank - 1]
        return (
            lambda x: x.dim() in (rank + 1, rank + 2) and x.shape[-rank - 1] == channels,
            f"(batch, {channels}, {sizes})",
            dtype,
        )
    if isinstance(module, nn.RNNBase):
        size = module.input_size
        axes = "batch, time" if module.batch_first else "time, batch"
        return lambda x: x.dim() in (2, 3) and x.shape[-1] == size, f"({axes}, {size})", dtype
    if isinstance(module, nn.LayerNorm):
        shape = tuple(module.normalized_shape)
        return lambda x: tuple(x.shape[-len(shape) :]) == shape, f"(…, {', '.join(map(str, shape))})", dtype
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        features = module.num_features
        return lambda x: x.dim() >= 2 and x.shape[1] == features, f"(batch, {features}, …)", dtype
    return None


def _embedding_mismatch(module: nn.Embedding | nn.EmbeddingBag, inputs: tuple[Any, ...]) -> Mismatch | None:
    given = inputs[0] if inputs else None
    if not isinstance(given, Tensor):
        return None
    expected = f"integers from 0 to {module.num_embeddings - 1}"
    if given.dtype not in (torch.int32, torch.int64):
        return Mismatch(f"its input is {_shown(given)}", f"{expected} (int64 or int32)")
    try:
        low, high = int(given.min()), int(given.max())
    except RuntimeError:  # empty, or a CUDA device that an index error has already stopped
        return None
    if low < 0 or high >= module.num_embeddings:
        return Mismatch(f"its input holds integers from {low} to {high}", expected)
    return None
