"""Attention whose tokens are not alike: windows that a mask parts, class tokens that start at zero."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import initwise
from initwise.predict.choices import choice, finer


class Windows(nn.Module):
    """Two windows; in one a mask of −100 hides half of the keys from each half (Swin, arXiv:2103.14030)."""

    def __init__(self, low: float = -100.0) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(32, 32, bias=False) for _ in range(3))
        self.bias = nn.Parameter(torch.zeros(1, 8, 8))
        half = torch.arange(8) // 4
        apart = (half[:, None] != half[None]).float() * low
        self.register_buffer("mask", torch.stack([torch.zeros(8, 8), apart]))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.query(x) @ self.key(x).mT / math.sqrt(32)
        scores = scores + (self.bias + self.mask.repeat(x.shape[0] // 2, 1, 1))
        found: Tensor = scores.softmax(-1) @ self.value(x)
        return found


class Classified(nn.Module):
    """A class token of zeros before the others; only what it becomes counts."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.norm, self.out = nn.LayerNorm(32), nn.Linear(32, 32)
        self.query, self.key, self.value = (nn.Linear(32, 32, bias=False) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        h = self.norm(x)
        p = (self.query(h) @ self.key(h).mT / math.sqrt(32)).softmax(-1)
        y = x + self.out(p @ self.value(h))
        # the class token's gradient is the largest by far
        return torch.cat([y[:, :1], 0.05 * y[:, 1:]], 1)


@pytest.mark.parametrize(
    ("build", "example"), [(Windows, "f32[8,8,32]"), (Classified, "f32[8,10,32]")], ids=["windows", "class"]
)
def test_each_is_predicted_as_it_is(build, example):
    """Against the mean of 30 draws: four standard errors, and a fifth for what is of order 1/width."""
    predicted = initwise.check(build, example, mode="predict").layers
    drawn = [_measured(build, example, seed) for seed in range(30)]
    for row in predicted:
        if "+" in row.name:  # what is added to the scores is no signal
            continue
        for quantity in ("forward_rms", "gradient_rms", "weight_gradient_rms"):
            squares = np.array([getattr(rows[row.name], quantity) ** 2 for rows in drawn])
            if np.isnan(squares).any() or squares.mean() < 1e-12:
                continue
            error = squares.std(ddof=1) / squares.mean() / math.sqrt(30)
            off = abs(math.log(getattr(row, quantity) ** 2 / squares.mean()))
            assert off < 0.2 + 4 * error, (row.name, quantity, off, error)


def _measured(build, example, seed):
    torch.manual_seed(seed)
    return {row.name: row for row in initwise.check(build(), example, seed=seed).layers}


def test_windows_whose_scores_are_viewed_in_pages():
    """Swin 2 sees masked scores as (batch, windows, …) and back: a mask that was broadcast goes with them."""

    class Paged(Windows):
        def forward(self, x: Tensor) -> Tensor:
            scores = (self.query(x) @ self.key(x).mT).view(-1, 2, 8, 8) + self.mask
            found: Tensor = scores.view(-1, 8, 8).softmax(-1) @ self.value(x)
            return found

    rows = initwise.check(Paged, "f32[8,8,32]", mode="predict").layers
    assert not [row.name for row in rows if math.isnan(row.forward_rms)]


def test_numbers_that_only_lower_scores_hide_nothing():
    """A bias by distance is no mask: its numbers are not zeros and very negative ones."""
    model = Windows(low=-100.0)
    model.mask = torch.linspace(-100, 0, 128).reshape(2, 8, 8)
    hidden = initwise.check(Windows(), "f32[8,8,32]", mode="predict").layers[-1]
    lowered = initwise.check(model, "f32[8,8,32]", mode="predict").layers[-1]
    assert lowered.forward_rms > 1.2 * hidden.forward_rms


def test_a_choice_in_finer_blocks_is_the_same():
    keep = torch.ones(1, 6, 6, dtype=torch.bool).tril()
    whole = choice(keep, 6, 6)
    parted = finer(whole, (1, 5), (2, 4))
    assert sum(parted.queries) == sum(parted.keys) == 6
    assert parted.queries[0] == 1
    assert parted.inverse[0] == whole.inverse[0]
