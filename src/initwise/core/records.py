"""The result records: frozen, printable, JSON-able, and never holding the live model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .codec import LATER, JsonMixin
from .errors import UnhealthyError
from .fill import Fill
from .picture import Picture
from .plan import Plan
from .rendering import Rendered
from .trends import Trend, trend_of

VERDICTS = (
    "ok",
    "vanishing",  # the signal or its gradient shrinks below use
    "exploding",  # … or grows beyond it
    "symmetric",  # units of a layer are identical, and training cannot part them
    "dead",  # units that answer to no input of the batch
    "saturated",  # units driven to where their activation is flat
    "collapsed",  # different inputs have become indistinguishable
    "overflow",  # beyond the dtype's range
    "underflow",  # below it
    "rounded",  # weights that differ by less than the dtype can tell
    "unpredicted",  # could not be judged; the reason says why
    "untouched",  # the layer did not run, or nothing of it was filled
)


@dataclass(frozen=True)
class LayerSignal(JsonMixin):
    """What passes through one layer. Quantities that do not apply are NaN.

    Attributes:
        name, kind: the module's path and class name.
        shape: shape of its (first) output.
        forward_rms, forward_mean: root mean square and mean of the output's elements.
        gradient_rms: rms of the loss's gradient with respect to the output.
        weight_gradient_rms: rms of the gradient of its own weight.
        dead: share of units whose output is constant (zero variance) over the whole batch.
        saturated: share of elements where the following activation is flat (|φ′| < 0.05·max).
        correlation: mean cosine between the outputs for different inputs of the batch.
        seed_spread: expected std of ln(forward_rms) from seed to seed.
        verdict, reason: one of `VERDICTS`, and why; "assumed: …" is what a prediction of this row rests on
            although it may not hold here.
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    forward_rms: float = math.nan
    forward_mean: float = math.nan
    gradient_rms: float = math.nan
    weight_gradient_rms: float = math.nan
    dead: float = math.nan
    saturated: float = math.nan
    correlation: float = math.nan
    seed_spread: float = math.nan
    verdict: str = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Finding(JsonMixin):
    """Something wrong: where, what, why, by which factor."""

    layer: str
    verdict: str
    reason: str
    factor: float = math.nan


@dataclass(frozen=True)
class Signals(JsonMixin, Rendered):
    """How signal and gradient travel through a model.

    Attributes:
        mode: "measure" or "predict".
        layers: in execution order.
        findings: what is wrong, worst first; empty when healthy.
        loss: the loss's value, NaN if none was given.
        note: what was assumed (a random cotangent, the example's source).
    """

    mode: str
    layers: tuple[LayerSignal, ...]
    findings: tuple[Finding, ...] = ()
    loss: float = math.nan
    note: str = ""

    @property
    def healthy(self) -> bool:
        """True when nothing was found."""
        return not self.findings

    def trend(self) -> Trend:
        """How signal and gradient grow with depth: by which law, by which factor per block or layer."""
        return trend_of(self.layers, self.mode)

    def assert_healthy(self) -> None:
        """Raise UnhealthyError, naming the worst finding, unless healthy."""
        if self.findings:
            worst = self.findings[0]
            raise UnhealthyError(
                f"{worst.verdict}: {worst.reason}",
                where=worst.layer,
                expected="a healthy signal",
                cause=f"{len(self.findings)} finding(s); print(signals) shows them all"
                if len(self.findings) > 1
                else "",
                fix="initwise.choose(model, example) proposes weights that fit."
                if worst.verdict != "unpredicted"
                else "",
            )


LEDGER_STATUSES = ("filled", "tied", "frozen", "kept", "empty", "refused", "unnamed")


@dataclass(frozen=True)
class LedgerEntry(JsonMixin):
    """One tensor's line in the Ledger.

    Attributes:
        name, shape, dtype: the tensor.
        status: "filled", or why not: "tied" (filled under its owner's name), "frozen", "kept"
            (the plan or a rule leaves it), "empty", "refused", "unnamed" (no rule named it).
        fill: the law declared, None if not filled.
        declared_mean, declared_std: of the fill; NaN if not filled.
        measured_mean, measured_std: of the values found in memory afterwards.
        reason: why this fill, or why none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    status: str
    fill: Fill | None = None
    declared_mean: float = math.nan
    declared_std: float = math.nan
    measured_mean: float = math.nan
    measured_std: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class Ledger(JsonMixin, Rendered):
    """What `init_` did, tensor by tensor, and the proof of it.

    Attributes:
        plan: the plan's name.
        seed: the stream's seed.
        entries: one per parameter, in the model's order; tied names have a line each.
        digest: SHA-256 over names, shapes, dtypes and the SHA-256 of the bytes of all filled tensors:
            equal digests mean equal weights.
    """

    plan: str
    seed: int
    entries: tuple[LedgerEntry, ...]
    digest: str = ""

    @property
    def filled(self) -> tuple[LedgerEntry, ...]:
        """The entries that were written."""
        return tuple(entry for entry in self.entries if entry.status == "filled")

    @property
    def untouched(self) -> tuple[LedgerEntry, ...]:
        """The entries that were not written, each with its reason (tied names are not listed)."""
        return tuple(entry for entry in self.entries if entry.status not in ("filled", "tied"))


@dataclass(frozen=True)
class Candidate(JsonMixin):
    """One scheme in a ranking.

    Attributes:
        name: the scheme's or rule's name.
        verdict: "ok", the verdict that vetoed it, or "unmeasured": only its prior is known.
        reason: why it was vetoed, or what speaks for it.
        forward: last over first hidden forward rms; 1 is flat.
        backward: first over last hidden gradient rms; 1 is flat.
        score: what the ranking goes by without a race; smaller is better.
        loss: validation loss after the race, NaN if it did not run.
        loss_error: standard error of `loss` over seeds.
        learning_rate: the best one tried.
        share: share of the full training length that it ran.
        p: how easily noise alone would put it so far behind the race's winner (adjusted for the number of
            finalists); NaN if it did not come as far.
    """

    name: str
    verdict: str = "ok"
    reason: str = ""
    forward: float = math.nan
    backward: float = math.nan
    score: float = math.nan
    loss: float = math.nan
    loss_error: float = math.nan
    learning_rate: float = math.nan
    share: float = 0.0
    p: float = field(default=math.nan, metadata=LATER)


@dataclass(frozen=True)
class Arm(JsonMixin):
    """One training of a race: scheme × learning rate × seed, and how it ended.

    Attributes:
        status: "finished", "eliminated", "diverged", "failed" or "interrupted".
        steps: optimiser steps run.
        losses: (step, validation loss) at each rung.
        error: the exception's text, if it failed.
    """

    scheme: str
    learning_rate: float
    seed: int
    status: str
    steps: int = 0
    losses: tuple[tuple[int, float], ...] = ()
    metric: float = math.nan
    error: str = ""


@dataclass(frozen=True)
class Race(JsonMixin, Rendered):
    """A short, learning-rate-fair training race.

    Attributes:
        problem: its name.
        winner: the best scheme's name, "" if none survived.
        ties: schemes within noise of the winner, the winner first.
        ranking: one Candidate per scheme, best first.
        arms: every training.
        steps: full training length in steps.
        cost: optimiser steps spent over those of the full grid (schemes × rates × 1 seed).
        seconds: wall-clock time.
        interrupted: True if it was stopped early; what ran is kept.
        optimizer: what trained: learning rates mean nothing without it.
        notes: what else is to be known about how it went.
    """

    problem: str
    winner: str
    ties: tuple[str, ...]
    ranking: tuple[Candidate, ...]
    arms: tuple[Arm, ...] = ()
    steps: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    interrupted: bool = False
    optimizer: str = ""
    notes: tuple[str, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True)
class Advice(JsonMixin, Rendered):
    """Which initialization, why, and how sure.

    Attributes:
        name: the chosen scheme or rule.
        plan: its Fills; `init_(model, advice)` applies them.
        reasons: plain sentences, the most important first.
        ranking: all candidates, best first, vetoed ones last.
        ties: names that the evidence cannot tell from the chosen one (which is the first).
        learning_rate: the race's best, or None when no race ran.
        learning_rates: smallest and largest worth trying with the problem's optimizer (Adam, if there is no
            problem), told from the plan alone; None where nothing is known.
        confidence: "high", "moderate" or "low".
        cost: seconds spent.
        signals: the chosen plan's signals.
        race: the race, if one ran.
        apply: the lines of code that apply it.
    """

    name: str
    plan: Plan
    reasons: tuple[str, ...]
    ranking: tuple[Candidate, ...] = ()
    ties: tuple[str, ...] = ()
    learning_rate: float | None = None
    confidence: str = "low"
    cost: float = 0.0
    signals: Signals | None = None
    race: Race | None = None
    apply: str = ""
    learning_rates: tuple[float, float] | None = field(default=None, metadata=LATER)


@dataclass(frozen=True)
class Explanation(JsonMixin, Rendered):
    """What something is, in plain words and closed form.

    Attributes:
        title: what is explained.
        summary: plain words.
        law: the closed form.
        facts: (label, value) pairs, among them the numbers for the fans given.
        differences: where frameworks mean different things by this name.
        avoid: when not to use it.
        citation: the paper or source.
        evidence: "verified in source", "computed", "second-hand" or "recalled".
        use: when to use it.
        see: related names. history: it and they by their years, oldest first.
        picture: its density, its curve or the matrix itself, if it has one.
    """

    title: str
    summary: str
    law: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    differences: tuple[str, ...] = ()
    avoid: str = ""
    citation: str = ""
    evidence: str = ""
    use: str = field(default="", metadata=LATER)
    see: tuple[str, ...] = field(default=(), metadata=LATER)
    history: tuple[str, ...] = field(default=(), metadata=LATER)
    picture: Picture | None = field(default=None, metadata=LATER)
