"""predict: the pass of `signals` on fake tensors that carry moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..frameworks.initialize import plan_for
from ..frameworks.torch.run import arguments, example_for
from ..frameworks.torch.walk import parameters
from ..signals.passing import Pass, run_pass
from . import sources
from .expected import Expected
from .interpreter import Interpreter


def predicted(
    model: nn.Module,
    example: Any,
    *,
    plan: Any = None,
    loss: Callable[[Any], Any] | None = None,
    seed: int = 0,
) -> Pass:
    """The torch adapter's door "predict": one pass of `model` without weights, data or memory."""
    interpreter = Interpreter()

    def stand_in(dtype: torch.dtype, shape: tuple[int, ...], given: Tensor | None) -> Tensor:
        return interpreter.fake(shape, dtype, sources.of_input(given, shape))

    args, kwargs = arguments(model, example, seed=seed, floats=stand_in)
    weights = sources.weights(model, interpreter, _fills(model, plan, example, seed))
    gauge = Expected(interpreter)
    passed = run_pass(model, args, kwargs, gauge=gauge, weights=weights, loss=loss, seed=seed)
    return passed if example is not None else replace(passed, inferred=example_for(model) or "")


def _fills(model: nn.Module, plan: Any, example: Any, seed: int) -> dict[str, tuple[Fill, ParameterInfo]]:
    """Parameter name → what the plan fills it with."""
    if plan is None:
        return {}
    infos = {info.name: info for info in parameters(model)}
    made = plan_for(model, plan, example=example, seed=seed)
    return {name: (fill, infos[name]) for name, fill in made.items()}
