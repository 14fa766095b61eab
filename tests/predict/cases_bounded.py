"""Functions that only part of the line bears."""

from __future__ import annotations

import torch
from conformance import case, normal, uniform
from torch.nn import functional as F  # noqa: N812

GRID = "the grid"

CASES = [
    case("arc cosine", torch.acos, uniform(4, 6, mean=0.0, std=0.3), slack=0.01, reason=GRID),
    case("arc sine", torch.asin, uniform(4, 6, mean=0.0, std=0.3), slack=0.01, reason=GRID),
    case(
        "angle between vectors",
        lambda x, y: torch.acos(F.normalize(x) @ F.normalize(y).t()),
        normal(6, 64),
        normal(5, 64),
        backward=False,
        slack=0.01,
        reason="lengths are taken as independent of their terms",
    ),
    case("exponential", torch.exp, normal(4, 6, mean=-0.5, std=0.5), samples=1000),
    case(
        "decay of a sum of negative numbers",
        lambda x, a: torch.exp(-(a.exp() * F.softplus(x)).cumsum(1)),
        normal(6, 16),
        normal(6, 1, mean=1.0, std=1.5),
        backward=False,
        samples=2000,
        slack=0.12,
        reason="−x is taken as lognormal",
    ),
]
