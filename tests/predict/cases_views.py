"""Views, pieces and joins: no number changes, only places."""

from __future__ import annotations

import torch
from conformance import case, normal
from torch.nn import functional as F  # noqa: N812

X = normal(4, 6, mean=0.5)
ROWS = normal(4, 1, mean=0.5)
TAIL = normal(4, 2)


def _scaled(change):  # type: ignore[no-untyped-def]
    """Of elements with a part in common along rows, and blocks of two scales along columns."""
    return lambda r, x, y: change(torch.cat([r + x, 3 * y], 1))


CASES = [
    case(
        "copies", lambda x: (x.clone(), x.detach() + 0 * x, torch.ops.aten.alias(x), x.to(torch.float64)), X
    ),
    case("copied into another", lambda x, y: x.clone().copy_(y), X, normal(6)),
    case("copy", lambda x, y: torch.ops.aten.copy(x, y), X, normal(6), backward=False),
    case("view", _scaled(lambda x: x.reshape(2, 2, 8)), ROWS, X, TAIL),
    case("view across blocks", _scaled(lambda x: x.reshape(-1)), ROWS, X, TAIL),
    case("view into blocks", _scaled(lambda x: x.reshape(4, 4, 2)), ROWS, X, TAIL),
    case("squeeze and unsqueeze", _scaled(lambda x: x.unsqueeze(1).squeeze(1).unsqueeze(-1)), ROWS, X, TAIL),
    case("transposes", _scaled(lambda x: (x.t(), x.transpose(0, 1), x.swapaxes(0, 1))), ROWS, X, TAIL),
    case("permuted", _scaled(lambda x: x.view(2, 2, 8).permute(2, 0, 1)), ROWS, X, TAIL),
    case(
        "permuted and merged",
        _scaled(lambda x: x.view(2, 2, 8).permute(2, 0, 1).reshape(16, 2)),
        ROWS,
        X,
        TAIL,
    ),
    case(
        "heads",
        lambda x, w: (x @ w).view(2, 3, 2, 4).transpose(1, 2).reshape(4, 3, 4),
        normal(6, 5),
        normal(5, 8),
    ),
    case("expanded", lambda x: x.expand(3, 4, 6), ROWS, samples=1000),
    case("repeated", lambda x: x.repeat(2, 3), X),
    case("sliced", _scaled(lambda x: (x[:, 1:7], x[1:3])), ROWS, X, TAIL),
    case("every second", lambda x: (x[:, ::2], x[1::3]), X),
    case("narrow", _scaled(lambda x: x.narrow(1, 5, 2)), ROWS, X, TAIL),
    case("selected", _scaled(lambda x: (x[1], x[:, 6])), ROWS, X, TAIL, samples=1000),
    case("unbound", _scaled(lambda x: x.unbind(1)[5:]), ROWS, X, TAIL),
    case("split", _scaled(lambda x: (*x.split(3, 1), *x.split([2, 6], 1), *x.chunk(2, 1))), ROWS, X, TAIL),
    case(
        "unsafe splits",
        _scaled(lambda x: (*torch.unsafe_split(x, 4, 1), *torch.unsafe_split_with_sizes(x, [2, 6], 1))),
        ROWS,
        X,
        TAIL,
    ),
    case("flip", _scaled(lambda x: x.flip(1)), ROWS, X, TAIL),
    case("roll", lambda x: x.roll(2, 1), X),
    case("joined", lambda x, y: torch.cat([x, y], 0), X, normal(2, 6, std=3)),
    case("stacked", lambda x, y: torch.stack([x, y], 1), X, normal(4, 6, std=3)),
    case("padded", lambda x: F.pad(x, (1, 2, 0, 1), value=0.5), X),
    case("cropped by padding", _scaled(lambda x: F.pad(x, (-1, 0))), ROWS, X, TAIL),
    case("sums over axes", _scaled(lambda x: (x.sum(0), x.sum(1, keepdim=True))), ROWS, X, TAIL),
    case("means over axes", _scaled(lambda x: (x.mean(0), x.mean(1, keepdim=True))), ROWS, X, TAIL),
    case("whole sum and mean", lambda x: x.sum() + x.mean().view(1), X, samples=2000),
    case("minus its mean", lambda x: x - x.mean(1, keepdim=True), X),
    case(
        "bare views",
        lambda x: (
            torch.ops.aten.flatten(x, 0, 1),
            torch.ops.aten.reshape(x, [6, 4]),
            torch.ops.aten.contiguous(x),
        ),
        X,
        bare=True,
    ),
]
