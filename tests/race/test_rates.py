"""Learning rates: one grid for everybody."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from initwise.core.errors import OptionError
from initwise.core.problem import OPTIMIZERS
from initwise.race.rates import GRIDS, LEAST, MOST, around, beyond, grid


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_has_a_grid_of_half_decades(optimizer):
    grid = GRIDS[optimizer]
    ratios = [after / before for before, after in pairwise(grid)]
    assert all(ratio * (1 + 1e-9) >= 3 and ratio <= 10 / 3 * (1 + 1e-9) for ratio in ratios)


def test_a_given_grid_is_sorted_and_each_rate_counts_once():
    assert grid("adam", [0.1, 0.01, 0.1]).rates == (0.01, 0.1)
    assert grid("sgd", 0.05).rates == (0.05,)
    assert grid("sgd").rates == GRIDS["sgd"]


def test_only_the_default_grid_may_be_widened():
    assert grid("adam").open
    assert not grid("adam", GRIDS["adam"]).open


@pytest.mark.parametrize(
    ("rate", "found"), [(0.01, 0.03), (0.003, None), (3e-4, 1e-4), (0.05, 0.1), (2e-4, 1e-4)]
)
def test_beyond_the_edges_lie_the_next_half_decades(rate, found):
    assert beyond(rate, {3e-4, 1e-3, 3e-3, 0.01, rate} if rate <= 0.01 else {1e-3, rate}) == found


def test_a_grid_widens_without_end_but_for_its_limits():
    rates, rate = [0.01], 0.01
    while (rate := beyond(rate, rates)) is not None:
        rates.append(rate)
    assert rates == [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
    rates, rate = [3e-5, 1.0], 3e-5
    while (rate := beyond(rate, rates)) is not None:
        rates.append(rate)
    assert rates == [3e-5, 1.0, 1e-5, 3e-6, 1e-6]


@pytest.mark.parametrize("bad", [0, -0.1, math.nan, math.inf, "fast", [0.1, -1]])
def test_rates_that_are_none_are_refused(bad):
    with pytest.raises(OptionError, match=r"^lrs: .*; expected positive, finite learning rates\.$"):
        grid("adam", bad)


def test_an_empty_grid_is_refused():
    with pytest.raises(OptionError, match=r"^lrs: no learning rates; expected at least one\.$"):
        grid("adam", [])


@pytest.mark.parametrize(
    ("middle", "found"),
    [
        (0.009, (0.003, 0.01, 0.03)),
        (0.01, (0.003, 0.01, 0.03)),
        (0.0019, (1e-3, 3e-3, 0.01)),
        (0.0017, (3e-4, 1e-3, 3e-3)),
        (3e-4, (1e-4, 3e-4, 1e-3)),
    ],
)
def test_around_a_rate_lie_three_half_decades(middle, found):
    assert around(middle) == found


@pytest.mark.parametrize("middle", [1e-12, 1e6])
def test_predicted_rates_stay_within_the_limits(middle):
    assert all(LEAST <= rate <= MOST for rate in around(middle))
