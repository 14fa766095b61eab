"""Who runs: names, schemes, recipes and plans, each turned into one plan per seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.errors import OptionError
from ..core.plan import Plan
from ..core.problem import Problem

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


def plans(candidates: Mapping[str, Any], problem: Problem, example: Any, seeds: Iterable[int]) -> Plans:
    """Each candidate's plan for each seed; they differ where a scheme looks at the weights drawn.

    Args:
        example: the inputs of a batch, for schemes that run the model.
    """
    from ..frameworks.initialize import plan_for
    from .checks import new_model
    from .isolation import isolated

    with isolated(0):
        model = new_model(problem)
        return {
            name: tuple(plan_for(model, value, example=example, seed=seed) for seed in seeds)
            for name, value in candidates.items()
        }


def chosen(problem: Problem, example: Any, seed: int = 0) -> dict[str, Any]:
    """Who runs if nobody was named: those whom `choose` would send."""
    from ..choose.advise import running
    from ..choose.candidates import CANDIDATES, family
    from ..choose.planners import study
    from ..choose.rank import ranked
    from ..choose.verdicts import judge
    from .checks import new_model
    from .isolation import isolated

    with isolated(0):
        case = study(new_model(problem), example, seed=seed)
        order = ranked([judge(row, case) for row in CANDIDATES], family(case.structure))
    return {one.row.name: one.row.scheme or one.plan for one in running(order)}
