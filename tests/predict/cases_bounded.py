"""Functions that only part of the line bears."""

from __future__ import annotations

import torch
from conformance import case, normal, real, uniform
from torch.nn import functional as F  # noqa: N812

GRID = "the grid"
HIDDEN = torch.arange(6) > 3

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
    case(
        "sigmoid of hidden scores",
        lambda x: torch.sigmoid(x.masked_fill(HIDDEN, -torch.inf)),
        normal(4, 6),
        samples=600,
        slack=0.01,
        grad_slack=0.15,
        reason="the mask is met twice on the way back",
    ),
    case(
        "scores of the chosen, scattered",
        lambda x, i: torch.full_like(x, -torch.inf)[:, :2].scatter(1, i, x[:, :1]).transpose(0, 1).sigmoid(),
        normal(6, 4),
        real(torch.tensor([[0], [1], [1], [0], [1], [0]])),
        backward=False,
        samples=600,
        slack=0.01,
        reason=GRID,
    ),
    case(
        "written to another tensor",
        lambda x, y: torch.sub(x, y.abs(), out=torch.empty_like(x)) * 1,
        normal(4, 6),
        normal(4, 6),
        backward=False,
        slack=0.01,
        reason=GRID,
        bare=True,
    ),
    case("exponential of a negative mean", torch.exp, normal(4, 6, mean=-0.5, std=0.5), samples=1000),
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
