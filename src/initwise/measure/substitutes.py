"""The weights a plan would write, in memory of their own, and a pass on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..core.plan import Plan
from ..core.records import Advice
from ..frameworks.initialize import plan_for
from ..frameworks.torch.adapter import weights
from ..frameworks.torch.run import arguments, example_for, require_data
from ..frameworks.torch.walk import parameters, unchanging
from ..signals.passing import Pass, run_pass
from ..signals.watch import OnProgress
from .drawn import Drawn
from .real import Real


def measured(
    model: nn.Module,
    example: Any,
    *,
    plan: Any = None,
    loss: Callable[[Any], Any] | str | None = None,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Pass:
    """The torch adapter's door "measure": `passing.run_pass` on the weights of `plan`, if any."""
    weights = None if plan is None else weights_for(model, plan, example, seed=seed)
    require_data(model)
    args, kwargs = arguments(model, example, seed=seed)
    passed = run_pass(
        model, args, kwargs, gauge=Real(), weights=weights, loss=loss, seed=seed, on_progress=on_progress
    )
    return passed if example is not None else replace(passed, inferred=example_for(model) or "")


def weights_for(model: nn.Module, plan: Any, example: Any = None, *, seed: int = 0) -> Mapping[str, Tensor]:
    """Name → tensor for every parameter that `plan` fills (and the buffers that follow from them).

    With the same seed, bit for bit what `init_(model, plan, seed=seed)` would write; the model is
    not touched.

    Args:
        plan: a Plan, an Advice, a scheme's or recipe's name, a Scheme, or {glob: scheme}; or a Drawn.
        example: for plans that run the model to be made.

    Raises:
        UnknownNameError, OptionError, ModelError, LayoutError, FillError: as `plan_for` does.
    """
    if isinstance(plan, Drawn):
        return plan.weights
    with unchanging():
        made = dict(plan_for(model, plan, example=example, seed=seed))
        if isinstance(plan, (Plan, Advice)):
            # as `init_` does: only a rule that gives a frozen parameter's name fills it
            frozen = {info.name for info in parameters(model) if info.status == "frozen"}
            made = {name: fill for name, fill in made.items() if name not in frozen}
        return weights(model, made, seed=seed)
