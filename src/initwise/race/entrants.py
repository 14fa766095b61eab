"""Who runs: names, schemes, recipes and plans, each turned into one plan per seed."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.errors import OptionError
from ..core.plan import Plan
from ..core.problem import Problem
from ..schemes import registry

Plans = dict[str, tuple[Plan, ...]]


def named(candidates: Mapping[str, Any] | Iterable[Any] | str) -> dict[str, Any]:
    """The candidates by name: of a mapping its keys, of anything else its own `.name` or itself.

    Raises:
        OptionError: none, or two of one name.
    """
    if isinstance(candidates, Mapping) and not isinstance(candidates, Plan):
        pairs = [(str(name), value) for name, value in candidates.items()]
    else:
        single = isinstance(candidates, (str, Plan)) or not isinstance(candidates, Iterable)
        values = [candidates] if single else list(candidates)
        pairs = [(str(getattr(value, "name", value)), value) for value in values]
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not pairs:
        raise OptionError(
            f"{', '.join(twice)} given twice" if twice else "no candidates",
            where="candidates",
            expected="at least one, each under its own name",
            fix="Pass a mapping from name to plan or scheme." if twice else "",
        )
    return dict(pairs)


def plans(candidates: Mapping[str, Any], problem: Problem, example: Any, seeds: int) -> Plans:
    """Each candidate's plan for each seed; only a scheme that looks at the weights has several.

    Args:
        example: the inputs of a batch, for schemes that run the model.
    """
    from .checks import new_model
    from .isolation import isolated

    made: Plans = {}
    for name, value in candidates.items():
        with isolated(0):
            model = new_model(problem)
            made[name] = _plans(value, model, example, seeds)
    return made


def _plans(value: Any, model: Any, example: Any, seeds: int) -> tuple[Plan, ...]:
    from ..frameworks.initialize import plan_for

    value = getattr(value, "plan", value)  # an Advice stands for its plan
    if isinstance(value, Plan):
        return (value,) * seeds
    name = getattr(value, "name", value)
    planner = registry[name].planner if isinstance(name, str) and name in registry else ""
    if planner:
        module, function = planner.split(":")
        call = getattr(importlib.import_module(module), function)
        options = dict(getattr(value, "options", {}))
        return tuple(call(model, example, seed=seed, **options) for seed in range(seeds))
    return (plan_for(model, value),) * seeds
