"""Recipes, Plans and Advice explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.plan import Plan
from ..core.records import Advice, Explanation
from ..recipes import Recipe, RecipeRow, recipes
from .parts import also_called, only, options, weight_named
from .weights import told_fill


def recipe_by_name(name: str, facts: Mapping[str, Any]) -> Explanation:
    return told_recipe(Recipe(name, tuple(facts.items())), {})


def recipe_row(row: RecipeRow, facts: Mapping[str, Any]) -> Explanation:
    return recipe_by_name(row.name, facts)


def told_recipe(chosen: Recipe, facts: Mapping[str, Any]) -> Explanation:
    only(f"recipe {chosen.name!r}", facts, ())
    row = chosen.row
    steps = tuple((step.matching, step.doing) for step in chosen.steps)
    gaps = tuple(("not said yet", gap) for gap in row.gaps)
    return Explanation(
        title=chosen.name,
        summary=row.summary,
        law="; ".join(f"{matching}: {doing}" for matching, doing in steps),
        facts=(*also_called(row.aliases), *options(chosen), *steps, *gaps),
        differences=row.differences,
        avoid=row.avoid,
        citation=row.citation,
        evidence=row.evidence,
        see=_of_the_same_file(row),
    )


def _of_the_same_file(row: RecipeRow) -> tuple[str, ...]:
    """Recipes that were written down with it: of the same family, or its neighbours."""
    home = row.steps.__module__
    return tuple(other.name for other in recipes() if other.steps.__module__ == home and other is not row)


def told_plan(plan: Plan, facts: Mapping[str, Any]) -> Explanation:
    only("a Plan", facts, ("name",))
    if "name" in facts:
        return _tensor(plan, facts["name"])
    return Explanation(
        title=plan.name,
        summary=f"A plan for {len(plan)} tensors; {len(plan.kept)} are left as they are.",
        facts=(
            *((name, str(fill)) for name, fill in plan.fills),
            *((name, f"kept: {why}") for name, why in plan.kept),
        ),
    )


def _tensor(plan: Plan, name: str) -> Explanation:
    """One tensor's derivation under a plan."""
    kept = dict(plan.kept)
    name = weight_named(name, [*dict(plan.fills), *kept])
    if name in kept:
        return Explanation(title=name, summary=f"{plan.name} leaves it as it is: {kept[name]}.")
    told = told_fill(plan[name], {})
    return replace(told, title=f"{name} under {plan.name}")


def told_advice(advice: Advice, facts: Mapping[str, Any]) -> Explanation:
    only("an Advice", facts, ("name",))
    if "name" in facts:
        return _tensor(advice.plan, facts["name"])
    found = [("confidence", advice.confidence)]
    if advice.learning_rate is not None:
        found.append(("learning rate", f"{advice.learning_rate:g}, the best one tried"))
    if advice.learning_rates is not None:
        found.append(("learning rates worth trying", "{:.2g} to {:.2g}".format(*advice.learning_rates)))
    if len(advice.ties) > 1:
        found.append(("the evidence cannot tell apart", ", ".join(advice.ties)))
    found += [(candidate.name, f"{candidate.verdict}: {candidate.reason}") for candidate in advice.ranking]
    return Explanation(
        title=f"Advice: {advice.name}",
        summary=" ".join(advice.reasons),
        facts=tuple(found),
        differences=(),
        avoid="",
    )
