"""What users stumbled over: rules of tied tensors, depth, empty models, the other function."""

import pytest
import torch
from torch import nn

import initwise
from initwise import init_, recipe, scheme
from initwise.core.errors import ModelError, UnknownNameError
from initwise.core.fill import Fill


class Tied(nn.Module):
    """A table and the head that is the same tensor."""

    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(6, 4)
        self.lm_head = nn.Linear(4, 6, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, x):
        return self.lm_head(self.wte(x))


class Block(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(d, 3 * d), "c_proj": nn.Linear(d, d)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(d, 4 * d), "c_proj": nn.Linear(4 * d, d)})


def transformer(blocks):
    return nn.ModuleDict({"wte": nn.Embedding(9, 8), "h": nn.ModuleList(Block() for _ in range(blocks))})


class TestTied:
    @pytest.mark.parametrize(
        ("glob", "value", "why"),
        [
            ("lm_head.weight", "zeros", "every element is 0; rule 'lm_head.weight' decides it"),
            ("lm_*", Fill.normal(0.0, 0.1), "rule 'lm_*' decides it"),
        ],
    )
    def test_a_rule_for_one_name_says_that_it_decided_the_other(self, glob, value, why):
        model = Tied()
        table, head = init_(model, "he_normal", rules={glob: value}).entries
        assert (table.name, table.reason) == ("wte.weight", f"{why}: lm_head.weight is the same tensor")
        told = "another name of wte.weight, which its rule decided: see there"
        assert (head.name, head.reason) == ("lm_head.weight", told)
        assert bool(model.wte.weight.any()) == (value != "zeros")

    @pytest.mark.parametrize("rules", [None, {"wte.weight": "zeros"}, {"*": "zeros"}])
    def test_a_rule_for_its_own_name_says_nothing_of_it(self, rules):
        table, head = init_(Tied(), "he_normal", rules=rules).entries
        assert "same tensor" not in table.reason
        assert head.reason == "another name of wte.weight: see there"


class TestDepth:
    def test_fewer_blocks_than_there_are_is_refused(self):
        with pytest.raises(ModelError) as caught:
            init_(transformer(4), recipe("gpt2", depth=3))
        assert str(caught.value) == (
            "depth: depth=3, and h has 4 blocks; expected 4 or more: more where the model is one stage of a "
            "larger one.\n  Leave it out: the names tell it."
        )

    def test_more_are_a_stage_of_a_larger_model_and_said_where_they_matter(self):
        entries = {e.name: e for e in init_(transformer(4), recipe("gpt2", depth=100)).entries}
        end, start = entries["h.0.attn.c_proj.weight"], entries["h.0.attn.c_attn.weight"]
        assert end.fill.std == pytest.approx(0.02 / 200**0.5)
        assert end.reason.endswith("with L = 100; depth 100 as given; 4 blocks here")
        assert "as given" not in start.reason

    def test_the_model_s_own_number_is_nothing_to_say(self):
        entries = init_(transformer(4), recipe("gpt2", depth=4)).entries
        assert not any("as given" in entry.reason for entry in entries)

    def test_a_list_that_holds_no_blocks_beyond_doubt_may_have_fewer(self):
        layers = nn.ModuleDict({"layers": nn.ModuleList(nn.Linear(4, 4) for _ in range(6))})
        assert init_(layers, recipe("hf_default", depth=3)).entries


class TestNothing:
    @pytest.mark.parametrize("plan", ["he_normal", {"*": "keep"}, "gpt2"])
    def test_a_model_without_parameters_is_refused(self, plan):
        with pytest.raises((ModelError, UnknownNameError)):
            init_(nn.ReLU(), plan)

    def test_it_says_what_the_model_is(self):
        with pytest.raises(ModelError, match="init_: a ReLU has no parameters; expected a model with at"):
            init_(nn.ReLU(), "he_normal")

    def test_keeping_everything_on_purpose_is_told_and_fine(self):
        model = nn.Linear(3, 3)
        before = model.weight.detach().clone()
        ledger = init_(model, "he_normal", rules={"*": "keep"})
        assert {entry.reason for entry in ledger.entries} == {"rule '*' keeps it"}
        assert torch.equal(model.weight, before)


class TestTheOtherFunction:
    @pytest.mark.parametrize("name", ["he_normal", "kaiming_normal"])
    def test_a_scheme_is_no_recipe(self, name):
        with pytest.raises(UnknownNameError) as caught:
            recipe(name)
        assert str(caught.value) == (
            f'no recipe is called \'{name}\'.\n  It is a scheme: scheme("{name}"), or init_(model, "{name}").'
        )

    def test_a_recipe_is_no_scheme(self):
        with pytest.raises(UnknownNameError) as caught:
            scheme("gpt2")
        assert str(caught.value) == (
            'no scheme is called \'gpt2\'.\n  It is a recipe: recipe("gpt2"), or init_(model, "gpt2").'
        )

    def test_what_is_neither_has_its_neighbours(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'he_normal'"):
            scheme("he_norml")


def test_one_layer_is_no_chain_and_siren_says_so():
    with pytest.raises(ModelError, match="has no matrix that is the first of a chain of several layers"):
        init_(nn.Linear(3, 3), "siren")
    assert initwise.init_(nn.Sequential(nn.Linear(2, 8), nn.Linear(8, 1)), "siren").entries
