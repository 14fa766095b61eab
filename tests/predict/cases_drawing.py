"""Random numbers of other laws."""

from __future__ import annotations

import torch
from conformance import case, normal, uniform

X = normal(6, 8)
RATE = uniform(6, 8, mean=3.0, std=0.5)


def _new(fill, *given):  # type: ignore[no-untyped-def]
    return lambda x: getattr(torch.empty_like(x), fill)(*given) + 0 * x


CASES = [
    case("log-normal numbers", _new("log_normal_", 0.1, 0.5), X, backward=False, samples=600),
    case("trials", _new("geometric_", 0.3), X, backward=False, samples=600),
    case("whole numbers", _new("random_", 2, 7), X, backward=False, samples=600),
    case("counts", torch.poisson, RATE, backward=False, samples=600),
    case("gamma variables", lambda x: torch._standard_gamma(x), RATE, backward=False, samples=600),
]
