"""Vetoes are tested by the race: vetoed controls run, and one that trains is in again."""

import math

import pytest

from initwise.choose.advise import CONTROLS, running
from initwise.choose.candidates import CandidateRow
from initwise.choose.rank import after_race
from initwise.choose.reasons import _controls
from initwise.choose.verdicts import Judged
from initwise.core.fill import Fill
from initwise.core.plan import Plan
from initwise.core.records import Candidate, Race

PLAN = Plan("any", (("w", Fill.normal(0, 1)),))


def judged(name: str, verdict: str = "ok", plan: Plan | None = PLAN) -> Judged:
    row = CandidateRow(name, lambda case: PLAN, says=f"what {name} does")
    return Judged(row, Candidate(name, verdict, "measured so"), plan)


def raced(*names: str, ties: tuple[str, ...] = ()) -> Race:
    ranking = tuple(
        Candidate(name, reason=f"place {place}", loss=0.1 * place, learning_rate=0.01, share=0.5)
        for place, name in enumerate(names, 1)
    )
    return Race("toy", names[0], ties or names[:1], ranking)


def test_enough_healthy_candidates_need_no_controls_but_the_default():
    order = [judged(f"h{i}") for i in range(8)] + [judged("torch_default", "vanishing"), judged("v", "dead")]
    assert [one.row.name for one in running(order)] == ["h0", "h1", "h2", "h3", "h4", "h5", "torch_default"]


def test_a_healthy_default_runs_once():
    order = [judged("h0"), judged("torch_default"), *(judged(f"h{i}") for i in range(2, 5))]
    assert [one.row.name for one in running(order)].count("torch_default") == 1


def test_few_healthy_candidates_are_joined_by_vetoed_ones():
    order = [judged("h0"), judged("lost", "unpredicted", None), judged("v1", "dead"), judged("v2", "dead")]
    assert [one.row.name for one in running(order)] == ["h0", "v1", "v2"]
    many = [judged(f"v{i}", "dead") for i in range(9)]
    assert [one.row.name for one in running(many)] == [f"v{i}" for i in range(CONTROLS)]


def test_a_control_that_loses_stays_out_and_shows_its_loss():
    order = after_race([judged("h"), judged("v", "dead")], raced("h", "v"))
    assert [one.row.name for one in order] == ["h", "v"]
    assert order[0].candidate.reason == "place 1; what h does"
    assert (order[1].candidate.verdict, order[1].candidate.reason) == ("dead", "measured so")
    assert order[1].candidate.loss == pytest.approx(0.2)
    assert list(_controls(order)) == [
        "The vetoes were tested: validation loss of v 0.2 after 50% of a training."
    ]


@pytest.mark.parametrize(("race", "back"), [(raced("v", "h"), "v"), (raced("h", "v", ties=("h", "v")), "v")])
def test_a_control_that_nothing_beats_is_in_again(race, back):
    order = after_race([judged("h"), judged("v", "dead")], race)
    again = next(one for one in order if one.row.name == back)
    assert again.healthy
    assert again.candidate.reason == "vetoed before training (dead: measured so), yet nothing raced better"
    assert list(_controls(order)) == []


def test_a_healthy_candidate_that_fails_in_training_is_out():
    race = Race("toy", "", (), (Candidate("h", "exploding", "training diverged at every learning rate"),))
    order = after_race([judged("h"), judged("other")], race)
    assert order[0].candidate.verdict == "exploding"
    assert math.isnan(order[0].candidate.loss)
    assert order[1].candidate.reason == "measured so"
