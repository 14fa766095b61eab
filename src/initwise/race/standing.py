"""The standing: who won, who cannot be told from the winner, and by how much the others lost.

Two schemes are compared at the last length both of them ran, each at its own best learning rate
there, on the same batches and the same validation batches. The difference of their mean
validation losses is noise if it is within two standard errors, the standard error being the
largest of

- the spread of the paired difference over the seeds, s/√n,
- the spread of the paired difference over the validation batches, s/√m,
- the seed noise of one loss, pooled over the finalists at that length, times √(2/n),

because two seeds alone give an s that may be small by chance, and early rungs have one seed only
(the finalists' other seeds pass the same lengths, so the noise there is known).

Schemes tie with the winner if they ran as long as it did and the difference is noise, or if they
gave the very same losses. A scheme eliminated earlier is no tie: after a few steps nearly
everything is within noise, and its row says by how much it was behind and how sure that is.
Nothing corrects for the number of comparisons: a lead is evidence, not proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.records import Candidate
from .ladder import Rung
from .results import Curve, Results

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
    places = [_place(results, scheme, rungs) for scheme in schemes]
    places.sort(key=lambda place: (-place.height, place.loss))
    leader = places[0]
    if leader.best is None:
        return Standing("", (), tuple(_unranked(results, place.scheme) for place in places))
    gaps = [_gap(results, leader, place, rungs) for place in places]
    ties = tuple(place.scheme for place, gap in zip(places, gaps, strict=True) if gap and gap.tie)
    ranking = tuple(
        place.ranked(results, leader, gap, steps) if gap else _unranked(results, place.scheme)
        for place, gap in zip(places, gaps, strict=True)
    )
    return Standing(leader.scheme, ties, ranking)


@dataclass(frozen=True)
class _Gap:
    """How far a scheme is behind the leader: difference and standard error, after `steps` steps.

    Attributes:
        final: was that the winner's last length?
        same: are the losses the very same?
    """

    difference: float
    error: float
    steps: int
    final: bool
    same: bool

    @property
    def tie(self) -> bool:
        return self.same or (self.final and self.difference <= 2 * self.error)

    def __str__(self) -> str:
        return f"{self.difference:+.3g} ± {self.error:.2g} after {self.steps} steps"


@dataclass(frozen=True)
class _Place:
    """How far one scheme got: its last rung (`height` of them climbed), and its best curve there."""

    scheme: str
    height: int = 0
    loss: float = math.inf
    rung: Rung = GROUND
    best: Curve | None = None

    def ranked(self, results: Results, leader: _Place, gap: _Gap, steps: int) -> Candidate:
        means = results.at(self.best, self.rung).mean(1)
        error = float(means.std(ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else math.nan
        return Candidate(
            self.scheme,
            reason=self._reason(leader, gap),
            loss=self.loss,
            loss_error=error,
            learning_rate=self.best.rate if self.best else math.nan,
            share=self.rung.steps / steps,
        )

    def _reason(self, leader: _Place, gap: _Gap) -> str:
        if self is leader:
            return f"lowest validation loss after {gap.steps} steps"
        if gap.same:
            return f"the same losses as {leader.scheme}"
        if gap.tie:
            return f"within noise of {leader.scheme}: {gap}"
        return f"behind: {gap}" if gap.final else f"eliminated: {gap}"


def _place(results: Results, scheme: str, rungs: Sequence[Rung]) -> _Place:
    place = _Place(scheme)
    for height, rung in enumerate(rungs, 1):
        best = best_curve(results, scheme, rung)
        if best is not None:
            place = _Place(scheme, height, results.loss(best, rung), rung, best)
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


def best_curve(results: Results, scheme: str, rung: Rung) -> Curve | None:
    """The scheme's learning rate with the lowest loss on the rung, or None if none came through."""
    return next((curve for curve in results.ranked(rung) if curve.scheme == scheme), None)


def _gap(results: Results, leader: _Place, place: _Place, rungs: Sequence[Rung]) -> _Gap | None:
    """`place` behind `leader` on the last rung that both came through; None if there is none."""
    for rung in reversed(rungs[: place.height + 1]):
        one = best_curve(results, leader.scheme, rung)
        other = best_curve(results, place.scheme, rung)
        if one is not None and other is not None:
            ours = results.at(one, rung)
            theirs = results.at(other, rung)
            error = _standard_error(theirs - ours, seed_noise(results, rung.steps))
            same = one.rate == other.rate and bool((theirs == ours).all())
            final = rung is leader.rung
            return _Gap(float((theirs - ours).mean()), error, rung.steps, final, same)
    return None


def _standard_error(differences: NDArray[np.float64], noise: float) -> float:
    """Of the mean of paired differences of shape (seeds, batches)."""
    n, m = differences.shape
    errors = [noise * math.sqrt(2 / n)]
    if n > 1:
        errors.append(float(differences.mean(1).std(ddof=1)) / math.sqrt(n))
    if m > 1:
        errors.append(float(differences.mean(0).std(ddof=1)) / math.sqrt(m))
    return max(errors)


def seed_noise(results: Results, steps: int) -> float:
    """Standard deviation of a loss after `steps` from seed to seed, pooled over all curves with several."""
    seeds: dict[Curve, list[float]] = {}
    for (curve, _), losses in results.losses.items():
        if steps in losses:
            seeds.setdefault(curve, []).append(sum(losses[steps]) / len(losses[steps]))
    variances = [float(np.var(values, ddof=1)) for values in seeds.values() if len(values) > 1]
    return math.sqrt(sum(variances) / len(variances)) if variances else 0.0
