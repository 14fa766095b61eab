"""A head by no name: the last layer of the only chain, and the reason says that it was taken for it."""

import pytest
from torch import nn

from initwise import init_, recipe, scheme
from initwise.core.errors import ModelError, OptionError
from initwise.core.fill import Fill

TAKEN = "2 is taken for the head: the last of the model's only chain, and none is called so"
LAWS = [("class_prior_bias", {"rates": "0.8, 0.1, 0.1"}), ("prior_bias", {}), ("negative_log_classes", {})]


def chain(inputs=4, outputs=3):
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, outputs))


@pytest.mark.parametrize(("name", "options"), LAWS)
def test_the_last_matrix_of_the_only_chain_is_the_head(name, options):
    model = chain()
    entries = {entry.name: entry for entry in init_(model, scheme(name, **options)).entries}
    assert all(entries[which].reason.endswith(f"; {TAKEN}") for which in ("2.weight", "2.bias"))
    assert not any("taken" in entries[which].reason for which in ("0.weight", "0.bias"))
    assert model[2].bias.abs().min() > 0
    assert not model[0].bias.any()


def test_a_network_of_convolutions_with_a_matrix_last_has_it_too():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    init_(model, "prior_bias")
    assert model[3].bias.tolist() == pytest.approx([-4.59511985] * 3)


def test_what_is_called_a_head_is_the_head_alone():
    model = nn.ModuleDict({"head": nn.Linear(4, 2), "after": nn.Linear(2, 2)})
    entries = init_(model, "prior_bias").entries
    assert not any("taken" in entry.reason for entry in entries)
    assert not model["after"].bias.any()


@pytest.mark.parametrize(
    "model",
    [
        nn.ModuleDict({"a": chain(), "b": chain()}),
        nn.ModuleDict({"body": chain(), "out2": nn.Linear(3, 3)}),
        nn.Sequential(nn.Linear(4, 4), nn.Conv2d(3, 4, 3)),
    ],
    ids=["two chains", "a chain and a layer", "a convolution"],
)
def test_where_it_could_be_another_nothing_is_taken(model):
    with pytest.raises(ModelError, match="the model has no head"):
        init_(model, "prior_bias")


@pytest.mark.parametrize(
    ("call", "head", "fix"),
    [
        (lambda: scheme("he_normal", "fan_out"), 'scheme("he_normal")', "mode='fan_out'"),
        (lambda: recipe("gpt2", 0.01), 'recipe("gpt2")', "std=0.01"),
    ],
)
def test_an_option_without_a_name_is_told_it(call, head, fix):
    with pytest.raises(OptionError) as caught:
        call()
    assert str(caught.value).startswith(f"{head}: ")
    assert "without a name; expected options by their names" in str(caught.value)
    assert str(caught.value).endswith(f", {fix}).")


@pytest.mark.parametrize("rules", [{"*.weight": 0.02}, {"0.weight": 1}])
def test_a_number_for_a_rule_is_told_the_fills_it_could_mean(rules):
    value = next(iter(rules.values()))
    told = rf"Fill.normal\(0, {value}\) draws with this std, Fill.constant\({value}\) is it everywhere"
    with pytest.raises(OptionError, match=told):
        init_(chain(), "he_normal", rules=rules)
    assert init_(chain(), "he_normal", rules={"*.weight": Fill.normal(0, 0.02)}).filled
