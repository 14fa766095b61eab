"""The weights a plan would write, in memory of their own."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import ModelError
from ..core.plan import Plan
from ..core.records import Advice
from ..frameworks.memory import fill


def weights_for(model: nn.Module, plan: Any, *, seed: int = 0) -> Mapping[str, Tensor]:
    """Name → tensor for every parameter that `plan` fills; the model is not touched.

    Args:
        plan: a Plan, an Advice, a scheme's or recipe's name, a Scheme, or {glob: scheme}.

    Raises:
        ModelError: the plan names a parameter that the model does not have, or cannot be filled.
        UnknownNameError, FillError: as `init_` does.
    """
    found = dict(model.named_parameters(remove_duplicate=False))
    filled = {}
    for name, law in _plan(model, plan).items():
        if name not in found:
            raise ModelError(
                f"the plan fills {name!r}, which the model does not have",
                legal=found,
                given=name,
                cause="the plan was made for another model",
            )
        tensor = torch.empty_like(found[name].detach(), memory_format=torch.contiguous_format)
        filled[name] = fill(tensor, law, name=name, seed=seed)
    return filled


def _plan(model: nn.Module, plan: Any) -> Plan:
    if isinstance(plan, Advice):
        return plan.plan
    if isinstance(plan, Plan):
        return plan
    made: Plan = importlib.import_module("initwise.frameworks.initialize").plan_for(model, plan)
    return made
