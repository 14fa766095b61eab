"""explain: everything it is asked about, with numbers that are right and words that are there."""

import math

import numpy as np
import pytest

from initwise.activations import activation, activations
from initwise.core.errors import InitwiseError, LayoutError, OptionError, UnknownNameError
from initwise.core.fill import Fill
from initwise.core.layout import fans
from initwise.core.plan import Plan
from initwise.core.records import Advice, Candidate, Explanation
from initwise.explain import explain
from initwise.recipes import recipe, recipes
from initwise.schemes import scheme, schemes


def told(thing, **facts):
    return dict(explain(thing, **facts).facts)


@pytest.mark.parametrize("row", [*schemes(), *activations(), *recipes()], ids=lambda row: row.name)
def test_every_row_is_explained_with_its_source(row):
    found = explain(row)
    assert found.summary
    assert found.law
    assert found.citation == row.citation
    assert found.evidence
    assert Explanation.from_json(found.to_json()) == found
    assert row.name in str(found)


@pytest.mark.parametrize("row", schemes(), ids=lambda row: row.name)
def test_a_scheme_tells_where_frameworks_differ_and_when_not_to_use_it(row):
    found = explain(row.name)
    assert found.differences == row.differences
    assert found.avoid == row.avoid
    assert explain(row) == explain(scheme(row.name))
    facts = dict(found.facts)
    for option in row.options:
        assert option.meaning in facts[f"option {option.name}"]


class TestSchemesInNumbers:
    def test_for_these_fans(self):
        facts = told("he_normal", fan_in=64)
        assert facts["fans"] == "fan_in 64, fan_out 64, taken as equal"
        assert facts["these fans"] == "N(0, 0.176777)"
        assert facts["because"] == "std √(2/64) = 0.176777 from fan_in 64"

    def test_for_a_shape_with_groups_and_what_frameworks_count(self):
        facts = told("he_normal", shape=(128, 8, 3, 3), layout="oihw", groups=4, mode="fan_out")
        assert facts["fans"] == "fan_in 72, fan_out 288"
        assert facts["these fans"] == "N(0, 0.0833333)"
        assert facts["flavor torch"] == "N(0, 0.0416667): torch.nn.init.kaiming_normal_(nonlinearity='relu')"
        assert facts["flavor keras"].endswith("std 0.0416667: keras.initializers.HeNormal()")

    def test_under_a_flavor_the_fans_are_that_framework_s(self):
        facts = told("he_normal", flavor="torch", shape=(64, 32, 4, 4), layout="iohw", stride=2)
        assert facts["fans"] == "fan_in 512, fan_out 1024 as torch counts"
        assert facts["because"] == (
            "std √(2/512) = 0.0625 from fan_in 512 as torch counts it; "
            "as torch.nn.init.kaiming_normal_(nonlinearity='relu')"
        )

    def test_under_a_flavor_the_law_is_told_as_it_is_there(self):
        assert explain("he_normal", flavor="lasagne").law == (
            "lasagne.init.HeNormal(): N(0, √(scale / ((1 + a²) · fan))), scale 2 and fan_in unless told "
            "otherwise, scale=1.0, fans as lasagne counts them"
        )
        assert explain("uniform_scaling").evidence == "verified in source"
        assert explain("uniform_scaling", flavor="tensorflow").evidence == "recalled"

    def test_fans_as_a_framework_counts_them_are_not_called_true(self):
        counted = explain(fans((64, 32, 4, 4), "iohw", compat="torch"))
        assert counted.title == "fan_in 512, fan_out 1024 as torch counts"
        assert counted.summary == "What torch's initializers count from the stored shape, true or not."

    def test_through_an_activation(self):
        facts = told("he_normal", fan_in=50, fan_out=100, activation="relu")
        assert facts["signal after relu"] == "second moment × 1 per layer, at q = 1"
        assert facts["gradient before relu"] == "second moment × 2 per layer"
        facts = told("xavier_normal", fan_in=50, activation="gelu")
        assert facts["signal after gelu"] == "second moment × 0.4252 per layer, at q = 1"
        assert facts["gelu's own law"] == "std 1.53353/√50 = 0.216874 keeps the signal"

    def test_a_law_without_fans_needs_none(self):
        assert told("uniform", low=-1, high=1)["values"] == "U(±1)"

    def test_a_gain_is_told(self):
        assert told("lecun_normal", fan_in=64, gain=2)["because"].endswith(", times gain 2")


class TestActivations:
    def test_gains(self):
        facts = told("tanh", fan_in=100)
        assert facts["forward gain"] == "√(q/E[φ²]) = 1.592537"
        assert facts["backward gain"] == "1/√E[φ′²] = 1.467414"
        assert facts["std for this fan_in"] == "1.59254/√100 = 0.159254 keeps the signal"

    @pytest.mark.parametrize(("name", "constant"), [("tanh", "5/3"), ("selu", "3/4"), ("sigmoid", "says 1")])
    def test_textbook_constants_are_named_for_what_they_are(self, name, constant):
        assert constant in explain(name).differences[0]

    def test_what_is_said_of_torchs_constants_is_true(self):
        # tanh with 5/3: the variance settles at 1.178, gradients grow by 1.21
        q = 1.0
        for _ in range(200):
            q = (5 / 3) ** 2 * activation("tanh").moments(q).second
        assert q == pytest.approx(1.178, abs=5e-4)
        assert activation("tanh").moments(q).chi((5 / 3) ** 2) == pytest.approx(1.21, abs=5e-3)
        # selu with 3/4: the variance collapses to 0.023
        q = 1.0
        for _ in range(400):
            q = 0.75**2 * activation("selu").moments(q).second
        assert q == pytest.approx(0.023, abs=5e-4)
        # sigmoid with 1: χ₁ = 0.056
        q = 1.0
        for _ in range(50):
            q = activation("sigmoid").moments(q).second
        assert activation("sigmoid").moments(q).chi(1.0) == pytest.approx(0.056, abs=5e-4)

    def test_parameters_and_variance(self):
        assert explain("leaky_relu", negative_slope=0.2).title == "leaky_relu(0.2)"
        assert told("leaky_relu(0.2)", q=4)["q"].startswith("4, ")

    def test_functions_and_modules_are_computed(self):
        torch = pytest.importorskip("torch")
        assert told(np.tanh)["forward gain"] == told("tanh")["forward gain"]
        assert told(torch.nn.GELU())["backward gain"] == told("gelu")["backward gain"]


def test_a_name_that_is_two_things_tells_of_the_other():
    assert told("identity")["also"] == 'the activation identity: kind="activation"'
    assert explain("identity", kind="activation").law == "φ(x) = x"


class TestRecords:
    def plan(self):
        fill = scheme("he_normal").fill(fans((5, 3), "oi"))
        return Plan("he_normal", (("a.weight", fill),), (("scale", "of unknown purpose"),))

    def test_a_fill(self):
        fill = scheme("textbook_normal").fill()
        facts = told(fill)
        assert facts["parent"] == "N(0, 0.1), redrawn outside the bounds, never clamped"
        assert facts["values"] == "between -1 and 1"
        assert told(Fill.normal(0, 0.5), fan_in=4, activation="relu")["signal after relu"].startswith(
            "second moment × 0.5 per layer"
        )

    def test_fans(self):
        assert told(fans((3, 4), "oi"))["average"] == "3.5"

    def test_a_plan_and_one_of_its_tensors(self):
        plan = self.plan()
        assert told(plan)["scale"] == "kept: of unknown purpose"
        found = explain(plan, name="a.weight")
        assert found.title == "a.weight under he_normal"
        assert found.summary == "std √(2/3) = 0.816497 from fan_in 3"
        assert "of unknown purpose" in explain(plan, name="scale").summary

    def test_an_advice_and_one_of_its_tensors(self):
        ranking = (
            Candidate("he_normal", reason="flat"),
            Candidate("zeros", "symmetric", "all units are equal"),
        )
        advice = Advice("he_normal", self.plan(), ("He fits ReLU.",), ranking, ("he_normal", "rule_b"), 0.01)
        facts = told(advice)
        assert facts["zeros"] == "symmetric: all units are equal"
        assert facts["the evidence cannot tell apart"] == "he_normal, rule_b"
        assert explain(advice).summary == "He fits ReLU."
        assert explain(advice, name="a.weight").law == "N(0, 0.816497)"

    def test_a_recipe(self):
        facts = told(recipe("gpt2", std=0.01))
        assert facts["attention.output, mlp.down"] == "N(0, 0.01/√(2L))"


class TestModels:
    def test_a_layer_tells_its_constructors_law(self):
        torch = pytest.importorskip("torch")
        found = explain(torch.nn.Conv2d(3, 8, 3))
        assert found.law == "weight: U(±0.19245); bias: U(±0.19245)"
        assert dict(found.facts)["weight"].startswith(
            "weight 8×3×3×3, fan_in 27, fan_out 72, constructor: U(±0.19245), std 0.1111, measured: mean "
        )

    def test_a_model_does_not_claim_to_know_where_its_values_come_from(self):
        torch = pytest.importorskip("torch")
        model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Linear(5, 2))
        assert explain(model).summary.startswith("Which law drew the values cannot be read off them.")
        assert list(told(model, name="1.bias")) == ["1.bias"]
        with pytest.raises(UnknownNameError, match=r"no parameter '1\.bais'"):
            explain(model, name="1.bais")

    def test_a_large_model_is_cut_and_says_so(self):
        torch = pytest.importorskip("torch")
        model = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(15)))
        assert told(model)["and"].startswith("10 parameters; ")

    def test_without_memory_there_is_nothing_to_measure(self):
        torch = pytest.importorskip("torch")
        said = told(torch.nn.Linear(3, 4, device="meta"))["weight"]
        assert said.endswith("not measured: it is on the meta device and has no values")

    def test_arrays(self):
        from initwise.frameworks.numpy import ArrayTree

        tree = ArrayTree({"kernel": np.ones((3, 4))}, layouts={"kernel": "io"})
        assert told(tree)["kernel"] == "weight 3×4, fan_in 3, fan_out 4, measured: mean 1, std 0"


class TestErrors:
    @pytest.mark.parametrize(
        ("thing", "facts", "kind", "text"),
        [
            ("he_norml", {}, UnknownNameError, "no scheme, activation, recipe or term is called 'he_norml'"),
            ("tanh", {"kind": "scheme"}, UnknownNameError, "no scheme is called 'tanh'"),
            ("tanh", {"kind": "schme"}, OptionError, "explain: kind='schme'.\n  Did you mean 'scheme'?"),
            (
                "he_normal",
                {"fanin": 3},
                OptionError,
                "explain scheme 'he_normal': it takes no fanin.\n  Did you mean 'fan_in'?",
            ),
            ("he_normal", {"fan_in": 0}, OptionError, "explain: fan_in=0; expected a number > 0."),
            ("he_normal", {"shape": 3}, OptionError, "explain: shape=3; expected a tuple of integers."),
            ("he_normal", {"shape": (3,)}, LayoutError, 'shape (3,) with layout "o" has no input axis'),
            ("he_normal", {"layout": "oi"}, OptionError, "explain: a layout without a shape."),
            ("lsuv", {"fan_in": 3}, OptionError, "explain scheme 'lsuv': it takes no fan_in; expected"),
            ("tanh", {"fan": 3}, OptionError, "explain activation 'tanh': it takes no fan."),
            (3, {}, OptionError, "a int cannot be explained; expected the name of a scheme"),
            (dict, {}, OptionError, "the class dict cannot be explained"),
        ],
    )
    def test_text(self, thing, facts, kind, text):
        with pytest.raises(kind) as caught:
            explain(thing, **facts)
        assert isinstance(caught.value, InitwiseError)
        assert str(caught.value).startswith(text)

    def test_the_nearest_name_is_looked_for_among_all_names(self):
        with pytest.raises(UnknownNameError) as caught:
            explain("gpt22")
        assert caught.value.guess == "gpt2"
        assert {"he_normal", "tanh", "gpt2", "glorot_uniform", "swish"} <= set(caught.value.legal)


def test_the_doctest_of_the_docstring_holds():
    assert told("he_normal", fan_in=64)["these fans"] == f"N(0, {math.sqrt(2 / 64):.6g})"
