"""The coordinate check across widths: exponents known on paper, and those of real first steps."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import initwise
from initwise.core.errors import ModelError, OptionError, UnhealthyError
from initwise.core.widths import WidthCheck
from initwise.signals.scaling import TOLERANCE, exponent

WIDTHS = [64, 128, 256]
SPEC = "f32[8,32]"


def mlp(width, depth=2, bias=False):
    layers = [nn.Linear(32, width, bias=bias), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Linear(width, width, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10, bias=bias))


def exponents(check, what):
    """The weighted layers' exponents of one quantity, in order; finite widths are a hundredth off."""
    return pytest.approx([getattr(layer, what) for layer in check.layers if layer.kind != "ReLU"], abs=0.02)


def predicted(make=mlp, **options):
    return initwise.check(make, SPEC, mode="predict", widths=WIDTHS, **options)


def test_the_standard_parametrisation_keeps_outputs_and_its_steps_grow():
    # y = W·x with var 1/n: outputs 1; gᵀW with n units and a head of fixed size: 1/√n;
    # G = g·xᵀ; the step fan_in·rms(G)·rms(x), Adam's fan_in·rms(x)
    check = predicted(plan="he_normal")
    assert check.healthy
    assert check.mode == "predict"
    assert check.widths == (64, 128, 256)
    assert exponents(check, "forward") == [0, 0, 0, 0]
    assert exponents(check, "gradient") == [-0.5, -0.5, -0.5, 0]
    assert exponents(check, "weight_gradient") == [-0.5, -0.5, -0.5, 0]
    assert exponents(check, "fan_in") == [0, 1, 1, 1]
    assert exponents(check, "sgd") == [-0.5, 0.5, 0.5, 1]
    assert exponents(check, "adam") == [0, 1, 1, 1]


def test_a_fixed_std_grows_by_the_root_of_the_width_at_every_hidden_layer():
    check = predicted(plan=initwise.scheme("normal", std=0.02))
    assert exponents(check, "forward") == [0, 0.5, 1, 1.5]
    (finding,) = check.findings
    assert (finding.verdict, finding.layer) == ("exploding", "2")
    assert finding.factor == pytest.approx(0.5, abs=0.01)
    assert finding.reason.startswith("its output goes as width^0.50 (rms 0.0128 → 0.0256)")
    with pytest.raises(UnhealthyError, match="exploding with width"):
        check.assert_healthy()


def test_a_std_of_one_over_the_width_vanishes():
    def make(width):
        model = mlp(width)
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=1 / layer.in_features)
        return model

    check = predicted(make)
    assert exponents(check, "forward") == [0, -0.5, -1, -1.5]
    assert [(f.verdict, f.layer) for f in check.findings] == [("vanishing", "2")]


class Readout(nn.Linear):
    """muP's head: its input over m = width/64."""

    def forward(self, x):
        return super().forward(x * (64 / self.in_features))


def mup(width):
    layers = [nn.Linear(32, width, bias=False), nn.ReLU()]
    layers += [nn.Linear(width, width, bias=False), nn.ReLU()]
    return nn.Sequential(*layers, Readout(width, 10, bias=False))


def mup_plan(readout):
    return lambda width: initwise.scheme("mup_scaling", width=width, base_width=64, readout=readout)


def test_mup_needs_the_learning_rates_of_its_table():
    # Tensor Programs V, table 8: SGD n for inputs, 1 hidden, n for the head; Adam 1, 1/n and 1
    plan = mup_plan("scaled")
    check = predicted(mup, plan=plan)
    assert exponents(check, "forward") == [0, 0, -0.5]
    assert check.healthy  # a result that vanishes is muP's, and no fault
    assert [-e for e in (1, 0, 1)] == exponents(check, "sgd")
    assert [-e for e in (0, -1, 0)] == exponents(check, "adam")


def test_mups_weights_without_its_multiplier_make_the_result_grow():
    plan = mup_plan("scaled")
    check = predicted(plan=plan)
    assert [(f.verdict, f.layer) for f in check.findings] == [("exploding", "6")]


def test_a_zero_readout_stops_gradients_and_is_no_fault():
    plan = mup_plan("zeros")
    check = predicted(plan=plan)
    assert check.healthy
    assert check.layers[-1].reason == "its output is zero at the start"
    assert math.isnan(check.layers[0].sgd)


@pytest.mark.parametrize("signed", [False, True])
def test_real_first_steps_change_the_outputs_as_the_exponents_say(signed):
    """Δ = ΔW·x of every layer's own step, for a batch of one, over four seeds."""
    changes = {}
    for width in (64, 256, 1024):
        found = []
        for seed in range(4):
            torch.manual_seed(seed)
            model = mlp(width)
            for layer in model:
                if isinstance(layer, nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            inputs = []
            hooks = [
                layer.register_forward_hook(lambda m, args, out, to=inputs: to.append(args[0].detach()))
                for layer in model
                if isinstance(layer, nn.Linear)
            ]
            model(torch.randn(1, 32)).backward(torch.randn(1, 10))
            for hook in hooks:
                hook.remove()
            linears = [layer for layer in model if isinstance(layer, nn.Linear)]
            steps = [layer.weight.grad.sign() if signed else layer.weight.grad for layer in linears]
            found.append([(x @ step.T).square().mean().item() for x, step in zip(inputs, steps, strict=True)])
        changes[width] = np.sqrt(np.mean(found, axis=0))
    expected = exponents(predicted(plan="he_normal"), "adam" if signed else "sgd")
    for place, value in enumerate(expected.expected):
        slope = exponent(list(changes), [change[place] for change in changes.values()])
        assert slope == pytest.approx(value, abs=0.15)


def test_measured_exponents_are_the_predicted_ones():
    plan = initwise.scheme("normal", std=0.02)
    measured = initwise.check(mlp, SPEC, mode="measure", widths=WIDTHS, plan=plan)
    assert measured.mode == "measure"
    for one, other in zip(measured.layers, predicted(plan=plan).layers, strict=True):
        assert one.forward == pytest.approx(other.forward, abs=0.2)
        assert one.gradient == pytest.approx(other.gradient, abs=0.2)


def test_measuring_draws_from_the_seed_and_leaves_the_random_state():
    before = torch.get_rng_state()
    one = initwise.check(mlp, SPEC, mode="measure", widths=WIDTHS, seed=3)
    again = initwise.check(mlp, SPEC, mode="measure", widths=WIDTHS, seed=3)
    assert (
        one.to_json() == again.to_json() != initwise.check(mlp, SPEC, mode="measure", widths=WIDTHS).to_json()
    )
    assert torch.equal(before, torch.get_rng_state())


def test_widths_are_sorted_and_auto_predicts():
    check = initwise.check(mlp, SPEC, widths=[256, 64, 128, 64])
    assert check.widths == (64, 128, 256)
    assert check.mode == "predict"


def test_layers_that_are_not_everywhere_are_left_out_and_said():
    check = predicted(lambda width: mlp(width, depth=width // 64))
    assert [layer.name for layer in check.layers][-1] == "4"
    assert "layers are not there at every width, '" in check.note


def test_a_fault_at_one_width_is_said():
    check = initwise.check(
        lambda width: mlp(width, depth=12), SPEC, widths=WIDTHS, plan=initwise.scheme("normal", std=1.0)
    )
    assert "at width 64 by itself exploding at" in check.note


@pytest.mark.parametrize(
    "widths", [[64], [], [64, 64], [0, 64], [-1, 2], ["a", 2], [1.5, 2], 64, True, [True, 2]]
)
def test_widths_that_make_no_sense(widths):
    with pytest.raises(OptionError, match="two or more different widths, whole and positive"):
        initwise.check(mlp, SPEC, widths=widths)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (mlp(64), "a model of one width, and widths to compare"),
        ("model", "a str of one width, and widths to compare"),
        (lambda width: mlp(64), "the same shapes at widths 64, 128, 256"),
        (lambda: mlp(64), "making it at width 64 raised TypeError"),
        (lambda width: 1 / 0, "making it at width 64 raised ZeroDivisionError: division by zero"),
        (lambda width: None, "gave NoneType"),
    ],
)
def test_models_that_cannot_be_made(model, said):
    with pytest.raises(ModelError, match=said):
        initwise.check(model, SPEC, widths=WIDTHS)


def test_it_is_printed_and_travels_as_json():
    check = predicted(plan=initwise.scheme("normal", std=0.02))
    assert str(WidthCheck.from_json(check.to_json())) == str(check)
    text = str(check)
    assert text.startswith("Not stable in width: 1 finding (7 layers, widths 64, 128, 256, predicted")
    assert "1. exploding with width at 2: its output goes as width^0.50" in text
    assert "+0.50" in text
    assert "-0.00" not in text
    assert check.to_frame()["forward"][2] == pytest.approx(0.5, abs=0.01)
    assert str(predicted(plan="he_normal")).startswith("Stable in width: no output grows or vanishes with it")


@pytest.mark.parametrize("power", [-1.0, 0.0, 0.5])
def test_exponents_are_slopes(power):
    widths = [10, 30, 100, 500]
    assert exponent(widths, [3 * width**power for width in widths]) == pytest.approx(power, abs=1e-12)
    assert math.isnan(exponent(widths, [1.0, 0.0, 1.0, 1.0]))
    assert TOLERANCE == 0.25
