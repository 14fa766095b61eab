"""Do our recipes say what transformers does? Every family's own initialization, measured against the plan.

Each model is built small from its configuration by its own constructor (nothing is downloaded), with
widths that tell the formulas apart. Its tensors are measured and compared with what the recipe's plan
declares, pooled over all tensors of one part with one law: the mean, the std, and whether the largest
value fits the law's support. The tolerance is five standard errors, from the number of elements.

    python benchmarks/recipe_agreement.py                  # the table, as in docs/recipes-agreement.md
    python benchmarks/recipe_agreement.py --write          # write that file
    python benchmarks/recipe_agreement.py gpt2 t5 -v       # some families, with every law
    python benchmarks/recipe_agreement.py --missing        # families of transformers that are not compared

Exits with 1 if a disagreement has no explanation in `recipe_families.EXPLAINED`.
"""

from __future__ import annotations

import argparse
import collections
import fnmatch
import math
import multiprocessing
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from initwise.core.fill import Fill
from initwise.core.parameter import ParameterInfo
from initwise.frameworks.protocol import adapter_for
from initwise.recipes import recipe
from initwise.recipes.structure import places
from recipe_auto import AUTO, SIGLIP_TOWERS
from recipe_case import Case
from recipe_families import CASES as BY_HAND
from recipe_families import EXPLAINED as REASONS
from recipe_families import LECUN
from recipe_shrink import model_class, small

CASES: tuple[Case, ...] = (
    *BY_HAND,
    *(
        Case(family, recipe_name, model_class(family), changes, options, small=True)
        for recipe_name, options, families in AUTO
        for family, changes in families.items()
    ),
)
"""Configurations written by hand, and the families' own made small."""
EXPLAINED = (
    *REASONS,
    *((family, part, LECUN) for family in SIGLIP_TOWERS for part in ("patch", "attention.output", "head")),
)

PAGE = Path(__file__).resolve().parent.parent / "docs" / "recipes-agreement.md"
CONSTRUCTED = "The constructor's values stay, in transformers too."
ERRORS = 5.0
"""Standard errors that a mean or std may be off."""


@dataclass(frozen=True)
class Group:
    """All tensors of one part and role under one law.

    Attributes:
        part: the structural part, or the role of what has none.
        law: the declared law in closed form. tensors: how many. elements: of all of them.
        mean, std, largest: measured. fault: what disagrees, "" if nothing.
    """

    part: str
    law: str
    tensors: int
    elements: int
    mean: float
    std: float
    largest: float
    fault: str


@dataclass(frozen=True)
class Result:
    """One family's comparison.

    Attributes:
        case: what was built. groups: the compared laws. left: (part, reason) of what the plan leaves.
        error: why nothing could be compared, or "".
    """

    case: Case
    groups: tuple[Group, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    error: str = ""

    @property
    def tensors(self) -> int:
        return sum(group.tensors for group in self.groups)

    @property
    def faults(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if group.fault)


def compare(case: Case) -> Result:
    """Build the model, plan for it, measure."""
    torch.manual_seed(0)
    made = getattr(transformers, case.model)
    config = small(case.family, case.config) if case.small else made.config_class(**case.config)
    return compare_model(case, made(config))


def compare_model(case: Case, model: torch.nn.Module) -> Result:
    """Plan for a model as its constructor left it, and measure."""
    infos = adapter_for(model).parameters(model)
    chosen = recipe(case.recipe, **case.options)
    plan = chosen.plan(infos)
    parts = {place.info.name: place.part or place.role for place in places(infos)}
    tensors = dict(model.named_parameters(remove_duplicate=False))
    pooled: dict[tuple[str, str], list[tuple[ParameterInfo, Fill, np.ndarray]]] = collections.OrderedDict()
    for info in infos:
        if info.name in plan and 0 not in info.shape:
            fill = plan[info.name]
            values = _values(model, info, tensors, fill)
            role = (
                "" if info.role in ("weight", "embedding", "bare", "token", "recurrent") else f" {info.role}"
            )
            pooled.setdefault((parts[info.name] + role, fill.formula), []).append((info, fill, values))
    groups = tuple(_group(part, law, members) for (part, law), members in pooled.items())
    ready = {info.name for info in infos if info.status == "ready"}
    left = tuple((f"{parts[name]}: {name}", why) for name, why in plan.kept if name in ready)
    return Result(case, groups, _with_reasons(model, tensors, left))


def _with_reasons(
    model: torch.nn.Module, tensors: dict[str, torch.nn.Parameter], left: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    """What is left, and whether transformers leaves it too: is it as without any initialization?"""
    if all(_own(why) for _, why in left):
        return left
    untouched = dict(_constructed(model).named_parameters(remove_duplicate=False))
    return tuple((part, _reason(part, why, tensors, untouched)) for part, why in left)


def _reason(
    part: str, why: str, tensors: dict[str, torch.nn.Parameter], untouched: dict[str, torch.nn.Parameter]
) -> str:
    name = part.partition(": ")[2]
    same = name in untouched and torch.equal(tensors[name], untouched[name])
    return CONSTRUCTED if same and not _own(why) else why


def _constructed(model: torch.nn.Module) -> torch.nn.Module:
    """The same model as its constructors leave it, transformers' initialization switched off."""
    base = transformers.PreTrainedModel
    switched = base.init_weights
    base.init_weights = lambda self: None
    try:
        return type(model)(model.config)
    finally:
        base.init_weights = switched


def _values(
    model: torch.nn.Module, info: ParameterInfo, tensors: dict[str, torch.nn.Parameter], fill: Fill
) -> np.ndarray:
    tensor = tensors.get(info.name)
    if tensor is None:
        # a weight behind weight_norm or another parametrization
        tensor = getattr(model.get_submodule(info.layer), info.name.rpartition(".")[2])
    values = tensor.detach().double().numpy()
    if fill.zero_row is not None:
        values = np.delete(values, fill.zero_row, axis=0)
    return values.ravel()


def _group(part: str, law: str, members: list[tuple[ParameterInfo, Fill, np.ndarray]]) -> Group:
    fill = members[0][1].of_shape(members[0][0].shape, members[0][0].layout)
    values = np.concatenate([item for _, _, item in members])
    mean, std = float(values.mean()), float(values.std())
    fault = _fault(fill, values, mean, std)
    return Group(part, law, len(members), values.size, mean, std, float(np.abs(values).max()), fault)


def _fault(fill: Fill, values: np.ndarray, mean: float, std: float) -> str:
    """What disagrees with the declared law, or ""."""
    n = values.size
    if fill.std == 0:
        off = float(np.abs(values - fill.mean).max())
        return "" if off <= 1e-6 * max(1.0, abs(fill.mean)) else f"measured mean {mean:.4g}, std {std:.4g}"
    if fill.law == "indexed":
        same = math.isclose(mean, fill.mean, rel_tol=1e-5) and math.isclose(std, fill.std, rel_tol=1e-5)
        return "" if same else f"measured mean {mean:.4g}, std {std:.4g}"
    if abs(mean - fill.mean) > ERRORS * fill.std / math.sqrt(n):
        return f"measured mean {mean:.4g}"
    if n >= 8 and abs(std / fill.std - 1) > ERRORS / math.sqrt(2 * n):
        return f"measured std {std:.4g}"
    largest = float(np.abs(values - fill.mean).max())
    if fill.law in ("uniform", "truncated_normal", "mapped") and (
        values.max() > fill.high or values.min() < fill.low
    ):
        return f"a value {largest:.4g} outside of [{fill.low:.4g}, {fill.high:.4g}]"
    if fill.law == "normal" and n > 3000 and largest < 2.5 * fill.std:
        return f"no value beyond {largest / fill.std:.2f}σ: not normal"
    return ""


def explained(case: Case, part: str) -> str:
    """The table's reason for a disagreement, or ""."""
    for family, glob, reason in EXPLAINED:
        if fnmatch.fnmatchcase(case.family, family) and fnmatch.fnmatchcase(part, glob):
            return reason
    return ""


def run(cases: Iterable[Case], jobs: int = 1) -> tuple[Result, ...]:
    """All comparisons, in `jobs` processes; a family that cannot be built or planned says why."""
    if jobs == 1:
        return tuple(map(compared, cases))
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        return tuple(pool.imap(compared, cases, chunksize=4))


def compared(case: Case) -> Result:
    """The comparison, or why there is none."""
    try:
        return compare(case)
    except Exception as error:
        return Result(case, error=f"{type(error).__name__}: {error}")


def unexplained(result: Result) -> tuple[str, ...]:
    """Disagreements and leftovers without a reason."""
    bad = [f"{g.part} {g.law}: {g.fault}" for g in result.faults if not explained(result.case, g.part)]
    bad += [
        f"left {part} ({why})" for part, why in result.left if not (explained(result.case, part) or _own(why))
    ]
    return (*([result.error] if result.error else []), *bad)


def _own(why: str) -> bool:
    """Is it left for a reason of the recipe's own?"""
    return not (why.startswith("of unknown purpose") or why.startswith("no rule of recipe"))


def table(results: Iterable[Result]) -> str:
    """The page's table, in Markdown."""
    lines = [
        "| family | recipe | model | tensors | agree | where not, and why |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        case, wrong = result.case, sum(group.tensors for group in result.faults)
        options = "".join(
            f', {key}="{value}"' if isinstance(value, str) else f", {key}={value}"
            for key, value in case.options.items()
        )
        lines.append(
            f'| {case.family} | `recipe("{case.recipe}"{options})` | {case.model} | {result.tensors} | '
            f"{result.tensors - wrong} | {_why(result)} |"
        )
    return "\n".join(lines)


def _why(result: Result) -> str:
    if result.error:
        return result.error.splitlines()[0]
    notes = [
        f"{g.part}: {g.fault} for {g.law}. {explained(result.case, g.part) or '**unexplained**'}"
        for g in result.faults
    ]
    seen: dict[str, list[str]] = {}
    for part, why in result.left:
        seen.setdefault(explained(result.case, part) or why, []).append(part.partition(":")[0])
    notes += [f"{', '.join(dict.fromkeys(parts))}: not filled. {why}" for why, parts in seen.items()]
    return "<br>".join(note.replace("|", "\\|") for note in notes)


def page(results: tuple[Result, ...]) -> str:
    """docs/recipes-agreement.md."""
    tensors = sum(result.tensors for result in results)
    wrong = sum(group.tensors for result in results for group in result.faults)
    open_ = sum(len(unexplained(result)) for result in results)
    return (
        "# Recipes against transformers' own initialization\n\n"
        "<!-- written by: python benchmarks/recipe_agreement.py --write -->\n"
        f"transformers {transformers.__version__}, torch {torch.__version__.partition('+')[0]}. Each "
        "model is "
        "built small from its configuration by its own constructor; the mean, the std and the range of "
        "its weights are compared with what the recipe declares, pooled over the tensors of one part, at "
        f"{ERRORS:g} standard errors. {len(results)} families, {tensors} tensors, {tensors - wrong} agree, "
        f"{wrong} do not, {open_} of those unexplained.\n\n{table(results)}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", help="families to compare; all if none is given")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    parser.add_argument("-v", "--verbose", action="store_true", help="every law with its figures")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--missing", action="store_true", help="families that are not compared, by name")
    asked = parser.parse_args()
    if asked.missing:
        return _missing()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    unknown = set(asked.families) - {case.family for case in CASES}
    if unknown:
        parser.error(f"no such family: {', '.join(sorted(unknown))}")
    chosen = [case for case in CASES if not asked.families or case.family in asked.families]
    torch.set_num_threads(1)
    results = run(chosen, asked.jobs)
    if asked.verbose:
        _tell(results)
    text = page(results)
    if asked.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    bad = [(result.case.family, what) for result in results for what in unexplained(result)]
    for family, what in bad:
        print(f"unexplained: {family}: {what}", file=sys.stderr)
    return 1 if bad else 0


def _missing() -> int:
    """Print the families that transformers has a model for and that no case compares."""
    named = {name for case in CASES for name in (case.family, case.recipe)}
    compared = named | {name.replace("_", "-") for name in named}
    families = [family for family in CONFIG_MAPPING_NAMES if model_class(family)]
    missing = [family for family in families if family not in compared]
    print(f"{len(families)} families have a model, {len(families) - len(missing)} are compared. The others:")
    print(*missing)
    return 0


def _tell(results: Iterable[Result]) -> None:
    for result in results:
        print(f"{result.case.family}:")
        for g in result.groups:
            print(f"  {g.part:28} {g.law:44} ×{g.tensors:<3} mean {g.mean:.4g} std {g.std:.4g} {g.fault}")


if __name__ == "__main__":
    sys.exit(main())
