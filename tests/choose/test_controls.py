"""Vetoes are tested by the race: vetoed controls run, and one that trains is in again."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from initwise.choose.advise import CONTROLS, choose, running
from initwise.choose.candidates import CandidateRow
from initwise.choose.rank import after_race, ties_after
from initwise.choose.reasons import _controls
from initwise.choose.verdicts import Judged
from initwise.core.errors import ModelError
from initwise.core.fill import Fill
from initwise.core.plan import Plan
from initwise.core.problem import Problem
from initwise.core.records import Candidate, Race
from initwise.race.verdict import LEVEL

PLAN = Plan("any", (("w", Fill.normal(0, 1)),))


class OnlyScale(nn.Module):
    """One vector that no layer owns, and that is no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


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
    order = [
        judged("h0"),
        judged("lost", "unpredicted", None),
        judged("v1", "vanishing"),
        judged("z", "symmetric"),
    ]
    assert [one.row.name for one in running(order)] == ["h0", "v1"]
    many = [judged(f"v{i}", "exploding") for i in range(9)]
    assert [one.row.name for one in running(many)] == [f"v{i}" for i in range(CONTROLS)]


def test_if_nothing_can_learn_the_least_damaged_run_all_the_same():
    order = [judged("a", "dead"), judged("b", "symmetric")]
    assert [one.row.name for one in running(order)] == ["a", "b"]


def test_a_control_that_loses_stays_out_and_shows_its_loss():
    order = after_race([judged("h"), judged("v", "vanishing")], raced("h", "v"))
    assert [one.row.name for one in order] == ["h", "v"]
    assert order[0].candidate.reason == "place 1; what h does"
    assert (order[1].candidate.verdict, order[1].candidate.reason) == ("vanishing", "measured so")
    assert order[1].candidate.loss == pytest.approx(0.2)
    assert list(_controls(order)) == [
        "The vetoes were tested: validation loss of v 0.2 after 50% of a training."
    ]


@pytest.mark.parametrize(("p", "first"), [(math.nan, "known"), (0.5, "known"), (0.1, "new"), (0.01, "new")])
def test_a_tie_goes_to_what_is_known_to_be_best_elsewhere(p, first):
    ties = ("new", "known") if not p < LEVEL else ("new",)
    race = raced("new", "known", "third", ties=ties)
    ranking = (race.ranking[0], replace(race.ranking[1], p=p), race.ranking[2])
    order = after_race([judged("known"), judged("third"), judged("new")], replace(race, ranking=ranking))
    assert order[0].row.name == first
    assert order[2].row.name == "third"
    assert order[0].candidate.learning_rate == 0.01


def test_a_vetoed_candidate_that_wins_outright_is_in_again():
    race = raced("v", "h")
    order = after_race([judged("h"), judged("v", "vanishing")], race)
    assert [one.row.name for one in order] == ["v", "h"]
    assert order[0].candidate.reason == "vetoed before training (vanishing: measured so), yet it won the race"
    assert ties_after(order, race) == ("v",)


@pytest.mark.parametrize("verdict", ["vanishing", "symmetric"])
def test_a_lucky_veto_within_noise_of_a_healthy_candidate_stays_out(verdict):
    race = raced("v", "h", ties=("v", "h"))
    order = after_race([judged("h"), judged("v", verdict)], race)
    assert [one.row.name for one in order] == ["h", "v"]
    assert order[1].candidate.verdict == verdict
    assert ties_after(order, race) == ("h",)


@pytest.mark.parametrize("verdict", ["symmetric", "dead"])
def test_what_cannot_learn_never_wins(verdict):
    race = raced("zeros", "h", "other")
    order = after_race([judged("unraced"), judged("h"), judged("other"), judged("zeros", verdict)], race)
    assert [one.row.name for one in order] == ["h", "other", "unraced", "zeros"]
    assert order[-1].candidate.verdict == verdict
    assert ties_after(order, race) == ("h",)


def test_a_healthy_candidate_that_fails_in_training_is_out():
    failed = Candidate("h", "exploding", "training diverged at every learning rate")
    order = after_race([judged("h"), judged("other")], Race("toy", "", (), (failed,)))
    assert [one.row.name for one in order] == ["other", "h"]
    assert order[1].candidate.verdict == "exploding"
    assert math.isnan(order[1].candidate.loss)
    assert order[0].candidate.reason == "measured so"


def test_zeros_does_not_win_a_race_of_a_few_noisy_steps():
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    y = (x @ torch.randn(8, 4)).argmax(1)
    problem = Problem(
        lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)),
        [(x[i : i + 8], y[i : i + 8]) for i in range(0, 64, 8)],
        nn.functional.cross_entropy,
        steps=30,
    )
    advice = choose(problem=problem, race=True, candidates=["he_normal", "xavier_normal", "zeros"])
    assert advice.name != "zeros"
    assert "zeros" not in advice.ties
    assert advice.ranking[-1].verdict == "symmetric"


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (nn.Linear(3, 3).requires_grad_(False), "model: nothing in it can be filled: weight ("),
        (
            OnlyScale(),
            "nothing in it can be filled: scale (a bare parameter, multiplied with the signal (x * g)",
        ),
        (nn.ReLU(), "model: nothing in it can be filled: it has no parameters; expected at least one"),
    ],
)
def test_a_choice_without_effect_is_an_error(model, text):  # silent no-ops are the trap
    with pytest.raises(ModelError) as caught:
        choose(model, torch.randn(8, 3))
    assert text in str(caught.value)
    assert "Unfreeze what is to be filled" in str(caught.value)
