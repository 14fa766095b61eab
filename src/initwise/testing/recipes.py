"""check_recipe: a recipe is explained, decides about every parameter, and fills its model."""

from __future__ import annotations

import math
from typing import Any

from ..core.errors import ModelError
from ..frameworks.initialize import init_
from ..frameworks.protocol import adapter_for
from ..recipes import Recipe, RecipeRow, recipe, registry
from .claims import about, check_found, check_options, check_words

WORDS = ("name", "summary", "citation", "evidence")


def check_recipe(row: RecipeRow, model: Any, *, stranger: Any = None, **options: Any) -> None:
    """Hold a recipe to what every recipe promises, on a model it is for.

    - It says what it is; every option has a meaning and refuses what it cannot be.
    - It is found by its name and aliases, and survives JSON.
    - It decides about every parameter of `model`: a Fill with a reason, or why it is kept; and `init_`
      fills the model, each tensor with the std that was declared for it.
    - It refuses `stranger`.

    Args:
        model: a small model of the family. It is filled.
        stranger: a model that the recipe is not for, if it names parts that it needs.
        options: of the recipe.

    Raises:
        AssertionError: naming the row and what does not hold.
    """
    claim = about("recipe", row)
    check_words(claim, row, WORDS)
    check_found(claim, row, registry)
    check_options(claim, row.options, lambda **given: recipe(row.name, **given))
    made = recipe(row.name, **options)
    claim(Recipe.from_json(made.to_json()) == made, "it does not survive JSON")
    parameters = adapter_for(model).parameters(model)
    plan = made.plan(parameters)
    kept = dict(plan.kept)
    for info in parameters:
        claim(info.name in plan or info.name in kept, f"it forgets {info.name}")
        claim(
            bool(plan[info.name].reason if info.name in plan else kept[info.name]), f"{info.name}: no reason"
        )
    claim(len(plan.fills) > 0, "it fills nothing")
    ledger = init_(model, made)
    for entry in ledger.entries:
        claim(entry.status not in ("refused", "unnamed"), f"{entry.name}: {entry.status}, {entry.reason}")
        if entry.status == "filled" and math.isfinite(entry.declared_std):
            # five standard errors, and as much again for values that are not independent
            error = 10 * entry.declared_std / math.sqrt(2 * math.prod(entry.shape))
            off = abs(entry.measured_std - entry.declared_std)
            claim(off <= error, f"{entry.name}: std {entry.measured_std:g}, declared {entry.declared_std:g}")
    if stranger is not None:
        try:
            made.plan(adapter_for(stranger).parameters(stranger))
        except ModelError:
            return
        claim(False, "it takes a model that it is not for")
