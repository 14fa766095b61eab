"""check says so where nothing was measured, and blames no weight for what the example does."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from initwise.core.errors import ExampleError, ForwardError, UnhealthyError
from initwise.measure import check


def row(signals, name):
    return next(row for row in signals.layers if row.name == name)


def headline(signals):
    return str(signals).split("\n\n")[0].replace("\n", " ")


def unpredicted(signals):
    (finding,) = signals.findings
    assert (finding.layer, finding.verdict) == ("", "unpredicted")
    with pytest.raises(UnhealthyError):
        signals.assert_healthy()
    return finding.reason.removeprefix("no gradient was measured: ")


# no gradient


class Two(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.first, self.head, self.body = nn.Linear(8, 8), nn.Linear(8, 3), body

    def forward(self, x):
        return self.body(self, x)


class Box:
    def __init__(self, inside):
        self.inside = inside


def plain(model, x):
    return model.head(torch.relu(model.first(x)))


def generated(model, x):
    yield plain(model, x)


UNGRADED = {
    "no_grad": (torch.no_grad()(plain), "the result depends on no weight: it runs under torch.no_grad"),
    "detached": (lambda m, x: plain(m, x).detach(), "the result depends on no weight"),
    "argmax": (lambda m, x: plain(m, x).argmax(-1), "the result is int64"),
    "None": (
        lambda m, x: m.head(m.first(x)).zero_().data_ptr() < 0 or None,
        "the model returned None, in which no tensor is found",
    ),
    "generator": (generated, "the model returned a generator"),
    "object": (lambda m, x: Box(plain(m, x)), "the model returned a Box"),
    "checkpoint": (
        lambda m, x: checkpoint(lambda y: plain(m, y), x, use_reentrant=True),
        "the result depends on no weight",
    ),
}


@pytest.mark.filterwarnings("ignore:None of the inputs")
@pytest.mark.parametrize("form", UNGRADED)
def test_a_model_whose_gradient_was_not_measured_is_not_healthy(form):
    torch.manual_seed(0)
    body, reason = UNGRADED[form]
    signals = check(Two(body), "f32[16,8]")
    assert unpredicted(signals).startswith(reason)
    assert {layer.verdict for layer in signals.layers} <= {"unpredicted", "untouched"}
    assert headline(signals).startswith("Not judged: 1 finding in 2 layers")
    assert ("forward only" in headline(signals)) == (form != "generator")


def test_a_loss_can_take_the_result_out_of_what_the_model_returns():
    signals = check(Two(UNGRADED["object"][0]), "f32[16,8]", loss=lambda box: box.inside.square().mean())
    assert signals.healthy


def test_a_complex_model_is_not_judged():
    model = nn.Sequential(*(nn.Linear(8, 8, dtype=torch.complex64) for _ in range(2)))
    signals = check(model, torch.randn(16, 8, dtype=torch.complex64))
    assert unpredicted(signals) == "its weights are not real dense floating-point tensors"


def test_a_broken_forward_comes_before_a_gradient_that_was_not_measured():
    model = Two(UNGRADED["argmax"][0])
    nn.init.constant_(model.first.bias, -100.0)
    assert [finding.verdict for finding in check(model, "f32[16,8]").findings] == ["dead", "unpredicted"]


CUT = {
    "detached": lambda m, x: m.head(m.first(x).detach()),
    "checkpoint": lambda m, x: m.head(checkpoint(m.first, x, use_reentrant=True)),
}


@pytest.mark.filterwarnings("ignore:None of the inputs")
@pytest.mark.parametrize("form", CUT)
def test_a_layer_that_gets_no_gradient_is_not_ok(form):
    torch.manual_seed(0)
    model = Two(CUT[form])
    signals = check(model, "f32[16,8]")
    assert (row(signals, "first").verdict, row(signals, "head").verdict) == ("unpredicted", "ok")
    assert headline(signals) == (
        "Healthy: signal and gradient get through (2 layers, measured on a drawn example). "
        "1 layer could not be judged."
    )
    model.first.requires_grad_(False)
    assert row(check(model, "f32[16,8]"), "first").verdict == "ok"


def test_a_frozen_or_weightless_model_needs_no_gradient():
    frozen = Two(UNGRADED["no_grad"][0]).requires_grad_(False)
    assert check(frozen, "f32[16,8]").healthy
    signals = check(nn.Sequential(nn.ReLU(), nn.Tanh()), torch.randn(16, 8))
    assert headline(signals) == (
        "Healthy: signal gets through (2 layers, forward only, measured on a real batch)."
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_model_is_not_healthy_unseen():
    scripted = torch.jit.script(nn.Sequential(nn.Linear(8, 8), nn.ReLU()))
    signals = check(scripted, "f32[16,8]")
    assert unpredicted(signals).startswith("no layer was seen: TorchScript cannot be looked into")
    part = check(nn.Sequential(scripted, nn.Linear(8, 3)), "f32[16,8]")
    assert [(layer.name, layer.verdict) for layer in part.layers] == [("1", "ok"), ("0", "unpredicted")]


def test_a_model_without_layers_is_not_healthy():
    assert unpredicted(check(nn.Identity(), "f32[16,8]")).startswith("no layer was seen")


# results of one number


def test_a_model_that_returns_its_loss_is_measured():
    torch.manual_seed(0)
    model = Two(lambda m, x: plain(m, x).square().mean())
    expected = Two(plain)
    expected.load_state_dict(model.state_dict())
    signals = check(model, "f32[16,8]")
    other = check(expected, "f32[16,8]", loss=lambda output: output.square().mean())
    assert [r.weight_gradient_rms for r in signals.layers] == pytest.approx(
        [r.weight_gradient_rms for r in other.layers], rel=1e-6
    )


def test_a_number_beside_the_result_is_measured_too():
    torch.manual_seed(0)
    model = Two(lambda m, x: {"logits": plain(m, x), "aux": plain(m, x).mean()})
    assert check(model, "f32[16,8]").healthy


# compiled models


def refused(*_):
    raise AssertionError("compiled")


def test_a_compiled_model_is_measured_as_it_was_written():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    expected = check(model, "f32[16,8]")
    for compiled in (torch.compile(model, backend=refused), nn.Sequential(torch.compile(model))):
        signals = check(compiled, "f32[16,8]")
        assert [r.weight_gradient_rms for r in signals.layers] == pytest.approx(
            [r.weight_gradient_rms for r in expected.layers], nan_ok=True
        )
    assert [r.name for r in check(torch.compile(model, backend=refused)).layers] == ["0", "1", "2"]
    assert [r.name for r in check(torch.compile(model[0], backend=refused)).layers] == [""]


def test_a_plan_is_measured_in_a_compiled_model():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    compiled = torch.compile(model, backend=refused)
    assert check(compiled, "f32[16,8]", plan="zeros").findings[0].verdict == "symmetric"


def test_an_error_in_a_compiled_model_goes_by_the_layers_own_name():
    model = torch.compile(nn.Sequential(nn.Linear(8, 8), nn.Linear(9, 3)), backend=refused)
    with pytest.raises(ForwardError) as error:
        check(model, "f32[16,8]")
    assert error.value.where == "1 (Linear)"
    with pytest.raises(ExampleError, match="has no argument 'foo'"):
        check(model, "foo=f32[16,8]")


# the example's own doing


@pytest.fixture
def narrow(mlp):
    """An MLP of four ReLU layers at He."""
    return mlp(nn.ReLU, 4, "he", width=64)


UNIFORM = {
    "ones": torch.ones(8, 64),
    "expanded": torch.linspace(-2, 2, 64).expand(8, 64),
    "positions": torch.linspace(-2, 2, 3 * 64).reshape(3, 64).expand(8, 3, 64),
}


@pytest.mark.parametrize("form", UNIFORM)
def test_an_example_of_one_repeated_input_blames_no_weight(narrow, form):
    signals = check(narrow, UNIFORM[form])
    assert signals.healthy
    assert (
        "all inputs of the example are the same: dead units and correlation were not judged" in signals.note
    )
    assert all(math.isnan(layer.dead) for layer in signals.layers)


def test_repeated_token_ids_are_told_too(transformer):
    signals = check(transformer(1), torch.full((4, 6), 7))
    assert "all inputs of the example are the same" in signals.note
    assert "the same" not in check(transformer(1), torch.arange(24).reshape(4, 6)).note


def test_of_several_inputs_one_that_differs_is_enough():
    class Both(nn.Linear):
        def forward(self, x, y):
            return super().forward(x + y)

    example = (torch.ones(16, 8), torch.randn(16, 8))
    assert "the same" not in check(Both(8, 3), example).note
    assert "the same" in check(Both(8, 3), (example[0], example[0])).note


def test_zeros_and_repeated_inputs_under_a_norm_are_told_as_the_examples_doing(narrow, resnet):
    assert unmistakable(check(narrow, torch.zeros(8, 64)), "every number of the example is zero")
    normed = nn.Sequential(
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.Linear(64, 3)
    )
    assert unmistakable(
        check(normed, torch.ones(8, 64)), "all inputs of the example are the same, and a norm"
    )


def unmistakable(signals, reason):
    (finding,) = signals.findings
    return finding.verdict == "unpredicted" and finding.reason.startswith(reason)


@pytest.mark.parametrize("scale", [1e-3, 1e-4, 1e4])
def test_the_scale_of_the_inputs_before_a_batch_norm_is_no_fault(resnet, scale):
    assert check(resnet(), scale * torch.randn(8, 3, 16, 16)).healthy


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.LayerNorm])
@pytest.mark.parametrize("scale", [1e-3, 1e4, 1e5])
def test_raw_inputs_before_a_norm_are_no_fault(norm, scale):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(64, 64), norm(64), nn.ReLU(), nn.Linear(64, 64), norm(64), nn.Linear(64, 3)
    )
    assert check(model, scale * torch.randn(32, 64)).healthy


def test_weights_of_a_wrong_scale_before_a_norm_still_are_one():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 64), nn.Linear(64, 3))
    with torch.no_grad():
        model[0].weight *= 1e5
    assert [(f.verdict, f.layer) for f in check(model, "f32[32,64]").findings] == [("vanishing", "0")]


def test_a_tanh_driven_flat_by_raw_inputs_is_saturated_and_its_signal_has_not_vanished(mlp):
    findings = check(mlp(nn.Tanh, 3, "xavier"), 1e4 * torch.randn(32, 64)).findings
    assert "saturated" in [finding.verdict for finding in findings]
    assert not any("signal" in finding.reason for finding in findings)


# what it was measured on


def test_the_headline_says_what_the_numbers_were_measured_on():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    for example in ("f32[16,8]", ("f32[16,8]",), {"input": "f32[16,8]"}, None):
        assert "(3 layers, measured on a drawn example)" in headline(check(model, example))
    assert "(3 layers, measured on a real batch)" in headline(check(model, torch.randn(16, 8)))
