"""What is said where a value meets what was made of it, and nobody can follow."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from initwise import check
from initwise.predict.rules.extremes import OF_EXAMPLES
from initwise.predict.rules.normalisation import FEW
from initwise.predict.rules.pointwise import DEPENDENT
from initwise.predict.rules.pooling import BLURRED
from initwise.predict.rules.softmax import SELF


class Written(nn.Module):
    """A few layers and what is done with them."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        return self.function(self, x)


def linear(n, m):
    return nn.Linear(n, m)


def _contrastive(model, x):
    z = F.normalize(model.a(x), dim=1)
    return F.cross_entropy(z @ z.T, torch.arange(len(x)).roll(1))


def _entropy(model, x):
    p = F.softmax(model.a(x), -1)
    return -(p * torch.log(p)).sum(-1).mean()


def _entropy_of_logs(model, x):
    logs = F.log_softmax(model.a(x), -1)
    return -(logs.exp() * logs).sum(-1).mean()


def _interactions(model, x):
    """Dot products between all of a few vectors, as recommenders have them."""
    vectors = model.a(x).view(-1, 4, 4)
    i, j = torch.tril_indices(4, 4, -1)
    return model.b(torch.bmm(vectors, vectors.transpose(1, 2))[:, i, j])


def _gated_by_norm(model, x):
    y = model.a(x)
    return model.b((y * F.layer_norm(y, (16,)))[:, :6])


def _plus_norm(model, x):
    y = model.a(x)
    return model.b((y + F.layer_norm(y, (16,)))[:, :6])


def _distances(model, x):
    z = model.a(x)
    return torch.cdist(z, z)


SAID = {
    "a batch against itself": (_contrastive, DEPENDENT.format("mm")),
    "the entropy of probabilities": (_entropy, SELF),
    "the entropy of log probabilities": (_entropy_of_logs, SELF),
    "dot products of all pairs": (_interactions, DEPENDENT.format("bmm")),
    "distances of a tensor to itself": (_distances, DEPENDENT.format("cdist")),
    "the largest loss": (lambda m, x: m.a(x).pow(2).mean(1).max(), OF_EXAMPLES),
    "its own norm as a gate": (_gated_by_norm, DEPENDENT.format("mul")),
    "its own norm added": (_plus_norm, DEPENDENT.format("add")),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_not_followed_is_said_in_the_rows_that_rest_on_it(name):
    function, note = SAID[name]
    signals = check(lambda: Written(function, a=linear(8, 16), b=linear(6, 3)), "f32[16,8]", mode="predict")
    assert note in signals.note
    assert note in next(row for row in signals.layers if row.name == "a").reason


def _attention(model, x):
    q, k, v = model.a(x).chunk(3, -1)
    return model.b(F.softmax(q @ k.transpose(1, 2), -1) @ v)


STRANGERS = {
    "norm": lambda: nn.Sequential(linear(8, 16), nn.LayerNorm(16), nn.GELU(), linear(16, 8), nn.Softmax(-1)),
    "encoder": lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=True),
    "gated": lambda: Written(lambda m, x: m.b(F.glu(m.a(x))), a=linear(8, 16), b=linear(8, 8)),
    "residual": lambda: Written(lambda m, x: m.b(m.n(x)) + x, n=nn.RMSNorm(8), b=linear(8, 8)),
    "queries and keys of one layer": lambda: Written(_attention, a=linear(8, 24), b=linear(8, 8)),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_not_called_kin(name):
    assert "depend" not in check(STRANGERS[name], "f32[4,6,8]", mode="predict").note


class Pooling(nn.Module):
    def forward(self, x):
        return x + F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) - x * 0.5


def test_means_over_neighbours_say_that_near_and_far_are_one():
    build = lambda: nn.Sequential(nn.Conv2d(3, 8, 1), Pooling(), nn.Conv2d(8, 4, 1))  # noqa: E731
    assert BLURRED in check(build, "f32[2,3,8,8]", mode="predict").note


@pytest.mark.parametrize(
    ("build", "example"),
    [
        (lambda: nn.Sequential(linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), linear(16, 3)), "f32[2,8]"),
        (lambda: nn.Sequential(linear(8, 2), nn.LayerNorm(2), linear(2, 3)), "f32[16,8]"),
    ],
    ids=["two examples", "two features"],
)
def test_a_norm_over_two_numbers_says_that_its_gradient_is_a_guess(build, example):
    assert FEW in check(build, example, mode="predict").layers[0].reason


def test_a_norm_over_many_numbers_says_nothing():
    build = lambda: nn.Sequential(linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), linear(16, 3))  # noqa: E731
    assert FEW not in check(build, "f32[64,8]", mode="predict").note
