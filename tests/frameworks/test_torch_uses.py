"""Axes and fans of bare parameters in random contractions, against counting."""

from __future__ import annotations

import random

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from initwise.core.graph import Graph, Use  # noqa: E402
from initwise.core.layout import fans  # noqa: E402
from initwise.frameworks.torch.trace import trace  # noqa: E402

KINDS = {"i": "xw", "o": "wy", "b": "xwy", "batch": "xy"}
"""What an axis is: in which of signal, weight and result it occurs."""


class Contraction(nn.Module):
    """einsum of a signal and a bare weight, which is stored with its axes in another order."""

    def __init__(self, equation: str, order: list[int], shape: list[int]) -> None:
        super().__init__()
        self.equation, self.order = equation, order
        stored = [0] * len(shape)
        for place, axis in enumerate(order):
            stored[axis] = shape[place]
        self.w = nn.Parameter(torch.rand(stored) + 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum(self.equation, x, self.w.permute(self.order))


def drawn(seed: int) -> tuple[Contraction, Tensor, dict[str, str]]:
    """A random contraction, its signal, and the kind of each label."""
    rng = random.Random(seed)
    kinds = {label: rng.choice([*KINDS, "i", "o"]) for label in "abcde"[: rng.randint(1, 5)]} | {"i": "i"}
    size = {label: rng.choice([1, 2, 3, 4]) if label != "i" else 3 for label in kinds}
    names = {}
    for where in "xwy":
        labels = [label for label, kind in kinds.items() if where in KINDS[kind]]
        rng.shuffle(labels)
        names[where] = "".join(labels)
    order = list(range(len(names["w"])))
    rng.shuffle(order)
    model = Contraction(
        f"{names['x']},{names['w']}->{names['y']}", order, [size[label] for label in names["w"]]
    )
    return model, torch.rand([size[label] for label in names["x"]]) + 1, kinds


def use_of(graph: Graph) -> Use:
    found = [use for node in graph.nodes for use in node.uses]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("seed", range(60))
def test_fans_are_what_counting_gives(seed: int) -> None:
    """fan_in: weights that one result depends on. fan_out: results that one input reaches."""
    model, x, _ = drawn(seed)
    use = use_of(trace(model, x))
    by_x, by_w = torch.autograd.functional.jacobian(
        lambda a, b: torch.einsum(model.equation, a, b.permute(model.order)), (x, model.w.detach())
    )
    shape = model(x).shape
    fan_in = (by_w.reshape(shape.numel(), -1) != 0).sum(1)
    fan_out = (by_x.reshape(shape.numel(), -1) != 0).sum(0)
    assert use.kind == "weight"
    assert use.layout is not None
    found = fans(tuple(model.w.shape), use.layout)
    assert set(fan_in.tolist()) == {found.fan_in}
    assert set(fan_out.tolist()) == {found.fan_out}


@pytest.mark.parametrize("seed", range(60))
def test_axes_of_more_than_one_place_are_told_apart(seed: int) -> None:
    model, x, kinds = drawn(seed)
    use = use_of(trace(model, x))
    labels = model.equation.split(",")[1].split("->")[0]
    assert use.layout is not None
    for place, axis in enumerate(model.order):
        if model.w.shape[axis] > 1:
            assert use.layout.axes[axis] == kinds[labels[place]]


def test_a_chain_of_weights_in_one_einsum_is_read_from_the_signal_on() -> None:
    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.rand(6, 2)), nn.Parameter(torch.rand(4, 2))

        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bi,ir,or->bo", x, self.a, self.b)

    uses = {use.name: use for node in trace(Chain(), torch.rand(5, 6)).nodes for use in node.uses}
    assert uses["a"].layout.axes == "io"
    assert uses["b"].layout.axes == "oi"


def test_a_view_that_mixes_axes_tells_nothing() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.rand(12, 5))

        def forward(self, x: Tensor) -> Tensor:  # 12 is heads · inputs: an axis that is both
            return torch.einsum("bhi,hio->bho", x, self.w.view(3, 4, 5))

    use = use_of(trace(Mixed(), torch.rand(6, 3, 4)))
    assert use.kind == ""
    assert "two things at once" in use.how


def test_a_model_of_layers_tells_no_uses() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU())
    assert not any(node.uses for node in trace(model, torch.rand(3, 4)).nodes)
