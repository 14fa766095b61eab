"""A recipe's mechanism: the rules of a published model family, part by part, as frozen data.

Nothing is matched silently. A recipe that does not find the parts it is about says which, and what
the model has instead; what no rule is for is left alone and listed with that reason.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ..core.codec import JsonMixin
from ..core.errors import FillError, InitwiseError, ModelError, OptionError, UnknownNameError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..core.registry import Registry, unknown
from ..core.traits import checked_traits
from ..schemes import Option
from ..schemes.base import Value, checked_options, options_of
from ..schemes.options import by_name
from .parts import PARTS
from .rules import COMMON, Rule
from .structure import Place, places

Given = Annotated[float, "a whole number; 0 means: as the model's shapes and names tell it"]
Unmatched = Annotated[Literal["error", "allow"], "what to do about a glob of an option that matches nothing"]


def _common(
    *,
    assign: Annotated[str, 'parts the names do not tell: "part=glob, part=glob"'] = "",
    width: Given = 0.0,
    heads: Given = 0.0,
    depth: Given = 0.0,
    unmatched: Unmatched = "error",
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
        self._sizes_are_whole()
        try:
            _ = self.steps
        except ArithmeticError as error:
            raise OptionError(
                f"its rules have no value with these options: {error}",
                where=f"recipe {str(self)!r}",
                expected="options that give finite numbers",
            ) from error

    def _sizes_are_whole(self) -> None:
        for name, value in self.options:
            whole = isinstance(value, (int, float)) and value >= 0 and value == int(value)
            if name in ("width", "heads", "depth") and not whole:
                raise OptionError(
                    f"{name}={value!r}",
                    where=f"recipe {self.name!r}",
                    expected="a whole number > 0, or 0 for what the model's shapes and names tell",
                )

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
            ModelError: no parameters at all, none of a part that the recipe is about, an option's glob
                that matches nothing, two rules that want different things of one tensor, or a formula
                that needs a number (depth, heads) that the model does not tell.
            OptionError: a law that the options make impossible.
        """
        infos = tuple(parameters)
        if not infos:
            raise ModelError(
                "the model has no parameters",
                where=f"recipe {self.name!r}",
                expected="a model of this family",
                cause="a module without layers, or one whose layers are not registered (kept in a plain "
                "list)",
            )
        found = places(infos, dict(self.options))
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
        if dict(self.options)["unmatched"] == "error":
            _all_matched(self, found, rules)
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
        fill = _made(self, rule, place)
        if fill is None:
            return rule.reason or f"recipe {self.name!r} leaves it"
        drawn = fill.law != "constant" or fill.mean != 0
        return dataclasses.replace(
            fill,
            layout=fill.layout or info.layout,
            zero_row=info.zero_row if drawn else None,
            draw=_original(rule, place, found),
            reason="; ".join(
                filter(None, (rule.reason or fill.reason, _depth_given(self, rule, place, fill)))
            ),
            citation=self.row.citation,
        )


def _made(recipe: Recipe, rule: Rule, place: Place) -> Fill | None:
    """The law's Fill. Raises OptionError where the options make it impossible."""
    where = f"recipe {str(recipe)!r}, {place.info.name}"
    try:
        return rule.law.make(place)
    except FillError as error:
        raise OptionError(
            f"its law {rule.doing} is none: {error.got}", where=where, expected=error.expected
        ) from error
    except InitwiseError:
        raise
    except (ArithmeticError, ValueError) as error:
        raise OptionError(
            f"its law {rule.doing} has no value: {error}", where=where, expected="options that give a number"
        ) from error


def _depth_given(recipe: Recipe, rule: Rule, place: Place, fill: Fill) -> str:
    """That a number of blocks came from the user, where it is another one than that seen and matters."""
    depth, seen = dict(recipe.options)["depth"], place.seen
    if not depth or seen is None or seen == depth:
        return ""
    if _made(recipe, rule, dataclasses.replace(place, blocks=seen)) == fill:
        return ""
    return f"depth {depth:g} as given; {seen} blocks here"


def _all_matched(recipe: Recipe, found: Sequence[Place], rules: Sequence[Rule]) -> None:
    """Every glob that the user gave matches something."""
    for rule in rules:
        idle = rule.idle(found) if rule.option else ()
        if idle:
            raise ModelError(
                f"no parameter is called {' or '.join(idle)}",
                where=f"recipe {recipe.name!r}",
                expected=f"{rule.option}: {rule.reason}",
                cause="the model's layers have other names",
                fix=f"Some weights: {_listed([p.info.name for p in found if p.role == 'weight'], 3)}. "
                'A glob that may match nothing: unmatched="allow".',
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
    left = [place.info.name for place in found if not place.part and place.role in ("weight", "embedding")]
    has = sorted({place.part for place in found if place.part})
    wanted = list(dict.fromkeys(word for rule in missing for word in _wanted(rule, found)))
    parts = list(dict.fromkeys(part for rule in missing for part in _parts(rule, found)))
    assign = ", ".join(f"{part}=GLOB" for part in parts)
    return ModelError(
        f"the model has no {', '.join(wanted) or 'matrix'}",
        where=f"recipe {recipe.name!r}",
        expected="a model of this family",
        cause=f"it has {', '.join(has) or 'no part the names tell'}"
        + (f"; of unknown part: {_listed(left)}" if left else ""),
        fix=(f'Name its parts, if it is one: recipe("{recipe.name}", assign="{assign}"). ' if parts else "")
        + "For a model of another family: choose(model, example).",
    )


def _wanted(rule: Rule, found: Sequence[Place]) -> tuple[str, ...]:
    """What a rule misses, in words: parts, or a parameter by what it is called."""
    missing = rule.missing(found)
    if rule.positions and not rule.parts and not rule.names:
        return (f"matrix that is the {' or '.join(rule.positions)} of a chain of several layers",)
    if rule.parts or not rule.names:
        return missing
    return (f"parameter called {' or '.join(missing[:3])}{' …' if len(missing) > 3 else ''}",)


def _parts(rule: Rule, found: Sequence[Place]) -> list[str]:
    """The parts that would have to be named; of a glob the first it stands for."""
    known = [[name for name in PARTS if fnmatch.fnmatchcase(name, glob)] for glob in rule.missing(found)]
    if rule.needed == "any":
        return [names[0] for names in known if names][:1]
    return [names[0] for names in known if names]


def _listed(names: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def recipe(name: str, *unnamed: Any, **options: Any) -> Recipe:
    """The recipe called `name` (or alias), with `options`.

    A hyphen may stand for an underscore: transformers' own names of its families have both.

    Raises:
        UnknownNameError: no such recipe. OptionError: an option it does not have.

    >>> print(recipe("gpt2", std=0.01))
    gpt2(std=0.01)
    """
    if not isinstance(name, str):
        raise UnknownNameError(
            f"no recipe is called {name!r}", expected="a name", fix='For example recipe("gpt2").'
        )
    known = name if name in registry else name.replace("-", "_")
    if known in registry and unnamed:
        raise by_name("recipe", registry[known].name, registry[known].options, unnamed)
    if known in registry:
        return Recipe(registry[known].name, tuple(options.items()))
    error = unknown(name, registry)
    if error.fix or not isinstance(error, UnknownNameError):
        raise error
    raise UnknownNameError(
        error.got,
        cause=error.cause,
        legal=registry.names(),
        given=name,
        listing="initwise list recipes",
        fix='A family of transformers without a rule of its own: recipe("hf_default"). Any other model: '
        "choose(model, example).",
    )


def recipes() -> tuple[RecipeRow, ...]:
    """All recipes, sorted by name."""
    return registry.rows()
