"""One candidate's plan, measured: healthy or vetoed, and why.

Signals at initialization tell broken weights very well (they separated failures from the rest with a
median AUC of 1.00 in the study) and rank healthy ones poorly, so they only veto; ranking is `rank`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..core.errors import ExampleError, ForwardError, InitwiseError
from ..core.plan import Plan
from ..core.records import Candidate, Signals
from ..measure import check
from .candidates import CandidateRow
from .planners import Case

UNMEASURED = "unmeasured"
"""The verdict on a candidate of which only what is known from elsewhere is known."""


@dataclass(frozen=True)
class Judged:
    """A candidate with what it was judged by; plan and signals are None when it could not be made."""

    row: CandidateRow
    candidate: Candidate
    plan: Plan | None = None
    signals: Signals | None = None

    @property
    def healthy(self) -> bool:
        """Was nothing found against it?"""
        return self.plan is not None and self.candidate.verdict == "ok"

    @property
    def unmeasured(self) -> bool:
        """Was it not looked at, or could it not be?"""
        return self.candidate.verdict == UNMEASURED


def judge(row: CandidateRow, case: Case) -> Judged:
    """Make the row's plan and measure it on the case's example; predict it where nothing can be measured.

    A plan that cannot be made for this model is a verdict ("unpredicted"), not an error.
    """
    if row.data and case.method == "analytic":
        return _planless(row, 'it needs a data pass, and the method is "analytic"')
    if case.valueless:
        return _predicted(row, case)
    try:
        plan = row.plan(case)
        signals = check(case.model, case.example, plan=case.to_measure(plan), seed=case.seed)
    except (ExampleError, ForwardError):
        raise
    except InitwiseError as error:
        return _planless(row, str(error).splitlines()[0])
    return _judged(row, plan, signals)


def _planless(row: CandidateRow, why: str) -> Judged:
    return Judged(row, Candidate(row.name, "unpredicted", f"no plan for this model: {why}"))


def _predicted(row: CandidateRow, case: Case) -> Judged:
    """As `judge`, without values; what cannot be predicted is left unmeasured, with its plan."""
    try:
        plan = row.plan(case)
    except InitwiseError as error:
        return _planless(row, str(error).splitlines()[0])
    try:
        signals = check(case.model, case.example, plan=plan, seed=case.seed, mode="predict")
    except ExampleError:
        raise
    except InitwiseError as error:
        return Judged(row, Candidate(row.name, UNMEASURED, str(error).splitlines()[0]), plan)
    judged = _judged(row, plan, signals)
    if judged.candidate.verdict == "unpredicted":
        return replace(judged, candidate=replace(judged.candidate, verdict=UNMEASURED))
    return judged


def unjudged(row: CandidateRow, case: Case) -> Judged:
    """The row without a plan, because it was not its turn to be measured."""
    if row.data and case.method == "analytic":
        return judge(row, case)
    return Judged(row, Candidate(row.name, UNMEASURED, row.says))


def _judged(row: CandidateRow, plan: Plan, signals: Signals) -> Judged:
    forward, backward = ratios(signals)
    judged = Candidate(row.name, forward=forward, backward=backward)
    if signals.findings:
        worst = signals.findings[0]
        judged = replace(judged, verdict=worst.verdict, reason=worst.reason)
    elif row.hopeless:
        # what it leaves alone may still carry a signal; nothing that it fills does
        judged = replace(judged, verdict="symmetric", reason="it has never learned anything elsewhere")
    return Judged(row, judged, plan, signals)


def ratios(signals: Signals) -> tuple[float, float]:
    """Forward rms, last over first hidden layer; gradient rms, first over last. 1 is flat, NaN unknown.

    The head is left out: its scale is a choice, not the signal's fate.
    """
    weighted = [layer for layer in signals.layers if math.isfinite(layer.weight_gradient_rms)]
    hidden = weighted[:-1] if len(weighted) > 2 else weighted
    if len(hidden) < 2:
        return math.nan, math.nan
    return (
        _ratio(hidden[-1].forward_rms, hidden[0].forward_rms),
        _ratio(hidden[0].gradient_rms, hidden[-1].gradient_rms),
    )


def _ratio(one: float, other: float) -> float:
    if not (math.isfinite(one) and math.isfinite(other)):
        return math.nan
    if other == 0:
        return math.nan if one == 0 else math.inf
    return one / other
