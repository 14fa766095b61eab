"""Elementwise functions are known by what they do, whatever weights the model holds."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from initwise.core.fill import Fill
from initwise.frameworks.initialize import init_
from initwise.frameworks.torch.trace import trace


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def negatives_to_zero(x):
    x = x.clone()
    x[x < 0] = 0
    return x


HARD = "hard_tanh"
WRITTEN_OUT = {
    "clamp": (lambda x: x.clamp(min=0), "relu"),
    "where": (lambda x: torch.where(x > 0, x, torch.zeros_like(x)), "relu"),
    "where, leaky": (lambda x: torch.where(x > 0, x, 0.2 * x), "leaky_relu(0.2)"),
    "mask": (lambda x: x * (x > 0), "relu"),
    "mask of numbers": (lambda x: x * (x > 0).float(), "relu"),
    "mask like": (lambda x: x * (x > 0).to(x), "relu"),
    "masked fill": (lambda x: x.masked_fill(x < 0, 0.0), "relu"),
    "masked assignment": (negatives_to_zero, "relu"),
    "several masks": (
        lambda x: x.masked_fill((x < -1) | (x > 1), 0) + (x > 1).float() - 1.0 * (x < -1),
        HARD,
    ),
    "halves": (lambda x: (x + x.abs()) / 2, "relu"),
    "maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), "relu"),
    "silu": (lambda x: x * x.sigmoid(), "silu"),
    "autograd function": (Swish.apply, "silu"),
    "squared": (lambda x: F.relu(x) ** 2, "relu_squared"),
    "mish": (lambda x: x * torch.tanh(torch.log(1 + torch.exp(x))), "mish"),
    "gaussian": (lambda x: torch.exp(-(x**2)), "gaussian"),
    "sine with a frequency": (lambda x: torch.sin(30 * x), "sin(30)"),
    "random leaky, evaluated": (lambda x: F.rrelu(x, 0.1, 0.3), "leaky_relu(0.2)"),
    "random leaky": (lambda x: F.rrelu(x, 0.0, 0.3, training=True), "leaky_relu(0.173205)"),
}


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def deep(function):
    """Five layers at torch's defaults: at the last of them the signal is a few hundredths."""
    layers = [module for _ in range(5) for module in (nn.Linear(16, 16), Function(function))]
    return nn.Sequential(*layers, nn.Linear(16, 4))


def between(graph):
    """(op, label) of what lies between the weights."""
    ends = ("input", "weight", "output")
    return [(node.op, node.label) for node in graph.nodes if node.op not in ends]


@pytest.mark.parametrize("style", WRITTEN_OUT)
def test_a_function_has_its_name_in_every_layer(style):
    function, label = WRITTEN_OUT[style]
    assert between(trace(deep(function), "f32[4,16]")) == [("activation", label)] * 5


UNNAMED = {
    "relu, five times": (lambda x: 5 * F.relu(x), lambda x: 5 * np.maximum(x, 0)),
    "gelu, moved": (lambda x: F.silu(x) + 1, lambda x: x / (1 + np.exp(-x)) + 1),
    "cubed sine": (lambda x: x + torch.sin(x) ** 3, lambda x: x + np.sin(x) ** 3),
    "relu of a moved input": (lambda x: F.relu(x - 0.5), lambda x: np.maximum(x - 0.5, 0)),
    "relu, mirrored": (lambda x: F.relu(-x), lambda x: np.maximum(-x, 0)),
    "two in a row": (lambda x: torch.tanh(F.relu(x)), lambda x: np.tanh(np.maximum(x, 0))),
    "hard tanh of another width": (lambda x: F.hardtanh(x, -2, 2), lambda x: np.clip(x, -2, 2)),
}


@pytest.mark.parametrize("style", UNNAMED)
def test_a_function_without_a_name_is_a_table_of_its_values(style):
    function, numpy = UNNAMED[style]
    nodes = [n for n in trace(deep(function), "f32[4,16]").nodes if n.op == "pointwise"]
    assert len(nodes) == 5
    for node in nodes:
        x, y = np.array(node.curve).T
        assert (x.min(), x.max()) == (-10, 10)
        np.testing.assert_allclose(y, numpy(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("style", [*WRITTEN_OUT, *UNNAMED])
def test_the_graph_does_not_depend_on_the_weights_held(style):
    model = deep({**WRITTEN_OUT, **UNNAMED}[style][0])
    wanted = trace(model, "f32[4,16]")
    for scheme in ("he_normal", "zeros", {"*": Fill.normal(0.0, 0.01)}):
        init_(model, scheme)
        assert trace(model, "f32[4,16]") == wanted


SHIFT = torch.arange(16.0)
MIXING = {
    "by place": lambda x: x * SHIFT,
    "masked by place": lambda x: torch.where(SHIFT > 3, x, 0.0),
    "centred": lambda x: x - x.mean(-1, keepdim=True),
}


@pytest.mark.parametrize("style", MIXING)
def test_a_function_that_mixes_places_has_no_table(style):
    nodes = [n for n in trace(deep(MIXING[style]), "f32[4,16]").nodes if n.op == "pointwise"]
    assert [node.curve for node in nodes] == [()] * 5


def test_a_step_is_a_function_of_its_signal():
    graph = trace(deep(lambda x: (x > 0).float()), "f32[4,16]")
    steps = [node for node in graph.nodes if node.op == "pointwise"]
    assert [graph.nodes[step.inputs[0]].op for step in steps] == ["weight"] * 5
    assert (steps[0].curve[0], steps[0].curve[-1]) == ((-10, 0), (10, 1))


def test_replaying_a_function_draws_no_numbers_and_keeps_the_input():
    x, model = torch.randn(4, 16), deep(lambda x: x.mul_(2).relu_())
    state, given, before = torch.get_rng_state(), x.clone(), copy.deepcopy(model.state_dict())
    assert between(trace(model, x)) == [("pointwise", "")] * 5
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(x, given)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_scaled_function_that_others_use_too_stays_a_signal_of_its_own():
    def both(x):
        y = F.relu(x)
        return y + 0.5 * F.linear(y, torch.eye(16)), 0.5 * y

    nodes = trace(nn.Sequential(nn.Linear(16, 16), Function(both)), "f32[4,16]").nodes
    relu = next(node for node in nodes if node.label == "relu")
    assert any(node.op == "scale" and node.inputs == (relu.index,) for node in nodes)


def test_root_two_over_pi_written_with_few_digits_is_still_gelu():
    def gelu(x):
        return 0.5 * x * (1 + torch.tanh(0.79788456 * (x + 0.044715 * x**3)))

    assert math.isclose(0.79788456, math.sqrt(2 / math.pi), rel_tol=1e-8)
    assert between(trace(deep(gelu), "f32[4,16]")) == [("activation", "gelu_tanh")] * 5
