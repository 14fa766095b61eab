"""The ladder: what successive halving promises, whatever the size of the grid."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.core.errors import ProblemError
from initwise.race.ladder import Rung, cost, ladder

sizes = st.integers(1, 30), st.integers(1, 6), st.integers(1, 4), st.floats(0.02, 6), st.integers(20, 1000)


@settings(max_examples=80, deadline=None)
@given(*sizes)
def test_costs_no_more_than_the_budget_and_nearly_all_of_it(schemes, rates, seeds, budget, steps):
    allowed = budget * schemes * rates * steps
    try:
        rungs = ladder(schemes, rates, seeds, budget, steps)
    except ProblemError:
        assert allowed < schemes * rates * (seeds + 5)
        return
    assert cost(rungs) <= allowed + 1e-6
    full = all(rung.steps == steps for rung in rungs)
    # one more step on the first rung costs at most one arm-step per arm, seed and stretch
    assert full or cost(rungs) > allowed - schemes * rates * (seeds + 5)


@settings(max_examples=80, deadline=None)
@given(*sizes)
def test_every_arm_starts_and_fewer_run_longer(schemes, rates, seeds, budget, steps):
    try:
        rungs = ladder(schemes, rates, seeds, budget, steps)
    except ProblemError:
        return
    assert rungs[0].arms == schemes * rates
    assert rungs[-1].seeds == seeds
    for before, after in pairwise(rungs):
        assert after.arms < before.arms
        assert before.steps <= after.steps <= steps
        assert after.seeds >= before.seeds


def test_the_usual_race_has_three_rungs():
    rungs = ladder(10, 4, 2, 0.10, 300)
    assert rungs == (Rung(40, 11, 1), Rung(10, 28, 1), Rung(3, 69, 2))
    assert cost(rungs) == 40 * 11 + 10 * 28 + 3 * 2 * 69


def test_a_budget_for_everything_trains_everything():
    assert ladder(5, 2, 3, 3, 100) == (Rung(10, 100, 3),)


def test_arms_already_run_to_the_same_length_are_not_paid_twice():
    assert cost((Rung(8, 50, 1), Rung(2, 50, 2))) == 8 * 50 + 2 * 50


def test_a_budget_too_small_says_how_much_would_do():
    with pytest.raises(ProblemError) as caught:
        ladder(10, 4, 2, 0.01, 60)
    assert str(caught.value) == (
        "race: budget=0.01 pays for 24 optimiser steps, too few for 40 arms; expected budget ≥ 0.04.\n"
        "  Raise the budget, lengthen the training (Problem(steps=…)), or race fewer candidates."
    )
    assert ladder(10, 4, 2, 0.04, 60)
