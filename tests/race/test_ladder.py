"""The ladder: what successive halving promises, whatever the size of the grid."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.core.errors import ProblemError
from initwise.race.ladder import FEW_RATES, FINALISTS, LONGER, RATES, STRETCH, Rung, cost, ladder

sizes = (
    st.integers(1, 30),
    st.integers(1, 6),
    st.integers(1, 4),
    st.floats(0.02, 6),
    st.integers(20, 1000),
    st.booleans(),
)


def built(schemes, rates, seeds, budget, steps, wide):
    """The ladder and what it may cost; None where the budget is too small."""
    allowed = int(budget * schemes * rates * steps)
    try:
        return ladder(schemes, rates, seeds, allowed, steps, open_grid=wide), allowed
    except ProblemError:
        return None, allowed


@settings(max_examples=80, deadline=None)
@given(*sizes)
def test_costs_no_more_than_the_budget_and_nearly_all_of_it(schemes, rates, seeds, budget, steps, wide):
    found, allowed = built(schemes, rates, seeds, budget, steps, wide)
    if found is None:
        assert allowed < 2 * (8 * schemes * rates + FINALISTS * LONGER**2 * seeds)
        return
    spent = found.cost() + found.reserve
    assert spent <= allowed
    full = all(rung.steps == steps for rung in found.rungs)
    # one more step on the first rung makes every later one longer by its factor (rounded)
    assert full or spent > allowed - 2 * (8 * schemes * rates + FINALISTS * LONGER**2 * seeds)


@settings(max_examples=80, deadline=None)
@given(*sizes)
def test_every_arm_starts_and_fewer_run_longer(schemes, rates, seeds, budget, steps, wide):
    found, _ = built(schemes, rates, seeds, budget, steps, wide)
    if found is None:
        return
    assert found.rungs[0].arms == schemes * rates
    assert 1 <= found.rungs[-1].seeds <= seeds
    for before, after in pairwise(found.rungs):
        assert after.arms < before.arms
        assert before.steps <= after.steps <= steps
        assert after.seeds >= before.seeds


def test_no_scheme_is_out_after_the_first_rung():
    rungs = ladder(10, 4, 2, 1200, 300).rungs
    assert [rung.arms for rung in rungs] == [40, 10 * RATES, FINALISTS]
    assert [rung.seeds for rung in rungs] == [1, 1, 2]


def test_few_rates_need_no_rung_between():
    assert [rung.arms for rung in ladder(10, FEW_RATES, 3, 1200, 300).rungs] == [30, FINALISTS]


def test_a_small_budget_pays_for_fewer_seeds():
    least = 40 + round(LONGER) * 10 * RATES
    finalists = round(LONGER**2) * FINALISTS
    assert [ladder(10, 4, 3, least + n * finalists, 60).rungs[-1].seeds for n in (1, 2, 3)] == [1, 2, 3]


def test_a_budget_for_everything_trains_everything():
    assert ladder(5, 2, 3, 3000, 100).rungs == (Rung(10, 100, 3),)


def test_arms_already_run_to_the_same_length_are_not_paid_twice():
    assert cost((Rung(8, 50, 1), Rung(2, 50, 2))) == 8 * 50 + 2 * 50


def test_what_early_rungs_save_makes_the_last_one_longer_up_to_a_limit():
    found = ladder(10, 4, 2, 1200, 300)
    last = found.rungs[-1]
    planned = cost(found.rungs[:-1])
    assert found.stretched(len(found.rungs) - 1, planned).steps >= last.steps
    assert found.stretched(len(found.rungs) - 1, planned - 12).steps >= last.steps + 2
    assert found.stretched(len(found.rungs) - 1, 0).steps == found.longest == int(STRETCH * last.steps)
    assert found.stretched(0, 0) == found.rungs[0]


def test_a_budget_too_small_says_how_much_would_do():
    with pytest.raises(ProblemError) as caught:
        ladder(10, 4, 2, 24, 60)
    needed = 40 + round(LONGER) * 10 * RATES + round(LONGER**2) * FINALISTS
    share = math.ceil(needed / 2400 * 1000) / 1000
    assert str(caught.value) == (
        "race: the budget pays for 24 optimiser steps, too few for 40 arms: one step of each, and the rungs "
        f'after it, cost {needed}; expected budget ≥ {share:g}, or "{needed} steps".\n'
        "  Raise the budget, lengthen the training (Problem(steps=…)), or race fewer candidates."
    )
    assert ladder(10, 4, 2, needed, 60)
