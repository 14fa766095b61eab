"""check(mode="predict"): the same record as measuring, from moments."""

import copy
import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from initwise import check, init_
from initwise.core.errors import ModelError


def mlp(act, width=256, depth=20):
    layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), act())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def means(model, example, plan, seeds):
    """Name → mean squares of forward, gradient and weight gradient over seeds."""
    found = {}
    for seed in range(seeds):
        for row in check(model, example, plan=plan, seed=seed).layers:
            rows = found.setdefault(row.name, [])
            rows.append((row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2))
    return {name: np.mean(rows, axis=0) for name, rows in found.items()}


class Tokens(nn.Module):
    """A pre-norm transformer block over a table, causal."""

    def __init__(self, d=64, heads=4):
        super().__init__()
        self.table = nn.Embedding(200, d)
        self.block = nn.TransformerEncoderLayer(d, heads, 4 * d, 0.0, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(d)

    def forward(self, ids):
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        return self.norm(self.block(self.table(ids), mask, is_causal=False))


def cnn():
    stem = [nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    deep = [nn.Conv2d(32, 64, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*stem, *deep, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


MODELS = [
    pytest.param(lambda: mlp(nn.Tanh), "f32[64,256]", "lecun_normal", 0.25, id="tanh"),
    pytest.param(lambda: mlp(nn.GELU, depth=6), "f32[64,256]", "he_normal", 0.3, id="gelu"),
    pytest.param(lambda: mlp(nn.Sigmoid), "f32[64,256]", "xavier_normal", 0.4, id="sigmoid"),
    pytest.param(cnn, "f32[8,3,16,16]", "he_normal", 0.4, id="cnn"),
    pytest.param(Tokens, "i64[4,32]<200", "torch_default", 0.7, id="transformer"),
]


@pytest.mark.parametrize(("build", "example", "plan", "slack"), MODELS)
def test_every_number_is_near_the_mean_over_draws(build, example, plan, slack):
    """ln(predicted/measured) of mean squares; the slack is about three times the spread of 8 draws' mean."""
    torch.manual_seed(0)
    model = build()
    predicted = check(model, example, plan=plan, mode="predict")
    measured = means(model, example, plan, seeds=8)
    for row in predicted.layers:
        assert row.verdict != "unpredicted", row
        numbers = (row.forward_rms**2, row.gradient_rms**2, row.weight_gradient_rms**2)
        for mine, theirs in zip(numbers, measured[row.name], strict=True):
            assert math.isnan(mine) == math.isnan(theirs)
            if theirs > 1e-20:
                assert abs(math.log(mine / theirs)) < slack, (row.name, mine, theirs)


def test_the_spread_of_draws_is_told():
    model, example = mlp(nn.ReLU, depth=30), "f32[64,256]"
    last = check(model, example, plan="he_normal", mode="predict").layers[-3]
    drawn = [
        next(
            r for r in check(model, example, plan="he_normal", seed=s).layers if r.name == last.name
        ).forward_rms
        for s in range(16)
    ]
    # the standard deviation of 16 draws' logarithm is itself known to about a fifth
    assert last.seed_spread == pytest.approx(np.std(np.log(drawn), ddof=1), rel=0.8)


def test_symmetric_units_are_seen_without_weights():
    found = check(mlp(nn.Tanh, 32, 3), "f32[16,32]", plan={"*": "zeros", "0.weight": "ones"}, mode="predict")
    assert not found.healthy


def test_a_meta_model_needs_a_plan_and_no_memory():
    with torch.device("meta"):
        model = mlp(nn.ReLU, 4096, 4)
    with pytest.raises(ModelError, match="on the meta device, and the plan says nothing about it"):
        check(model, "f32[8,4096]", mode="predict")


def test_nothing_is_touched():
    torch.manual_seed(0)
    model = cnn()
    before = copy.deepcopy(model.state_dict())
    flags = torch.backends.mkldnn.enabled, torch.is_grad_enabled()
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    check(model, "f32[8,3,16,16]", mode="predict")
    assert flags == (torch.backends.mkldnn.enabled, torch.is_grad_enabled())
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()
    assert states[2] == random.getstate()
    assert all(p.grad is None and type(p) is nn.Parameter for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    init_(model, "he_normal")


def test_an_operation_without_a_rule_is_named_and_nothing_is_guessed():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 4)

        def forward(self, x):
            return self.last(torch.linalg.matrix_exp(self.first(x)))

    found = check(Odd(), "f32[4,16,16]", mode="predict")
    rows = {row.name: row for row in found.layers}
    assert rows["first"].forward_rms > 0
    assert rows["last"].verdict == "unpredicted"
    assert "linalg_matrix_exp" in rows["last"].reason
    assert math.isnan(rows["last"].forward_rms)


def test_masks_are_let_go_when_a_prediction_ends():
    from initwise.predict import choices
    from initwise.predict.rules import masks

    check(Tokens(), "i64[2,16]<200", mode="predict")
    assert not choices._CHOICES
    assert not masks._KEPT
