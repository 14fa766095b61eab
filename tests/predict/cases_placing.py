"""Putting by index, reducing by index, masks as indices, counting."""

from __future__ import annotations

import torch
from conformance import case, normal, real, uniform

TABLE = normal(10, 6, mean=0.5)
SOURCE = normal(5, 6, mean=1, std=0.5)
ROWS = real([0, 2, 2, 5, 1])
APART = real([0, 2, 7, 5, 1])
MASK = real([True, False, True, True, False, False, True, False, False, True])
WHERE = real(torch.arange(60).reshape(10, 6) % 3 == 0)
OWNER = real([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
EVEN = real([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
TIES = "sizes of the groups are mixed as if each group had a size of its own law"


def _sent(kind, **options):  # type: ignore[no-untyped-def]
    def function(x, owner):  # type: ignore[no-untyped-def]
        index = owner[:, None].expand_as(x)
        return x.new_zeros(5, 6).scatter_reduce(0, index, x, kind, include_self=False, **options)

    return function


CASES = [
    case("filled at places", lambda x, i: x.index_fill(0, i, 2.0), TABLE, APART),
    case("copied to places", lambda x, y, i: x.index_copy(0, i, y), TABLE, SOURCE, APART),
    case("put at places", lambda x, y, i: x.index_put((i,), y), TABLE, SOURCE, APART),
    case("put nowhere", lambda x, y: x.index_put((torch.zeros(0, dtype=torch.long),), y[:0]), TABLE, SOURCE),
    case(
        "put twice at one place",
        lambda x, y, i: x.index_put((i,), y),
        TABLE,
        SOURCE,
        ROWS,
        backward=False,
    ),
    case(
        "put at places of two axes",
        lambda x, y, i: x.index_put((i, i), y),
        normal(10, 10, mean=0.5),
        normal(5, mean=1),
        APART,
        samples=600,
    ),
    case(
        "put in the flat tensor", lambda x, y, i: x.put(i, y), TABLE, normal(5, mean=1), APART, backward=False
    ),
    case(
        "added in the flat tensor",
        lambda x, y, i: x.put(i, y, accumulate=True),
        TABLE,
        normal(5, mean=1),
        ROWS,
        backward=False,
        slack=0.05,
        reason="rows and columns are taken as one axis",
    ),
    case(
        "taken of the flat tensor",
        lambda x, i: x.take(i),
        TABLE,
        APART,
        samples=1500,
        grad_slack=0.1,
        reason="rows and columns are taken as one axis",
    ),
    case(
        "indices on axes apart",
        lambda x, i: x[i, :, i],
        normal(10, 3, 10, mean=0.5),
        APART,
        samples=600,
        grad_slack=0.02,
        reason="rows and columns are taken as one axis",
    ),
    case("rows of a mask", lambda x, m: x[m], TABLE, MASK),
    case(
        "put where a mask holds",
        lambda x, m: torch.index_put(x, (m,), torch.zeros(())),
        TABLE,
        MASK,
    ),
    case(
        "scattered where a mask holds",
        lambda x, y, m: x.masked_scatter(m, y),
        TABLE,
        normal(40, mean=1),
        WHERE,
        samples=800,
    ),
    case(
        "scattered onto others",
        lambda x, y, i: x.scatter(1, i, y),
        normal(3, 6, mean=0.5),
        normal(3, 4, mean=1),
        real(torch.stack([torch.randperm(6)[:4] for _ in range(3)])),
        samples=1500,
        slack=0.02,
        reason="lines are hit independently",
    ),
    case(
        "a number scattered",
        lambda x, i: x.scatter(1, i, 2.0),
        normal(3, 6, mean=0.5),
        real(torch.stack([torch.randperm(6)[:4] for _ in range(3)])),
        samples=600,
    ),
    case(
        "a number where the largest is",
        lambda x, y: y.scatter(1, x.max(1, keepdim=True)[1], 2.0),
        normal(6, 12),
        normal(6, 12, mean=0.5),
        backward=False,
        samples=600,
    ),
    case("means of what is sent", _sent("mean"), normal(10, 6, mean=0.5), EVEN, samples=600),
    case("sums of what is sent", _sent("sum"), normal(10, 6, mean=0.5), OWNER, backward=False, samples=600),
    case(
        "largest of what is sent", _sent("amax"), normal(10, 6, mean=0.5), EVEN, backward=False, samples=600
    ),
    case(
        "smallest of what is sent", _sent("amin"), normal(10, 6, mean=0.5), EVEN, backward=False, samples=600
    ),
    case(
        "largest of what is sent, or zero",
        lambda x, i: torch.zeros(5, 6).to(x).scatter_reduce(0, i[:, None].expand_as(x), x, "amax"),
        normal(10, 6, mean=0.5),
        EVEN,
        backward=False,
        samples=600,
    ),
    case(
        "means of rows sent",
        lambda x, y, i: y.index_reduce(0, i, x, "mean"),
        normal(10, 6, mean=0.5),
        normal(5, 6, mean=1),
        EVEN,
        backward=False,
        samples=600,
    ),
    case(
        "sums of runs",
        lambda x: torch.segment_reduce(x, "sum", lengths=torch.tensor([5, 5])),
        normal(10, 6, mean=0.5),
        samples=600,
    ),
    case(
        "means of runs",
        lambda x: torch.segment_reduce(x, "mean", lengths=torch.tensor([5, 5])),
        normal(10, 6, mean=0.5),
        samples=600,
    ),
    case(
        "largest of runs",
        lambda x: torch.segment_reduce(x, "max", lengths=torch.tensor([5, 5])),
        normal(10, 6),
        backward=False,
        samples=600,
    ),
    case("a range replaced", lambda x, y: x.slice_scatter(y, 1, 2, 4), TABLE, normal(10, 2, mean=1)),
    case("a place replaced", lambda x, y: x.select_scatter(y, 1, 3), TABLE, normal(10, mean=1)),
    case(
        "place among bounds",
        lambda x: (
            torch.bucketize(x, torch.arange(-2.0, 3.0)) * 1.0,
            torch.searchsorted(torch.arange(-2.0, 3.0), x) * 1.0,
        ),
        TABLE,
        backward=False,
        slack=0.01,
        reason="steps on the grid",
    ),
    case(
        "counts and truths",
        lambda x: (
            (x > 0).count_nonzero(1) * 1.0,
            (x > 0).all(1) * 1.0,
            (x > 1).any(1) * 1.0,
            torch.isin(x, torch.tensor([1.0, 2.0])) * 1.0,
        ),
        TABLE,
        backward=False,
        samples=1000,
        slack=0.01,
        reason="steps on the grid",
    ),
    case(
        "truth of everything",
        lambda x: ((x > -1.5).all().view(1) * 1.0, torch.ops.aten._is_all_true(x > -1.5).view(1) * 1.0),
        normal(4, 3),
        backward=False,
        samples=1000,
        slack=0.01,
        reason="steps on the grid",
    ),
    case(
        "truth of anything",
        lambda x: torch.ops.aten._is_any_true(x > 1.5).view(1) * 1.0,
        normal(4, 3),
        backward=False,
        samples=1000,
        slack=0.01,
        reason="steps on the grid",
    ),
    case("sum without nan", lambda x: x.nansum(1), TABLE),
    case("trace", lambda x: x.trace().view(1), normal(8, 8, mean=0.5), samples=1500, backward=False),
    case("turned by a right angle", lambda x: x.rot90(), TABLE),
    case(
        "cross product",
        lambda x, y: torch.linalg.cross(x, y),
        normal(8, 3, mean=0.5),
        normal(8, 3),
        samples=800,
        slack=0.2,
        reason="components have operands in common",
    ),
    case("block diagonal", lambda x, y: torch.block_diag(x, y), normal(4, 3, mean=0.5), normal(5, 5)),
    case(
        "distance of two",
        lambda x, y: torch.dist(x, y).view(1),
        uniform(8, 8, mean=0.5),
        normal(8, 8),
        backward=False,
        slack=0.01,
        reason="the law of a sum of squares is taken as lognormal",
    ),
    case(
        "rows kept within a length",
        lambda x: x.renorm(2, 0, 3.0),
        normal(6, 64),
        backward=False,
        slack=0.05,
        reason="a length is taken as independent of its terms",
    ),
    case(
        "smallest and largest",
        lambda x: x.aminmax(dim=1),
        normal(6, 12, mean=0.3),
        backward=False,
        samples=600,
    ),
]
