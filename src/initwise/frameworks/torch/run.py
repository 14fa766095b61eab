"""Running a torch model without changing it.

`arguments` makes what it is called with, `untouched` keeps it as it was, `call` runs it and says
where it failed, `tensors` finds the tensors in whatever it returned.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import ExampleError, ModelError
from ..example import Input, Spec, draw, mapped, split
from .failure import Progress, explained, said
from .state import has_data, untouched
from .wrappers import unwrapped

__all__ = ["arguments", "call", "example_for", "forward", "home", "inside", "tensors", "untouched"]

T = TypeVar("T")
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


Floats = Callable[[torch.dtype, tuple[int, ...], Tensor | Input], Tensor]
"""What stands for a floating-point tensor of the example: (dtype, shape, its numbers or what is declared)."""


def arguments(model: nn.Module, example: Any, *, seed: int = 0, floats: Floats | None = None) -> Arguments:
    """What to call `model` with, as `(args, kwargs)`, on the model's device.

    Args:
        example: see `initwise.frameworks.example`. None is answered only where one input is
            obvious: an `nn.Sequential` that begins with a Linear gets 64 standard normal rows.
        seed: of the numbers drawn for shapes; integers without a bound stay below the number of
            rows of the model's smallest embedding table, so that they fit every table.

    With `floats`, it makes what stands for floating-point tensors, on the CPU; then the model need not
    hold any values.

    Tensors are moved to the model's device and keep their dtype; NumPy's floats become the
    model's dtype (NumPy makes float64 unasked and has no bfloat16). The caller's own tensors are
    never changed.

    Raises:
        ExampleError: no example, an unreadable or empty one, integers without a bound and no embedding.
        ModelError: a lazy or meta model, which cannot run.
    """
    if floats is None:
        require_data(model)
    if example is None:
        example = example_for(model)
    args, kwargs = split(_refused_inferred(model, example))
    device, dtype = home(model)
    device = device if floats is None else torch.device("cpu")
    bound = smallest_table(model)

    def made(leaf: Any, where: str) -> Any:
        if isinstance(leaf, (Spec, Input)):
            return drawn(Input.of(leaf), where)
        found = _moved(leaf, device, dtype)
        if floats is not None and isinstance(found, Tensor) and found.is_floating_point():
            return floats(found.dtype, tuple(found.shape), found)
        return found

    def drawn(spec: Input, where: str) -> Tensor:
        kind: torch.dtype = dtype if spec.dtype == "float" else getattr(torch, spec.dtype)
        if floats is not None and kind.is_floating_point:
            return floats(kind, spec.shape, spec)
        array = draw(spec, seed=seed, where=where, bound=bound)
        return torch.from_numpy(array).to(device=device, dtype=kind)

    args = tuple(mapped(made, value, f"example[{i}]") for i, value in enumerate(args))
    kwargs = {key: mapped(made, value, f"example[{key!r}]") for key, value in kwargs.items()}
    _require_elements([args, kwargs])
    if isinstance(example, str):
        _require_names(model, kwargs)
        return args, kwargs
    return _bound_to(model, args, kwargs)


def _refused_inferred(model: nn.Module, example: Any) -> Any:
    """`example`, or for None an error that says how one for this very model would look."""
    if example is not None:
        return example
    hint = _hint(model)
    raise ExampleError(
        "none was given, and the model does not say what it takes",
        where="example",
        expected="a batch, or shapes and dtypes",
        fix=f"Say what the model is called with, for example {hint}.",
    )


def _require_names(model: nn.Module, kwargs: Mapping[str, Any]) -> None:
    """Raise ExampleError for a text that names arguments which `forward` does not have."""
    parameters = _parameters(model)
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    legal = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for name in kwargs:
        if name not in legal:
            raise ExampleError(
                f"{type(model).__name__}.forward has no argument {name!r}",
                where="example",
                legal=legal,
                given=name,
                fix=f"Leave the name out to give it by position, for example {_hint(model)}.",
            )


def _parameters(model: nn.Module) -> list[inspect.Parameter] | None:
    """The parameters of the model's `forward`, or None where it does not tell."""
    try:
        return list(inspect.signature(unwrapped(model).forward).parameters.values())
    except (TypeError, ValueError):
        return None


def _require_elements(inputs: Any) -> None:
    """Raise ExampleError for a batch of nothing; a later tensor (an empty cache) may be empty."""
    first = next(_tensors(inputs), None)
    if first is not None and not first.numel():
        raise ExampleError(
            f"its first tensor has shape {tuple(first.shape)} and no elements",
            where="example",
            expected="at least one input, better 32",
            cause="the last batch of a data set, or a filter that keeps nothing",
            fix="Nothing can be measured on nothing: give a batch with inputs in it.",
        )


def _moved(leaf: Any, device: torch.device, dtype: torch.dtype) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.detach().to(device)
    if isinstance(leaf, np.ndarray):
        tensor = torch.from_numpy(np.ascontiguousarray(leaf)) if leaf.flags.writeable else torch.tensor(leaf)
        return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else tensor.dtype)
    return leaf


def _bound_to(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """A dict whose keys are no parameters of `forward` is one argument, not keyword arguments."""
    if not kwargs:
        return args, kwargs
    accepted = _parameters(model)
    if accepted is None:
        return args, kwargs
    names = {parameter.name for parameter in accepted}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted) or names & set(kwargs):
        return args, kwargs
    return (kwargs,), {}


def home(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """The device of the model's first tensor and the dtype of its first floating one."""
    found = [*model.parameters(), *model.buffers()]
    device = found[0].device if found else torch.device("cpu")
    floats = [tensor.dtype for tensor in found if tensor.is_floating_point()]
    return device, floats[0] if floats else torch.get_default_dtype()


def smallest_table(model: nn.Module) -> int | None:
    """Rows of the smallest embedding table, or None without one."""
    tables = [m.num_embeddings for m in model.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))]
    return min(tables, default=None)


def require_data(model: nn.Module) -> None:
    """Raise ModelError, with the fix, for a model that has no values to run with."""
    require_shapes(model)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.device.type == "meta":
            raise ModelError(
                "is on the meta device: it has no values",
                where=name,
                fix='Give it memory and values: model.to_empty(device="cpu"), then initwise.init_(model, …).',
            )


def require_shapes(model: nn.Module) -> None:
    """Raise ModelError, with the fix, for a model with a lazy layer."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if nn.parameter.is_lazy(tensor):
            raise ModelError(
                "is lazy: it has no shape before the first forward",
                where=name,
                fix="Run the model once on a real batch, then ask again.",
            )


def example_for(model: nn.Module) -> str | None:
    """The one obvious example of a Sequential that begins with a Linear, else None."""
    first = _first(unwrapped(model))
    return f"float[64,{first.in_features}]" if isinstance(first, nn.Linear) else None


def _first(model: nn.Module) -> nn.Module | None:
    """The first layer of a Sequential that changes anything; None where only running would tell."""
    for module in model if isinstance(model, nn.Sequential) else ():
        found = _first(module) if isinstance(module, nn.Sequential) else module
        if found is not None and not isinstance(found, (nn.Identity, nn.Dropout)):
            return found
    return model if isinstance(model, nn.Linear) else None


def _hint(model: nn.Module) -> str:
    """An example that fits the model's first layer, as registered."""
    for module in model.modules():
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
            return f'"i64[8,32]<{module.num_embeddings}"'
        if isinstance(module, nn.Linear):
            return f'"f32[64,{module.in_features}]"'
        if isinstance(module, (nn.RNNBase)):
            return f'"f32[8,32,{module.input_size}]"'
        if isinstance(module, nn.modules.conv._ConvNd):
            sizes = ",".join(["32"] * len(module.kernel_size))
            return f'"f32[8,{module.in_channels},{sizes}]"'
    return '"f32[8,64]"'


def call(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> Any:
    """`model(*args, **kwargs)` on copies of its buffers, so that no running statistic moves.

    Args:
        weights: tensors to use instead of the parameters of these names (as `named_parameters`
            gives them, tied ones under any of their names); the rest are the model's own. They
            carry gradients if they require them.

    The arguments' tensors are copied too, so that a model may overwrite its input. Random numbers
    drawn and attributes set by the model's own code are not undone here: `with untouched(model):`
    does that.

    Raises:
        ExampleError: the example does not fit (wrong arguments, or the first layer refuses it).
        ForwardError: the forward raised; names the layer and the last one that went well.
        ModelError: a lazy or meta model.
    """
    return inside(model, weights or {}, lambda: forward(model, args, kwargs or {}))


def forward(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """`model(*args, **kwargs)` on copies of the arguments' tensors. Raises as `call` does."""
    own_args, own_kwargs = mapped(_copied, args), mapped(_copied, dict(kwargs))
    with Progress(model) as progress:
        try:
            return model(*own_args, **own_kwargs)
        except Exception as error:
            foreign = None if progress.finished else _foreign(error, model, args, kwargs)
            raise foreign or explained(error, model, args, kwargs, progress) from error


def _foreign(
    error: Exception, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> ExampleError | None:
    """The error for an example whose only argument is a list, dict or number that the model did not take."""
    plain = len(args) == 1 and not kwargs and isinstance(args[0], (list, dict, str, int, float, type(None)))
    if not plain or not isinstance(error, (TypeError, AttributeError)):
        return None
    kind = type(args[0]).__name__
    takes = ", ".join(str(p) for p in _parameters(model) or ())
    cause = "a list is one argument, also a DataLoader's [inputs, targets]" if kind == "list" else ""
    if kind == "dict":
        cause = "a dict whose keys are no parameters of `forward` is one argument"
    return ExampleError(
        f"{_in_short(args[0])} was given to {type(model).__name__}.forward({takes}) as it is, "
        f"which raised {said(error, 120)}",
        where="example",
        expected="tensors, arrays, or shapes and dtypes",
        cause=cause,
        fix=f"Give the tensor that the model takes, or its dtype and shape, for example {_hint(model)}.",
    )


def _in_short(value: Any) -> str:
    kind, shown = type(value).__name__, repr(value)
    if len(shown) > 40 or "tensor(" in shown:
        shown = f"of {len(value)}"
    return f"the {kind} {shown}" if value is not None else "None"


def _copied(leaf: Any, where: str) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


class _Body(nn.Module):
    """A body of code as the forward of a module that owns the model."""

    def __init__(self, model: nn.Module, body: Callable[[], Any]) -> None:
        super().__init__()
        self.model, self.body = model, body

    def forward(self) -> Any:
        return self.body()


def inside(model: nn.Module, weights: Mapping[str, Tensor], body: Callable[[], T]) -> T:
    """`body()` while `model` holds `weights` and copies of its buffers.

    A backward pass belongs inside: activation checkpointing runs the forward again during it.
    Compiled models run as they were written: nothing can be seen inside compiled code.

    Raises:
        ModelError: without any weights, a lazy or meta model.
    """
    if not weights:
        require_data(model)
    copies = {name: buffer.detach().clone() for name, buffer in model.named_buffers() if has_data(buffer)}
    given = {f"model.{name}": tensor for name, tensor in {**copies, **weights}.items()}
    with eager():
        result: T = torch.func.functional_call(_Body(model, body), given, ())
    return result


@contextlib.contextmanager
def eager() -> Iterator[None]:
    """Inside, compiled models and functions run as they were written."""
    stance = getattr(torch.compiler, "set_stance", None)
    # its compiler takes seconds to load, and nothing is compiled before it was
    compiler = sys.modules.get("torch._dynamo")
    with contextlib.nullcontext() if stance is None or compiler is None else stance("force_eager"):
        yield


def tensors(output: Any) -> list[Tensor]:
    """Every tensor in `output`, in order: tuples, lists, dicts, dataclasses, transformers' outputs."""
    return list(_tensors(output))


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, (tuple, list)):
        for value in output:
            yield from _tensors(value)
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for field in dataclasses.fields(output):
            yield from _tensors(getattr(output, field.name))
