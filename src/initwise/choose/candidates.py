"""The candidates: one row each. To add one, add a row; nothing else needs to know.

`prior` is what the ranking starts from: the regret to expect (0 best, 1 as bad as never learning) of the
scheme at its best learning rate, by family of network. Of rule_a2, rule_b, lsuv, orthogonal, he_normal,
xavier_normal and torch_default it is the mean over 61 problems that `python benchmarks/regret_priors.py`
prints (3 seeds; the rules were developed on them); of the others, over the 24 problems of the first study
(2 seeds). It is evidence from elsewhere, not from your model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import OptionError
from ..core.plan import Plan
from ..core.registry import unknown
from ..frameworks.planning import resolve as resolved
from ..schemes import Scheme, scheme
from ..schemes import registry as scheme_registry
from .bare import told
from .facts import Structure
from .planners import Case, plan_a, plan_a2, plan_b, plan_lsuv

FAMILIES = ("deep", "shallow", "residual", "normed", "post_norm", "recurrent")
SHALLOW, FEW_SUMS = 5, 6
"""Networks of at most this many weights in a row, or residual sums, count as shallow."""
UNKNOWN_PRIOR = 0.35
ALL = "all"
"""What `choose(candidates=…)` calls the whole table, measured whatever that costs."""


@dataclass(frozen=True)
class CandidateRow:
    """One candidate.

    Attributes:
        name, aliases: what `choose(candidates=…)` calls it.
        plan: makes its Plan from a Case.
        prior: mean regret by family, in the order of `FAMILIES`; () if nothing is known.
        says: what it does, in a few words.
        scheme: the whole-model scheme that makes it anew for every seed of a race; "" for a fixed plan.
        data: it needs a data pass.
    """

    name: str
    plan: Callable[[Case], Plan]
    prior: tuple[float, ...] = ()
    says: str = ""
    aliases: tuple[str, ...] = ()
    scheme: str = ""
    data: bool = False

    @property
    def hopeless(self) -> bool:
        """Did it never learn, on any family?"""
        return bool(self.prior) and min(self.prior) >= 1

    def expected(self, family: str) -> float:
        """The prior for a family of networks."""
        return self.prior[FAMILIES.index(family)] if self.prior else UNKNOWN_PRIOR


def family(structure: Structure) -> str:
    """Which of `FAMILIES` a network belongs to."""
    if structure.post_norm:
        return "post_norm"
    if structure.recurrent:
        return "recurrent"
    if structure.norms:
        return "normed"
    if structure.adds > FEW_SUMS:
        return "residual"
    return "deep" if structure.chain > SHALLOW else "shallow"


def by_scheme(name: str, **options: Any) -> Callable[[Case], Plan]:
    """A scheme applied to every weight of the model, other roles by the scheme's own rules."""

    def plan(case: Case) -> Plan:
        return _by_scheme(case, scheme(name, **options))

    return plan


def _by_scheme(case: Case, law: Scheme) -> Plan:
    """The scheme's plan for the parameters as the case knows them."""
    made = resolved(case.model, case.parameters, law, example=case.example, seed=case.seed).plan
    return told(made, case.parameters)


#                                                          deep  shal.  resid. norm. post  recur.
CANDIDATES: tuple[CandidateRow, ...] = (
    CandidateRow(
        "rule_b",
        plan_b,
        (0.01, 0.02, 0.00, 0.02, 0.02, 0.01),
        "operating points for this depth, then one data pass",
        ("B", "auto"),
        "auto",
        data=True,
    ),
    CandidateRow(
        "rule_a2",
        plan_a2,
        (0.06, 0.07, 0.00, 0.03, 0.02, 0.06),
        "operating points for this depth, no data",
        ("A2",),
    ),
    CandidateRow(
        "rule_a",
        plan_a,
        (0.20, 0.05, 0.05, 0.09, 0.93, 0.13),
        "gains that keep the second moment at 1",
        ("A",),
    ),
    CandidateRow(
        "lsuv",
        plan_lsuv,
        (0.16, 0.16, 0.08, 0.09, 0.42, 0.05),
        "orthogonal, then variance 1 by one data pass",
        ("LSUV",),
        "lsuv",
        data=True,
    ),
    CandidateRow(
        "orthogonal", by_scheme("orthogonal"), (0.27, 0.14, 0.94, 0.07, 0.31, 0.15), "orthogonal, gain 1"
    ),
    CandidateRow(
        "he_normal", by_scheme("he_normal"), (0.20, 0.32, 1.08, 0.19, 0.71, 0.10), "variance 2/fan_in"
    ),
    CandidateRow(
        "he_uniform", by_scheme("he_uniform"), (0.37, 0.08, 0.88, 0.18, 0.96, 0.21), "variance 2/fan_in"
    ),
    CandidateRow(
        "he_fan_out", by_scheme("he_fan_out"), (0.41, 0.31, 0.82, 0.29, 0.95, 0.24), "variance 2/fan_out"
    ),
    CandidateRow(
        "xavier_normal",
        by_scheme("xavier_normal"),
        (0.30, 0.16, 1.02, 0.09, 0.37, 0.12),
        "variance 2/(fan_in + fan_out)",
    ),
    CandidateRow(
        "lasagne_glorot_uniform",
        by_scheme("lasagne_glorot_uniform"),
        (0.40, 0.09, 0.70, 0.22, 0.83, 0.21),
        "variance 2/(fan_in + fan_out)",
    ),
    CandidateRow(
        "lecun_normal", by_scheme("lecun_normal"), (0.41, 0.06, 0.67, 0.17, 0.95, 0.11), "variance 1/fan_in"
    ),
    CandidateRow(
        "torch_default",
        by_scheme("torch_default"),
        (0.58, 0.13, 0.01, 0.06, 0.00, 0.06),
        "what the layers' constructors do",
    ),
    CandidateRow(
        "truncated_normal",
        by_scheme("truncated_normal", std=0.02),
        (0.89, 0.26, 0.28, 0.33, 0.02, 0.43),
        "std 0.02, whatever the fans",
    ),
    CandidateRow(
        "textbook_normal",
        by_scheme("textbook_normal"),
        (0.72, 0.08, 0.09, 0.12, 0.30, 0.31),
        "std 0.1, whatever the fans",
    ),
    CandidateRow(
        "uniform",
        by_scheme("uniform", low=-0.05, high=0.05),
        (0.84, 0.23, 0.26, 0.21, 0.47, 0.40),
        "U(±0.05), whatever the fans",
    ),
    CandidateRow("zeros", by_scheme("zeros"), (1.0, 1.0, 1.0, 1.0, 1.0, 1.0), "all zeros"),
)


def names() -> tuple[str, ...]:
    """The candidates' names, in the order of the table."""
    return tuple(row.name for row in CANDIDATES)


def candidate(name: str) -> CandidateRow:
    """The row called `name`; any other scheme's name makes a row without a prior.

    Raises:
        UnknownNameError: neither a candidate nor a scheme, with the nearest name.
    """
    for row in CANDIDATES:
        if name == row.name or name in row.aliases:
            return row
    if name in scheme_registry:
        row_of = scheme_registry[name]
        named = next((row for row in CANDIDATES if row.name == row_of.name), None)
        return named or CandidateRow(name, by_scheme(name), says=row_of.summary, data=row_of.calibrated)
    listing = "initwise list candidates; initwise list schemes"
    raise unknown(name, scheme_registry, kind="candidate", legal=names(), listing=listing)


def resolve(candidates: Any = None) -> tuple[CandidateRow, ...]:
    """The rows meant by `choose(candidates=…)`.

    Args:
        candidates: None or "all" for all; names; or a mapping from your own name to a Plan, a Scheme or
            a name.

    Raises:
        UnknownNameError: an unknown name. OptionError: nothing to choose from, or of another type.
    """
    if candidates is None or candidates == ALL:
        return CANDIDATES
    if isinstance(candidates, str):
        candidates = (candidates,)
    if isinstance(candidates, Mapping):
        rows = tuple(_own(str(name), value) for name, value in candidates.items())
    elif isinstance(candidates, Sequence):
        rows = tuple(dict.fromkeys(candidate(name) for name in candidates))
    else:
        raise OptionError(
            f"candidates is a {type(candidates).__name__}",
            where="choose",
            expected="names, or a mapping from name to Plan, Scheme or name",
        )
    if not rows:
        raise OptionError("candidates is empty", where="choose", expected="at least one", legal=names())
    return rows


def _own(name: str, value: Any) -> CandidateRow:
    if isinstance(value, Plan):
        return CandidateRow(name, lambda case: value, says="your plan")
    if isinstance(value, Scheme):
        return CandidateRow(
            name,
            lambda case: _by_scheme(case, value),
            says=str(value),
            data=value.row.calibrated,
        )
    if isinstance(value, str):
        row = candidate(value)
        return replace(row, name=name, aliases=())
    raise OptionError(
        f"candidate {name!r} is a {type(value).__name__}",
        where="choose",
        expected="a Plan, a Scheme or a scheme's name",
    )
