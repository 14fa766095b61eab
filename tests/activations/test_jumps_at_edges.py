"""Jumps beside the edges of the quadrature's panels: wherever they lie, the stated errors hold."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from initwise.activations import activation

EDGES = [0.0, 0.125, -0.125, 0.5, 1.0, -2.0, 3.0]
DISTANCES = [0.0, 2e-16, 2e-13, 2e-11, 6e-11, 1e-9, 1e-6]


@pytest.mark.parametrize("q", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("edge", EDGES)
def test_a_step_anywhere_is_within_its_stated_error(q, edge):
    """E[1(x > c)] = E[1(x > c)²] = 1 − Φ(c/√q), exactly."""
    for distance in DISTANCES:
        for side in (-1.0, 1.0):
            jump = edge + side * distance
            found = activation(lambda x, c=jump: np.where(x > c, 1.0, 0.0)).moments(q)
            truth = norm.sf(jump / math.sqrt(q))
            assert abs(found.mean - truth) <= found.error + 4e-16, (jump, q)
            assert abs(found.second - truth) <= found.second_error + 4e-16, (jump, q)
