"""A recipe's mechanism: the rules of a published model family, part by part, as frozen data.

Nothing is matched silently. A recipe that does not find the parts it is about says which, and what
the model has instead; what no rule is for is left alone and listed with that reason.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from ..core.codec import JsonMixin
from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..core.registry import Registry
from ..core.traits import checked_traits
from ..schemes import Option
from ..schemes.base import Value, checked_options, options_of
from .parts import PARTS
from .rules import COMMON, Rule
from .structure import Place, places

Given = Annotated[float, "0 means: as the model's shapes and names tell it"]


def _common(
    *,
    assign: Annotated[str, 'parts the names do not tell: "part=glob, part=glob"'] = "",
    width: Given = 0.0,
    heads: Given = 0.0,
    depth: Given = 0.0,
) -> None:
    """Options of every recipe: what a model's names and shapes do not tell."""


@dataclass(frozen=True)
class RecipeRow:
    """One recipe, as the registry and `explain` know it.

    Attributes:
        name, aliases: what users call it.
        steps: the function `steps(**options) -> tuple[Rule, ...]`; an option `flavor` chooses among
            published variants of one model.
        summary: plain words. citation: the source. evidence: as for schemes.
        differences: where implementations of the same model differ.
        avoid: when not to use it. gaps: what it does not say yet.
        suits, unsuited: the kinds of model it is about, in words of `core.traits.TRAITS`.
    """

    name: str
    steps: Callable[..., tuple[Rule, ...]]
    summary: str
    citation: str
    evidence: str = "verified in source"
    aliases: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    avoid: str = ""
    gaps: tuple[str, ...] = ()
    suits: tuple[str, ...] = ()
    unsuited: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked_traits(f"recipe {self.name!r}", (*self.suits, *self.unsuited))

    @property
    def options(self) -> tuple[Option, ...]:
        """The options with their defaults and meanings."""
        return (*options_of(self.steps), *options_of(_common))

    @property
    def flavors(self) -> tuple[str, ...]:
        """Its published variants; () if there is only one."""
        return next((option.legal for option in self.options if option.name == "flavor"), ())

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON data, its function left out."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del data["steps"]
        for name in ("aliases", "differences", "gaps", "suits", "unsuited"):
            data[name] = list(data[name])
        return {**data, "options": [option.to_dict() for option in self.options]}


registry: Registry[RecipeRow] = Registry("recipe", "initwise.recipes", RecipeRow, "initwise.recipes")


@dataclass(frozen=True)
class Recipe(JsonMixin):
    """A published model's initialization with its options. Make one with `recipe(name, **options)`.

    Attributes:
        name: the row's name. options: every option as (name, value).

    Raises:
        UnknownNameError: no recipe has this name. OptionError: an option it does not have.
    """

    name: str
    options: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self) -> None:
        row = registry[self.name]
        object.__setattr__(self, "name", row.name)
        checked = checked_options(f"recipe {row.name!r}", row.options, dict(self.options))
        object.__setattr__(self, "options", checked)
        _ = self.steps

    @property
    def row(self) -> RecipeRow:
        """The registry's row: summary, citation, differences."""
        return registry[self.name]

    @property
    def steps(self) -> tuple[Rule, ...]:
        """The rules, without those that every recipe has."""
        own = {option.name for option in options_of(self.row.steps)}
        return self.row.steps(**{name: value for name, value in self.options if name in own})

    def __str__(self) -> str:
        defaults = {option.name: option.default for option in self.row.options}
        given = [f"{name}={value!r}" for name, value in self.options if value != defaults[name]]
        return self.name + (f"({', '.join(given)})" if given else "")

    def plan(self, parameters: Iterable[ParameterInfo]) -> Plan:
        """Every parameter's Fill, from an adapter's list.

        Args:
            parameters: as `adapter_for(model).parameters(model)` gives them.

        Returns:
            The Plan; parameters that are frozen, refused or matched by no rule are in `kept`.

        Raises:
            ModelError: the model has none of a part that the recipe is about, two rules want
                different things of one tensor, or a formula needs a number (depth, heads) that
                the model does not tell.
        """
        found = places(tuple(parameters), dict(self.options))
        rules = self.steps
        self._check(found, rules)
        fills: list[tuple[str, Fill]] = []
        kept: list[tuple[str, str]] = []
        for place in found:
            decided = self._decide(place, rules, found)
            if isinstance(decided, Fill):
                fills.append((place.info.name, decided))
            else:
                kept.append((place.info.name, decided))
        return Plan(self.name, tuple(fills), tuple(kept))

    def _check(self, found: Sequence[Place], rules: Sequence[Rule]) -> None:
        missing = [rule for rule in rules if rule.missing(found)]
        if missing:
            raise _misfit(self, missing, found)

    def _decide(self, place: Place, rules: Sequence[Rule], found: Sequence[Place]) -> Fill | str:
        info = place.info
        if info.status not in ("ready", "empty"):
            return info.problem or info.status
        rule = _chosen(self, place, rules) or _chosen(self, place, COMMON)
        if rule is None:
            return _unruled(self, place)
        fill = rule.law.make(place)
        if fill is None:
            return rule.reason or f"recipe {self.name!r} leaves it"
        drawn = fill.law != "constant" or fill.mean != 0
        return dataclasses.replace(
            fill,
            layout=fill.layout or info.layout,
            zero_row=info.zero_row if drawn else None,
            draw=_original(rule, place, found),
            reason=rule.reason or fill.reason,
            citation=self.row.citation,
        )


def _chosen(recipe: Recipe, place: Place, rules: Sequence[Rule]) -> Rule | None:
    """The most particular rule. Raises ModelError if two of them disagree."""
    rules = [rule for rule in rules if rule.matches(place)]
    if not rules:
        return None
    rank = max(rule.rank for rule in rules)
    best = [rule for rule in rules if rule.rank == rank]
    other = next((rule for rule in best[1:] if rule.law.words != best[0].law.words), None)
    if other is not None:
        raise ModelError(
            f"two rules want it: {best[0].matching} ({best[0].doing}) and {other.matching} ({other.doing})",
            where=f"recipe {recipe.name!r}, {place.info.name}",
            expected="one rule, or one that is more particular",
            fix=f'Say what it is: recipe("{recipe.name}", assign="PART={place.info.name}").',
        )
    return best[0]


def _original(rule: Rule, place: Place, found: Sequence[Place]) -> str:
    """The parameter that this one starts as a copy of: the first of that part, if it is as large."""
    if not rule.copies:
        return ""
    size = math.prod(place.info.shape)
    same = (other.info for other in found if other.part == rule.copies and other.role == "weight")
    return next((info.name for info in same if math.prod(info.shape) == size), "")


def _unruled(recipe: Recipe, place: Place) -> str:
    if place.role == "bare":
        return "of unknown purpose: only an explicit rule touches it"
    return f"no rule of recipe {recipe.name!r} is for {place.part or place.role}"


def _misfit(recipe: Recipe, missing: Sequence[Rule], found: Sequence[Place]) -> ModelError:
    """The recipe is about parts the model does not have."""
    asked = next((rule for rule in missing if rule.option), None)
    if asked is not None:
        return ModelError(
            f"no parameter is called {' or '.join(asked.names)}",
            where=f"recipe {recipe.name!r}",
            expected=f"{asked.option}: {asked.reason}",
            cause="the model's layers have other names",
        )
    left = [place.info.name for place in found if not place.part and place.role in ("weight", "embedding")]
    has = sorted({place.part for place in found if place.part})
    wanted = sorted({part for rule in missing for part in rule.missing(found)})
    part = next((name for name in wanted if name in PARTS), "")
    return ModelError(
        f"the model has no {', '.join(wanted) or 'matrix'}",
        where=f"recipe {recipe.name!r}",
        expected="a model of this family",
        cause=f"it has {', '.join(has) or 'no part the names tell'}"
        + (f"; of unknown part: {_listed(left)}" if left else ""),
        fix=f'Name its parts, if it is one: recipe("{recipe.name}", assign="{part}=GLOB").' if part else "",
    )


def _listed(names: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def recipe(name: str, **options: Any) -> Recipe:
    """The recipe called `name` (or alias), with `options`.

    Raises:
        UnknownNameError: no such recipe. OptionError: an option it does not have.

    >>> print(recipe("gpt2", std=0.01))
    gpt2(std=0.01)
    """
    return Recipe(registry[name].name, tuple(options.items()))


def recipes() -> tuple[RecipeRow, ...]:
    """All recipes, sorted by name."""
    return registry.rows()
