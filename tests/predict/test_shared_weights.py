"""One weight in several places: what its outputs have in common is not followed, and that is said."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import initwise
from initwise.predict.echoes import SHARED


class Repeated(nn.Module):
    """One layer, several times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.layer, self.head, self.times = nn.Linear(32, 32), nn.Linear(32, 5), times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = x + torch.tanh(self.layer(x))
        return self.head(x)


class Filtered(nn.Module):
    """One convolution on two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.filter(x) - self.filter(x.flip(0))


class Tied(nn.Module):
    """A table that is the head, too."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 16), nn.Linear(16, 50, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.table(ids))


class Again(nn.Module):
    """Run again in the backward pass, for its activations were not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(checkpoint(self.body, x, use_reentrant=False))


@pytest.mark.parametrize(
    ("build", "example"),
    [(lambda: Repeated(3), "f32[16,32]"), (Filtered, "f32[4,3,8,8]"), (Tied, "i64[4,8]<50")],
    ids=["layer", "convolution", "table"],
)
def test_a_weight_in_several_places_is_said(build, example):
    assert SHARED in initwise.check(build, example, mode="predict").note


def encoder(own: bool) -> nn.Module:
    def layer() -> nn.Module:
        return nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)

    made = nn.TransformerEncoder(layer(), 2, enable_nested_tensor=False)
    if own:
        made.layers = nn.ModuleList(layer() for _ in range(2))
    return made


def test_copies_with_the_same_numbers_are_said():
    """torch's TransformerEncoder copies its layer: other parameters, the same numbers."""
    for model in (encoder(own=False), lambda: encoder(own=False)):
        assert SHARED in initwise.check(model, "f32[4,6,16]", mode="predict").note
    assert SHARED not in initwise.check(encoder(own=True), "f32[4,6,16]", mode="predict").note


@pytest.mark.parametrize("build", [lambda: Repeated(1), Again], ids=["once", "checkpoint"])
def test_a_weight_in_one_place_is_not(build):
    assert SHARED not in initwise.check(build, "f32[16,32]", mode="predict").note
