"""LoRA's start in a model that is trained already: the adapters are filled, everything else is kept."""

import pytest
import torch
from torch import nn

from initwise import init_, recipe
from initwise.core.errors import ModelError
from initwise.frameworks.initialize import plan_for


class Adapted(nn.Module):
    """A layer with an adapter beside it, as PEFT makes them."""

    def __init__(self, bias=False):
        super().__init__()
        self.base_layer = nn.Linear(8, 8)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(8, 2, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(2, 8, bias=bias)})

    def forward(self, x):
        return self.base_layer(x) + self.lora_B["default"](self.lora_A["default"](x))


def trained(bias=False):
    """Every parameter a value that no recipe would give."""
    model = nn.Sequential(nn.Embedding(5, 8), nn.LayerNorm(8), Adapted(bias), nn.PReLU(), nn.Linear(8, 3))
    model.register_parameter("free", nn.Parameter(torch.tensor([7.0])))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.linspace(1, 5, parameter.numel()).reshape(parameter.shape) + number)
    return model


def state(model, adapters):
    return {
        name: value.clone() for name, value in model.state_dict().items() if ("lora_" in name) == adapters
    }


PLANS = ["lora", recipe("lora", flavor="gaussian"), "lora_a", "lora_kaiming", "lora_a_gaussian"]


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("bias", [False, True])
def test_what_is_no_adapter_keeps_its_values_and_the_model_its_output(plan, bias):
    model, words = trained(bias), torch.arange(5)
    before = state(model, False)
    adapter = model[2]
    base = model[4](model[3](adapter.base_layer(model[1](model[0](words)))))
    ledger = init_(model, plan, seed=3)
    assert all(torch.equal(value, before[name]) for name, value in state(model, False).items())
    assert torch.equal(model(words), base)
    assert adapter.lora_A["default"].weight.std() > 0
    assert not adapter.lora_B["default"].weight.any()
    kept = [entry for entry in ledger.entries if "lora_" not in entry.name]
    assert {entry.status for entry in kept} == {"kept"}
    assert {entry.reason for entry in kept} == {
        "lora is about adapters: the model they are in stays as it is"
    }


def test_the_scheme_of_a_is_the_recipe_bit_for_bit():
    one, two = trained(), trained()
    init_(one, "lora_a", seed=5)
    init_(two, "lora", seed=5)
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def test_the_scheme_of_a_in_a_rule_is_the_law_alone():
    plan = plan_for(nn.Linear(8, 2), {"weight": "lora_a"})
    assert plan["weight"].high == pytest.approx(8**-0.5)


@pytest.mark.parametrize("plan", ["lora", "lora_a"])
def test_a_model_without_adapters_is_refused(plan):
    with pytest.raises(ModelError, match=r"recipe 'lora': the model has no parameter called \*lora_A\*"):
        init_(nn.Linear(3, 3), plan)
