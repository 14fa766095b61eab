"""Products, running products and extremes, ranks, unpooling."""

from __future__ import annotations

import torch
from conformance import case, normal
from torch.nn import functional as F  # noqa: N812

POSITIVE = normal(6, 5, mean=1.0, std=0.3)
X = normal(6, 15, mean=0.3)
OWNER = (torch.arange(10) // 2)[:, None].expand(10, 6)
ALONE = "of other elements of its kind, none is the largest: known of sums alone"
MAX = "as independent of the values"
IMAGE = normal(2, 4, 6, 6, mean=0.5)


def _unpooled(pool, unpool):  # type: ignore[no-untyped-def]
    return lambda x: unpool(*pool(x, 2, return_indices=True), 2)


CASES = [
    case("product along an axis", lambda x: x.prod(1), POSITIVE, backward=False, samples=3000),
    case(
        "product of everything",
        lambda x: x.prod().view(1),
        normal(2, 3, mean=1.0, std=0.3),
        backward=False,
        samples=4000,
    ),
    case("running products", lambda x: x.cumprod(1), POSITIVE, backward=False, samples=3000),
    case(
        "running products of tokens",
        lambda x: x.cumprod(0),
        normal(5, 6, mean=1.0, std=0.3),
        backward=False,
        samples=3000,
    ),
    case(
        "running largest",
        lambda x: x.cummax(1)[0],
        X,
        backward=False,
        samples=800,
        slack=0.1,
        reason="places are mixed, what neighbours have in common is that of the values",
    ),
    case(
        "running smallest",
        lambda x: x.cummin(1)[0],
        X,
        backward=False,
        samples=800,
        slack=0.1,
        reason="places are mixed, what neighbours have in common is that of the values",
    ),
    case(
        "running log of sums",
        lambda x: x.logcumsumexp(1),
        normal(6, 16, mean=0.3, std=0.5),
        backward=False,
        samples=600,
        slack=0.02,
        reason="at its expectation",
    ),
    case("median", lambda x: x.median(1)[0], X, samples=800),
    case("median of everything", lambda x: torch.ops.aten.median(x).view(1), X, backward=False, samples=3000),
    case("median without nan", lambda x: x.nanmedian(1)[0], X, samples=800),
    case("third smallest", lambda x: x.kthvalue(3, 1)[0], X, samples=800),
    case(
        "unpooled",
        _unpooled(F.max_pool2d, F.max_unpool2d),
        IMAGE,
        samples=600,
        slack=0.05,
        reason="places are taken as any, windows as independent",
    ),
    case(
        "unpooled volume",
        _unpooled(F.max_pool3d, F.max_unpool3d),
        normal(2, 3, 4, 4, 4, mean=0.5),
        samples=600,
        slack=0.05,
        reason="places are taken as any, windows as independent",
    ),
    case(
        "picked where the largest of others is",
        lambda x, y: y.gather(1, x.max(1, keepdim=True)[1]),
        normal(6, 12),
        normal(6, 12, mean=0.5),
        backward=False,
        samples=800,
    ),
    case("gradient of the largest, shared", lambda x: x.amax(1), normal(6, 12), slack=0.02, reason=MAX),
    case(
        "gradient of the smallest, shared", lambda x: x.amin((1, 2)), normal(4, 3, 4), slack=0.1, reason=ALONE
    ),
    case(
        "gradient of the largest of all",
        lambda x: x.max().view(1),
        normal(4, 5),
        samples=3000,
        grad_slack=0.4,
        reason=ALONE,
    ),
    case(
        "gradient of the largest of what is sent",
        lambda x: torch.zeros(5, 6).to(x).scatter_reduce(0, OWNER, x, "amax", include_self=False),
        normal(10, 6, mean=0.5),
        samples=600,
        slack=0.06,
        reason=ALONE,
    ),
]
