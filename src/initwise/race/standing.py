"""The standing: who won, who cannot be told from the winner, and by how much the others lost.

Two schemes are compared at the last length both of them ran, each at its own best learning rate there, on
the same seeds, batches and validation batches, by the loss that each is heading for (see
`Results.expected`). Who ran as long as the winner is judged by a test (see `initwise.race.verdict`): either
behind, or a tie. A scheme that gave the very same losses is a tie too. A scheme eliminated earlier is none:
after a few steps nearly everything is within noise, and its row says by how much it was behind and how sure
that is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.records import Candidate
from .ladder import Rung
from .results import Curve, Results
from .verdict import LEVEL, Gap, adjusted, gap, pooled

ROUNDING = 1e-4
"""Losses this near are the same: equal arms of different stacks differ by how sums round."""
GROUND = Rung(0, 0, 0)


@dataclass(frozen=True)
class Standing:
    """The winner ("" if none), who ties with it (itself first), and all candidates, best first."""

    winner: str
    ties: tuple[str, ...]
    ranking: tuple[Candidate, ...]


def standing(results: Results, schemes: Sequence[str], rungs: Sequence[Rung], steps: int) -> Standing:
    """The standing after `rungs` (those that were completed); `steps` is a training's full length."""
    # a longer training outranks a shorter one, and sorting keeps the order of the candidates
    places = [_place(results, scheme, rungs, steps) for scheme in schemes]
    places.sort(key=lambda place: (-place.height, place.expected))
    rivals = [place.loss for place in places if place.height == places[0].height]
    leader = places[0] = replace(places[0], lowest=places[0].loss <= min(rivals))
    if leader.best is None:
        return Standing("", (), tuple(_unranked(results, place.scheme) for place in places))
    behinds = _tested([_behind(results, leader, place, rungs, steps) for place in places])
    ties = tuple(p.scheme for p, behind in zip(places, behinds, strict=True) if behind and behind.tie)
    ranking = tuple(
        place.ranked(results, leader, behind, steps) if behind else _unranked(results, place.scheme)
        for place, behind in zip(places, behinds, strict=True)
    )
    return Standing(leader.scheme, ties, ranking)


@dataclass(frozen=True)
class _Behind:
    """How far a scheme is behind the leader after `steps` steps.

    Attributes:
        p: adjusted for the number of finalists; NaN for who is none.
        final: was that the winner's last length?
        same: are the losses the very same?
    """

    gap: Gap
    steps: int
    final: bool
    same: bool
    p: float = math.nan

    @property
    def tie(self) -> bool:
        return self.same or (self.final and not self.p < LEVEL)

    def __str__(self) -> str:
        found = f"{self.gap.difference:+.3g} ± {self.gap.error:.2g} after {self.steps} steps"
        return f"{found}, p = {self.p:.2g}" if self.final else found


@dataclass(frozen=True)
class _Place:
    """How far one scheme got: its last rung (`height` of them climbed), and its best curve there.

    Attributes:
        loss, expected: reached there, and what it is heading for.
        lowest: is the loss the lowest of all that got as far?
    """

    scheme: str
    height: int = 0
    loss: float = math.inf
    expected: float = math.inf
    rung: Rung = GROUND
    best: Curve | None = None
    lowest: bool = False

    def ranked(self, results: Results, leader: _Place, behind: _Behind, steps: int) -> Candidate:
        means = results.at(self.best, self.rung).mean(1)
        error = float(means.std(ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else math.nan
        return Candidate(
            self.scheme,
            reason=self._reason(leader, behind),
            loss=self.loss,
            loss_error=error,
            learning_rate=self.best.rate if self.best else math.nan,
            share=self.rung.steps / steps,
            p=1.0 if self is leader or behind.same else behind.p,
        )

    def _reason(self, leader: _Place, behind: _Behind) -> str:
        if self is leader:
            if self.lowest:
                return f"lowest validation loss after {behind.steps} steps"
            return f"falls fastest after {behind.steps} steps, and so is expected to end lowest"
        if behind.same:
            return f"the same losses as {leader.scheme}"
        if behind.tie:
            return f"within noise of {leader.scheme}: {behind}"
        return f"behind: {behind}" if behind.final else f"eliminated: {behind}"


def _place(results: Results, scheme: str, rungs: Sequence[Rung], steps: int) -> _Place:
    place = _Place(scheme)
    for height, rung in enumerate(rungs, 1):
        best = best_curve(results, scheme, rung, steps)
        if best is not None:
            expected = float(results.expected(best, rung, steps).mean())
            place = _Place(scheme, height, results.loss(best, rung), expected, rung, best)
    return place


def _unranked(results: Results, scheme: str) -> Candidate:
    """For a scheme of which nothing came through."""
    ends = [end for (curve, _), end in results.ends.items() if curve.scheme == scheme]
    errors = [end.error for end in ends if end.status == "failed"]
    if not ends:
        return Candidate(scheme, "unpredicted", "did not run")
    if len(errors) == len(ends):
        return Candidate(scheme, "unpredicted", f"training failed: {errors[0]}")
    return Candidate(scheme, "exploding", "training diverged at every learning rate")


def best_curve(results: Results, scheme: str, rung: Rung, steps: int) -> Curve | None:
    """The scheme's learning rate with the lowest expected loss on the rung, or None if none came through."""
    curves = [curve for curve in results.ranked(rung) if curve.scheme == scheme]
    return min(curves, key=lambda curve: float(results.expected(curve, rung, steps).mean()), default=None)


def _behind(
    results: Results, leader: _Place, place: _Place, rungs: Sequence[Rung], steps: int
) -> _Behind | None:
    """`place` behind `leader` on the last rung that both came through; None if there is none."""
    for rung in reversed(rungs[: place.height + 1]):
        one = best_curve(results, leader.scheme, rung, steps)
        other = best_curve(results, place.scheme, rung, steps)
        if one is not None and other is not None:
            ours, theirs = (results.expected(curve, rung, steps) for curve in (one, other))
            found = gap(theirs, ours, pooled(results.of_seeds(rung, steps)))
            same = one.rate == other.rate and bool(np.allclose(theirs, ours, rtol=ROUNDING, atol=0))
            return _Behind(found, rung.steps, rung.steps == leader.rung.steps, same)
    return None


def _tested(behinds: Sequence[_Behind | None]) -> list[_Behind | None]:
    """With the finalists' p values, adjusted; the first is the leader, who is not compared with itself."""
    places = [i for i, one in enumerate(behinds) if i and one is not None and one.final and not one.same]
    values = adjusted([one.gap.p for i in places if (one := behinds[i]) is not None])
    found = dict(zip(places, values, strict=True))
    return [
        one and _Behind(one.gap, one.steps, one.final, one.same, found.get(i, math.nan))
        for i, one in enumerate(behinds)
    ]
