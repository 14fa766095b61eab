"""Distances between all pairs of rows."""

from __future__ import annotations

import torch
from conformance import case, normal

LOGNORMAL = "the law of a sum of squares is taken as lognormal, and at its expectation in the gradient"
ROWS, OTHERS = normal(2, 5, 48, mean=0.5), normal(2, 6, 48)

CASES = [
    case("distances", lambda x, y: torch.cdist(x, y), ROWS, OTHERS, slack=0.04, reason=LOGNORMAL),
    case(
        "sums of differences", lambda x, y: torch.cdist(x, y, p=1), ROWS, OTHERS, slack=0.04, reason=LOGNORMAL
    ),
    case(
        "distances within",
        lambda x: torch.pdist(x),
        normal(6, 48),
        backward=False,
        slack=0.03,
        reason=LOGNORMAL,
    ),
    case(
        "distances of many",
        lambda x, y: torch.cdist(x, y),
        normal(30, 16),
        normal(30, 16),
        backward=False,
        slack=0.04,
        reason=LOGNORMAL,
    ),
]
