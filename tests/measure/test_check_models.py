"""check on real networks: bad weights get the right word at the right layer, sound ones none."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from initwise.core.errors import UnhealthyError
from initwise.measure import check


def findings(model, example="f32[64,64]"):
    return [(finding.verdict, finding.layer) for finding in check(model, example).findings]


# bad weights

BAD = [
    (nn.Tanh, 50, "standard", [("exploding", range(70, 92)), ("saturated", range(2, 100))]),
    (nn.Sigmoid, 50, "xavier", [("vanishing", range(87, 93)), ("collapsed", range(7, 12))]),
    (nn.ReLU, 50, "xavier", [("vanishing", range(34, 42)), ("vanishing", range(54, 66))]),
    (nn.ReLU, 10, "standard", [("exploding", range(6, 9)), ("exploding", range(10, 14))]),
    (nn.ReLU, 50, "standard", [("overflow", range(80, 86)), ("exploding", range(6, 9))]),
    (nn.ReLU, 10, "small", [("vanishing", range(4, 8)), ("vanishing", range(12, 15))]),
    (nn.Tanh, 10, "standard", [("saturated", range(2, 20))]),
    (nn.ReLU, 5, "zeros", [("symmetric", [0])]),
    (nn.Sigmoid, 5, "zeros", [("symmetric", [0])]),
    (nn.Tanh, 5, "constant", [("symmetric", [0])]),
]
"""Activation, depth, law, and per finding, worst first, the word and where it may begin: the exact
layer is known for a cause, and within a few layers for a slow drift."""


@pytest.mark.parametrize(("activation", "depth", "law", "expected"), BAD)
def test_bad_weights_get_the_right_word_at_the_right_layer(mlp, activation, depth, law, expected):
    found = findings(mlp(activation, depth, law))
    assert [verdict for verdict, _ in found] == [verdict for verdict, _ in expected]
    assert all(int(layer) in places for (_, layer), (_, places) in zip(found, expected, strict=True))


def test_large_negative_biases_kill_from_the_first_layer_on(mlp):
    assert findings(mlp(nn.ReLU, 5, "he", bias=-10.0)) == [("dead", "0")]


def test_one_bad_layer_is_the_one_named(mlp):
    model = mlp(nn.ReLU, 10, "he")
    with torch.no_grad():
        model[8].weight *= 1e-5
    assert findings(model) == [("vanishing", "8"), ("vanishing", "8")]


def test_identical_cells_of_an_lstm_are_symmetric(recurrent, filled):
    for law in ("zeros", "constant"):
        assert findings(filled(recurrent(), law), "f32[8,20,16]") == [("symmetric", "cells")]


def test_half_precision_overflows_where_float32_does_not(mlp):
    model = mlp(nn.ReLU, 3, "standard", width=256)
    x = 30 * torch.randn(16, 64)
    assert ("overflow", "4") not in findings(model, x)
    assert findings(model.half(), x.half())[0][0] == "overflow"


# sound weights

SOUND = [
    (nn.ReLU, 50, "he"),
    (nn.Tanh, 50, "xavier"),
    (nn.Sigmoid, 3, "xavier"),
    (nn.GELU, 10, "he"),
    (nn.SiLU, 10, "he"),
    (nn.Softplus, 3, "xavier"),
]


@pytest.mark.parametrize(("activation", "depth", "law"), SOUND)
def test_sound_mlps_are_healthy(mlp, activation, depth, law):
    assert findings(mlp(activation, depth, law)) == []


def test_positive_inputs_are_alike_without_being_collapsed(mlp):
    torch.manual_seed(0)
    signals = check(mlp(nn.ReLU, 5, "he"), torch.rand(64, 64))
    assert signals.healthy
    assert signals.layers[-1].correlation > 0.8


@pytest.mark.parametrize("zero_gamma", [False, True])
def test_a_residual_network_with_batch_norm_is_healthy(resnet, zero_gamma):
    assert findings(resnet(zero_gamma), "f32[8,3,16,16]") == []


def test_a_zero_gamma_is_explained_where_it_stops_the_gradient(resnet):
    rows = {row.name: row for row in check(resnet(zero_gamma=True), "f32[8,3,16,16]").layers}
    assert rows["3.conv1"].gradient_rms == 0
    assert rows["3.conv1"].reason == (
        "no gradient yet: '3.norm2' starts at zero and lets it through after its first step"
    )
    assert rows["3+"].gradient_rms > 0


@pytest.mark.parametrize(("depth", "pre_norm"), [(2, True), (12, True), (2, False)])
def test_transformers_at_the_usual_002_are_healthy(transformer, depth, pre_norm):
    assert findings(transformer(depth, pre_norm), "i64[8,16]<50") == []


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_networks_at_their_defaults_are_healthy(recurrent, kind):
    assert findings(recurrent(kind), "f32[8,20,16]") == []


def test_a_zero_head_is_healthy_and_noted(mlp):
    model = mlp(nn.ReLU, 5, "he")
    nn.init.zeros_(model[-1].weight)
    signals = check(model, "f32[64,64]")
    assert signals.healthy
    assert "gradients were not judged: '10' starts at zero" in signals.note


def test_one_linear_layer_is_healthy():
    torch.manual_seed(0)
    assert findings(nn.Linear(16, 4), "f32[32,16]") == []


def test_unhealthy_models_raise_when_asked_to_assert(mlp):
    with pytest.raises(UnhealthyError) as error:
        check(mlp(nn.ReLU, 5, "zeros"), "f32[64,64]").assert_healthy()
    assert str(error.value) == (
        "0: symmetric: all 128 units are identical, in output and in weight gradient, which is zero: "
        "no training step can part them (6 layers); expected a healthy signal.\n"
        "  initwise.choose(model, example) proposes weights that fit."
    )


class Plain(nn.Module):
    """Functional activations only; in place."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(6))
        self.head = nn.Linear(64, 3)

    def forward(self, x):
        for layer in self.layers:
            x = functional.relu(layer(x), inplace=True)
        return self.head(x)


def test_functional_activations_are_seen(filled):
    signals = check(filled(Plain(), "he", bias=-10.0), "f32[64,64]")
    assert [(f.verdict, f.layer) for f in signals.findings] == [("dead", "layers.0")]
    assert signals.layers[0].saturated > 0.9
    assert check(filled(Plain(), "he"), "f32[64,64]").healthy
