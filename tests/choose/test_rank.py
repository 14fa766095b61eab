"""The ranking: vetoed last, ties in the order of the table, scores that can be recomputed by hand."""

from __future__ import annotations

import math

import pytest

from initwise.choose.candidates import CandidateRow
from initwise.choose.rank import CAP, FLATNESS, TIE, after_race, ranked, score, steepness, tied
from initwise.choose.verdicts import Judged
from initwise.core.plan import Plan
from initwise.core.records import Candidate, Race


def judged(
    name: str, prior: float, verdict: str = "ok", forward: float = 1.0, backward: float = 1.0
) -> Judged:
    row = CandidateRow(name, lambda case: Plan(name, ()), (prior,) * 6)
    return Judged(row, Candidate(name, verdict, forward=forward, backward=backward), Plan(name, ()))


def order(*given: Judged) -> list[str]:
    return [one.row.name for one in ranked(given, "deep")]


def test_the_score_is_prior_plus_flatness() -> None:
    one = judged("a", 0.2, forward=0.1, backward=1e-9)
    assert score(one, "deep") == pytest.approx(0.2 + FLATNESS * (1 + CAP))
    assert score(one, "normed") == 0.2


def test_steepness_knows_zero_infinity_and_nothing() -> None:
    assert [steepness(ratio) for ratio in (1, 100, 0, math.inf, math.nan)] == [0, 2, CAP, CAP, 0]


def test_the_better_score_comes_first_and_the_vetoed_last() -> None:
    assert order(judged("c", 0.0, "vanishing"), judged("b", 0.5), judged("a", 0.1)) == ["a", "b", "c"]


def test_the_unmade_come_after_the_vetoed() -> None:
    lost = Judged(CandidateRow("lost", lambda case: Plan("", ())), Candidate("lost", "unpredicted"))
    assert order(lost, judged("out", 0.9, "dead"), judged("in", 0.9)) == ["in", "out", "lost"]


def test_a_tie_keeps_the_order_of_the_table() -> None:
    given = (judged("first", 0.10), judged("second", 0.10 - TIE / 2), judged("third", 0.10 + 2 * TIE))
    assert order(*given) == ["first", "second", "third"]
    assert tied(ranked(given, "deep")) == ("first", "second")


def test_a_tie_is_three_hundredths_wide() -> None:
    # about the standard error of a mean regret in the study: another width is another ranking
    given = ranked((judged("a", 0.129), judged("b", 0.10), judged("c", 0.131)), "deep")
    assert [one.row.name for one in given] == ["a", "b", "c"]
    assert tied(given) == ("a", "b")
    assert order(judged("a", 0.131), judged("b", 0.10)) == ["b", "a"]


def test_with_all_vetoed_there_is_no_tie() -> None:
    given = ranked((judged("a", 0.2, "dead"), judged("b", 0.1, "dead")), "deep")
    assert [one.row.name for one in given] == ["b", "a"]
    assert tied(given) == ("b",)


def test_a_race_overrules_the_prior_and_keeps_what_was_measured() -> None:
    given = ranked((judged("a", 0.1, forward=0.9), judged("b", 0.4), judged("c", 0.5)), "deep")
    results = (Candidate("b", loss=0.1), Candidate("a", "exploding", "diverged", loss=9.0))
    told = after_race(given, Race("p", "b", ("b",), results))
    # what diverged in training is out, behind what never ran
    assert [one.row.name for one in told] == ["b", "c", "a"]
    assert (told[2].candidate.forward, told[2].candidate.loss) == (0.9, 9.0)
    assert told[2].candidate.verdict == "exploding"
    assert math.isnan(told[1].candidate.loss)
