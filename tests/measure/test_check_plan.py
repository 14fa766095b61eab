"""check(plan=…) judges the very weights that init_ would write, and the model never sees them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initwise.core.errors import ForwardError, ModelError, UnknownNameError
from initwise.core.fill import Fill
from initwise.core.plan import Plan
from initwise.core.records import Advice
from initwise.frameworks.initialize import init_, plan_for
from initwise.measure import check
from initwise.measure.substitutes import weights_for


def assert_same_as_init(model, plan, example, seed=5):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    judged = check(model, example, plan=plan, seed=seed)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert judged.layers != check(model, example, seed=seed).layers
    init_(model, plan, seed=seed)
    assert check(model, example, seed=seed).to_json() == judged.to_json()


@pytest.mark.parametrize("plan", ["he_normal", "orthogonal", "xavier_uniform", {"*.weight": "lecun_normal"}])
def test_a_scheme_by_name(plan):
    assert_same_as_init(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)), plan, "f32[16,8]")


def test_batch_norm_convolutions_and_in_place_adds(resnet):
    assert_same_as_init(resnet(), "he_normal", "f32[4,3,8,8]")


def test_tied_and_packed_weights(transformer):
    assert_same_as_init(transformer(2), "xavier_normal", "i64[4,8]<50")


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_weights(recurrent, kind):
    assert_same_as_init(recurrent(kind), "orthogonal", "f32[4,6,16]")


@pytest.mark.parametrize(
    "wrap", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
def test_parametrized_weights(wrap):
    model = nn.Sequential(wrap(nn.Linear(8, 8)), nn.Tanh(), nn.Linear(8, 2))
    assert_same_as_init(model.eval(), "xavier_normal", "f32[16,8]")


@pytest.mark.parametrize("wrap", [nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_two_spectral_norms_in_one_layer_keep_their_own_vectors(wrap):
    torch.manual_seed(0)
    model = nn.RNNCell(8, 6, bias=False)
    for name in ("weight_ih", "weight_hh"):
        wrap(model, name)
    plan = plan_for(model, "xavier_normal")
    held = weights_for(model, plan, seed=5)
    init_(model, plan, seed=5)
    written = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    assert len(held) == 6  # two raw weights, and two singular vectors of each
    assert all(torch.equal(value, written[name]) for name, value in held.items())


def test_a_recurrent_layer_with_two_spectral_norms_is_judged_as_written():
    torch.manual_seed(0)
    cells = nn.LSTM(8, 8, batch_first=True)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        nn.utils.parametrizations.spectral_norm(cells, name)
    assert_same_as_init(cells.eval(), {"*original": Fill.normal(std=0.4)}, "f32[4,6,8]")


def test_a_plan_and_an_advice():
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    plan = Plan("mine", (("0.weight", Fill.normal(std=0.3)), ("2.bias", Fill.constant(1.0))))
    assert_same_as_init(model, plan, "f32[16,8]")
    advised = check(model, "f32[16,8]", plan=Advice("mine", plan, ()))
    assert advised.to_json() == check(model, "f32[16,8]", plan=plan).to_json()


def test_frozen_parameters_keep_their_values_as_in_init():
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    plan = plan_for(model, "he_normal")
    model[0].requires_grad_(False)
    assert_same_as_init(model, plan, "f32[16,8]")


def test_bad_plans_are_found_out_without_harm(mlp):
    model = mlp(nn.ReLU, 5, "he")
    assert check(model, "f32[64,64]").healthy
    found = check(model, "f32[64,64]", plan="zeros").findings
    assert [(f.verdict, f.layer) for f in found] == [("symmetric", "0")]
    assert check(model, "f32[64,64]").healthy


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        self.layer(x)
        raise ValueError("told to")


def test_the_model_stays_as_it_was_when_the_forward_raises_under_a_plan():
    model = Fails()
    before, identity = model.layer.weight.detach().clone(), id(model.layer.weight)
    with pytest.raises(ForwardError, match="told to"):
        check(model, "f32[2,4]", plan="he_normal")
    assert torch.equal(model.layer.weight, before)
    assert id(model.layer.weight) == identity


def test_an_unknown_scheme_and_a_foreign_plan_are_refused():
    model = nn.Linear(4, 2)
    with pytest.raises(UnknownNameError, match="Did you mean 'he_normal'"):
        check(model, plan="he_norml")
    with pytest.raises(ModelError, match="which the model does not have"):
        check(model, plan=Plan("other", (("0.weight", Fill.normal()),)))
