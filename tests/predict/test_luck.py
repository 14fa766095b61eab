"""Luck: scenarios in which what was drawn once is large or small wherever it goes."""

import math

import numpy as np
import pytest
from torch import nn

from initwise import check
from initwise.predict import luck

ONE, OTHER = frozenset({101}), frozenset({202})
# of a mean over scenarios of numbers that vary by 20 %
SLACK = 4 * 0.2 / math.sqrt(luck.SCENARIOS)


def test_what_was_drawn_once_is_lucky_together():
    made = luck.drawn(0.04, 0.04, ONE)
    assert made.together(made) == pytest.approx(1.04, abs=SLACK)
    assert made.together(luck.drawn(0.04, 0.04, OTHER)) == pytest.approx(1.0, abs=SLACK)
    assert made.over(made) == pytest.approx(1.0, abs=1e-6)
    assert luck.NONE.over(made) == pytest.approx(1.04, abs=SLACK)


def test_a_slice_is_luckier_than_the_whole():
    made = luck.drawn(0.5, 0.02, ONE)
    assert made.variance == pytest.approx(math.log(1.02), rel=1e-3)
    assert np.var(made.logs) == pytest.approx(math.log(1.5), rel=0.2)
    assert made.shared.together(made.shared) == pytest.approx(1.02, abs=SLACK)


def test_scales_keep_the_mean_square():
    made = luck.drawn(0.5, 0.5, ONE)
    assert len(made.scales) > 1
    assert np.mean(np.square(made.scales)) == pytest.approx(1.0)
    assert luck.drawn(1e-4, 1e-4, ONE).scales == (1.0,)


def test_a_sum_is_lucky_by_its_shares():
    made = luck.weighted([0.5, 0.5], [luck.drawn(0.04, 0.04, ONE), luck.NONE])
    assert math.sqrt(made.variance) == pytest.approx(0.1, rel=0.1)
    assert luck.weighted([0.5, 0.5], [luck.NONE, luck.NONE]) is luck.NONE


def test_the_same_prediction_twice():
    def build():
        return nn.Sequential(*[part for _ in range(6) for part in (nn.Linear(8, 8), nn.Hardswish())])

    one, two = (check(build, "f32[4,8]", mode="predict").layers for _ in range(2))
    assert [row.gradient_rms for row in one] == [row.gradient_rms for row in two]
