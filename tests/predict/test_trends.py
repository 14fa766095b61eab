"""Trends of models whose laws are known on paper."""

import math

import pytest
import torch
from torch import nn

import initwise


def chain(depth, width, activation, init, *, bias=False):
    def make():
        layers = []
        for _ in range(depth):
            layer = nn.Linear(width, width, bias=bias)
            init(layer.weight)
            layers += [layer, activation()]
        return nn.Sequential(*layers, nn.Linear(width, 10))

    return make


def trend(make, spec="f32[16,128]", mode="predict"):
    torch.manual_seed(1)
    model = make if mode == "predict" else make()
    return initwise.check(model, spec, mode=mode).trend().growths


def he(weight):
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def default(weight):
    pass


def test_he_keeps_a_relu_chain_flat_exactly():
    forward, backward = trend(chain(30, 128, nn.ReLU, he))
    assert (forward.law, backward.law) == ("flat", "flat")
    assert forward.first == pytest.approx(math.sqrt(2))
    assert forward.factor == pytest.approx(1.0, abs=1e-6)
    assert backward.factor == pytest.approx(1.0, abs=1e-6)


def test_torchs_default_shrinks_a_relu_chain_by_the_root_of_a_sixth():
    # U(-1/√n, 1/√n) has variance 1/(3n), and relu halves the second moment
    forward, backward = trend(chain(30, 128, nn.ReLU, default))
    for growth in (forward, backward):
        assert (growth.law, growth.confidence) == ("exponential", "clear")
        assert growth.factor == pytest.approx(6**-0.5, rel=1e-6)
        assert growth.tenfold == pytest.approx(math.log(100) / math.log(6), rel=1e-6)


def test_torchs_default_biases_keep_the_forward_from_vanishing():
    # q = q/6 + 1/(3n) has the fixed point 2/(5n)
    forward, backward = trend(chain(30, 128, nn.ReLU, default, bias=True))
    assert forward.law == "levels off"
    assert forward.last == pytest.approx(math.sqrt(0.4 / 128), rel=1e-3)
    assert backward.law == "exponential"
    assert backward.factor == pytest.approx(6**-0.5, rel=0.01)


def test_xavier_lets_tanh_decay_as_a_power_of_the_depth():
    # q ← E[tanh²] = q - 2q² + O(q³), so q → 1/(2l)
    forward, _ = trend(chain(30, 128, nn.Tanh, nn.init.xavier_normal_))
    assert (forward.law, forward.confidence) == ("power", "clear")
    assert forward.exponent == pytest.approx(-1.0, abs=0.15)
    assert forward.last**2 * 2 * 30 == pytest.approx(1.0, abs=0.2)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        for layer in (self.up, self.down):
            nn.init.normal_(layer.weight, std=width**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        return x + self.down(self.up(self.norm(x)))


def residual(depth=16, width=128):
    return lambda: nn.Sequential(*(Block(width) for _ in range(depth)), nn.LayerNorm(width))


@pytest.mark.parametrize("mode", ["predict", "measure"])
def test_a_stream_behind_norms_gains_one_unit_per_block(mode):
    forward, backward = trend(residual(), mode=mode)
    assert (forward.path, forward.step, forward.name) == ("stream", "block", "*")
    assert forward.law == "linear"
    assert forward.steps == 15
    # the input has 1 and each branch adds 1: q = 2 after the first block
    assert forward.last == pytest.approx(math.sqrt(17), rel=1e-3 if mode == "predict" else 0.1)
    assert forward.offset == pytest.approx(2.0, rel=0.01 if mode == "predict" else 0.3)
    assert backward.law in ("linear", "power")
    assert backward.last > backward.first


@pytest.mark.parametrize(
    ("activation", "init", "law"),
    [(nn.ReLU, default, "exponential"), (nn.Tanh, nn.init.xavier_normal_, "power")],
)
def test_measured_trends_have_the_same_law(activation, init, law):
    forward, _ = trend(chain(30, 128, activation, init), mode="measure")
    assert forward.law == law
    assert forward.confidence == "clear"
