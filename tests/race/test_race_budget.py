"""Budgets: a share, steps or a time."""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future
from datetime import timedelta

import pytest
import torch

from initwise.core.errors import OptionError
from initwise.race import heats, limits, race, runner
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


def test_the_end_of_a_race_is_no_outcome_of_a_training(monkeypatch):
    """A training's own limit is its failure; the race's end is not, and passes what catches errors."""
    now = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(limits, "_alarm_is_free", lambda: False)
    for own, error in ((2.0, TimeoutError), (9.0, limits.OutOfTimeError), (0.0, limits.OutOfTimeError)):
        now[0] = 0.0
        with limits.ending(5.0), limits.limited(own) as check:
            check()
            now[0] = 6.0
            with pytest.raises(error):
                check()
    assert not issubclass(limits.OutOfTimeError, Exception)
    assert limits.left() == math.inf


@pytest.mark.parametrize("width", [1, 16])
def test_a_budget_in_time_ends_within_a_training(make, monkeypatch, width):
    """After some losses no time is left: not one more step is made, alone or in a stack."""
    monkeypatch.setattr(heats, "WIDTH", width)
    end, losses, started = runner.ending, [], []

    def counting(outputs, targets):
        losses.append(1)
        return torch.nn.functional.cross_entropy(outputs, targets)

    def late(until):
        # steps were timed before, and the end of the race was set by the clock of then
        losses.clear()
        started.append(True)
        return end(until)

    monkeypatch.setattr(runner, "ending", late)
    monkeypatch.setattr(limits, "_alarm_is_free", lambda: False)
    monkeypatch.setattr(limits.time, "monotonic", lambda: 1e9 if started and len(losses) >= 4 else 0.0)
    result = race(make(loss=counting), candidates=["he_normal", "zeros"], budget="60 s", progress=False)
    assert len(losses) == 4
    assert result.notes[0].startswith("the time was up in rung 1 of ")
    assert not result.interrupted
    assert {arm.status for arm in result.arms} == {"interrupted"}


def test_what_runs_elsewhere_is_waited_for_no_longer_than_the_budget(make, monkeypatch):
    class Never(Executor):
        def submit(self, fn, /, *args, **kwargs):
            return Future()

    result = race(
        make(), candidates=["he_normal"], budget=timedelta(seconds=2), progress=False, executor=Never()
    )
    assert result.notes == ("the time was up in rung 1 of 1",)
