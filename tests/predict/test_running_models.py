"""What models do besides plain layers: each runs, and its numbers are those of measuring."""

import math

import numpy as np
import torch
from torch import nn

from initwise import check

SEEDS = 8


def assert_near(build, example, slack):
    """Every row is predicted; ln(predicted/measured) of mean squares, the mean over draws, is within slack.

    The slack is about three times the spread of the mean of 8 draws.
    """
    predicted = check(build, example, mode="predict")
    drawn = {}
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        for row in check(build(), example, seed=seed).layers:
            numbers = (row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2)
            drawn.setdefault(row.name, []).append(numbers)
    assert {row.name for row in predicted.layers} == set(drawn)
    for row in predicted.layers:
        assert row.verdict != "unpredicted", row
        numbers = (row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2)
        for mine, theirs in zip(numbers, np.mean(drawn[row.name], axis=0), strict=True):
            assert math.isnan(mine) == math.isnan(theirs), (row, theirs)
            if theirs > 1e-20:
                assert abs(math.log(mine / theirs)) < slack, (row.name, mine, theirs)


class Experts(nn.Module):
    """Each token through the one of four matrices that a real router chooses, in one grouped product."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(32, 32), nn.Linear(48, 8)
        self.experts = nn.Parameter(torch.randn(4, 32, 48) / math.sqrt(32))

    def forward(self, x):
        sizes = torch.tensor([10, 0, 34, 20])
        return self.last(
            nn.functional.grouped_mm(self.first(x), self.experts, offs=sizes.cumsum(0, dtype=torch.int32))
        )


def test_grouped_products():
    assert_near(Experts, "f32[64,32]", 0.25)
