"""What strangers found wrong, each against measuring or against what is known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from initwise import check

SEEDS = 8


def mean_squares(build, example, name, seeds=SEEDS):
    """(forward, gradient) mean squares of a row, over draws."""
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        row = next(r for r in check(build(), example, seed=seed, mode="measure").layers if r.name == name)
        found.append((row.forward_rms**2, row.gradient_rms**2))
    return np.mean(found, axis=0)


def row_of(build, example, name):
    return next(r for r in check(build, example, mode="predict").layers if r.name == name)


@pytest.mark.parametrize("norm", [lambda: nn.InstanceNorm2d(16), lambda: nn.GroupNorm(16, 16)])
def test_a_norm_by_input_takes_out_what_lies_along_itself(norm):
    """Behind a global pool the gradient is a function of the norm's output; 2.7 times too large before."""

    def build():
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
        return nn.Sequential(nn.Conv2d(3, 16, 3), norm(), nn.GELU(), *pooled)

    row, (_, gradient) = row_of(build, "f32[16,3,12,12]", "0"), mean_squares(build, "f32[16,3,12,12]", "0")
    assert abs(math.log(row.gradient_rms**2 / gradient)) < 0.3


class Normed(nn.Module):
    """x/√(mean x²) written in parts, as decoders write it."""

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Block(nn.Module):
    """A gated MLP behind a norm: what luck is left in a norm's output is raised to the fourth power."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.gate, self.up = Normed(), nn.Linear(width, width), nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x):
        h = self.norm(x)
        return x + self.down(nn.functional.silu(2 * self.gate(h)) * self.up(h))


def test_norms_in_parts_leave_no_luck_to_grow_with_depth():
    def build():
        return nn.Sequential(*[Block(32) for _ in range(40)])

    forward = [r.forward_rms for r in check(build, "f32[4,32]", mode="predict").layers if "down" in r.name]
    assert max(forward) < 1.2 * min(forward)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_constructor_may_cast_its_model(dtype):
    row = row_of(lambda: nn.Sequential(nn.Linear(64, 32)).to(dtype), "float[16,64]", "0")
    assert row.forward_rms == pytest.approx(math.sqrt(1 / 3 + 1 / 192), rel=1e-3)


class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 64, bias=False)
        nn.init.sparse_(self.layer.weight, 0.9, std=1.0)

    def forward(self, x):
        return self.layer(x)


def test_a_constructor_that_zeroes_column_by_column():
    # 58 of 64 in each column are zero: E[y²] = 6
    assert row_of(Sparse, "f32[16,64]", "layer").forward_rms ** 2 == pytest.approx(6.0, rel=0.25)


def test_how_often_a_row_was_used_is_not_overlooked():
    table = check(lambda: nn.Embedding(20, 8, scale_grad_by_freq=True), "i64[4,6]<20", mode="predict")
    assert "how often" in table.layers[0].reason


def test_where_an_activation_is_flat_is_a_matter_of_the_values_it_gets():
    def build():
        small = nn.Linear(32, 32)
        nn.init.normal_(small.weight, std=1e-6)
        nn.init.zeros_(small.bias)
        return nn.Sequential(small, nn.ReLU(), nn.Linear(32, 4))

    assert row_of(build, "f32[16,32]", "0").saturated == pytest.approx(0.5, abs=0.01)


class Averaged(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return self.layer(x).mean(1)


def test_small_gradients_in_double_precision_are_no_error():
    assert check(Averaged().double(), torch.randn(4, 16, 8).double()).healthy


class Buffered(nn.Module):
    """A buffer written through .data between two uses."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 4)
        self.register_buffer("scale", torch.ones(16))

    def forward(self, x):
        y = self.first(x) * self.scale
        self.scale.data.fill_(100.0)
        z = self.first(x) * self.scale
        self.scale.data.fill_(1.0)
        return self.last(y + z)


def test_a_buffer_written_behind_autograd_is_read_again():
    assert row_of(Buffered, "f32[16,16]", "last").forward_rms > 10


def test_gates_that_a_recurrence_writes_in_place_are_tensors_of_their_own():
    row = check(lambda: nn.GRU(16, 32, batch_first=True), "f32[8,12,16]", mode="predict").layers[0]
    assert row.verdict == "ok"


class LargestOverTime(nn.Module):
    """A text CNN: rectified features, the largest of each over time."""

    def __init__(self, largest):
        super().__init__()
        self.largest, self.conv, self.head = largest, nn.Conv1d(16, 64, 3, padding=1), nn.Linear(64, 4)

    def forward(self, x):
        return self.head(self.largest(torch.relu(self.conv(x))))


@pytest.mark.parametrize("largest", [lambda h: h.amax(2), lambda h: h.max(2).values], ids=["amax", "max"])
def test_what_is_largest_is_positive_so_its_gradient_passes_relu(largest):
    """Half of it before: as if the largest of thirty were negative half of the time."""

    def build():
        return LargestOverTime(largest)

    row, (_, gradient) = row_of(build, "f32[16,16,30]", "conv"), mean_squares(build, "f32[16,16,30]", "conv")
    assert abs(math.log(row.gradient_rms**2 / gradient)) < 0.2
