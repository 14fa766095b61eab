"""Layers of a user's own, with names and axes of torch's: the very same plan, number by number."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
from bare_models import PAIRS  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import initwise  # noqa: E402
from initwise.choose.bare import read_bare  # noqa: E402
from initwise.core.graph import Graph  # noqa: E402
from initwise.core.parameter import ParameterInfo  # noqa: E402
from initwise.frameworks.protocol import adapter_for  # noqa: E402


class Dense(nn.Module):
    """A linear layer as tutorials write it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.randn(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T + self.bias


class Highway(nn.Module):
    def __init__(self, layer: type[nn.Module]) -> None:
        super().__init__()
        self.first = layer(24, 32)
        self.gates = nn.ModuleList(layer(32, 32) for _ in range(4))
        self.news = nn.ModuleList(layer(32, 32) for _ in range(4))
        self.head = layer(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for gate, new in zip(self.gates, self.news, strict=True):
            t = torch.sigmoid(gate(x))
            x = t * torch.relu(new(x)) + (1 - t) * x
        return self.head(x)


class Residual(nn.Module):
    def __init__(self, layer: type[nn.Module]) -> None:
        super().__init__()
        self.first, self.head = layer(24, 32), layer(32, 3)
        self.one = nn.ModuleList(layer(32, 32) for _ in range(4))
        self.two = nn.ModuleList(layer(32, 32) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for one, two in zip(self.one, self.two, strict=True):
            x = x + two(torch.relu(one(x)))
        return self.head(x)


def chain(activation: Callable[[], nn.Module], depth: int) -> Callable[[type[nn.Module]], nn.Module]:
    def make(layer: type[nn.Module]) -> nn.Module:
        sizes = [8, *[32] * depth]
        pairs = itertools.pairwise(sizes)
        return nn.Sequential(*(part for a, b in pairs for part in (layer(a, b), activation())), layer(32, 3))

    return make


@pytest.mark.parametrize(
    ("make", "example"),
    [
        (chain(nn.ReLU, 2), "f32[64,8]"),
        (chain(nn.Sigmoid, 3), "f32[64,8]"),
        (chain(nn.Sigmoid, 8), "f32[64,8]"),
        (chain(nn.Softplus, 4), "f32[64,8]"),
        (chain(nn.ReLU, 30), "f32[64,8]"),
        (chain(nn.GELU, 12), "f32[64,8]"),
        (Highway, "f32[64,24]"),
        (Residual, "f32[64,24]"),
    ],
)
def test_a_layer_of_ones_own_gets_the_plan_that_torchs_gets(make, example) -> None:
    own = initwise.choose(make(Dense), example, seed=2, candidates=("rule_b", "lsuv", "he_normal"))
    torchs = initwise.choose(make(nn.Linear), example, seed=2, candidates=("rule_b", "lsuv", "he_normal"))
    assert own.name == torchs.name
    for name, fill in torchs.plan.items():
        # the data pass sums in another order
        assert own.plan[name].std == pytest.approx(fill.std, rel=1e-4), name
        assert own.plan[name].mean == pytest.approx(fill.mean, rel=1e-4), name
        assert (own.plan[name].law, own.plan[name].layout) == (fill.law, fill.layout)
    assert set(own.plan) == set(torchs.plan)


def understood(model: nn.Module, example: object) -> tuple[Graph, tuple[ParameterInfo, ...]]:
    adapter = adapter_for(model)
    return read_bare(adapter.trace(model, example), adapter.parameters(model))


@pytest.mark.parametrize("name", ["mlp", "thirty layers of tanh", "lstm", "gru", "low-rank update"])
def test_its_graph_is_the_graph_of_layers(name: str) -> None:
    twins = PAIRS[name]
    own, _ = understood(twins.bare(), twins.example)
    other, _ = understood(twins.layers(), twins.example)
    assert sorted(node.op for node in own.nodes) == sorted(node.op for node in other.nodes)


def test_layers_of_torch_are_not_touched() -> None:
    model = chain(nn.ReLU, 3)(nn.Linear)
    adapter = adapter_for(model)
    graph, infos = adapter.trace(model, "f32[8,8]"), adapter.parameters(model)
    assert read_bare(graph, infos) == (graph, infos)
