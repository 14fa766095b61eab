"""What numbers rest on although it may not hold is told in the row of each that does."""

import pytest
import torch
from torch import nn

import initwise
from initwise.core.records import Signals
from initwise.report.signals import ASSUMED

EXAMPLE = "f32[8,16]"


class Deciding(nn.Module):
    """Asks for a number between two layers, if told to."""

    def __init__(self, asks: bool) -> None:
        super().__init__()
        self.asks = asks
        self.first, self.aside, self.last = nn.Linear(16, 32), nn.Linear(16, 4), nn.Linear(32, 4)

    def forward(self, x):
        h = torch.relu(self.first(x))
        if self.asks and h.mean() > 0:
            h = h * 2
        return self.last(h), self.aside(x)


def reasons(signals):
    return {row.name: row.reason for row in signals.layers}


def test_each_row_that_rests_on_an_assumption_says_so():
    found = reasons(initwise.check(Deciding(True), EXAMPLE, mode="predict"))
    for name in ("first", "last"):  # of the first it is the gradient that was decided
        assert found[name].startswith(ASSUMED)
        assert "decided by one draw" in found[name]


def test_what_rests_on_nothing_says_nothing():
    assert set(reasons(initwise.check(Deciding(False), EXAMPLE, mode="predict")).values()) == {""}


def test_an_assumption_stands_behind_the_verdict_s_own_reason():
    def small():
        model = Deciding(True)
        for layer in (model.first, model.last):
            nn.init.normal_(layer.weight, std=1e-9)
            nn.init.zeros_(layer.bias)
        return model

    signals = initwise.check(small, EXAMPLE, mode="predict")
    row = next(row for row in signals.layers if row.name == "first")
    assert row.verdict == "vanishing"
    assert f"; {ASSUMED}a number read" in row.reason
    assert ASSUMED not in signals.findings[0].reason


def test_the_report_tells_an_assumption_once_and_marks_the_rows():
    signals = initwise.check(Deciding(True), EXAMPLE, mode="predict")
    said = str(signals)
    assert "Rests" in said.split("Rests on")[0]
    assert f"  - a: {reasons(signals)['first'].removeprefix(ASSUMED)}" in said
    assert [line.split()[-1] for line in said.splitlines() if line.startswith(("  first", "  last"))] == [
        "a",
        "a",
    ]
    assert "Rests" not in str(initwise.check(Deciding(False), EXAMPLE, mode="predict"))


def test_frames_and_json_have_the_whole_reason():
    signals = initwise.check(Deciding(True), EXAMPLE, mode="predict")
    assert reasons(Signals.from_json(signals.to_json())) == reasons(signals)
    frame = pytest.importorskip("pandas") and signals.to_frame()
    assert list(frame["reason"]) == [row.reason for row in signals.layers]


@pytest.mark.parametrize("loss", [None, "mse"])
def test_what_a_weight_s_gradient_rests_on_stands_in_its_row(loss):
    model = lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))  # noqa: E731
    signals = initwise.check(model, "f32[16,8]", loss=loss, mode="predict")
    told = [row for row in signals.layers if "a gradient that holds the output" in row.reason]
    assert bool(told) == ("a gradient that holds the output" in signals.note) == (loss == "mse")


class BesideItsNorm(nn.Module):
    """x less its RMS norm: nearly nothing, if x has variance 1."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(16, 32), nn.RMSNorm(32), nn.Linear(32, 4)

    def forward(self, x):
        h = self.first(x)
        return self.last(h - self.norm(h))


class LinearAttention(nn.Module):
    """Queries meet Σ k·vᵀ, and Σ k below: what they have in common cancels. Katharopoulos et al. 2020."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x):
        q, k = (nn.functional.elu(layer(x)) + 1 for layer in (self.q, self.k))
        below = q @ k.sum(1, keepdim=True).transpose(1, 2)
        return q @ (k.transpose(1, 2) @ self.v(x)) / below


class Scan(nn.Module):
    """h ← exp(dt·A)·h + u at each step, one A for all: a state-space model's. Gu and Dao 2023."""

    def __init__(self):
        super().__init__()
        self.dt, self.a = nn.Linear(16, 16), nn.Parameter(-torch.rand(16))

    def forward(self, x):
        h = torch.zeros_like(x[:, 0])
        for step in range(x.shape[1]):
            h = torch.exp(nn.functional.softplus(self.dt(x[:, step])) * self.a) * h + x[:, step]
        return h


class Mixture(nn.Module):
    """ln Σ π·exp(−d²/2): what comes back to the scores of π is made of them. Bishop 1994."""

    def __init__(self):
        super().__init__()
        self.scores, self.distances = nn.Linear(16, 4), nn.Linear(16, 4)

    def forward(self, x):
        return torch.logsumexp(self.scores(x).log_softmax(-1) - self.distances(x) ** 2 / 2, -1)


class Ray(nn.Module):
    """What each point adds, times what those before it let through. Mildenhall et al. 2020, eq. 3."""

    def __init__(self):
        super().__init__()
        self.density = nn.Linear(16, 1)

    def forward(self, x):
        opacity = 1 - torch.exp(-nn.functional.softplus(self.density(x).squeeze(-1)))
        return opacity * torch.cumprod(1 - opacity, 1)


@pytest.mark.parametrize(
    ("build", "example", "note"),
    [
        (Ray, "f32[4,6,16]", "depend on each other"),
        (Scan, "f32[4,6,16]", "depend on each other"),
        (Mixture, EXAMPLE, "depends on its own probabilities"),
        (BesideItsNorm, EXAMPLE, "depend on each other"),
        (LinearAttention, "f32[4,12,16]", "a quotient of two products of the same operand"),
    ],
)
def test_what_is_not_followed_is_told(build, example, note):
    assert note in initwise.check(build, example, mode="predict").note
