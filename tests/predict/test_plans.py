"""check(plan=…, mode="predict"): what may be asked, of what; and mode "auto"."""

import math

import pytest
import torch
from torch import nn

import initwise
from initwise import check, choose, scheme
from initwise.core.errors import ModelError, UnsupportedError
from initwise.frameworks.initialize import plan_for
from initwise.predict.echoes import ECHO

EXAMPLE = "f32[32,64]"


def build():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def meta():
    with torch.device("meta"):
        return build()


def plans():
    torch.manual_seed(0)
    return {
        "a scheme's name": "he_normal",
        "a Scheme": scheme("he_normal", mode="fan_out"),
        "rules": {"*.weight": "xavier_uniform", "*.bias": "zeros"},
        "a Plan": plan_for(build(), "he_normal"),
        "an Advice": choose(build(), EXAMPLE),
        "a recipe's name": "torch_default",
    }


@pytest.mark.parametrize("which", plans())
def test_every_plan_is_predicted_alike_of_a_model_its_shapes_and_what_makes_it(which):
    plan = plans()[which]
    found = [check(subject, EXAMPLE, plan=plan, mode="predict") for subject in (build(), meta(), build)]
    rows = [[n for row in signals.layers for n in (row.forward_rms, row.gradient_rms)] for signals in found]
    # luck is told by sampled scenarios, others where a constructor drew before
    assert rows[1] == pytest.approx(rows[0], rel=1e-3)
    assert rows[2] == pytest.approx(rows[0], rel=1e-3)


@pytest.mark.parametrize("name", ["lsuv", "auto", "rule_a", "rule_a2"])
@pytest.mark.parametrize("subject", [meta, lambda: build], ids=["meta", "constructor"])
def test_a_scheme_that_runs_the_model_needs_one_with_weights(name, subject):
    with pytest.raises(UnsupportedError) as error:
        check(subject(), EXAMPLE, plan=name, mode="predict")
    assert str(error.value) == (
        f"check: plan: scheme '{name}' runs the model before it decides, and there are no weights; "
        "expected a scheme of shapes alone, or a model with weights.\n"
        "  Give a model with weights, or a Plan or Advice that was made with one."
    )


def test_auto_predicts_what_has_no_weights_and_measures_what_has():
    assert check(build, EXAMPLE).mode == "predict"
    assert check(meta(), EXAMPLE, plan="he_normal").mode == "predict"
    assert check(build(), EXAMPLE).mode == "measure"
    assert check(build(), EXAMPLE, plan="he_normal").mode == "measure"


def test_a_class_that_needs_arguments_is_told_how_to_become_a_model():
    with pytest.raises(ModelError, match=r"Linear makes a model, it is none"):
        check(nn.Linear, EXAMPLE)


def test_a_constructor_that_raises_is_named():
    def broken():
        raise KeyError("no such size")

    with pytest.raises(ModelError, match=r"model: broken raised KeyError: 'no such size'"):
        check(broken, EXAMPLE)


def test_a_constructor_runs_once_and_may_read_its_own_numbers():
    runs = []

    class Depths(nn.Module):
        def __init__(self):
            super().__init__()
            runs.append([rate.item() for rate in torch.linspace(0, 0.1, 3)])
            self.layer = nn.Linear(64, 64)

        def forward(self, x):
            return self.layer(x)

    assert check(Depths, EXAMPLE, plan="lecun_normal").layers[0].forward_rms == pytest.approx(1.0)
    assert len(runs) == 1


def test_a_lazy_model_is_refused():
    with pytest.raises(ModelError, match="is lazy"):
        check(nn.LazyLinear(8), EXAMPLE, mode="predict")


def test_frozen_weights_keep_their_numbers_under_a_plan():
    model = build()
    model[0].weight.requires_grad_(False).fill_(0.0)
    model[0].bias.requires_grad_(False).fill_(1.0)
    plan = plan_for(build(), "he_normal")
    assert check(model, EXAMPLE, plan=plan, mode="predict").layers[0].forward_rms == pytest.approx(1.0)


def test_a_squared_errors_gradient_says_that_it_holds_the_outputs():
    plan = {"*.weight": "he_normal", "*.bias": "zeros"}
    assert ECHO in check(build(), EXAMPLE, plan=plan, loss="mse", mode="predict").note
    assert ECHO not in check(build(), EXAMPLE, plan=plan, mode="predict").note
    assert ECHO not in check(build(), EXAMPLE, plan=plan, loss="classification", mode="predict").note


@pytest.mark.parametrize("n", [8, 64, 1024])
@pytest.mark.parametrize("bias", [False, True])
def test_a_squared_error_s_gradient_below_a_wide_head_holds_the_head_s_own_output(n, bias):
    d, batch = 64, 8
    model = lambda: nn.Sequential(nn.Linear(d, d, bias=False), nn.Linear(d, n, bias=bias))  # noqa: E731
    plan = {"*.weight": "lecun_normal", **({"*.bias": "zeros"} if bias else {})}
    signals = check(model, f"f32[{batch},{d}]", plan=plan, loss="mse", mode="predict")
    # Wᵀ(Wh - t)·2/(batch·n), with h = t = 1 and σ² = 1/d: E[(WᵀWh)²] = σ⁴(n² + nd + n), E[(Wᵀt)²] = nσ²
    exact = 2 / (batch * n) * math.sqrt((n**2 + n * d) / d**2 + n / d)
    assert signals.layers[0].gradient_rms == pytest.approx(exact, rel=1e-3)


def test_what_an_echo_adds_is_known_behind_the_activation_too():
    """W₂ᵀW₂·relu(W₁x) lies where relu is open, all of it."""
    n, d = 1024, 64
    model = lambda: nn.Sequential(nn.Linear(d, d, bias=False), nn.ReLU(), nn.Linear(d, n, bias=False))  # noqa: E731
    plan = {"0.weight": "he_normal", "2.weight": "lecun_normal"}
    signals = check(model, f"f32[8,{d}]", plan=plan, loss="mse", mode="predict")
    # h = relu(z), E[h²] = 1: of (n/d)·h nothing is lost, of the rest half
    rest = (n * d) / d**2 + n / d
    exact = 2 / (8 * n) * math.sqrt(n**2 / d**2 + rest / 2)
    assert signals.layers[0].gradient_rms == pytest.approx(exact, rel=1e-2)


def test_identities_are_what_they_let_through():
    """tanh of tanh of x, and no tanh of a Gaussian of tanh's variance."""
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
    rows = check(model, EXAMPLE, plan="identity", mode="predict").layers
    x = torch.randn(400_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = x.tanh().tanh().square().mean().sqrt()
    assert rows[3].forward_rms == pytest.approx(float(expected), rel=5e-3)
    assert initwise.scheme("identity").fill(initwise.fans((64, 64), "oi")).law == "identity"
