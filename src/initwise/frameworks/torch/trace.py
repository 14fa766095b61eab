"""What feeds what in a torch model, seen by running it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path, tree_leaves

from ...core.errors import ForwardError, UnsupportedError
from ...core.graph import Graph
from .fuse import graph
from .recorder import Origin, Recorder, Tape
from .rules import RULES
from .run import arguments, call, eager, require_shapes, tensors, untouched
from .uses import Lens, note
from .walk import parameters, underlying
from .wrappers import clean, unwrapped


def trace(model: nn.Module, example: Any) -> Graph:
    """Run `model` on `example` and return what feeds what, in execution order.

    The model, its mode, buffers, hooks, gradients and every random state are afterwards as they
    were, also when the forward raises.

    A model on the meta device, which has no values, runs on fake tensors: the same graph, in no memory.

    Args:
        example: see `initwise.frameworks.example`.

    Raises:
        ExampleError: the example cannot be read or does not fit the model.
        ForwardError: the forward raised.
        ModelError: a lazy model, which cannot run.
        UnsupportedError: the model has no values, and its forward asks for some.
    """
    require_shapes(model)
    if any(tensor.device.type == "meta" for tensor in [*model.parameters(), *model.buffers()]):
        return _traced_without_values(model, example)
    args, kwargs = arguments(model, example)
    return _traced(model, args, kwargs, {})


def _traced_without_values(model: nn.Module, example: Any) -> Graph:
    from .valueless import Constants, StandIns, asked_for_values

    stand_ins = StandIns.new()
    args, kwargs = arguments(model, example, floats=stand_ins.fake)
    try:
        with Constants():  # type: ignore[no-untyped-call]
            return _traced(model, args, kwargs, stand_ins.weights(model))
    except ForwardError as error:
        if not asked_for_values(error):
            raise
        raise UnsupportedError(
            "a model without values, whose forward decides by values",
            where=type(model).__name__,
            expected="a forward that depends on shapes alone, or a model with memory",
            cause=str(error).splitlines()[0],
            fix='Give it memory and values: model.to_empty(device="cpu"), then initwise.init_(model, …).',
        ) from error


def _traced(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], weights: Mapping[str, Tensor]
) -> Graph:
    tape = Tape()
    for tensor, name in zip(tree_leaves((args, kwargs)), _labels(model, args, kwargs), strict=True):
        if isinstance(tensor, Tensor):
            tape.mark(tensor, tape.add("input", name, shape=tensor.shape))
    with untouched(model), eager(), _layers(model, tape):
        _know_parameters(model, tape, weights)
        with Recorder(tape, RULES, note):
            output = call(model, args, kwargs, weights)
        _outputs(output, tape)
    return graph(tape.drafts)


def _labels(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[str]:
    """A name for every leaf of the arguments: the forward's own argument names."""
    try:
        names = list(inspect.signature(unwrapped(model).forward).parameters)
    except (TypeError, ValueError):
        names = []
    for path, _ in tree_flatten_with_path((args, kwargs))[0]:
        keys = [getattr(key, "idx", getattr(key, "key", None)) for key in path]
        position = keys[1] if len(keys) > 1 else 0
        if keys[0] == 0 and isinstance(position, int):
            position = names[position] if position < len(names) else position
        yield ".".join(str(key) for key in (position, *keys[2:]))


def _know_parameters(model: nn.Module, tape: Tape, weights: Mapping[str, Tensor]) -> None:
    names = underlying(model)
    bare = {info.name for info in parameters(model) if info.role == "bare"}
    for name, parameter in model.named_parameters():
        held, known = weights.get(name, parameter), names.get(id(parameter), "")
        tape.origins[held] = Origin(parameters=(known,))
        if known in bare:
            tape.lenses[held] = Lens.of(known, held.shape)


@contextmanager
def _layers(model: nn.Module, tape: Tape) -> Iterator[None]:
    """Keep the path of the innermost running module on `tape.layers`."""
    handles: list[Any] = []
    try:
        for path, module in model.named_modules():
            # scripted modules take no Python hooks: their work shows as one node
            with contextlib.suppress(RuntimeError, NotImplementedError):
                handles += [_entered(module, clean(model, path), tape), _left(module, tape)]
        yield
    finally:
        for handle in handles:
            handle.remove()


def _entered(module: nn.Module, path: str, tape: Tape) -> Any:
    def hook(_: nn.Module, args: Any) -> None:
        tape.layers.append(path)

    return module.register_forward_pre_hook(hook, prepend=True)


def _left(module: nn.Module, tape: Tape) -> Any:
    def hook(_: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        _unseen(module, (args, kwargs), output, tape)
        if tape.layers:
            tape.layers.pop()

    return module.register_forward_hook(hook, with_kwargs=True, always_call=True)


def _unseen(module: nn.Module, inputs: Any, output: Any, tape: Tape) -> None:
    """A node for a module whose result was made out of sight: scripted, NumPy, a foreign kernel."""
    given = [tape.find(t) for t in tree_leaves(inputs) if isinstance(t, Tensor)]
    made = [t for t in tensors(output) if t.is_floating_point() and tape.unseen(t)]
    signals = [origin for origin in given if origin is not None and origin.node >= 0]
    if not made or not signals:
        return
    names = (tape.origins.get(p) for p in module.parameters())
    parameters = tuple(name for origin in names if origin is not None for name in origin.parameters)
    origin = tape.add("other", type(module).__name__, signals, parameters, made[0].shape)
    for tensor in made:
        tape.mark(tensor, origin)


def _outputs(output: Any, tape: Tape) -> None:
    for position, tensor in enumerate(tensors(output)):
        origin = tape.find(tensor)
        if origin is not None and origin.node >= 0:
            tape.add("output", str(position), [origin], (), tensor.shape)
