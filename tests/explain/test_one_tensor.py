"""One tensor of a model, a plan or an advice: by its own name, or by its layer's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import initwise
from initwise import explain
from initwise.core.errors import OptionError, UnknownNameError
from initwise.frameworks.initialize import plan_for


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


@pytest.fixture(scope="module")
def advice():
    return initwise.choose(network(), torch.randn(32, 16))


@pytest.mark.parametrize("thing", ["advice", "plan", "model"])
def test_the_layer_s_name_means_its_weight(thing, advice):
    thing = {"advice": advice, "plan": advice.plan, "model": network()}[thing]
    wanted = explain(thing, name="2.weight")
    assert explain(thing, "2.weight") == wanted
    assert explain(thing, "2") == wanted
    assert explain(thing, "2.bias") != wanted


def test_an_unknown_name_is_refused_with_those_there_are(advice):
    with pytest.raises(UnknownNameError) as caught:
        explain(advice, "3")
    assert "0.bias, 0.weight, 2.bias, 2.weight" in str(caught.value)


def test_a_layer_with_several_weights_means_none_of_them():
    plan = plan_for(nn.Sequential(nn.LSTM(8, 8)), "he_normal")
    with pytest.raises(UnknownNameError, match="weight_hh_l0"):
        explain(plan, "0")


def test_a_name_is_given_once(advice):
    with pytest.raises(OptionError, match="one of them"):
        explain(advice, "2.weight", name="2.bias")


def test_a_scheme_has_no_parts():
    with pytest.raises(OptionError, match="name"):
        explain("he_normal", "2.weight")
