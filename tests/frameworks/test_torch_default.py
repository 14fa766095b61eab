"""The scheme torch_default against torch's own constructors, layer kind by layer kind."""

import math

import pytest
import torch
from torch import nn

from initwise.frameworks.initialize import init_, plan_for

LAYERS = {
    "Linear": lambda: nn.Linear(300, 200),
    "Conv1d": lambda: nn.Conv1d(32, 64, 5),
    "Conv2d": lambda: nn.Conv2d(32, 64, 3, stride=2),
    "Conv2d, grouped": lambda: nn.Conv2d(32, 64, 3, groups=4),
    "Conv3d": lambda: nn.Conv3d(8, 16, 3),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(32, 64, 5, stride=2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(64, 32, 4, stride=2),
    "ConvTranspose2d, grouped": lambda: nn.ConvTranspose2d(64, 32, 4, groups=4),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(8, 16, 3),
    "Bilinear": lambda: nn.Bilinear(20, 30, 40),
    "Embedding": lambda: nn.Embedding(300, 40, padding_idx=7),
    "EmbeddingBag": lambda: nn.EmbeddingBag(300, 40),
    "BatchNorm2d": lambda: nn.BatchNorm2d(64),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(64, affine=True),
    "LayerNorm": lambda: nn.LayerNorm((8, 8)),
    "GroupNorm": lambda: nn.GroupNorm(4, 64),
    "RMSNorm": lambda: nn.RMSNorm(64),
    "PReLU": lambda: nn.PReLU(8),
    "PReLU, other start": lambda: nn.PReLU(8, init=0.1),
    "MultiheadAttention": lambda: nn.MultiheadAttention(96, 4, add_bias_kv=True),
    "MultiheadAttention, separate": lambda: nn.MultiheadAttention(96, 4, kdim=64, vdim=32),
    "RNN": lambda: nn.RNN(60, 80),
    "LSTM": lambda: nn.LSTM(60, 80, num_layers=2, bidirectional=True, proj_size=40),
    "GRU": lambda: nn.GRU(60, 80),
    "LSTMCell": lambda: nn.LSTMCell(60, 80),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(64, 4, 128),
}
DRAWS = 4


@pytest.mark.parametrize("kind", LAYERS)
def test_torch_default_has_the_spread_and_bounds_of_torch(kind):
    torch.manual_seed(0)
    theirs: dict[str, list[torch.Tensor]] = {}
    for _ in range(DRAWS):
        for name, parameter in LAYERS[kind]().named_parameters():
            theirs.setdefault(name, []).append(parameter.detach().double().flatten())
    plan = plan_for(LAYERS[kind](), "torch_default")
    assert set(plan) == set(theirs)
    model = LAYERS[kind]()
    measured = {entry.name: entry for entry in init_(model, "torch_default").entries}
    for name, draws in theirs.items():
        values, entry, fill = torch.cat(draws), measured[name], plan[name]
        assert (float(values.std()) == 0) is (entry.declared_std == 0), name
        if entry.declared_std == 0:
            assert entry.measured_mean == pytest.approx(float(values[0])), name
            continue
        # the standard error of a sample's std is at most σ/√(2n) for normal and flatter laws
        slack = 6 / math.sqrt(2 * values.numel())
        assert float(values.std()) == pytest.approx(entry.declared_std, rel=slack), name
        if math.isfinite(fill.high):
            reach = float(values.abs().max())
            # the largest of n uniform draws is short of the bound by 1/n of it on average
            assert fill.high * (1 - 20 / values.numel()) <= reach <= fill.high * (1 + 1e-6), name
