"""Which sums are residual adds, and which are part of a function."""

import torch
from torch import nn

from initwise.measure import check


class Cubic(nn.Module):
    """GELU's approximation, written out."""

    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.0447 * x**3)))


class Add(nn.Module):
    """An add that has a module of its own."""

    def forward(self, one, other):
        return one + other


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.act, self.down, self.add = nn.Linear(8, 16), Cubic(), nn.Linear(16, 8), Add()

    def forward(self, x):
        return self.add(x, self.down(self.act(self.up(x))))


def adds(model):
    return [row.name for row in check(model, "f32[4,8]").layers if row.kind == "add"]


def test_a_sum_inside_an_activation_is_no_residual_add():
    assert adds(nn.Sequential(nn.Linear(8, 8), Block(), Block())) == ["1.add+", "2.add+"]


def test_a_model_that_is_a_function_of_its_input_alone_may_add():
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 8)

        def forward(self, x):
            return x + self.inner(x)

    assert adds(nn.Sequential(nn.Linear(8, 8), Whole())) == ["1+"]
