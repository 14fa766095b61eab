"""check on every form a model comes in: outputs, arguments, sharing, checkpoints, frozen parts."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from initwise.core.errors import (
    ForwardError,
    OptionError,
)
from initwise.core.records import Signals
from initwise.measure import check


def names(signals):
    return [row.name for row in signals.layers]


def row(signals, name):
    return next(row for row in signals.layers if row.name == name)


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    hidden: tuple[torch.Tensor, ...]


SHAPES_OF_OUTPUT = {
    "tensor": lambda x, h: x,
    "tuple": lambda x, h: (x, h),
    "dict": lambda x, h: {"logits": x, "nested": {"hidden": [h]}},
    "dataclass": lambda x, h: Output(x, (h,)),
    "with integers": lambda x, h: (x, x.argmax(-1), None, "text"),
}


class Gives(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.first, self.act, self.head = nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)
        self.form = SHAPES_OF_OUTPUT[form]

    def forward(self, x):
        hidden = self.act(self.first(x))
        return self.form(self.head(hidden), hidden)


@pytest.mark.parametrize("form", SHAPES_OF_OUTPUT)
def test_whatever_the_model_returns(form):
    torch.manual_seed(0)
    signals = check(Gives(form), "f32[16,8]")
    assert names(signals) == ["first", "act", "head"]
    assert all(r.gradient_rms > 0 for r in signals.layers)
    assert signals.healthy


class Takes(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.first, self.head = nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x, ids, *, mask=None):
        hidden = self.first(x) + self.table(ids)
        return self.head(hidden if mask is None else hidden * mask.unsqueeze(-1))


@pytest.mark.parametrize(
    "example",
    [
        "f32[16,8], i64[16]",
        "x=f32[16,8], ids=i64[16]<9, mask=bool[16]",
        (torch.ones(16, 8), "i64[16]<9"),
        {"x": "f32[16,8]", "ids": torch.zeros(16, dtype=torch.long)},
    ],
)
def test_whatever_the_model_takes(example):
    torch.manual_seed(0)
    assert names(check(Takes(), example)) == ["first", "table", "+", "head"]


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.act, self.head = nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)

    def forward(self, x):
        for _ in range(3):
            x = self.act(self.layer(x))
        return self.head(x)


def test_a_module_called_several_times_gets_a_row_per_call():
    torch.manual_seed(0)
    model = Shared()
    signals = check(model, "f32[16,8]")
    assert names(signals) == ["layer", "act", "layer#2", "act#2", "layer#3", "act#3", "head"]
    rms = [row(signals, name).forward_rms for name in ("layer", "layer#2", "layer#3")]
    assert len(set(rms)) == 3
    assert row(signals, "layer").weight_gradient_rms == row(signals, "layer#3").weight_gradient_rms


class Checkpointed(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.stem, self.body = nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.1))
        self.head, self.reentrant = nn.Linear(8, 2), reentrant

    def forward(self, x):
        x = self.stem(x)
        if self.reentrant is None:
            return self.head(self.body(x))
        return self.head(checkpoint(self.body, x, use_reentrant=self.reentrant))


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_changes_no_number(reentrant):
    torch.manual_seed(0)
    plain = Checkpointed(None)
    saving = Checkpointed(reentrant)
    saving.load_state_dict(plain.state_dict())
    expected, got = check(plain, "f32[16,8]"), check(saving, "f32[16,8]")
    assert names(got) == names(expected)
    for one, other in zip(got.layers, expected.layers, strict=True):
        assert one.gradient_rms == pytest.approx(other.gradient_rms, rel=1e-6)
        assert one.weight_gradient_rms == pytest.approx(other.weight_gradient_rms, rel=1e-6, nan_ok=True)


class SharedCheckpoints(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.stem, self.layer, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)
        self.reentrant = reentrant

    def forward(self, x):
        x = self.stem(x)
        for _ in range(2):
            x = self.layer(x) if self.reentrant is None else checkpoint(self.layer, x, use_reentrant=True)
        return self.head(x)


def test_a_weight_used_in_two_checkpoints_shows_its_whole_gradient():
    torch.manual_seed(0)
    plain, saving = SharedCheckpoints(None), SharedCheckpoints(True)
    saving.load_state_dict(plain.state_dict())
    expected, got = check(plain, "f32[16,8]"), check(saving, "f32[16,8]")
    assert row(got, "layer").weight_gradient_rms == pytest.approx(row(expected, "layer").weight_gradient_rms)


def test_frozen_parameters_are_measured_as_if_they_were_trained():
    torch.manual_seed(0)
    model = Gives("tensor")
    expected = check(model, "f32[16,8]")
    model.first.requires_grad_(False)
    assert check(model, "f32[16,8]").to_json() == expected.to_json()


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.head, self.aside = nn.Linear(8, 8), nn.Linear(8, 2), nn.Linear(8, 2)
        self.never = nn.Linear(3, 3)

    def forward(self, x):
        with torch.no_grad():
            x = self.backbone(x)
        self.aside(x)
        return self.head(x)


def test_parts_that_take_no_part_say_so():
    torch.manual_seed(0)
    signals = check(Detached(), "f32[16,8]")
    assert row(signals, "backbone").reason == (
        "runs without gradients: under torch.no_grad, or in a reentrant checkpoint whose input has none"
    )
    assert math.isnan(row(signals, "backbone").gradient_rms)
    assert row(signals, "aside").reason == (
        "no gradient comes back from the result: its output is not used there, or was detached"
    )
    assert {row(signals, name).verdict for name in ("backbone", "aside")} == {"unpredicted"}
    assert (signals.layers[-1].name, signals.layers[-1].verdict) == ("never", "untouched")
    assert signals.layers[-1].reason == "it did not run on this example"
    assert signals.healthy


def test_attention_lends_its_rows_the_weights_it_uses_inside():
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    signals = check(model, "f32[4,6,16]")
    assert names(signals) == ["self_attn", "+", "norm1", "linear1", "linear2", "+#2", "norm2"]
    assert row(signals, "self_attn").weight_gradient_rms > 0


def test_tied_weights_show_the_gradient_of_both_uses(transformer):
    signals = check(transformer(1), "i64[4,6]<50")
    assert row(signals, "tokens").weight_gradient_rms == row(signals, "head").weight_gradient_rms


@pytest.mark.parametrize(
    "parametrization", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
def test_a_parametrized_layer_keeps_its_name_and_its_weight(parametrization):
    torch.manual_seed(0)
    signals = check(nn.Sequential(parametrization(nn.Linear(8, 8)), nn.Tanh(), nn.Linear(8, 2)), "f32[16,8]")
    assert [(r.name, r.kind) for r in signals.layers] == [("0", "Linear"), ("1", "Tanh"), ("2", "Linear")]
    assert signals.layers[0].weight_gradient_rms > 0


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Parameter(torch.randn(8, 8) / 3), nn.Parameter(torch.randn(8, 2))

    def forward(self, x):
        return torch.tanh(x @ self.one) @ self.two


def test_a_model_of_bare_parameters_has_one_row_its_own():
    torch.manual_seed(0)
    (only,) = check(Bare(), "f32[16,8]").layers
    assert (only.name, only.kind, only.shape) == ("", "Bare", (16, 2))
    assert only.weight_gradient_rms > 0


class ByHand(nn.Module):
    """A recurrent cell written out: its sum is where the activation reads."""

    def __init__(self):
        super().__init__()
        self.enter, self.back, self.head = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], 8)
        for t in range(x.shape[1]):
            h = torch.tanh(self.enter(x[:, t]) + self.back(h))
        return self.head(h)


def test_sums_of_two_signals_get_rows_and_know_the_activation_that_follows():
    torch.manual_seed(0)
    signals = check(ByHand(), "f32[16,3,4]")
    assert [r.name for r in signals.layers if r.kind == "add"] == ["+", "+#2", "+#3"]
    assert 0 <= row(signals, "+").saturated < 0.5


def test_signals_travel_as_json(resnet):
    signals = check(resnet(), "f32[4,3,8,8]")
    assert Signals.from_json(signals.to_json()).to_json() == signals.to_json()
    assert signals.mode == "measure"
    assert signals.note == (
        "no loss was given: a random cotangent of unit rms on the result stood in; "
        "the example was drawn from 'f32[4,3,8,8]'"
    )


def test_an_inferred_example_is_named():
    torch.manual_seed(0)
    signals = check(nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2)))
    assert signals.layers[0].shape == (64, 4)
    assert signals.note.endswith(
        "the example was drawn from 'float[64,8]', the only input this model can take"
    )


# the loss


def test_a_loss_closes_over_its_targets():
    torch.manual_seed(0)
    model, x, targets = Gives("dict"), torch.randn(16, 8), torch.randint(3, (16,))
    signals = check(model, x, loss=lambda output: functional.cross_entropy(output["logits"], targets))
    expected = functional.cross_entropy(model(x)["logits"], targets)
    assert signals.loss == pytest.approx(float(expected.detach()), rel=1e-6)
    assert signals.note == "the gradient is that of the loss given"


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda x: x, "a tensor of shape (16, 3)"),
        (lambda x: 3.0, "3.0"),
        (lambda x: x.detach().sum(), "a tensor of shape () without a gradient"),
    ],
)
def test_a_loss_that_is_no_scalar_is_refused(loss, got):
    with pytest.raises(OptionError) as error:
        check(Gives("tensor"), "f32[16,8]", loss=loss)
    assert str(error.value) == (
        f"loss: it returned {got}; expected a scalar tensor that depends on the model's result.\n"
        "  Average it: loss=lambda output: my_loss(output).mean()."
    )


def test_a_loss_that_raises_is_told_how_to_get_its_targets():
    with pytest.raises(ForwardError) as error:
        check(Gives("tensor"), "f32[16,8]", loss=functional.cross_entropy)
    assert error.value.where == "loss"
    assert error.value.got.startswith("the loss raised TypeError: ")
    assert error.value.fix == (
        "For targets, close over them: loss=lambda output: F.cross_entropy(output, targets)."
    )
