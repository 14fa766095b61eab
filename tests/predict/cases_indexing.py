"""Tables, picking and putting by real indices."""

from __future__ import annotations

import torch
from conformance import case, normal, real
from torch.nn import functional as F  # noqa: N812

TABLE = normal(10, 6, mean=0.5)
IDS = real([[1, 2, 3, 1], [4, 4, 0, 9], [7, 1, 1, 2]])
ROWS = real([0, 2, 2, 5, 1])
PICKED = torch.tensor([[0, 2, 1, 5], [3, 3, 0, 1], [4, 0, 2, 2]])

CASES = [
    case("embedding", lambda w, ids: F.embedding(ids, w), TABLE, IDS),
    case(
        "embedding and positions",
        lambda w, p, ids: F.embedding(ids, w) + p,
        TABLE,
        normal(4, 6, std=0.3),
        IDS,
    ),
    case("index select", lambda x, i: x.index_select(0, i), TABLE, ROWS),
    case("index", lambda x, i: x[:, i], TABLE, ROWS),
    case(
        "two indices",
        lambda x, i, j: x[i, j],
        TABLE,
        ROWS,
        real([1, 0, 0, 5, 1]),
        slack=0.02,
        reason="the places of two indices are taken as one axis",
    ),
    case("unsafe index", lambda x, i: torch.ops.aten._unsafe_index(x, [i]), TABLE, ROWS, backward=False),
    case(
        "unsafe index put",
        lambda x, v, i: torch.ops.aten._unsafe_index_put(x, [i], v, True),
        normal(10, 6),
        normal(5, 6, mean=1),
        ROWS,
        backward=False,
    ),
    case(
        "gather",
        lambda x, i: x.gather(1, i),
        normal(3, 6),
        real(PICKED),
        samples=1500,
        grad_slack=0.02,
        reason="lines are hit independently",
    ),
    case(
        "index add", lambda x, y, i: x.index_add(0, i, y, alpha=0.5), normal(6, 4), normal(5, 4, mean=1), ROWS
    ),
    case(
        "index put",
        lambda x, y, i: x.index_put((i,), y, accumulate=True),
        normal(6, 4),
        normal(5, 4, mean=1),
        ROWS,
    ),
    case(
        "scatter",
        lambda x, y, i: torch.zeros_like(x).scatter(1, i, y),
        normal(3, 6),
        normal(3, 4),
        real(torch.stack([torch.randperm(6)[:4] for _ in range(3)])),
        backward=False,
    ),
    case(
        "scatter add",
        lambda x, y, i: torch.zeros_like(x).scatter_add(1, i, y),
        normal(3, 6),
        normal(3, 4),
        real(PICKED),
        backward=False,
    ),
    case(
        "scatter reduce",
        lambda x, y, i: torch.zeros_like(x).scatter_reduce(0, i, y, "sum"),
        normal(6, 4),
        normal(5, 4),
        real(ROWS.numbers[:, None].expand(5, 4)),
        backward=False,
    ),
]
