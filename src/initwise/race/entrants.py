"""Who runs: names, schemes, recipes and plans, each turned into one plan per seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median_low
from typing import Any

from ..core.errors import InitwiseError, OptionError
from ..core.plan import Plan
from ..core.problem import Problem
from .rates import around

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


def plans(candidates: Mapping[str, Any], problem: Problem, example: Any, seeds: Sequence[int]) -> Plans:
    """Each candidate's plan for each seed; they differ where a scheme looks at the weights drawn.

    Args:
        candidates: a tuple among them holds a Plan for each seed already.
        example: the inputs of a batch, for schemes that run the model.

    Raises:
        OptionError: a tuple of another length.
    """
    from ..frameworks.initialize import plan_for
    from .checks import new_model
    from .isolation import isolated

    with isolated(0):
        model = new_model(problem)
        return {
            name: tuple(
                plan_for(model, one, example=example, seed=seed)
                for one, seed in zip(_of_each(name, value, seeds), seeds, strict=True)
            )
            for name, value in candidates.items()
        }


def _of_each(name: str, value: Any, seeds: Sequence[int]) -> tuple[Any, ...]:
    """The candidate for each seed."""
    if not isinstance(value, tuple):
        return (value,) * len(seeds)
    if len(value) == len(seeds):
        return value
    raise OptionError(
        f"{len(value)} plans",
        where=f"candidate {name!r}",
        expected=f"one, or {len(seeds)}: one for each seed",
    )


def chosen(problem: Problem, batch: Any, seeds: Sequence[int], rate: float | None = None) -> dict[str, Any]:
    """Who runs if nobody was named: those whom `choose` would send, the one it would name first.

    Args:
        rate: the only learning rate, where there is only one.
    """
    from ..choose.advise import entrants
    from ..choose.candidates import CANDIDATES, family
    from ..choose.losses import of_targets
    from ..choose.planners import study
    from ..choose.rank import ranked
    from ..choose.verdicts import judge
    from .checks import new_model
    from .isolation import isolated

    inputs, targets = batch
    with isolated(0):
        model, loss = new_model(problem), of_targets(targets) or None
        case = study(model, inputs, seed=seeds[0], loss=loss, lr=rate, optimizer=problem.optimizer)
        order = ranked([judge(row, case) for row in CANDIDATES], family(case.structure))
        return entrants(order, case, len(seeds))


def predicted(made: Plans, problem: Problem, example: Any) -> dict[str, tuple[float, ...]]:
    """Scheme → the rates that its weights ask for; empty where that cannot be told.

    A scheme whose weights say nothing (zeros) gets the rates of the middle one among the others.
    """
    from ..choose.pace import rate_range, sensitivity
    from ..choose.planners import study
    from .checks import new_model
    from .isolation import isolated

    try:
        with isolated(0):
            case = study(new_model(problem), example)
    except InitwiseError:
        return {}
    ranges = {
        name: rate_range(sensitivity(seeds[0], case.structure, case.parameters), problem.optimizer)
        for name, seeds in made.items()
    }
    middles = {name: math.sqrt(low * high) for name, (low, high) in _known(ranges)}
    if not middles:
        return {}
    usual = median_low(middles.values())
    return {name: around(middles.get(name, usual)) for name in made}


def _known(ranges: Mapping[str, tuple[float, float] | None]) -> list[tuple[str, tuple[float, float]]]:
    return [(name, found) for name, found in ranges.items() if found is not None]
