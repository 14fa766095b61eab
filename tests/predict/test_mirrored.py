"""Mirrored weights, predicted: pairs ±z are followed through the activation, not taken for strangers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initwise import check, init_
from initwise.choose.planners import plan_a2, study
from initwise.core.records import Signals

DEPTH, WIDTH = 12, 32


def network(activation: type[nn.Module]) -> nn.Sequential:
    layers = [layer for _ in range(DEPTH) for layer in (nn.Linear(WIDTH, WIDTH), activation())]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 4))


def forward(found: Signals) -> list[float]:
    return [layer.forward_rms for layer in found.layers[:DEPTH]]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.Softplus])
def test_a_mirrored_chain_is_predicted_to_keep_its_signal(activation: type[nn.Module]) -> None:
    # taken as independent rows, 12 layers of softplus would be predicted to grow, of SiLU to fade
    x = torch.randn(256, WIDTH, generator=torch.Generator().manual_seed(0))
    model = network(activation)
    plan = plan_a2(study(model, x))
    init_(model, plan, seed=0)
    predicted = check(model, x, plan=plan, mode="predict")
    assert forward(predicted) == pytest.approx(forward(check(model, x)), rel=0.1)
