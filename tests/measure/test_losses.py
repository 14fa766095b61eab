"""check(loss="…"): losses that are asked for by name."""

import math
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from initwise import check
from initwise.core.errors import OptionError
from initwise.frameworks.example import Spec, draw

IDS = torch.arange(40).reshape(4, 10) % 7


@dataclass
class Output:
    loss: torch.Tensor | None
    logits: torch.Tensor


Pair = namedtuple("Pair", "hidden logits")
FORMS = {
    "tensor": lambda x: x,
    "tuple": lambda x: (x, x.sum()),
    "dict": lambda x: {"hidden": x * 2, "logits": x},
    "dataclass": lambda x: Output(None, x),
    "named tuple": lambda x: Pair(x * 2, x),
}


class Language(nn.Module):
    """A table and a head; gives its logits in one of FORMS, and a loss where it is given labels."""

    def __init__(self, form="tensor", size=7):
        super().__init__()
        self.table, self.head, self.form = nn.Embedding(size, 16), nn.Linear(16, size), form

    def forward(self, input_ids, labels=None):
        logits = self.head(self.table(input_ids))
        if labels is None:
            return FORMS[self.form](logits)
        return Output(functional.cross_entropy(logits.flatten(0, 1), labels.flatten()), logits)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    found = {name: float(p.grad.square().mean().sqrt()) for name, p in model.named_parameters()}
    model.zero_grad()
    return found


def same(signals, model, loss):
    found = gradients(model, loss)
    assert signals.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    rows = {row.name: row for row in signals.layers}
    assert rows["table"].weight_gradient_rms == pytest.approx(found["table.weight"], rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_language_model_is_held_to_the_next_token(form):
    torch.manual_seed(0)
    model = Language(form)
    logits = model.head(model.table(IDS))
    expected = functional.cross_entropy(logits[:, :-1].reshape(-1, 7), IDS[:, 1:].reshape(-1))
    signals = check(model, IDS, loss="lm")
    same(signals, model, expected)
    assert signals.note == "the gradient is that of the next token's cross-entropy"


def test_labels_are_the_language_models_targets_and_minus_100_counts_for_nothing():
    torch.manual_seed(0)
    model, labels = Language(), IDS.clone()
    labels[:, :4] = -100
    logits = model.head(model.table(IDS))
    expected = functional.cross_entropy(logits[:, :-1].reshape(-1, 7), labels[:, 1:].reshape(-1))
    same(check(model, {"input_ids": IDS, "labels": labels}, loss="lm"), model, expected)


def test_classes_are_drawn_uniformly_and_by_the_seed():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 5))
    x = torch.randn(32, 8)
    targets = torch.from_numpy(draw(Spec("int64", (32,), 5), seed=3, where="loss"))
    signals = check(model, x, loss="classification", seed=3)
    assert signals.loss == pytest.approx(float(functional.cross_entropy(model(x), targets)), rel=1e-5)
    assert signals.note == "the gradient is that of the cross-entropy against uniformly drawn classes"


def test_classes_of_maps_are_the_second_axis():
    model = nn.Conv2d(3, 6, 3)
    signals = check(model, "f32[8,3,8,8]", loss="classification", plan="zeros")
    assert signals.loss == pytest.approx(math.log(6), rel=1e-5)


def test_labels_are_the_classes_if_the_example_has_them():
    torch.manual_seed(0)
    model = Language()
    expected = functional.cross_entropy(model(IDS).flatten(0, 1), IDS.flatten())
    signals = check(model, {"input_ids": IDS, "labels": IDS}, loss="classification")
    same(signals, model, expected)
    assert signals.note == "the gradient is that of the cross-entropy against the example's labels"


def test_the_squared_error_is_that_to_standard_normal_numbers():
    signals = check(nn.Linear(8, 400), "f32[64,8]", loss="mse", plan="zeros")
    assert signals.loss == pytest.approx(1.0, abs=5 * math.sqrt(2 / (64 * 400)))


def test_the_models_own_loss_is_taken():
    torch.manual_seed(0)
    model = Language()
    expected = functional.cross_entropy(model(IDS).flatten(0, 1), IDS.flatten())
    same(check(model, {"input_ids": IDS, "labels": IDS}, loss="own"), model, expected)

    class Scalar(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x):
            return self.layer(x).square().mean()

    model, x = Scalar(), torch.randn(16, 8)
    assert check(model, x, loss="own").loss == pytest.approx(float(model(x).detach()), rel=1e-6)


@pytest.mark.parametrize("name", ["lm", "classification", "mse"])
def test_what_is_predicted_is_what_is_measured(name):
    """Over 8 draws, each of which knows its loss to a few percent."""
    model, found = Language(size=300), {}
    for seed in range(8):
        for row in check(model, "i64[16,32]", plan="torch_default", loss=name, seed=seed).layers:
            found.setdefault(row.name, []).append((row.gradient_rms**2, row.weight_gradient_rms**2))
    losses = [check(model, "i64[16,32]", plan="torch_default", loss=name, seed=s).loss for s in range(8)]
    predicted = check(model, "i64[16,32]", plan="torch_default", loss=name, mode="predict")
    error = np.std(losses, ddof=1) / math.sqrt(8)
    assert predicted.loss == pytest.approx(np.mean(losses), abs=4 * error + 0.01 * predicted.loss)
    if name == "mse":
        return  # its gradient holds the weights that it goes back through: see the note
    for row in predicted.layers:
        rows = np.array(found[row.name])
        slack = 4 * rows.std(0, ddof=1) / rows.mean(0) / math.sqrt(8) + 0.05
        assert abs(math.log(row.gradient_rms**2 / rows.mean(0)[0])) < slack[0], row.name
        assert abs(math.log(row.weight_gradient_rms**2 / rows.mean(0)[1])) < slack[1], row.name


def test_the_expected_loss_of_small_logits_is_ln_classes_and_half_their_variance():
    """E[ln Σ exp(s)] − E[s_t] = ln n + v/2 − O(v²/n) for independent Gaussian scores of variance v."""
    model = nn.Linear(256, 1000, bias=False)
    signals = check(model, "f32[64,256]", plan="lecun_normal", loss="classification", mode="predict")
    assert signals.loss == pytest.approx(math.log(1000) + 0.5, abs=2e-3)


REFUSED = [
    (
        nn.Linear(8, 4),
        "f32[16,8]",
        "lm",
        'check: loss="lm": the result has shape (16, 4), the example\'s integers have none; expected '
        "logits of shape (batch, tokens, vocabulary) and ids of shape (batch, tokens).\n"
        "  Or give a function: loss=lambda output: F.cross_entropy(output, targets).",
    ),
    (
        Language(),
        IDS[:, :1],
        "lm",
        'check: loss="lm": the example has one token; expected two tokens or more: the first one predicts '
        "the second.\n  Or give a function: loss=lambda output: F.cross_entropy(output, targets).",
    ),
    (
        nn.Linear(8, 1),
        "f32[16,8]",
        "classification",
        'check: loss="classification": the result has shape (16, 1): one class; expected two or more.\n'
        "  Or give a function: loss=lambda output: F.cross_entropy(output, targets).",
    ),
    (
        nn.Linear(8, 4),
        "f32[16,8]",
        "own",
        'check: loss="own": the model returned a float32 tensor of shape (16, 4), in which there is no loss; '
        "expected a scalar, or a result with a scalar called loss.\n"
        "  Likely cause: transformers' models give one only where the example has labels\n"
        '  Give them: check(model, {"input_ids": ids, "labels": ids}, loss="own"). '
        "Or give a function: loss=lambda output: F.cross_entropy(output, targets).",
    ),
]


@pytest.mark.parametrize("mode", ["measure", "predict"])
@pytest.mark.parametrize(("model", "example", "name", "text"), REFUSED)
def test_a_loss_that_does_not_fit_says_what_it_needs(model, example, name, text, mode):
    with pytest.raises(OptionError) as error:
        check(model, example, loss=name, mode=mode)
    assert str(error.value) == text


def test_targets_beyond_the_classes_are_refused():
    model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 4))
    with pytest.raises(OptionError, match=r"targets lie from 0 to 6, and the result has 4 classes"):
        check(model, IDS, loss="lm")


def test_targets_of_which_none_counts_are_refused():
    class Quiet(Language):
        def forward(self, input_ids, labels=None):
            return super().forward(input_ids)

    with pytest.raises(OptionError, match=r"every target is -100, which counts for nothing"):
        check(Quiet(), {"input_ids": IDS, "labels": torch.full_like(IDS, -100)}, loss="lm")
