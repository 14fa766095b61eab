"""predict: the pass of `signals` on fake tensors that carry moments."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from ..core.errors import ForwardError, ModelError, UnsupportedError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..core.records import Advice
from ..frameworks.initialize import plan_for
from ..frameworks.inputs import Input
from ..frameworks.torch.run import arguments, example_for
from ..frameworks.torch.state import reseed, untouched
from ..frameworks.torch.valueless import stand_in_buffers
from ..frameworks.torch.walk import parameters
from ..schemes import Scheme, scheme, schemes
from ..signals.passing import Pass, run_pass
from ..signals.watch import OnProgress
from . import failing, kin, luck, sources
from .building import built, without_memory
from .expected import Expected
from .interpreter import Interpreter

ALONE = threading.Lock()
_RUNNING: list[int] = []
"""The thread that predicts."""
YOUNG, NEVER = 10_000, 1 << 30
"""Objects made between two looks for cycles; looks among young ones between two among all."""


def predicted(
    model: nn.Module | Callable[[], nn.Module],
    example: Any,
    *,
    plan: Any = None,
    loss: Callable[[Any], Any] | str | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Pass:
    """The torch adapter's door "predict": one pass of `model` without weights, data or memory.

    A callable is run to make the model, without memory either; what its initialization draws is predicted.
    One prediction at a time: while it runs, functions of torch are replaced that a second one would miss.

    Raises:
        UnsupportedError: it is asked for inside another one.
    """
    if _RUNNING:
        _refuse_inside()
    with ALONE, luck.numbered(), kin.followed(), _young_collected(), _on_one_thread():
        _RUNNING.append(threading.get_ident())
        try:
            return _predicted(model, example, plan, loss, seed, on_progress)
        finally:
            _RUNNING.clear()


@contextlib.contextmanager
def _young_collected() -> Iterator[None]:
    """Cycles are looked for among young objects alone: all that is kept of a pass lives until its end."""
    before = gc.get_threshold()
    gc.set_threshold(before[0] and max(before[0], YOUNG), before[1], NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def _on_one_thread() -> Iterator[None]:
    """Matrix products are many and small: a BLAS that shares them among threads takes three times as long."""
    with threadpool_limits(1, user_api="blas"):
        yield


def _refuse_inside() -> None:
    if [threading.get_ident()] == _RUNNING:
        raise UnsupportedError(
            "a prediction was asked for while another one runs in this thread",
            where="check",
            cause="the model, its loss or on_progress calls check(mode='predict')",
            fix="Call it before or after.",
        )


def _predicted(
    model: nn.Module | Callable[[], nn.Module],
    example: Any,
    plan: Any,
    loss: Callable[[Any], Any] | str | None,
    seed: int,
    on_progress: OnProgress | None,
) -> Pass:
    interpreter = Interpreter()
    made = not isinstance(model, nn.Module)
    subject = model if isinstance(model, nn.Module) else _built(model, interpreter, seed)
    _require_shapes(subject)
    fills = {}
    if plan is not None:
        fills = _fills(without_memory(subject) if made else subject, plan, example, seed)

    def stand_in(dtype: torch.dtype, shape: tuple[int, ...], given: Tensor | Input) -> Tensor:
        return interpreter.fake(shape, dtype, sources.of_input(given, shape))

    args, kwargs = arguments(subject, example, seed=seed, floats=stand_in)
    # a buffer on the meta device has no numbers either
    weights = sources.weights(subject, interpreter, fills) | stand_in_buffers(subject)
    gauge = Expected(interpreter)
    try:
        with failing.quietly():
            passed = run_pass(
                subject,
                args,
                kwargs,
                gauge=gauge,
                weights=weights,
                loss=loss,
                seed=seed,
                own=made,
                on_progress=on_progress,
            )
    except ForwardError as error:
        failing.refused(error)
    return passed if example is not None else replace(passed, inferred=example_for(subject) or "")


def _built(build: Callable[[], nn.Module], interpreter: Interpreter, seed: int) -> nn.Module:
    with untouched(nn.Module()):  # the world around it: random states, modes
        reseed(seed)
        return built(build, interpreter)


def _require_shapes(model: nn.Module) -> None:
    """Raise ModelError for a lazy layer: what it will be, its first batch decides."""
    for name, parameter in model.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise ModelError(
                "is lazy: it has no shape before the first forward",
                where=name,
                fix="Run the model once on a real batch, where it is made, then ask again.",
            )


def _fills(model: nn.Module, plan: Any, example: Any, seed: int) -> dict[str, tuple[Fill, ParameterInfo]]:
    """Parameter name → what the plan fills it with."""
    infos = {info.name: info for info in parameters(model)}
    _require_weights(plan, model)
    made = dict(plan_for(model, plan, example=example, seed=seed))
    if isinstance(plan, (Plan, Advice)):  # as `init_` does: only a rule by name fills what is frozen
        made = {name: fill for name, fill in made.items() if infos[name].status != "frozen"}
    return {name: (fill, infos[name]) for name, fill in made.items()}


def _require_weights(plan: Any, model: nn.Module) -> None:
    """Raise UnsupportedError for a scheme that runs the model before it decides, where nothing can run."""
    named = isinstance(plan, str) and any(plan in (row.name, *row.aliases) for row in schemes())
    chosen = scheme(plan) if named else plan
    if not isinstance(chosen, Scheme) or not chosen.row.planner:
        return
    if any(parameter.device.type == "meta" for parameter in model.parameters()):
        raise UnsupportedError(
            f"scheme {chosen.name!r} runs the model before it decides, and there are no weights",
            where="check: plan",
            expected="a scheme of shapes alone, or a model with weights",
            fix="Give a model with weights, or a Plan or Advice that was made with one.",
        )
