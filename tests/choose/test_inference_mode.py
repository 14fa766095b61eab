"""Asked inside torch.inference_mode or no_grad, `choose` gives what it gives outside."""

import pytest
import torch
from torch import nn

import initwise
from initwise.core.errors import ModelError


def made() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad], ids=["inference", "no_grad"])
def test_the_advice_is_the_same(mode):
    model, x = made(), torch.randn(32, 16, generator=torch.Generator().manual_seed(0))
    outside = initwise.choose(model, x).plan
    with mode():
        assert initwise.choose(model, x).plan == outside


def test_a_model_made_there_is_refused():
    with torch.inference_mode():
        model = made()
        with pytest.raises(ModelError, match="made in inference mode and cannot be changed"):
            initwise.choose(model, torch.randn(32, 16))
