"""Rules: a full name wins over globs, of globs the later, and no rule is silently without effect."""

import numpy as np
import pytest
import torch
from torch import nn

from initwise.core.errors import InitwiseError, ModelError, OptionError, UnknownNameError
from initwise.core.fill import Fill
from initwise.core.records import Advice
from initwise.frameworks.initialize import init_, plan_for
from initwise.frameworks.numpy import ArrayTree


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 8))
        self.head = nn.Linear(8, 4)
        self.token = nn.Parameter(torch.full((8,), 7.0))


def laws(plan):
    return {name: fill.law if fill.law != "constant" else fill.mean for name, fill in plan.items()}


def test_a_rule_overrides_the_plan_and_a_star_matches_dots():
    plan = plan_for(Net(), "he_normal", rules={"encoder.*.weight": "orthogonal", "head.weight": "zeros"})
    found = laws(plan)
    assert found["encoder.0.weight"] == found["encoder.2.weight"] == "orthogonal"
    assert found["head.weight"] == 0.0
    assert plan.name == "he_normal + rules"


def test_a_rule_over_a_part_treats_each_role_as_the_scheme_does():
    found = laws(plan_for(Net(), {"encoder.*": "xavier_normal"}))
    assert found == {
        "encoder.0.weight": "normal",
        "encoder.0.bias": 0.0,
        "encoder.1.weight": 1.0,
        "encoder.1.bias": 0.0,
        "encoder.2.weight": "normal",
        "encoder.2.bias": 0.0,
    }


def test_the_later_of_two_rules_wins():
    rules = {"*.weight": "orthogonal", "head.*": Fill.constant(0.5)}
    assert laws(plan_for(Net(), "zeros", rules=rules))["head.weight"] == 0.5
    assert laws(plan_for(Net(), "zeros", rules=dict(reversed(rules.items()))))["head.weight"] == "orthogonal"


def test_a_full_name_wins_over_patterns_whatever_their_order():
    rules = {"head.weight": "orthogonal", "head.weigh?": "zeros", "*": "ones"}
    for given in (rules, dict(reversed(rules.items()))):
        assert laws(plan_for(Net(), given))["head.weight"] == "orthogonal"
        assert laws(plan_for(Net(), "he_normal", rules=given))["head.weight"] == "orthogonal"
    assert laws(plan_for(Net(), {"head.weight": "keep", "*": "ones"})).keys().isdisjoint({"head.weight"})


def test_a_name_of_a_tied_parameter_wins_over_patterns_too():
    model = nn.ModuleDict({"table": nn.Embedding(8, 4), "out": nn.Linear(4, 8, bias=False)})
    model["out"].weight = model["table"].weight
    plan = plan_for(model, {"out.weight": Fill.constant(3.0), "*": Fill.constant(1.0)})
    assert plan["table.weight"].mean == 3.0


def test_rules_win_over_the_plan_even_over_its_full_names():
    plan = plan_for(Net(), {"head.weight": "orthogonal", "*": "ones"}, rules={"head.*": "zeros"})
    assert laws(plan)["head.weight"] == 0.0
    assert plan["head.weight"].reason.endswith("rule 'head.*', over rule 'head.weight'")
    again = plan_for(Net(), {"*": "ones", "head.*": "orthogonal"}, rules={"*": "zeros"})
    assert laws(again)["head.weight"] == 0.0


def test_a_rule_that_overrides_another_says_so_in_plan_and_ledger():
    rules = {"head.weight": "orthogonal", "head.*": Fill.constant(0.5), "*.bias": "keep"}
    ledger = init_(Net(), rules)
    reasons = {entry.name: entry.reason for entry in ledger.entries}
    assert reasons["head.weight"].endswith("; rule 'head.weight', over rule 'head.*'")
    assert reasons["head.bias"] == "rule '*.bias' keeps it, over rule 'head.*'"
    assert "over" not in reasons["encoder.0.bias"]
    plan = plan_for(Net(), {"head.*": "zeros", "head.weight": Fill.constant(0.5)})
    assert plan["head.weight"].reason == "rule 'head.weight', over rule 'head.*'"
    assert "over" not in plan["head.bias"].reason


def test_a_full_name_wins_in_a_trees_tables_too():
    arrays = {"a": np.zeros((3, 4)), "b": np.zeros((3, 4))}
    found = plan_for(ArrayTree(arrays, layouts={"a": "oi", "*": "io"}), "lecun_normal")
    assert (found["a"].std, found["b"].std) == (pytest.approx(4**-0.5), pytest.approx(3**-0.5))


def test_keep_leaves_a_parameter_as_it_is():
    model = Net()
    before = model.head.weight.clone()
    entry = next(
        e for e in init_(model, "he_normal", rules={"head.*": "keep"}).entries if e.name == "head.weight"
    )
    assert torch.equal(model.head.weight, before)
    assert (entry.status, entry.reason) == ("kept", "rule 'head.*' keeps it")


def test_what_no_rule_names_is_unnamed():
    statuses = {entry.name: entry.status for entry in init_(Net(), {"head.*": "he_normal"}).entries}
    assert statuses["head.weight"] == "filled"
    assert statuses["encoder.0.weight"] == "unnamed"


def test_a_rule_for_vectors_alone_means_the_law_itself():
    model = Net()
    init_(model, "he_normal", rules={"*.bias": Fill.constant(0.25), "token": "ones"})
    assert bool((model.head.bias == 0.25).all())
    assert bool((model.token == 1).all())


def test_a_bare_parameter_is_touched_only_by_a_rule():
    model = Net()
    init_(model, {"*": "he_normal"})
    assert bool((model.token == 7).all())
    init_(model, {"*": "he_normal"}, rules={"token": Fill.normal(0, 1)})
    assert not bool((model.token == 7).any())


def test_a_wildcard_does_not_overwrite_what_was_frozen():
    model = Net()
    model.encoder.requires_grad_(False)
    before = model.encoder[0].weight.clone()
    init_(model, {"*": "he_normal"})
    init_(model, plan_for(Net(), "he_normal"))
    assert torch.equal(model.encoder[0].weight, before)


def test_a_rule_with_the_full_name_fills_a_frozen_parameter():
    model = Net()
    model.encoder.requires_grad_(False)
    init_(model, "he_normal", rules={"encoder.0.weight": Fill.constant(2.0)})
    assert bool((model.encoder[0].weight == 2).all())
    assert not model.encoder[0].weight.requires_grad


def test_an_advice_is_applied_by_its_plan():
    plan = plan_for(Net(), "lecun_normal")
    advice = Advice("lecun_normal", plan, ("because",))
    assert init_(Net(), advice).digest == init_(Net(), plan).digest


class Starred(nn.Module):
    """Parameters whose names are patterns as well."""

    def __init__(self):
        super().__init__()
        for name in ("a[0]", "a0", "b*", "bc"):
            self.register_parameter(name, nn.Parameter(torch.zeros(2)))


def test_a_full_name_is_no_pattern_where_a_parameter_has_it():
    plan = plan_for(Starred(), {"a[0]": Fill.constant(1.0), "b*": Fill.constant(2.0)})
    assert laws(plan) == {"a[0]": 1.0, "b*": 2.0}
    assert laws(plan_for(Starred(), {"a[01]": Fill.constant(1.0)})) == {"a0": 1.0}
    assert set(laws(plan_for(Starred(), {"a*": Fill.constant(1.0)}))) == {"a[0]", "a0"}


def test_a_rule_may_use_any_name_of_a_tied_parameter():
    model = tied().requires_grad_(False)
    assert laws(plan_for(model, {"1.weight": Fill.constant(3.0)})) == {"0.weight": 3.0}
    assert init_(model, {"1.weight": Fill.constant(3.0)}).entries[0].status == "filled"
    assert laws(plan_for(tied(), "ones", rules={"1.*": "keep"})) == {}


NOTHING = {
    "bare": (
        lambda: Starred(),
        r"none of 4 parameters .* a\[0\]: a parameter of unknown purpose",
        "in a rule",
    ),
    "scripted": (lambda: torch.jit.script(nn.Linear(2, 2)), "none of 2 parameters", "before scripting"),
    "traced": (lambda: torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), "weight", "before scripting"),
    "arrays": (
        lambda: ArrayTree({"a": np.ones((2, 2))}, {}),
        "none of 1 parameters .*; a:",
        "layouts={'a': 'io'}",
    ),
}


@pytest.mark.parametrize("case", NOTHING)
@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_model_of_which_nothing_is_filled_is_an_error(case):
    build, text, way_out = NOTHING[case]
    with pytest.raises(ModelError, match=text) as caught:
        init_(build(), "he_normal")
    assert way_out in str(caught.value)


def test_keeping_everything_on_purpose_is_no_error():
    assert not init_(Starred(), {"*": "keep"}).filled


class Spy:
    """Every parameter's bytes, to see that bad input writes nothing."""

    def __init__(self, model):
        self.model, self.before = model, [p.detach().clone() for p in model.parameters()]

    def unchanged(self):
        return all(torch.equal(a, b) for a, b in zip(self.before, self.model.parameters(), strict=True))


def tied():
    model = nn.Sequential(nn.Embedding(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    return model


BAD = {
    "a misspelled scheme": (
        Net,
        ("he_norml",),
        {},
        UnknownNameError,
        "no scheme or recipe is called 'he_norml'.\n  Did you mean 'he_normal'?",
    ),
    "a misspelled rule": (
        Net,
        ("he_normal",),
        {"rules": {"head.wieght": "zeros"}},
        UnknownNameError,
        "rule 'head.wieght' matches no parameter.\n  Did you mean 'head.weight'?",
    ),
    "a rule that is no law": (
        Net,
        ("he_normal",),
        {"rules": {"head.*": 3}},
        OptionError,
        "rule 'head.*': a value of type int; expected a scheme or its name, a Fill, or 'keep'.",
    ),
    "a whole-model scheme as a rule": (
        Net,
        ("he_normal",),
        {"rules": {"head.*": "lsuv"}},
        OptionError,
        'Make it the plan: init_(model, "lsuv", example=…).',
    ),
    "a whole-model scheme without an example": (
        Net,
        ("lsuv",),
        {},
        OptionError,
        "example: scheme 'lsuv' without an example; expected a batch, or its shapes.\n"
        "  Likely cause: lsuv decides by what the model does to a batch; of shapes, to random numbers\n",
    ),
    "a rule that needs no data without an example": (
        Net,
        ("rule_a",),
        {},
        OptionError,
        "rule_a runs the model once to see which layer follows which: its input's shapes are enough\n",
    ),
    "no plan at all": (
        Net,
        (3,),
        {},
        OptionError,
        "plan: a value of type int; expected a Plan, an Advice, a scheme or recipe or its name, or a mapping",
    ),
    "an empty mapping": (Net, ({},), {}, OptionError, 'For example {"*": "he_normal"}.'),
    "fans for a bias": (
        Net,
        ("zeros",),
        {"rules": {"*.bias": "he_normal"}},
        OptionError,
        "rule '*.bias': scheme 'he_normal' for 'encoder.0.bias', a bias of shape (8,) without fans",
    ),
    "fans for a bare parameter": (
        Net,
        ("zeros",),
        {"rules": {"token": "xavier_normal"}},
        OptionError,
        "Use zeros, ones, constant(value), uniform(low, high) or normal(mean, std), or a Fill.",
    ),
    "only frozen parameters": (
        lambda: Net().requires_grad_(False),
        ({"head.*": "he_normal"},),
        {},
        ModelError,
        "Name frozen parameters in full, so that no wildcard overwrites them.",
    ),
    "a model with nothing to fill": (
        lambda: Net().requires_grad_(False),
        ("he_normal",),
        {},
        ModelError,
        "none of 9 parameters can be filled; token: requires_grad is False",
    ),
    "a plan that names an alias": (
        tied,
        (plan_for(nn.Sequential(nn.Identity(), nn.Linear(4, 4)), "he_normal"),),
        {},
        ModelError,
        "plan: plan 'he_normal' fills '1.weight', which is tied to '0.weight'",
    ),
    "another model's plan": (
        Net,
        (plan_for(nn.Linear(8, 4), "he_normal"),),
        {},
        ModelError,
        "plan: plan 'he_normal' fills 'weight' and 1 more, which the model does not have.",
    ),
    "another width's plan": (
        lambda: nn.Linear(8, 4),
        (plan_for(nn.Linear(16, 4), "orthogonal"),),
        {},
        InitwiseError,
        "weight: orthogonal × 1 with std 0.25, where shape (4, 8) gives 0.353553.",
    ),
    "another kind's plan": (
        lambda: nn.Linear(8, 4),
        (plan_for(nn.Conv1d(8, 4, 3), "he_normal"),),
        {},
        InitwiseError,
        'weight: layout "oik" needs 3 axes, shape is (4, 8)',
    ),
    "another packing's plan": (
        lambda: nn.MultiheadAttention(16, 2),
        (plan_for(nn.MultiheadAttention(8, 2), "he_normal"),),
        {},
        InitwiseError,
        "in_proj_weight: parts {'q': 8, 'k': 8, 'v': 8} sum to 24, axis o has 48",
    ),
    "a negative seed": (
        Net,
        ("he_normal",),
        {"seed": -1},
        InitwiseError,
        "seed -1; expected an integer from 0",
    ),
    "a dtype too small": (
        lambda: Net().half(),
        ("he_normal",),
        {"rules": {"head.weight": Fill.normal(0, 1e-9)}},
        InitwiseError,
        "head.weight: float16 has no numbers between 0 and 5.96e-08, N(0, 1e-09) has std 1e-09.",
    ),
    "a spread the dtype cannot show": (
        lambda: Net().bfloat16(),
        ("he_normal",),
        {"rules": {"head.weight": Fill.normal(1.0, 1e-4)}},
        InitwiseError,
        "head.weight: bfloat16 cannot hold N(1, 0.0001).\n"
        "  Likely cause: around 1 its numbers lie 0.00781 apart",
    ),
    "a matrix law for a vector": (
        Net,
        ("he_normal",),
        {"rules": {"head.bias": Fill.matrix("orthogonal")}},
        InitwiseError,
        "a law of matrices was asked for a bias",
    ),
    "a meta model": (
        lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, device="meta")),
        ("he_normal",),
        {},
        ModelError,
        "Sequential: 1.weight, 1.bias are on the meta device and have no memory",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_says_what_is_wrong_and_writes_nothing(case):
    build, args, kwargs, error, text = BAD[case]
    model = build()
    spy = None if any(p.is_meta for p in model.parameters()) else Spy(model)
    with pytest.raises(error) as caught:
        init_(model, *args, **kwargs)
    assert text in str(caught.value)
    assert spy is None or spy.unchanged()


@pytest.mark.parametrize("plan", ["he_normal", "siren", "torch_default"])
def test_a_plan_needs_no_memory_and_is_the_same_with_it(plan):
    with torch.device("meta"):
        model = Net()
    assert plan_for(model, plan) == plan_for(Net(), plan)
    rules = {"head.weight": "orthogonal"}
    assert plan_for(model, plan, rules=rules) == plan_for(Net(), plan, rules=rules)
    with pytest.raises(ModelError, match="are on the meta device and have no memory"):
        init_(model, plan_for(model, plan))
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_dict_is_no_model():
    with pytest.raises(ModelError, match="ArrayTree"):
        init_({"weight": 1}, "he_normal")


RULES = {
    "a list": ([1], "rules: a value of type list; expected a mapping {glob: scheme, Fill or 'keep'}."),
    "a name": ("he_normal", "rules: a value of type str; expected a mapping"),
    "a set": ({"*.weight"}, "rules: a value of type set; expected a mapping"),
    "a number as glob": ({1: "he_normal"}, "rules: the key 1; expected globs over parameter names as keys."),
    "no glob": ({"": "he_normal"}, "rules: the key ''; expected globs"),
    "a tuple as glob": ({("a", "b"): "keep"}, "rules: the key ('a', 'b'); expected globs"),
}


@pytest.mark.parametrize("case", RULES)
def test_rules_that_are_no_rules_say_what_rules_are(case):
    rules, text = RULES[case]
    model = Net()
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    with pytest.raises(OptionError) as caught:
        init_(model, "he_normal", rules=rules)
    assert str(caught.value).startswith(text)
    assert 'For example {"*.weight": "he_normal", "head.*": "keep"}.' in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.named_parameters())


def test_a_plan_of_rules_with_a_number_as_glob_is_refused_too():
    with pytest.raises(OptionError, match="plan: the key 1; expected globs"):
        plan_for(Net(), {1: "he_normal"})
