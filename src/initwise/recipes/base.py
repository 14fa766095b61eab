"""A recipe's mechanism: the per-role rules of a published model family, as frozen data.

A recipe is a list of steps. The first step that matches a parameter decides; what none matches is
left alone and listed with that reason. Nothing is matched silently: a step that must match and
does not is an error, because a rule that never fires is the commonest way an initialization goes
missing.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.codec import JsonMixin
from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from ..core.registry import Registry
from ..schemes import Option, Scheme
from ..schemes.base import Value, checked_options, options_of

DEPTHS = ("", "total", "index")


@dataclass(frozen=True)
class Step(JsonMixin):
    """What some parameters of a model get.

    Attributes:
        scheme: their law; None leaves them as they are.
        roles: roles it is for, () for all.
        names: globs on the full name ("*.c_proj.weight"), () for all.
        direct: apply the law to the tensor itself, whatever its role (N(1, 0.02) for a norm's
            gain); otherwise by role, so that biases are 0 and norms start as themselves.
        depth: "total" divides the std by √(2L), "index" by √(2(l+1)), with L the number of
            blocks and l the parameter's own, from 0; "" by nothing.
        option: name of the option that holds `names`; then it must match something.
        reason: why, in one sentence.
    """

    scheme: Scheme | None
    roles: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    direct: bool = False
    depth: str = ""
    option: str = ""
    reason: str = ""

    @property
    def matching(self) -> str:
        """For whom, in words."""
        words = [*self.roles, *self.names]
        return ", ".join(words) if words else "everything else"

    @property
    def doing(self) -> str:
        """What they get, in words."""
        if self.scheme is None:
            return "left as they are"
        over = {"total": ", std over √(2L)", "index": ", std over √(2(l+1))"}.get(self.depth, "")
        return f"{self.scheme}{over}" + ("" if self.direct else ", by role")

    def matches(self, info: ParameterInfo) -> bool:
        """Is this step for that parameter? Tied names count."""
        if self.roles and info.role not in self.roles:
            return False
        names = (info.name, *info.aliases)
        return not self.names or any(fnmatch.fnmatchcase(name, glob) for name in names for glob in self.names)


@dataclass(frozen=True)
class RecipeRow:
    """One recipe, as the registry and `explain` know it.

    Attributes:
        name, aliases: what users call it.
        steps: the function `steps(**options) -> tuple[Step, ...]`.
        summary: plain words. citation: the source. evidence: as for schemes.
        differences: where implementations of the same model differ.
        avoid: when not to use it.
    """

    name: str
    steps: Callable[..., tuple[Step, ...]]
    summary: str
    citation: str
    evidence: str
    aliases: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    avoid: str = ""

    @property
    def options(self) -> tuple[Option, ...]:
        """The options with their defaults and meanings."""
        return options_of(self.steps)

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON data, its function left out."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del data["steps"]
        for name in ("aliases", "differences"):
            data[name] = list(data[name])
        return {**data, "options": [option.to_dict() for option in self.options]}


registry: Registry[RecipeRow] = Registry("recipe", "initwise.recipes", "initwise.recipes")


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
        row.steps(**dict(checked))

    @property
    def row(self) -> RecipeRow:
        """The registry's row: summary, citation, differences."""
        return registry[self.name]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rules, in the order they are tried."""
        return self.row.steps(**dict(self.options))

    def plan(self, parameters: Iterable[ParameterInfo]) -> Plan:
        """Every parameter's Fill, from an adapter's list.

        Args:
            parameters: as `adapter_for(model).parameters(model)` gives them.

        Returns:
            The Plan; parameters that are frozen, refused or matched by no step are in `kept`.

        Raises:
            ModelError: a step that must match names nothing of this model, or depth is asked of
                a model without numbered blocks.
        """
        infos, steps = tuple(parameters), self.steps
        self._check(infos, steps)
        blocks = _blocks(infos)
        fills: list[tuple[str, Fill]] = []
        kept: list[tuple[str, str]] = []
        for info in infos:
            found = self._decide(info, steps, blocks)
            if isinstance(found, Fill):
                fills.append((info.name, found))
            else:
                kept.append((info.name, found))
        return Plan(self.name, tuple(fills), tuple(kept))

    def _check(self, infos: tuple[ParameterInfo, ...], steps: tuple[Step, ...]) -> None:
        for step in steps:
            if step.option and not any(step.matches(info) for info in infos):
                raise ModelError(
                    f"no parameter is called {' or '.join(step.names)}",
                    where=f"recipe {self.name!r}",
                    expected=f"a matrix that {step.reason}",
                    cause="the model's layers have other names than this family's",
                    fix=f'Say which it is, for example recipe("{self.name}", {step.option}="*.out.weight").',
                )

    def _decide(self, info: ParameterInfo, steps: tuple[Step, ...], blocks: Mapping[str, int]) -> Fill | str:
        if info.status not in ("ready", "empty"):
            return info.problem or info.status
        step = next((step for step in steps if step.matches(info)), None)
        if step is None:
            return f"no rule of recipe {self.name!r} names it"
        if step.scheme is None:
            return step.reason or f"recipe {self.name!r} leaves it"
        fill = step.scheme.fill(info.fans) if step.direct else step.scheme.fill_parameter(info)
        if fill is None:
            return "of unknown purpose: only an explicit rule touches it"
        divisor, words = _divisor(step, info, blocks, self.name)
        reason = step.reason or fill.reason
        fill = fill.scaled(1 / divisor) if words else fill
        return dataclasses.replace(
            fill,
            layout=fill.layout or info.layout,
            zero_row=info.zero_row,
            reason=reason + words if info.role in ("weight", "recurrent", "embedding") else fill.reason,
            citation=self.row.citation,
        )


def _blocks(infos: tuple[ParameterInfo, ...]) -> dict[str, int]:
    """Numbered blocks by the path before the number: {"transformer.h": 12}."""
    found: dict[str, set[int]] = {}
    for info in infos:
        match = re.match(r"(.*?)\.(\d+)\.", info.name)
        if match:
            found.setdefault(match[1], set()).add(int(match[2]))
    return {path: len(numbers) for path, numbers in found.items()}


def _divisor(step: Step, info: ParameterInfo, blocks: Mapping[str, int], recipe: str) -> tuple[float, str]:
    """What the std is divided by for depth, and the words for it."""
    if not step.depth:
        return 1.0, ""
    match = re.match(r"(.*?)\.(\d+)\.", info.name)
    if match is None:
        raise ModelError(
            "its name has no block number, so depth is unknown",
            where=info.name,
            expected=f"a name like h.3.attn.c_proj.weight for recipe {recipe!r}",
        )
    if step.depth == "index":
        return math.sqrt(2 * (int(match[2]) + 1)), f", over √(2·{int(match[2]) + 1}) for block {match[2]}"
    count = blocks[match[1]]
    return math.sqrt(2 * count), f", over √(2·{count}) for {count} blocks"


def recipe(name: str, **options: Any) -> Recipe:
    """The recipe called `name` (or alias), with `options`.

    Raises:
        UnknownNameError: no such recipe. OptionError: an option it does not have.
    """
    return Recipe(registry[name].name, tuple(options.items()))


def recipes() -> tuple[RecipeRow, ...]:
    """All recipes, sorted by name."""
    return registry.rows()
