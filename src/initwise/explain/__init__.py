"""explain: what a scheme, an activation, a recipe, a Fill, a model or an Advice is, and its numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ..activations import Activation, ActivationRow, activation
from ..activations import registry as activation_registry
from ..core.errors import ModelError, OptionError, UnknownNameError
from ..core.fill import Fill
from ..core.layout import Fans
from ..core.plan import Plan
from ..core.records import Advice, Explanation
from ..core.registry import unknown
from ..recipes import Recipe, RecipeRow
from ..recipes import registry as recipe_registry
from ..schemes import Scheme, SchemeRow
from ..schemes import registry as scheme_registry
from .finding import find
from .functions import activation_by_name, activation_row, told_activation
from .glossary import glossary, term_by_name
from .glossary import registry as glossary_registry
from .models import told_model
from .parts import with_facts
from .plans import recipe_by_name, recipe_row, told_advice, told_plan, told_recipe
from .spelled import call_of
from .weights import scheme_by_name, scheme_row, told_fans, told_fill, told_scheme

__all__ = ["explain", "find", "glossary"]


def explain(thing: Any, part: str = "", /, **facts: Any) -> Explanation:
    """What `thing` is: plain words, closed form, source, differences among frameworks, numbers.

    Args:
        thing: a scheme's, activation's or recipe's name (or the object itself), with its options if you
            like ("he_normal(mode='fan_out')", as schemes are printed), a term of the glossary
            ("fan-in"), a Fill, Fans, a Plan or an Advice, a model or layer of a framework, or a function
            of an array.
        part: of a Plan, an Advice or a model: a parameter's name, or its layer's. The same as `name=`.
        facts: what it is to be explained for. For a scheme: its options, and `fan_in`, `fan_out`
            (or `shape`, `layout`, `groups`, `stride`, `parts`), `gain`, `activation`, `q`. For
            an activation: its parameters, `q`, `fan_in`, `fan_out`. For a Plan, an Advice or a
            model: `name`, as `part`. For a name that is more than one thing: `kind`,
            "scheme", "activation", "recipe" or "term".

    Raises:
        UnknownNameError: no such name. OptionError: a fact that does not belong to it, or
            something that cannot be explained.

    >>> dict(explain("he_normal", fan_in=64).facts)["these fans"]
    'N(0, 0.176777)'
    """
    if part:
        if "name" in facts:
            raise OptionError(f"{part!r} and name={facts['name']!r}", where="explain", expected="one of them")
        facts = {"name": part, **facts}
    if isinstance(thing, str):
        return _named(thing, facts)
    for kind, teller in TELLERS:
        if isinstance(thing, kind):
            return teller(thing, facts)
    if inspect.isclass(thing):
        raise _unknown_thing(thing, f"Pass an instance: explain({thing.__name__}(…)).")
    try:
        return told_model(thing, facts)
    except ModelError:
        if not callable(thing):
            raise _unknown_thing(thing) from None
    return told_activation(activation(thing), facts)


def _unknown_thing(thing: Any, fix: str = "") -> OptionError:
    kind = f"the class {thing.__name__}" if inspect.isclass(thing) else f"a {type(thing).__name__}"
    return OptionError(
        f"{kind} cannot be explained",
        expected="the name of a scheme, activation, recipe or term, a Fill, Plan, Advice, model or function",
        fix=fix,
    )


def _named(name: str, facts: Mapping[str, Any]) -> Explanation:
    """A name is looked for among schemes, then activations, recipes, and the glossary's terms."""
    facts = dict(facts)
    kind = facts.pop("kind", None)
    bare = name.partition("(")[0].strip()
    found = [label for label, (registry, _) in KINDS.items() if bare in registry]
    if kind is not None and kind not in KINDS:
        raise OptionError(f"kind={kind!r}", where="explain", legal=KINDS, given=str(kind))
    if not found or (kind and kind not in found):
        raise _unknown_name(name, kind)
    chosen = kind or found[0]
    if chosen in ("scheme", "recipe"):
        name, options = call_of(name)
        facts = {**options, **facts}
    told = KINDS[chosen][1](name, facts)
    others = [label for label in found if label != chosen]
    return with_facts(told, (("also", f'the {other} {bare}: kind="{other}"') for other in others))


def _unknown_name(name: str, kind: str | None) -> Exception:
    asked = [registry for label, (registry, _) in KINDS.items() if kind in (None, label)]
    registries = [registry for registry in asked if registry is not glossary_registry]
    terms = glossary_registry.names() if glossary_registry in asked else ()
    listing = "initwise list glossary" if kind == "term" else ""
    named = kind or "scheme, activation, recipe or term"
    error = unknown(name, *registries, kind=named, legal=terms, listing=listing)
    meant = _last_of_path(name, kind)
    return UnknownNameError(error.got, cause=error.cause, fix=meant) if meant else error


def _last_of_path(name: str, kind: str | None) -> str:
    """What the last word of a path like "torch.nn.GELU" is here, "" if nothing."""
    path, _, last = name.partition("(")[0].rpartition(".")
    for label, (registry, _) in KINDS.items():
        for word in (last, last.rstrip("_")):
            if path and kind in (None, label) and word in registry:
                return f"Did you mean the {label} {registry[word].name!r}?"
    return ""


Teller = Callable[[Any, Mapping[str, Any]], Explanation]

KINDS: dict[str, tuple[Any, Callable[[str, Mapping[str, Any]], Explanation]]] = {
    "scheme": (scheme_registry, scheme_by_name),
    "activation": (activation_registry, activation_by_name),
    "recipe": (recipe_registry, recipe_by_name),
    "term": (glossary_registry, term_by_name),
}

TELLERS: tuple[tuple[type, Teller], ...] = (
    (Scheme, told_scheme),
    (SchemeRow, scheme_row),
    (Activation, told_activation),
    (ActivationRow, activation_row),
    (Recipe, told_recipe),
    (RecipeRow, recipe_row),
    (Fill, told_fill),
    (Fans, told_fans),
    (Plan, told_plan),
    (Advice, told_advice),
)
