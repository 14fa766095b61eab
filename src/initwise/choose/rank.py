"""Ranking the candidates: by a documented prior, corrected by what was measured; ties are ties.

score = prior regret for this family of networks (`candidates.CANDIDATES`)
      + 0.02 · (|log₁₀ forward ratio| + |log₁₀ backward ratio|), each capped at 4, where no norm
        takes care of them.

The ratios count for little, because at initialization they rank healthy schemes poorly (Spearman −.02 to
+.18 with the final order in the study). Scores within 0.03 of the best are ties, and within a tie the order
of the table of candidates decides: rule B first, because it adapts to what was read of the network.
Candidates that were not measured come behind the healthy, by their prior; vetoed ones come last, the least
damaged first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..core.records import Candidate, Race
from .candidates import CandidateRow
from .verdicts import Judged

FLATNESS, CAP = 0.02, 4.0
NORMED = ("normed", "post_norm")
TIE = 0.03
"""Scores nearer than this are a tie: about the standard error of a mean regret in the study."""


def score(judged: Judged, family: str) -> float:
    """The number the ranking goes by without a race; smaller is better, inf if there is no plan."""
    if judged.plan is None and not judged.unmeasured:
        return math.inf
    prior = judged.row.expected(family)
    if family in NORMED:
        return prior
    ratios = (judged.candidate.forward, judged.candidate.backward)
    return prior + FLATNESS * sum(steepness(ratio) for ratio in ratios)


def steepness(ratio: float) -> float:
    """|log₁₀ ratio|, capped; 0 for an unknown one."""
    if math.isnan(ratio):
        return 0.0
    return CAP if ratio <= 0 or math.isinf(ratio) else min(abs(math.log10(ratio)), CAP)


def ranked(judged: Sequence[Judged], family: str) -> list[Judged]:
    """Best first: the healthy by score (ties in the given order), those not measured, of which any that has
    a plan comes first, the vetoed, those without a plan."""
    scored = [replace(one, candidate=_explained(one, family)) for one in judged]
    best = min((one.candidate.score for one in scored if one.healthy), default=math.inf)

    def place(one: Judged) -> tuple[bool, bool, bool, float]:
        tie = one.healthy and one.candidate.score <= best + TIE
        score = -math.inf if tie else one.candidate.score
        return not one.healthy, not one.unmeasured, one.plan is None, score

    return sorted(scored, key=place)


def expected(rows: Sequence[CandidateRow], family: str) -> list[CandidateRow]:
    """The rows by what is known before anything is measured: by prior, ties in the given order."""
    best = min((row.expected(family) for row in rows), default=math.inf)
    return sorted(rows, key=lambda row: max(row.expected(family), best + TIE))


def tied(order: Sequence[Judged]) -> tuple[str, ...]:
    """The names that the scores cannot tell from the best, the first of the order included."""
    if not order or not order[0].healthy:
        return tuple(one.row.name for one in order[:1])
    best = min(one.candidate.score for one in order if one.healthy)
    return tuple(one.row.name for one in order if one.healthy and one.candidate.score <= best + TIE)


def _explained(judged: Judged, family: str) -> Candidate:
    candidate = replace(judged.candidate, score=score(judged, family))
    if not (judged.healthy or judged.unmeasured):
        return candidate
    known = f"prior regret {judged.row.expected(family):.2f} on {family} networks"
    found = "healthy" if judged.healthy else "not measured"
    reason = f"{found}; {known if judged.row.prior else 'no prior'}"
    if judged.unmeasured and judged.plan is not None:
        return replace(candidate, reason=f"{reason}; {judged.candidate.reason}")
    return replace(candidate, reason=f"{reason}; {judged.row.says}" if judged.row.says else reason)


HOPELESS = ("symmetric", "dead")
"""Verdicts that no race overturns: what training cannot part or move, a lucky start cannot either."""


DOUBT = 0.2
"""The candidate known to be best elsewhere gives way to the race's winner only where noise alone would put it
so far behind less often than this. To call it behind takes more (`race.verdict.LEVEL`), for being wrong in a
choice costs the same either way, while what is known from elsewhere is right most of the time."""


def after_race(order: Sequence[Judged], race: Race) -> list[Judged]:
    """The order after a race: those in the running in the race's order, the others as they were, the vetoed.

    Finalists that `DOUBT` does not part from the race's winner stay in the order they were in: what is known
    from other networks counts until the evidence of this one says otherwise.

    A veto is overturned only by a candidate that won outright: its verdict not hopeless, and no healthy
    candidate within noise of it. Else the best healthy one stands, whatever a vetoed one did by luck.
    """
    results = {result.name: result for result in race.ranking}
    known = {one.row.name: place for place, one in enumerate(order)}
    raced = [result.name for result in race.ranking]
    close = [name for name in raced if name in race.ties and name in known and not results[name].p < DOUBT]
    rest = [name for name in raced if name not in close]
    places = {name: place for place, name in enumerate([*sorted(close, key=known.__getitem__), *rest])}
    back = overturned(order, race)
    merged = [_after(one, results.get(one.row.name), one.row.name == back) for one in order]

    def place(one: Judged) -> tuple[bool, bool, int]:
        return not one.healthy, one.row.name not in places, places.get(one.row.name, 0)

    return sorted(merged, key=place)


def overturned(order: Sequence[Judged], race: Race) -> str:
    """The vetoed candidate that the race puts back in, or ""."""
    known = {one.row.name: one for one in order}
    winner = known.get(race.winner)
    if winner is None or winner.healthy or winner.candidate.verdict in HOPELESS:
        return ""
    beaten = not any(known[name].healthy for name in race.ties if name in known)
    return race.winner if beaten else ""


def ties_after(order: Sequence[Judged], race: Race) -> tuple[str, ...]:
    """Those in the running that the race cannot tell from the first of them, it included."""
    running = {one.row.name for one in order if one.healthy}
    return tuple(name for name in race.ties if name in running) or tuple(one.row.name for one in order[:1])


def _after(judged: Judged, result: Candidate | None, back: bool) -> Judged:
    if result is None:
        return judged
    before = judged.candidate
    verdict, reason = before.verdict, before.reason
    if result.verdict != "ok":
        verdict, reason = result.verdict, result.reason
    elif judged.healthy:
        reason = "; ".join(part for part in (result.reason, judged.row.says) if part)
    elif back:
        verdict = "ok"
        reason = f"vetoed before training ({before.verdict}: {before.reason}), yet it won the race"
    candidate = replace(
        before,
        verdict=verdict,
        reason=reason,
        loss=result.loss,
        loss_error=result.loss_error,
        learning_rate=result.learning_rate,
        share=result.share,
        p=result.p,
    )
    return replace(judged, candidate=candidate)
