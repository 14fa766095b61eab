"""One weight in several places: what its outputs have in common is followed, or it is said that it is not."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import initwise
from initwise.predict import covariances, kin, sharing
from initwise.predict.echoes import SHARED
from initwise.predict.rules import views

QUANTITIES = ("forward_rms", "gradient_rms", "weight_gradient_rms")


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
    """One convolution, several times."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.filter = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for _ in range(3):
            x = x + torch.relu(self.filter(x))
        return x


class Siamese(nn.Module):
    """One network on two inputs, whose outputs are taken from each other."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64))
        self.head = nn.Linear(64, 16)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.head(self.meet(self.body(x), self.body(y)))

    def meet(self, x: Tensor, y: Tensor) -> Tensor:
        return x - y


class Multiplied(Siamese):
    def meet(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y


class Overlapping(nn.Module):
    """One layer on overlapping ranges of one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x[:, :8]) - self.layer(x[:, 1:9])


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


class Recurrent(nn.Module):
    """A recurrent layer, all its states."""

    def __init__(self, kind: type[nn.RNNBase], layers: int) -> None:
        super().__init__()
        self.first, self.core = nn.Linear(12, 48), kind(48, 48, num_layers=layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.core(self.first(x))[0]
        return found


class Written(nn.Module):
    """A gated linear recurrence that writes its states into one tensor (RecurrentGemma, arXiv:2402.19427)."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.into, self.out = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        gate, new = torch.sigmoid(self.gate(x)), self.into(x)
        state, states = torch.zeros_like(x[:, 0]), torch.zeros_like(x)
        for step in range(x.shape[1]):
            state = gate[:, step] * state + new[:, step]
            states[:, step] = state
        found: Tensor = self.out(states)
        return found


class TwoRanges(nn.Module):
    """Attention to few keys and to all, made by one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x)
        near, far = (torch.softmax(q @ self.k(y).transpose(1, 2) / 4, -1) @ self.v(y) for y in (x[:, :4], x))
        return near + far


def encoder(own: bool = False, *, norm_first: bool = True, layers: int = 3) -> nn.Module:
    def layer() -> nn.Module:
        return nn.TransformerEncoderLayer(48, 4, 96, 0.0, batch_first=True, norm_first=norm_first)

    made = nn.TransformerEncoder(layer(), layers, enable_nested_tensor=False)
    if own:
        made.layers = nn.ModuleList(layer() for _ in range(layers))
    return made


class Depth(nn.Module):
    """One block in all depths, as ALBERT has it (arXiv:1909.11942)."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.TransformerEncoderLayer(48, 4, 96, 0.0, batch_first=True, norm_first=True)
        self.blocks, self.head = nn.ModuleList([block] * 4), nn.Linear(48, 16)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        found: Tensor = self.head(x)
        return found


FOLLOWED = {
    "layer": (lambda: Repeated(6), "f32[16,32]", 60),
    "convolution": (Filtered, "f32[4,3,10,10]", 30),
    "two inputs": (Siamese, ("f32[16,32]", "f32[16,32]"), 40),
    "RNN, two layers": (lambda: Recurrent(nn.RNN, 2), "f32[8,6,12]", 40),
    "GRU": (lambda: Recurrent(nn.GRU, 1), "f32[8,8,12]", 30),
    "GRU, two layers": (lambda: Recurrent(nn.GRU, 2), "f32[8,5,12]", 30),
    "LSTM": (lambda: Recurrent(nn.LSTM, 1), "f32[8,7,12]", 30),
    "copies of a layer": (encoder, "f32[4,8,48]", 30),
    "states written into a tensor": (Written, "f32[4,16,16]", 30),
    "one block in all depths": (Depth, "f32[4,8,48]", 40),
}


@pytest.mark.parametrize("case", FOLLOWED.values(), ids=FOLLOWED)
def test_what_its_outputs_have_in_common_is_predicted(case):
    """Against the mean over draws: four of its standard errors, and 1/7 for what is of order 1/width."""
    build, example, draws = case
    signals = initwise.check(build, example, mode="predict")
    assert SHARED not in signals.note
    drawn = [_measured(build, example, seed) for seed in range(draws)]
    for row in signals.layers:
        for quantity in QUANTITIES:
            squares = np.array([getattr(rows[row.name], quantity) ** 2 for rows in drawn])
            if np.isnan(squares).any() or squares.mean() == 0:
                continue
            error = squares.std(ddof=1) / squares.mean() / math.sqrt(draws)
            off = abs(math.log(getattr(row, quantity) ** 2 / squares.mean()))
            assert off < 1 / 7 + 4 * error, (row.name, quantity, off, error)


def _measured(build, example, seed):
    torch.manual_seed(seed)
    return {row.name: row for row in initwise.check(build(), example, seed=seed).layers}


def test_states_covary_over_time(monkeypatch):
    """E[h_t·h_s] of one unit, all pairs of steps, against 400 draws."""
    steps, found = 5, []

    def side_by_side(moments, pieces, dim):
        joined = sharing.side_by_side(moments, pieces, dim)
        found.append((joined, len(pieces)))
        return joined

    monkeypatch.setattr(views, "sharing", _with(sharing, side_by_side=side_by_side))
    initwise.check(lambda: nn.GRU(32, 32, batch_first=True), f"f32[8,{steps},32]", mode="predict")
    moments = next(moments for moments, pieces in found if pieces == steps)
    table = moments.second.reshape(steps * (steps + 1), -1)[:, -1]
    predicted = table[: steps * steps].reshape(steps, steps).copy()
    np.fill_diagonal(predicted, table[steps * steps :])
    measured = np.zeros((steps, steps))
    with torch.no_grad():
        for seed in range(400):
            torch.manual_seed(seed)
            y = nn.GRU(32, 32, batch_first=True)(torch.randn(8, steps, 32))[0]
            measured += torch.einsum("btu,bsu->ts", y, y).numpy() / (8 * 32 * 400)
    # the largest difference, beside the smallest mean square
    assert np.abs(predicted - measured).max() < 0.05 * measured.diagonal().min()


def _with(module, **changed):
    class Changed:
        def __getattr__(self, name):
            return changed.get(name, getattr(module, name))

    return Changed()


@pytest.mark.parametrize(
    ("build", "example"),
    [
        (Multiplied, ("f32[16,32]", "f32[16,32]")),
        (Overlapping, "f32[16,9]"),
        (Tied, "i64[4,8]<50"),
        (TwoRanges, "f32[4,12,16]"),
    ],
    ids=["product", "ranges", "table", "keys"],
)
def test_what_is_not_followed_is_said(build, example):
    assert SHARED in initwise.check(build, example, mode="predict").note


def test_more_than_can_be_followed_is_said(monkeypatch):
    monkeypatch.setattr(covariances, "MOST", 20)
    model = nn.GRU(16, 16, batch_first=True)
    assert SHARED in initwise.check(lambda: model, "f32[4,12,16]", mode="predict").note


def test_more_states_than_are_compared_are_said(monkeypatch):
    """A second layer over many steps: what the first one's states have in common is not in their join."""
    monkeypatch.setattr(sharing, "PIECES", 4)
    model = Recurrent(nn.RNN, 2)
    assert SHARED in initwise.check(lambda: model, "f32[4,6,12]", mode="predict").note


def test_copies_with_the_same_numbers_are_one_weight():
    """torch's TransformerEncoder copies its layer: other parameters, the same numbers."""
    torch.manual_seed(0)
    copied, own = encoder(layers=2), encoder(own=True, layers=2)
    with torch.no_grad():
        for theirs, mine in zip(own.parameters(), copied.parameters(), strict=True):
            theirs.copy_(mine)
        own.layers[1].linear1.weight[0, 0] += 1e-3  # by one number another weight
    one, other = (initwise.check(m, "f32[4,6,48]", mode="predict") for m in (copied, own))
    assert one.layers[-1].forward_rms > other.layers[-1].forward_rms


@pytest.mark.parametrize("build", [lambda: Repeated(1), Again], ids=["once", "checkpoint"])
def test_a_weight_in_one_place_asks_for_nothing(build, monkeypatch):
    asked = []
    monkeypatch.setattr(kin, "marks_of", lambda base: asked.append(base) or 0)
    assert SHARED not in initwise.check(build, "f32[16,32]", mode="predict").note
    assert not asked


def test_nothing_stays_behind():
    before = kin.family()
    initwise.check(lambda: Repeated(3), "f32[16,32]", mode="predict")
    assert kin.family() is before
    assert not before.covariances
    assert not before.shared
