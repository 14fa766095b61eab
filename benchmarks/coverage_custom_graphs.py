"""Message passing on a real graph, sets, and choices among parts: name → (constructor, example)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Built = Callable[[], nn.Module]
NODES, WIDTH = 64, 48
GRAPH = f"f32[{NODES},24]"
TOKENS, FLAT = "f32[4,24,48]", "f32[64,48]"


def edges() -> Tensor:
    """A ring with chords and loops, both directions: (2, number of edges)."""
    node = torch.arange(NODES)
    sources = torch.cat([node, node, node, (node * 7 + 3) % NODES])
    targets = torch.cat([node, (node + 1) % NODES, (node - 1) % NODES, node])
    return torch.stack([sources, targets])


class Gcn(nn.Module):
    """Kipf & Welling 2016: symmetric normalization by degrees, index_add."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inner, outer, bias=False)
        self.bias = nn.Parameter(torch.zeros(outer))

    def forward(self, x: Tensor, edge: Tensor) -> Tensor:
        source, target = edge
        degree = torch.zeros(x.shape[0]).index_add(0, target, torch.ones(target.shape[0]))
        scale = degree.rsqrt()
        message = self.linear(x)[source] * (scale[source] * scale[target])[:, None]
        return torch.zeros(x.shape[0], message.shape[1]).index_add(0, target, message) + self.bias


class Gat(nn.Module):
    """Veličković et al. 2017: attention over edges, a softmax by scatter_reduce."""

    def __init__(self, inner: int, outer: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.linear = heads, nn.Linear(inner, outer, bias=False)
        self.source = nn.Parameter(torch.empty(1, heads, outer // heads))
        self.target = nn.Parameter(torch.empty(1, heads, outer // heads))
        nn.init.xavier_uniform_(self.source)
        nn.init.xavier_uniform_(self.target)

    def forward(self, x: Tensor, edge: Tensor) -> Tensor:
        source, target = edge
        h = self.linear(x).unflatten(1, (self.heads, -1))
        scores = (h * self.source).sum(-1)[source] + (h * self.target).sum(-1)[target]
        scores = F.leaky_relu(scores, 0.2)
        places = target[:, None].expand_as(scores)
        top = torch.zeros(x.shape[0], self.heads).scatter_reduce(
            0, places, scores, "amax", include_self=False
        )
        raised = (scores - top[target]).exp()
        total = torch.zeros(x.shape[0], self.heads).scatter_add(0, places, raised)
        weight = raised / (total[target] + 1e-16)
        found = torch.zeros(x.shape[0], *h.shape[1:]).index_add(0, target, h[source] * weight[..., None])
        return found.flatten(1)


class Sage(nn.Module):
    """Hamilton et al. 2017: the neighbours' mean (or largest) beside oneself."""

    def __init__(self, inner: int, outer: int, reduce: str = "mean") -> None:
        super().__init__()
        self.reduce = reduce
        self.own, self.others = nn.Linear(inner, outer), nn.Linear(inner, outer, bias=False)

    def forward(self, x: Tensor, edge: Tensor) -> Tensor:
        source, target = edge
        places = target[:, None].expand(-1, x.shape[1])
        empty = torch.zeros(x.shape[0], x.shape[1])
        found = empty.scatter_reduce(0, places, x[source], self.reduce, include_self=False)
        return self.own(x) + self.others(found)


class Gin(nn.Module):
    """Xu et al. 2018: the sum over neighbours, oneself (1 + ε) times, an MLP."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.zeros(1))
        self.net = nn.Sequential(
            nn.Linear(inner, outer), nn.BatchNorm1d(outer), nn.ReLU(), nn.Linear(outer, outer)
        )

    def forward(self, x: Tensor, edge: Tensor) -> Tensor:
        source, target = edge
        places = target[:, None].expand(-1, x.shape[1])
        total = torch.zeros_like(x).scatter_add(0, places, x[source])
        return self.net((1 + self.epsilon) * x + total)


class EdgeNet(nn.Module):
    """Gilmer et al. 2017: an MLP on both ends of every edge, summed, a GRU cell at each node."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.first = nn.Linear(inner, outer)
        self.message = nn.Sequential(nn.Linear(2 * outer, outer), nn.SiLU(), nn.Linear(outer, outer))
        self.cell = nn.GRUCell(outer, outer)

    def forward(self, x: Tensor, edge: Tensor) -> Tensor:
        source, target = edge
        h = self.first(x)
        message = self.message(torch.cat([h[source], h[target]], -1))
        return self.cell(torch.zeros_like(h).index_add(0, target, message), h)


class Graph(nn.Module):
    """Two layers of message passing and the mean over all nodes."""

    def __init__(self, layer: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.one, self.two, self.last = layer(24, WIDTH), layer(WIDTH, WIDTH), nn.Linear(WIDTH, 10)
        self.register_buffer("edge", edges())

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.two(F.relu(self.one(x, self.edge)), self.edge)))


class DeepSets(nn.Module):
    """Zaheer et al. 2017: an MLP on every element, the sum, an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 64))
        self.outer = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x).sum(1))


class Experts(nn.Module):
    """Mixture of experts (Shazeer et al. 2017), two of eight: those taken are computed alone."""

    def __init__(self, count: int = 8) -> None:
        super().__init__()
        self.first, self.router, self.last = (
            nn.Linear(48, 48),
            nn.Linear(48, count, bias=False),
            nn.Linear(48, 10),
        )
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 48)) for _ in range(count)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).flatten(0, -2)
        share, chosen = self.router(x).softmax(-1).topk(2, -1)
        share = share / share.sum(-1, keepdim=True)
        found = torch.zeros_like(x)
        for n, expert in enumerate(self.experts):
            token, slot = torch.where(chosen == n)
            found.index_add_(0, token, expert(x[token]) * share[token, slot, None])
        return self.last(x + found)


class Gathered(nn.Module):
    """All experts on everything, the best one's result gathered, times its share (Switch)."""

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.router, self.last = nn.Linear(48, count), nn.Linear(48, 10)
        self.weight = nn.Parameter(torch.randn(count, 48, 48) / 7)

    def forward(self, x: Tensor) -> Tensor:
        share, chosen = self.router(x).softmax(-1).max(-1)
        every = torch.einsum("btd,edk->btek", x, self.weight)
        places = chosen[..., None, None].expand(*x.shape[:2], 1, 48)
        return self.last(every.gather(2, places).squeeze(2) * share[..., None])


class Soft(nn.Module):
    """A soft mixture: every expert, weighed by its share."""

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.gate = nn.Linear(48, count)
        self.experts = nn.ModuleList(nn.Linear(48, 24) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        every = torch.stack([expert(x).tanh() for expert in self.experts], -1)
        return (every * self.gate(x).softmax(-1)[:, None]).sum(-1)


class Selected(nn.Module):
    """x[mask]: the rows whose score is positive."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.score, self.last = nn.Linear(48, 64), nn.Linear(64, 1), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).relu()
        keep = self.score(h).squeeze(-1) > 0
        return self.last(h[keep])


class Padded(nn.Module):
    """x[mask] with a mask that is known, put back by masked_scatter's sibling, an indexed write."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(48, 48), nn.Linear(48, 48), nn.Linear(48, 10)
        self.register_buffer("mask", torch.arange(4 * 24).reshape(4, 24) % 5 != 0)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        out = torch.zeros_like(h)
        out[self.mask] = self.inner(h[self.mask]).relu()
        return self.last(h + out)


class Sorted(nn.Module):
    """Sorted features (sort pooling, Zhang et al. 2018), the largest five."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 32), nn.Linear(5 * 32, 10)

    def forward(self, x: Tensor) -> Tensor:
        values, _ = self.first(x).sort(dim=1, descending=True)
        return self.last(values[:, :5].flatten(1))


class Best(nn.Module):
    """k-max pooling over time (Kalchbrenner et al. 2014)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(48, 32), nn.Linear(3 * 32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).topk(3, dim=1).values.flatten(1))


GRAPHS: dict[str, tuple[Built, Any]] = {
    "GCN, index_add": (lambda: Graph(Gcn), GRAPH),
    "GAT, scatter softmax": (lambda: Graph(Gat), GRAPH),
    "GraphSAGE, mean": (lambda: Graph(Sage), GRAPH),
    "GraphSAGE, max": (lambda: Graph(lambda i, o: Sage(i, o, "amax")), GRAPH),
    "GIN, scatter_add": (lambda: Graph(Gin), GRAPH),
    "MPNN with a GRU cell": (lambda: Graph(EdgeNet), GRAPH),
    "deep sets": (DeepSets, TOKENS),
    "mixture of experts, top 2": (Experts, TOKENS),
    "switch by gather": (Gathered, TOKENS),
    "soft mixture": (Soft, FLAT),
    "x[mask], mask from a score": (Selected, FLAT),
    "x[mask], mask known": (Padded, TOKENS),
    "sort": (Sorted, TOKENS),
    "topk over time": (Best, TOKENS),
}
