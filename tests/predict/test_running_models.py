"""What models do besides plain layers: each runs, and its numbers are those of measuring."""

import copy
import math

import numpy as np
import torch
from torch import nn

from initwise import check

SEEDS = 8


def assert_near(build, example, slack):
    """Every row is predicted; ln(predicted/measured) of mean squares, the mean over draws, is within slack.

    The slack is about three times the spread of the mean of 8 draws.
    """
    predicted = check(build, example, mode="predict")
    drawn = {}
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        for row in check(build(), example, seed=seed).layers:
            numbers = (row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2)
            drawn.setdefault(row.name, []).append(numbers)
    assert {row.name for row in predicted.layers} == set(drawn)
    for row in predicted.layers:
        assert row.verdict != "unpredicted", row
        numbers = (row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2)
        for mine, theirs in zip(numbers, np.mean(drawn[row.name], axis=0), strict=True):
            assert math.isnan(mine) == math.isnan(theirs), (row, theirs)
            if theirs > 1e-20:
                assert abs(math.log(mine / theirs)) < slack, (row.name, mine, theirs)


class Experts(nn.Module):
    """Each token through the one of four matrices that a real router chooses, in one grouped product."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(32, 32), nn.Linear(48, 8)
        self.experts = nn.Parameter(torch.randn(4, 32, 48) / math.sqrt(32))

    def forward(self, x):
        sizes = torch.tensor([10, 0, 34, 20])
        return self.last(
            nn.functional.grouped_mm(self.first(x), self.experts, offs=sizes.cumsum(0, dtype=torch.int32))
        )


def test_grouped_products():
    assert_near(Experts, "f32[64,32]", 0.25)


class Sines(nn.Module):
    """A table of positions that its constructor writes piece by piece into new memory."""

    def __init__(self, step):
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 8)
        table = torch.empty(20, 32)
        angles = torch.arange(20.0)[:, None] / 50 ** (torch.arange(16.0) / 16)
        cosines = slice(1, None, 2) if step == 2 else slice(16, None)
        table[:, 0 : (32 if step == 2 else 16) : step] = 2 * angles.sin()
        table[:, cosines] = angles.cos()
        self.table = nn.Parameter(table)

    def forward(self, x):
        return self.last(torch.relu(self.first(x) + self.table))


class Shifted(nn.Module):
    """Part of a result written into another; a view of it that was taken before is read afterwards."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(16, 32), nn.Linear(16, 32), nn.Linear(32, 8)

    def forward(self, x):
        y = self.first(x) * 3
        view = y.transpose(1, 2)
        y[:, 5:, :16] = self.second(x)[:, 5:, :16]
        return self.last(torch.relu(view.transpose(1, 2)))


class Collected(nn.Module):
    """Results collected in zeros that the forward makes, place by place."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 8)

    def forward(self, x):
        found = torch.zeros(x.shape[0], x.shape[1] + 5, 32)
        for t in range(x.shape[1]):
            found[:, t] = self.first(x[:, t]) * (1 + t)
        return self.last(found)


class Windows(nn.Module):
    """Overlapping windows, by strides."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 8)

    def forward(self, x):
        y = self.first(x).contiguous()
        b, t, d = y.shape
        return self.last(y.as_strided((b, t // 4 - 1, 8, d), (t * d, 4 * d, d, 1)).mean(2))


def test_a_table_written_in_halves():
    assert_near(lambda: Sines(1), "f32[4,20,16]", 0.35)


def test_a_table_written_at_every_second_place():
    assert_near(lambda: Sines(2), "f32[4,20,16]", 0.35)


def test_part_of_a_result_overwritten():
    assert_near(Shifted, "f32[4,20,16]", 0.35)


def test_results_collected_in_zeros():
    assert_near(Collected, "f32[4,12,16]", 0.35)


def test_a_padding_read_from_what_was_written():
    def build():
        around = nn.Conv1d(8, 16, 3, padding=1, padding_mode="circular")
        return nn.Sequential(around, nn.ReLU(), nn.Conv1d(16, 8, 3))

    assert_near(build, "f32[32,8,24]", 0.25)


def test_windows_by_strides():
    assert_near(Windows, "f32[4,20,16]", 0.35)


class Rotated(nn.Module):
    """All features are turned, and the rest that is not is empty: transformers' partial rotary embeddings."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 8)

    def forward(self, x):
        y = self.first(x)
        turned, rest = y[..., :32], y[..., 32:]
        return self.last(torch.cat([turned * 2, rest], -1))


def test_a_rest_of_nothing():
    assert_near(Rotated, "f32[4,12,16]", 0.35)


class Orthogonal(nn.Module):
    """Orthogonal weights, wide and tall."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 8)
        nn.init.orthogonal_(self.first.weight, gain=2.0)
        nn.init.orthogonal_(self.last.weight)

    def forward(self, x):
        y = self.first(x).clone()
        y.transpose_(0, 1)
        return self.last(torch.relu(y))


def test_orthogonal_weights_and_a_transpose_in_place():
    assert_near(Orthogonal, "f32[4,12,16]", 0.35)


class Quantized(nn.Module):
    """The rows of a table that a maximum picks are what goes on."""

    def __init__(self):
        super().__init__()
        self.first, self.table, self.last = nn.Linear(16, 64), nn.Embedding(64, 32), nn.Linear(32, 8)

    def forward(self, x):
        scores, picked = self.first(x).max(-1)
        return self.last(self.table(picked.flatten()).view(*x.shape[:-1], 32) * scores.unsqueeze(-1))


class Durations(nn.Module):
    """Each token as often as a layer says, as in speech synthesis."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 8)
        self.lengths = nn.Linear(16, 1)

    def forward(self, x):
        counts = (self.lengths(x).exp() * 3).round().clamp(min=0).long().squeeze(-1)
        return self.last(torch.repeat_interleave(self.first(x), counts, dim=0))


def test_places_picked_by_a_maximum():
    assert_near(Quantized, "f32[4,20,16]", 0.5)


def test_lengths_that_a_layer_says():
    predicted = check(Durations, "f32[64,16]", mode="predict").layers
    measured = check(Durations(), "f32[64,16]").layers
    # the lengths themselves get no gradient, predicted as measured
    assert [row.verdict for row in predicted] == [row.verdict for row in measured]
    for mine, theirs in zip(predicted, measured, strict=True):
        assert abs(math.log(mine.forward_rms / theirs.forward_rms)) < 0.2


class Copied(nn.Module):
    """A layer and its copy, which begins with the same numbers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(32, 32)
        self.last = copy.deepcopy(self.first)

    def forward(self, x):
        return self.last(self.first(x))


def test_a_layer_copied_by_its_constructor():
    assert_near(Copied, "f32[64,32]", 0.35)


class Perturbed(nn.Module):
    """A weight of zeros that drawn numbers are added to."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(32, 32), nn.Linear(32, 32)
        self.weight = nn.Parameter(torch.zeros(32, 32))
        with torch.no_grad():
            self.weight.add_(torch.randn(32, 32), alpha=0.5)

    def forward(self, x):
        return self.last(self.first(x) @ self.weight)


def test_a_weight_of_zeros_that_numbers_are_added_to():
    assert_near(Perturbed, "f32[64,32]", 0.35)


class Beside(nn.Module):
    """Two results written side by side into memory where NaN lay before; or one, and half of that is read."""

    def __init__(self, both: bool):
        super().__init__()
        self.one, self.other, self.last = nn.Linear(48, 32), nn.Linear(48, 32), nn.Linear(64, 10)
        self.both = both

    def forward(self, x):
        before = [torch.full((x.shape[0], 64), math.nan) for _ in range(64)]
        del before
        out = torch.empty(x.shape[0], 64)
        out[:, :32] = self.one(x)
        if self.both:
            out[:, 32:] = self.other(x).relu()
        return self.last(out)


def test_what_lies_in_new_memory_by_chance_is_not_met():
    found = [check(lambda: Beside(True), "f32[64,48]", mode="predict").layers for _ in range(3)]
    assert all(math.isfinite(row.forward_rms) and math.isfinite(row.weight_gradient_rms) for row in found[0])
    assert all([row.to_json() for row in rows] == [row.to_json() for row in found[0]] for rows in found)


def test_memory_that_is_read_but_never_written_is_said():
    rows = check(lambda: Beside(False), "f32[64,48]", mode="predict").layers
    row = next(row for row in rows if row.name == "last")
    assert row.verdict == "unpredicted"
    assert "written in place" in row.reason
