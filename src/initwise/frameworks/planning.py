"""From whatever names a plan (a scheme, a recipe, rules) to the Plan for one model.

Rules are full parameter names, or globs over them where no parameter has that very name. `*`
matches dots too: "encoder.*" is everything inside the encoder. A tied parameter answers to all of
its names. A rule's value is a scheme (or its name), a Fill, or "keep". Where two rules of a mapping
match a parameter, a full name wins over a pattern, and of two patterns the later; `rules` beside a
plan win over the plan. The reason of what is filled or kept says which rule was overridden.
"""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import ModelError, OptionError, UnknownNameError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..core.records import Advice
from ..core.registry import unknown
from ..recipes import Recipe
from ..recipes import registry as recipes
from ..schemes import Scheme
from ..schemes import registry as schemes
from ..schemes.adapters import RECIPES as OF_ADAPTERS
from .fitting import fitted
from .placing import placed

KEEP = "keep"
MATRICES = frozenset({"weight", "recurrent"})


@dataclass(frozen=True)
class Resolved:
    """A plan for one model, and the parameters that a rule named in full."""

    plan: Plan
    named: frozenset[str] = frozenset()
    spared: bool = False
    """Does a rule say "keep"?"""


def resolve(
    model: Any,
    infos: Sequence[ParameterInfo],
    plan: Any,
    rules: Mapping[str, Any] | None = None,
    *,
    example: Any = None,
    seed: int = 0,
) -> Resolved:
    """The Plan that `plan` and `rules` mean for `model`; every Fill fits its parameter.

    Raises: see `initialize.plan_for`.
    """
    ordered = _in_order(infos, _by_glob(rules or {}, "rules"))
    if isinstance(plan, Mapping) and not isinstance(plan, Plan):
        ordered, base = _in_order(infos, _by_glob(plan, "plan")) + ordered, Plan("rules", ())
        _not_empty(ordered)
    else:
        base = _base(model, infos, plan, example, seed)
    return _ruled(infos, _checked(infos, base), ordered)


def _in_order(infos: Sequence[ParameterInfo], rules: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The rules of one mapping, those that win last: patterns as they stand, then full names."""
    names = {name for info in infos for name in _called(info)}
    return sorted(rules.items(), key=lambda rule: rule[0] in names)


def _by_glob(rules: Any, where: str) -> dict[str, Any]:
    """`rules` as a dict. Raises OptionError for anything else than a mapping from globs."""
    fix = 'For example {"*.weight": "he_normal", "head.*": "keep"}.'
    if not isinstance(rules, Mapping):
        raise OptionError(
            f"a value of type {type(rules).__name__}",
            where=where,
            expected="a mapping {glob: scheme, Fill or 'keep'}",
            fix=fix,
        )
    strange = next((glob for glob in rules if not isinstance(glob, str) or not glob), None)
    if strange is not None:
        raise OptionError(
            f"the key {strange!r}", where=where, expected="globs over parameter names as keys", fix=fix
        )
    return dict(rules)


def _not_empty(rules: Sequence[Any]) -> None:
    if not rules:
        raise OptionError(
            "an empty mapping", where="plan", expected="{glob: scheme}", fix='For example {"*": "he_normal"}.'
        )


def _base(model: Any, infos: Sequence[ParameterInfo], plan: Any, example: Any, seed: int) -> Plan:
    if isinstance(plan, Advice):
        return plan.plan
    if isinstance(plan, Plan):
        return plan
    law = _law(plan)
    if isinstance(law, Scheme) and law.name in OF_ADAPTERS:
        name, flavor = OF_ADAPTERS[law.name]
        law = Recipe(name, (("flavor", flavor),))
    if isinstance(law, Recipe):
        return law.plan(infos)
    planner = getattr(getattr(law, "row", None), "planner", "")
    if planner:
        return _planned(model, law, planner, example, seed)
    law = placed(law, infos)
    fills: list[tuple[str, Fill]] = []
    kept: list[tuple[str, str]] = []
    for info in infos:
        fill = law.fill_parameter(info) if info.status == "ready" else None
        if fill is not None:
            fills.append((info.name, fill))
        elif info.status == "ready":
            kept.append((info.name, _left(law.name, info)))
    return Plan(law.name, tuple(fills), tuple(kept))


def _left(name: str, info: ParameterInfo) -> str:
    if info.role == "bare":
        return "a parameter of unknown purpose: only a rule that names it fills it"
    return f"{name} leaves a {info.role} as it is"


def _law(plan: Any) -> Any:
    """A Scheme, a Recipe, or anything else that answers `fill_parameter`, from itself or its name."""
    if isinstance(plan, str):
        return named(plan, {})
    if isinstance(plan, Recipe):
        return plan
    if hasattr(plan, "fill_parameter") and hasattr(plan, "name"):
        return plan
    raise OptionError(
        f"a value of type {type(plan).__name__}",
        where="plan",
        expected="a Plan, an Advice, a scheme or recipe or its name, or a mapping {glob: scheme}",
        fix='For example init_(model, "he_normal"), or init_(model, initwise.choose(model, example)).',
    )


def named(name: str, options: Mapping[str, Any]) -> Scheme | Recipe:
    """The scheme or recipe of this name, with these options.

    Raises:
        UnknownNameError: neither has this name. OptionError, FillError: as for `Scheme` and `Recipe`.
    """
    if name in schemes:
        return Scheme(name, tuple(options.items()))
    if name in recipes:
        return Recipe(name, tuple(options.items()))
    raise unknown(name, schemes, recipes)


def _planned(model: Any, law: Scheme, planner: str, example: Any, seed: int) -> Plan:
    """A plan by a scheme of the whole model, which has to see it run."""
    if example is None:
        raise OptionError(
            f"scheme {law.name!r} without an example",
            where="example",
            expected="a batch, or its shapes",
            cause=_runs(law),
            fix=f'Pass one: init_(model, "{law.name}", example="f32[8,3,32,32]"), or a batch of data.',
        )
    module, function = planner.split(":")
    options = dict(law.options)
    plan: Plan = getattr(importlib.import_module(module), function)(model, example, seed=seed, **options)
    return plan


def _runs(law: Scheme) -> str:
    """Why a scheme of the whole model asks for an example, and whether it has to be data."""
    if law.row.calibrated:
        return f"{law.name} decides by what the model does to a batch; of shapes, to random numbers"
    return f"{law.name} runs the model once to see which layer follows which: its input's shapes are enough"


def _checked(infos: Sequence[ParameterInfo], plan: Plan) -> Plan:
    """The plan with its Fills fitted. Raises ModelError for names the model does not have."""
    known = {info.name: info for info in infos}
    owners = {alias: info.name for info in infos for alias in info.aliases}
    for name in plan:
        if name not in known:
            raise _stranger(plan, name, known, owners)
    fills = []
    for name, fill in plan.fills:
        info = known[name]
        if info.status == "refused":
            raise _refused(info)
        fills.append((name, fill if info.status == "empty" else fitted(info, fill)))
    return Plan(plan.name, tuple(fills), plan.kept)


def _stranger(
    plan: Plan, name: str, known: Mapping[str, ParameterInfo], owners: Mapping[str, str]
) -> ModelError:
    if name in owners:
        return ModelError(
            f"plan {plan.name!r} fills {name!r}, which is tied to {owners[name]!r}",
            where="plan",
            expected="each tensor once, under its owner's name",
            fix=f"Name {owners[name]!r} instead.",
        )
    missing = [other for other in plan if other not in known and other not in owners]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return ModelError(
        f"plan {plan.name!r} fills {name!r}{more}, which the model does not have",
        where="plan",
        cause="the plan was made for another model",
        given=name,
        legal=known if len(known) <= 20 else _near(name, known),
        fix="Make the plan for this model.",
    )


def _refused(info: ParameterInfo) -> ModelError:
    return ModelError("it cannot be filled", where=info.name, cause=info.problem)


def _near(name: str, known: Mapping[str, Any]) -> list[str]:
    """The known names that are most like `name`."""
    import difflib

    return difflib.get_close_matches(name, known, n=5, cutoff=0.3) or list(known)[:5]


def _ruled(infos: Sequence[ParameterInfo], plan: Plan, rules: Sequence[tuple[str, Any]]) -> Resolved:
    fills, kept, named = dict(plan.fills), dict(plan.kept), set()
    before: dict[str, str] = {}
    for glob, value in rules:
        for info, fill in _rule(infos, glob, value):
            fill = _as_one_tensor(info, glob, fill)
            fills.pop(info.name, None)
            kept.pop(info.name, None)
            over = before.get(info.name)
            before[info.name] = glob
            if fill is None:
                why = f"rule {glob!r} keeps it" if _keeps(value) else _left(glob, info)
                kept[info.name] = why if over is None else f"{why}, over rule {over!r}"
            else:
                fills[info.name] = fitted(info, fill if over is None else _instead(fill, glob, over))
            if glob in _called(info):
                named.add(info.name)
    order = {info.name: position for position, info in enumerate(infos)}
    ordered = tuple(sorted(fills.items(), key=lambda item: order[item[0]]))
    name = plan.name if not rules or plan.name == "rules" else f"{plan.name} + rules"
    spared = any(_keeps(value) for _, value in rules)
    return Resolved(Plan(name, ordered, tuple(kept.items())), frozenset(named), spared)


def same_tensor(alias: str) -> str:
    """Why a rule for one of a tied tensor's names decides the others."""
    return f"{alias} is the same tensor"


def _as_one_tensor(info: ParameterInfo, glob: str, fill: Fill | None) -> Fill | None:
    """The fill, whose reason says that the rule named the tensor by another of its names."""
    if fill is None or fnmatch.fnmatchcase(info.name, glob) or info.name == glob:
        return fill
    alias = next(name for name in info.aliases if name == glob or fnmatch.fnmatchcase(name, glob))
    known = "" if fill.reason == f"rule {glob!r}" else f"{fill.reason}; "
    return fill.because(f"{known}rule {glob!r} decides it: {same_tensor(alias)}")


def _instead(fill: Fill, glob: str, over: str) -> Fill:
    """The fill, whose reason says that its rule overrode another."""
    rule = f"rule {glob!r}"
    known = "" if fill.reason == rule else fill.reason
    return fill.because("; ".join(filter(None, (known, f"{rule}, over rule {over!r}"))))


def _keeps(value: Any) -> bool:
    return isinstance(value, str) and value == KEEP


def _rule(infos: Sequence[ParameterInfo], glob: str, value: Any) -> list[tuple[ParameterInfo, Fill | None]]:
    """The parameters one rule is for, each with its Fill, or None to keep it."""
    matched = _matched(infos, glob)
    if not matched:
        raise _unmatched(infos, glob)
    if _keeps(value):
        return [(info, None) for info in matched]
    # a wildcard must not overwrite what was frozen on purpose
    writable = [i for i in matched if i.status == "ready" or (i.status == "frozen" and glob in _called(i))]
    if not writable:
        if all(info.status == "empty" for info in matched):
            return []
        raise _nothing(glob, matched)
    if isinstance(value, Fill):
        why = value if value.reason else value.because(f"rule {glob!r}")
        return [(info, why) for info in writable]
    return _by_scheme(glob, placed(_ruling(glob, value), infos), writable)


def _matched(infos: Sequence[ParameterInfo], glob: str) -> list[ParameterInfo]:
    """The parameters a rule names: in full, or else by its pattern; each by any of its names."""
    exact = [info for info in infos if glob in _called(info)]
    return exact or [i for i in infos if any(fnmatch.fnmatchcase(name, glob) for name in _called(i))]


def _called(info: ParameterInfo) -> tuple[str, ...]:
    return (info.name, *info.aliases)


def _ruling(glob: str, value: Any) -> Any:
    if not isinstance(value, str) and not hasattr(value, "fill_parameter"):
        raise OptionError(
            f"a value of type {type(value).__name__}",
            where=f"rule {glob!r}",
            expected=f"a scheme or its name, a Fill, or {KEEP!r}",
            fix=f"Fill.normal(0, {value!r}) draws with this std, Fill.constant({value!r}) is it everywhere."
            if isinstance(value, (int, float)) and not isinstance(value, bool)
            else "",
        )
    law = _law(value)
    recipe_given = isinstance(law, Recipe)
    if recipe_given or bool(getattr(getattr(law, "row", None), "planner", "")):
        raise OptionError(
            f"{'recipe' if recipe_given else 'scheme'} {law.name!r}",
            where=f"rule {glob!r}",
            expected="a scheme for single parameters",
            cause=f"{law.name} decides for a whole model",
            fix=f'Make it the plan: init_(model, "{law.name}", example=…).',
        )
    return law


def _by_scheme(
    glob: str, law: Any, writable: Sequence[ParameterInfo]
) -> list[tuple[ParameterInfo, Fill | None]]:
    """A rule for a part of the model treats each role by the scheme's table; a rule for vectors or
    tables alone means the law itself."""
    if any(info.role in MATRICES for info in writable):
        return [(info, law.fill_parameter(info)) for info in writable]
    return [(info, _directly(glob, law, info)) for info in writable]


def _directly(glob: str, law: Any, info: ParameterInfo) -> Fill:
    row = getattr(law, "row", None)
    fill: Fill | None = None
    if row is None or row.needs or info.role in row.roles:
        fill = law.fill_parameter(info)
    elif row.elementwise:
        fill = law.fill(None)
    elif info.fans is not None and info.role == "embedding":
        fill = law.fill(info.fans)
    if fill is not None:
        return fill
    raise OptionError(
        f"scheme {law.name!r} for {info.name!r}, a {info.role} of shape {info.shape} without fans",
        where=f"rule {glob!r}",
        expected="a law that needs no fans",
        cause="a fan rule was given to a vector or to a parameter of unknown purpose",
        fix="Use zeros, ones, constant(value), uniform(low, high) or normal(mean, std), or a Fill.",
    )


def _unmatched(infos: Sequence[ParameterInfo], glob: str) -> UnknownNameError:
    known = {info.name: None for info in infos}
    return UnknownNameError(
        f"rule {glob!r} matches no parameter",
        legal=known if len(known) <= 20 else _near(glob, known),
        given=glob,
        fix='`*` matches dots too: "encoder.*" is everything inside the encoder.',
    )


def _nothing(glob: str, matched: Sequence[ParameterInfo]) -> ModelError:
    info = next((i for i in matched if i.status == "refused"), matched[0])
    frozen = info.status == "frozen"
    return ModelError(
        f"nothing it matches can be filled; {info.name}: {info.problem}",
        where=f"rule {glob!r}",
        fix="Name frozen parameters in full, so that no wildcard overwrites them." if frozen else "",
    )
