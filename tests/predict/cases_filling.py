"""Constants and random numbers."""

from __future__ import annotations

import math

import torch
from conformance import case, normal

X = normal(4, 6)
S = (4, 6)
MADE = {"backward": False, "factories": True}


def _erfinv(x):  # type: ignore[no-untyped-def]
    return torch.empty_like(x).uniform_(-1, 1).erfinv_().mul_(math.sqrt(2))


CASES = [
    case(
        "constants like another",
        lambda x: (
            x * 0 + torch.zeros_like(x),
            torch.ones_like(x),
            torch.full_like(x, 2.5),
            x.new_zeros(3),
            x.new_ones(3),
            x.new_full((3,), 2.0),
        ),
        X,
        backward=False,
    ),
    case(
        "filled in place",
        lambda x: (
            torch.empty_like(x).zero_(),
            x.new_empty((4, 6)).fill_(3),
            torch.fill(x, 2.0),
            torch.ops.aten.zero(x) + x,
        ),
        X,
        backward=False,
    ),
    case("strided memory", lambda x: x.new_empty_strided((4, 6), (6, 1)).zero_(), X, backward=False),
    case(
        "constants from nothing",
        lambda: (torch.zeros(S), torch.ones(S), torch.full(S, 2.0), torch.scalar_tensor(3.0)),
        **MADE,
    ),
    case(
        "memory from nothing",
        lambda: (
            torch.empty(S).normal_(1, 2),
            torch.empty_strided(S, (6, 1)).uniform_(),
            torch.empty_permuted(S, (1, 0)).zero_(),
        ),
        **MADE,
    ),
    case("random from nothing", lambda: (torch.randn(S), torch.rand(S)), **MADE),
    case("normal", lambda x: (torch.empty_like(x).normal_(1, 2), torch.normal(0.0, 3.0, S)), X, **MADE),
    case(
        "random like another",
        lambda x: (torch.randn_like(x), torch.rand_like(x), torch.empty_like(x).uniform_(-1, 3)),
        X,
        backward=False,
    ),
    case("exponential", lambda x: torch.empty_like(x).exponential_(2.0), X, backward=False, samples=600),
    case(
        "function of exponentials",
        lambda x: torch.empty_like(x).exponential_(1.0).sqrt(),
        X,
        backward=False,
        slack=2e-3,
        reason="the grid",
    ),
    case(
        "coins",
        lambda x: (
            torch.bernoulli(x, 0.3),
            torch.empty_like(x).bernoulli_(0.3),
            torch.bernoulli(torch.full_like(x, 0.3)),
        ),
        X,
        backward=False,
        samples=600,
    ),
    case("truncated normal by erfinv", _erfinv, X, backward=False, samples=600),
    case(
        "orthogonal",
        lambda x: torch.linalg.qr(x)[0],
        normal(24, 12),
        backward=False,
        slack=0.05,
        reason="signs of the first rows are not random",
    ),
]
