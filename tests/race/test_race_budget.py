"""Budgets: a share, steps or a time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from initwise.core.errors import OptionError
from initwise.race import limits, race, runner
from initwise.race.budget import EXPECTED, Budget, read


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (0.1, Budget(share=0.1)),
        (2, Budget(share=2.0)),
        ("0.1", Budget(share=0.1)),
        ("10%", Budget(share=0.1)),
        ("2000 steps", Budget(steps=2000)),
        ("1e3 steps", Budget(steps=1000)),
        ("90 s", Budget(seconds=90.0)),
        ("1.5min", Budget(seconds=90.0)),
        ("2 h", Budget(seconds=7200.0)),
        (timedelta(minutes=2), Budget(seconds=120.0)),
    ],
)
def test_what_a_budget_means(given, found):
    assert read(given) == found


@pytest.mark.parametrize(
    "bad",
    [0, -0.1, "0 s", "ten", "1.5 steps", "1e999 steps", "3 days", "", float("nan"), True, None, timedelta()],
)
def test_what_is_no_budget(bad):
    with pytest.raises(OptionError) as caught:
        read(bad)
    assert str(caught.value) == f"budget: {bad!r}; expected {EXPECTED}."


def test_a_share_is_of_the_full_grid_and_a_time_of_what_a_step_takes():
    assert Budget(share=0.1).allowed(2000, 1.0) == 200
    assert Budget(steps=30).allowed(2000, 1.0) == 30
    assert Budget(seconds=60).allowed(2000, 0.5) == 120


def test_a_budget_in_steps_is_kept(make):
    result = race(make(), candidates=["he_normal", "zeros"], budget="200 steps", progress=False)
    assert 150 < sum(arm.steps for arm in result.arms) <= 200
    assert result.cost <= 200 / (2 * 4 * 60)


def test_when_the_time_is_up_what_has_run_is_ranked(make, monkeypatch):
    monkeypatch.setattr(runner.Runner, "_climb", _late)
    result = race(make(), candidates=["he_normal", "zeros"], budget="200 steps", progress=False)
    assert result.notes == ("the time was up in rung 2 of 2",)
    assert not result.interrupted
    assert result.winner == "he_normal"
    assert {arm.steps for arm in result.arms} != {0}


def _late(one):
    """The first rung in time, the second too late."""
    course = one._course
    rung = course.ladder.rungs[0]
    one._rung(rung, course.curves(), 0)
    one._completed.append(rung)
    raise limits.OutOfTimeError
