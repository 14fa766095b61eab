"""check on what it cannot take: empty examples, NaN, modes, losses and seeds that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from initwise.core.errors import (
    ExampleError,
    ModelError,
    OptionError,
    StreamError,
)
from initwise.measure import check


def test_an_example_that_holds_nan_is_refused():
    x = torch.zeros(4, 8)
    x[0, 0] = float("nan")
    with pytest.raises(ExampleError) as error:
        check(nn.Linear(8, 4), x)
    assert str(error.value) == (
        "example: holds infinities or NaN; expected finite numbers.\n"
        "  Clean the batch first: nothing can be said about the weights through it."
    )


@pytest.mark.parametrize("example", [torch.zeros(0, 8), (torch.zeros(0, 8),), np.zeros((0, 8), np.float32)])
def test_an_example_without_inputs_is_refused(example):
    with pytest.raises(ExampleError) as caught:
        check(nn.Linear(8, 2), example)
    assert str(caught.value).startswith(
        "example: its first tensor has shape (0, 8) and no elements; expected at least one input, better 32."
    )


def test_a_later_tensor_may_be_empty():
    class WithCache(nn.Linear):
        def forward(self, x, cache):
            return super().forward(torch.cat([cache, x]))

    assert check(WithCache(8, 2), (torch.randn(4, 8), torch.zeros(0, 8))).healthy


@pytest.mark.parametrize("example", ["f32[1,8]", "f32[8]"])
def test_one_input_says_what_could_not_be_judged(example):
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    signals = check(model, example)
    said = "dead units and correlation were not judged: no two inputs could be compared"
    assert said in signals.note
    assert all(math.isnan(layer.dead) and math.isnan(layer.correlation) for layer in signals.layers)
    assert "not judged" not in check(model, "f32[2,8]").note


def test_positions_of_one_input_tell_dead_units_but_not_correlation():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    signals = check(model, "f32[1,3,8,8]")
    assert "; correlation was not judged: no two inputs could be compared" in signals.note
    assert not math.isnan(signals.layers[1].dead)


def test_an_unknown_mode_is_refused():
    with pytest.raises(OptionError) as error:
        check(nn.Linear(2, 2), mode="mesure")
    assert str(error.value) == (
        "check: mode 'mesure'.\n  Did you mean 'measure'?\n  Known: auto, measure, predict."
    )


def test_no_model_is_refused():
    with pytest.raises(ModelError, match="is not a model initwise knows"):
        check(object(), "f32[2,2]")


def test_a_loss_that_cannot_be_called_is_refused_before_the_model_runs():
    with pytest.raises(OptionError) as error:
        check(nn.Linear(8, 4), "f32[16,999]", loss=3)
    assert str(error.value) == (
        "check: loss=3 cannot be called; expected a name, a callable that takes the model's result and "
        "returns a scalar, or None.\n"
        "  For targets, close over them: loss=lambda output: F.mse_loss(output, targets)."
    )


def test_a_loss_of_an_unknown_name_is_refused_before_the_model_runs():
    with pytest.raises(OptionError) as error:
        check(nn.Linear(8, 4), "f32[16,999]", loss="clasification")
    assert str(error.value) == (
        "check: loss 'clasification'.\n  Did you mean 'classification'?\n"
        "  Known: classification, lm, mse, own."
    )


@pytest.mark.parametrize("seed", [-1, 1.5, True, 2**64])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(StreamError, match="seed"):
        check(nn.Linear(2, 2), seed=seed)


def test_the_largest_seed_works():
    assert check(nn.Linear(2, 2), seed=2**64 - 1).layers
