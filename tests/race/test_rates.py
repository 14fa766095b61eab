"""Learning rates: one grid for everybody."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from initwise.core.errors import OptionError
from initwise.core.problem import OPTIMIZERS
from initwise.race.rates import GRIDS, learning_rates


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_has_a_grid_of_half_decades(optimizer):
    grid = GRIDS[optimizer]
    ratios = [after / before for before, after in pairwise(grid)]
    assert all(ratio * (1 + 1e-9) >= 3 and ratio <= 10 / 3 * (1 + 1e-9) for ratio in ratios)


def test_a_given_grid_is_sorted_and_each_rate_counts_once():
    assert learning_rates("adam", [0.1, 0.01, 0.1]) == (0.01, 0.1)
    assert learning_rates("sgd", 0.05) == (0.05,)
    assert learning_rates("sgd") == GRIDS["sgd"]


@pytest.mark.parametrize("bad", [0, -0.1, math.nan, math.inf, "fast", [0.1, -1]])
def test_rates_that_are_none_are_refused(bad):
    with pytest.raises(OptionError, match=r"^lrs: .*; expected positive, finite learning rates\.$"):
        learning_rates("adam", bad)


def test_an_empty_grid_is_refused():
    with pytest.raises(OptionError, match=r"^lrs: no learning rates; expected at least one\.$"):
        learning_rates("adam", [])
