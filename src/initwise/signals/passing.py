"""One real forward and backward of a torch model, read into Readings; the model stays as it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import ForwardError
from ..frameworks.torch.failure import placed, said
from ..frameworks.torch.run import forward, inside, tensors
from ..frameworks.torch.state import reseed, untouched
from . import roles
from .ends import Loss, ends, loss_value, obstacle
from .gauge import Gauge
from .losses import Given, named_loss
from .reading import Inputs, Reading
from .scalars import Scalars
from .watch import Note, OnProgress, Watch

REACHED, UNREACHED = "It came as far as the layer named.", "No layer was reached."


@dataclass(frozen=True)
class Pass:
    """What one pass gave.

    Attributes:
        readings: one per call, in order of completion.
        unused: (path, kind) of layers whose parameters took no part.
        opaque: (path, kind) of parts with weights that cannot be looked into.
        inputs: what the example itself is like.
        loss: its value, NaN if none was given or nothing is known of it.
        backward: what stood at the end of the backward pass, in words.
        ungraded: why no weight that is to be trained got a gradient; "" if one did, or none is.
        inferred: the example that was made up because none was given, or "".
    """

    readings: tuple[Reading, ...]
    unused: tuple[tuple[str, str], ...]
    opaque: tuple[tuple[str, str], ...]
    inputs: Inputs
    loss: float
    backward: str
    ungraded: str = ""
    inferred: str = ""


def run_pass(
    model: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    gauge: Gauge,
    weights: Mapping[str, Tensor] | None = None,
    loss: Loss | str | None = None,
    seed: int = 0,
    own: bool = False,
    on_progress: OnProgress | None = None,
) -> Pass:
    """Forward and backward of `model` with `weights` (by name) in place of its own, read with `gauge`.

    Args:
        own: the model was made for this pass: nobody minds what becomes of it.
        on_progress: called as (what, done, total) while it runs.

    Raises:
        ExampleError, ForwardError, ModelError: see `frameworks.torch.run.call`; also an example
            that holds NaN, and a loss that raises.
        OptionError: a loss that is no scalar.
    """
    with (
        untouched(nn.Module() if own else model),  # and always the world around it: random states, modes
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        reseed(seed)
        return _Passing(model, args, kwargs, gauge, weights or {}, loss, seed, on_progress).run()


class _Passing:
    """The pass in steps; `run` puts them together."""

    def __init__(
        self,
        model: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        gauge: Gauge,
        weights: Mapping[str, Tensor],
        loss: Loss | str | None,
        seed: int,
        on_progress: OnProgress | None,
    ) -> None:
        self.model, self.args, self.kwargs, self.loss, self.seed = model, args, kwargs, loss, seed
        self.gauge, self.scalars = gauge, Scalars()
        with gauge.running():
            self.weights = _leaves(model, weights)
        self.buffers = {name: tensor for name, tensor in weights.items() if name not in self.weights}
        self.inputs = [t for t in tensors([args, kwargs]) if t.dim() > 0]
        batch, time = _batch(model, self.inputs)
        self.watch = Watch(model, gauge, self.scalars, batch, time, on_progress)
        self.weight_places: dict[str, dict[str, int]] = {}
        self.unread: dict[str, str] = {}
        self.weight_rests: dict[str, set[str]] = {}
        self.loss_place: int | None = None
        self.trained = {name for name, p in model.named_parameters() if p.requires_grad}
        self.backward = self.obstacle = ""

    def run(self) -> Pass:
        found = self.gauge.inputs(self.inputs, self.scalars, self.watch.batch, self.watch.time)
        self._read_weights()
        try:
            with self.gauge.running():
                inside(self.model, {**self.buffers, **self.weights}, self._body)
        finally:
            self.watch.close()
        self._read_gradients()
        values = self.scalars.fetch()
        return self._assembled(values, found(values))

    def _body(self) -> None:
        with self.watch:
            result = forward(self.model, self.args, self.kwargs)
        self.watch.finished(result)
        starts, gradients = self._ends(result)
        if starts:
            self._run_backward(starts, gradients)

    def _ends(self, result: Any) -> tuple[list[Tensor], list[Tensor]]:
        """The tensors to start the backward pass from, and the gradients there."""
        if self.loss is not None:
            value = self._loss_of(result, self.loss)
            number = self.gauge.number(value)
            self.loss_place = None if number is None else self.scalars.add(number)
            return [value], [torch.ones_like(value)]
        starts = ends(result)
        self.obstacle = "" if starts else obstacle(result)
        self.backward = "no loss was given: a random cotangent of unit rms on the result stood in"
        if not starts:
            self.backward = f"no gradient was measured: {self.obstacle}"
        return starts, [self.gauge.cotangent(end, self.seed, i) for i, end in enumerate(starts)]

    def _loss_of(self, result: Any, loss: Loss | str) -> Tensor:
        if not isinstance(loss, str):
            self.backward = "the gradient is that of the loss given"
            return loss_value(result, loss)
        given = Given(self.kwargs, tensors([self.args, self.kwargs]), self.gauge, self.seed)
        value, words = named_loss(loss, result, given)
        self.backward = f"the gradient is that of {words}"
        return value

    def _run_backward(self, starts: list[Tensor], gradients: list[Tensor]) -> None:
        try:
            torch.autograd.backward([_start(*pair) for pair in zip(starts, gradients, strict=True)])
        except Exception as error:
            reached = [note.name for note in self.watch.notes if "gradient_rms" in note.places]
            raise ForwardError(
                f"the backward raised {said(error)}",
                where=f"before {reached[0]}" if reached else "the model's result",
                fix=placed(error) + (REACHED if reached else UNREACHED),
            ) from error

    def _read_gradients(self) -> None:
        """After the backward pass: checkpoints may bring a shared weight's gradient in parts."""
        gates = _gates(self.model)
        for name, weight in self.weights.items():
            if weight.grad is None or not weight.numel():
                continue
            gradient = weight.grad.to_dense()
            places = self.weight_places.setdefault(name, {})
            read = self.gauge.weight_gradient(gradient, gates.get(name, 1))
            if not read:
                self.unread[name] = self.gauge.unknown(gradient)
            self.weight_rests[name] = set(self.gauge.notes(gradient))
            for what, number in read.items():
                if number is not None:
                    places[what] = self.scalars.add(number)

    def _read_weights(self) -> None:
        with self.gauge.running():  # detaching is an operation too
            filled = {name: weight.detach() for name, weight in self.weights.items() if weight.numel()}
            read = {name: self.gauge.weight(weight) for name, weight in filled.items()}
        for name, numbers in read.items():
            for what, number in numbers.items():
                if number is not None:
                    self.weight_places.setdefault(name, {})[what] = self.scalars.add(number)

    # from numbers to readings

    def _assembled(self, values: list[float], example: Inputs) -> Pass:
        owners = self._owners()
        return Pass(
            tuple(self._reading(note, values, owners) for note in self.watch.notes),
            self._unused(owners),
            roles.opaque(self.model),
            example,
            math.nan if self.loss_place is None else values[self.loss_place],
            self.backward,
            self._ungraded(),
        )

    def _ungraded(self) -> str:
        """Why no weight that is to be trained got a gradient; "" if one did, or none is to be trained."""
        if not self.trained or any("gradient" in self.weight_places.get(name, {}) for name in self.trained):
            return ""
        if not self.trained & set(self.weights):
            return "its weights are not real dense floating-point tensors"
        return self.obstacle or "none came back from the result to any weight that is to be trained"

    def _owners(self) -> dict[str, list[str]]:
        """Path → names of the weights whose gradient belongs to its row.

        A layer that never ran as a module, though its weight was used (attention's output
        projection), lends its weights to the nearest container that did run.
        """
        names = {id(p): name for name, p in self.model.named_parameters()}
        ran = {note.name for note in self.watch.notes}
        owners: dict[str, list[str]] = {}
        for path, module in self.watch.rows.items():
            home = path
            while home not in ran and "." in home:
                home = home.rpartition(".")[0]
            own = [names[id(p)] for p in roles.weights(module) if id(p) in names]
            used = [name for name in own if "gradient" in self.weight_places.get(name, {})]
            if home == path or (used and home in ran):
                owners.setdefault(home, []).extend(own)
        return owners

    def _unused(self, owners: dict[str, list[str]]) -> tuple[tuple[str, str], ...]:
        ran = {note.name for note in self.watch.notes}
        lent = {name for path, names in owners.items() if path in ran for name in names}
        names = {id(p): name for name, p in self.model.named_parameters()}
        return tuple(
            (path, type(module).__name__)
            for path, module in self.watch.rows.items()
            if path not in ran
            and roles.weights(module)
            and not any(names.get(id(p)) in lent for p in roles.weights(module))
        )

    def _reading(self, note: Note, values: list[float], owners: dict[str, list[str]]) -> Reading:
        read = {what: values[place] for what, place in note.places.items()}
        module = note.module
        own = owners.get(note.name.partition("#")[0], []) if module is not None else []
        return Reading(
            name=note.name,
            kind="add" if module is None else roles.kind(module),
            role="add" if module is None else roles.role(module),
            shape=note.output,
            dtype=_name(note.dtype),
            tiny=float(torch.finfo(note.dtype).tiny),
            bounded=bool(read.pop("bounded", 0.0)),
            units=note.output[note.axis],
            gradient=_gradient_state(note),
            result=note.result,
            trained=not self.trained.isdisjoint(own),
            weight_rms=self._pooled(own, "rms", values),
            weight_std=self._pooled(own, "std", values),
            weight_count=sum(self.weights[name].numel() for name in own if name in self.weights),
            weight_dtype=next((_name(self.weights[name].dtype) for name in own if name in self.weights), ""),
            weight_gradient_rms=self._pooled(own, "gradient", values),
            weight_spread=max(self._each(own, "spread", values), default=math.nan),
            unknown=note.unknown,
            ungraded=note.ungraded or next((self.unread[name] for name in own if name in self.unread), ""),
            rests=tuple(sorted(note.rests.union(*(self.weight_rests.get(name, ()) for name in own)))),
            **read,
        )

    def _each(self, names: list[str], what: str, values: list[float]) -> list[float]:
        places = [self.weight_places.get(name, {}).get(what) for name in names]
        return [values[place] for place in places if place is not None]

    def _pooled(self, names: list[str], what: str, values: list[float]) -> float:
        """Root mean square over all elements of the weights named; NaN if none has it."""
        squares = elements = 0.0
        for name in names:
            for value in self._each([name], what, values):
                squares += value**2 * self.weights[name].numel()
                elements += self.weights[name].numel()
        return math.sqrt(squares / elements) if elements else math.nan


class _Start(torch.autograd.Function):
    """A number with the gradient given at `end`, to start a backward pass from.

    A cotangent handed to `torch.autograd.backward` itself makes it load its symbolic shapes, a second's work.
    """

    @staticmethod
    def forward(ctx: Any, end: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return torch.zeros((), device=end.device)

    @staticmethod
    def backward(ctx: Any, one: Tensor) -> tuple[Tensor, None]:
        return ctx.gradient, None


def _start(end: Tensor, gradient: Tensor) -> Tensor:
    number: Tensor = _Start.apply(end, gradient)  # type: ignore[no-untyped-call]
    return number


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _leaves(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every floating parameter as a leaf that asks for a gradient: given, or the model's own memory."""
    found = {}
    for name, parameter in model.named_parameters():
        given = weights.get(name, parameter)
        if given.is_floating_point() and given.layout == torch.strided:
            leaf = given.detach()
            found[name] = (leaf.clone() if leaf.is_inference() else leaf).requires_grad_()
    return found


def _gates(model: nn.Module) -> dict[str, int]:
    """Weight name → number of gates packed along its first axis, for recurrent layers."""
    packed = {
        id(weight): weight.shape[0] // module.hidden_size
        for module in model.modules()
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase))
        for weight in roles.weights(module)
        if weight.shape[0] % module.hidden_size == 0
    }
    return {name: packed[id(p)] for name, p in model.named_parameters() if id(p) in packed}


def _batch(model: nn.Module, inputs: list[Tensor]) -> tuple[int, int]:
    """(number of different inputs, length of the time axis before the batch or 0)."""
    if not inputs:
        return 0, 0
    first = inputs[0]
    if first.dim() > 1 and roles.time_first(model):
        return first.shape[1], first.shape[0]
    return first.shape[0], 0


def _gradient_state(note: Note) -> str:
    if not note.differentiable:
        return "off"
    return "reached" if "gradient_rms" in note.places else "none"
