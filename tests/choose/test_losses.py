"""The kind of loss, from targets or from the model, and how large the output then starts."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from choose_models import mlp  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import initwise  # noqa: E402
from initwise import Problem  # noqa: E402
from initwise.choose.losses import of_targets  # noqa: E402
from initwise.choose.planners import study  # noqa: E402
from initwise.choose.rules import HEADS  # noqa: E402
from initwise.core.errors import OptionError  # noqa: E402


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (torch.tensor([0, 3, 1]), "classification"),
        (np.array([True, False]), "classification"),
        (torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]), ""),
        (torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), "classification"),
        (torch.tensor([[0.2, 0.8], [0.5, 0.5]]), "classification"),
        (torch.tensor([[0.2], [0.8]]), "regression"),
        (np.array([3.5, -1.0]), "regression"),
        (torch.zeros(0), ""),
        ({"boxes": 1}, ""),
        ("abc", ""),
    ],
)
def test_targets_say_what_kind_of_loss_it_is(targets: object, kind: str) -> None:
    assert of_targets(targets) == kind


@pytest.mark.parametrize(
    ("model", "example", "kind"),
    [
        (mlp(3, nn.Tanh, outputs=1), "f32[8,16]", "regression"),
        (mlp(3, nn.Tanh, outputs=16), "f32[8,16]", "regression"),
        (mlp(3, nn.Tanh, outputs=5), "f32[8,16]", ""),
        (nn.Sequential(nn.Embedding(11, 8), nn.Linear(8, 11)), "i64[8]<11", "classification"),
    ],
)
def test_a_model_gives_away_what_it_can(model: nn.Module, example: str, kind: str) -> None:
    assert study(model, example).structure.loss == kind


def outputs(advice: initwise.Advice, model: nn.Module, x: Tensor) -> float:
    initwise.init_(model, advice, seed=0)
    with torch.no_grad():
        return float(model(x).square().mean().sqrt())


def test_the_output_starts_as_large_as_its_loss_asks_for() -> None:
    model, x = mlp(4, nn.ReLU, outputs=5), torch.randn(64, 16)
    sizes = {loss: outputs(initwise.choose(model, x, loss=loss), model, x) for loss in HEADS if loss}
    assert sizes == {kind: pytest.approx(HEADS[kind], rel=1e-3) for kind in sizes}
    classes = torch.randint(5, (64,))
    problem = Problem(lambda: mlp(4, nn.ReLU, outputs=5), [(x, classes)], nn.functional.cross_entropy)
    assert outputs(initwise.choose(problem=problem), model, x) == pytest.approx(1, rel=1e-3)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="regression") as caught:
        initwise.choose(mlp(3, nn.ReLU), torch.randn(8, 16), loss="regresion")
    assert "classification" in str(caught.value)


def test_a_loss_s_own_name_is_told_what_is_asked() -> None:
    with pytest.raises(OptionError, match='"regression" for numbers to be met'):
        initwise.choose(mlp(3, nn.ReLU), torch.randn(8, 16), loss="mse")


def test_whole_numbers_that_are_no_classes_are_told_and_how_to_override() -> None:
    inputs = torch.randn(64, 8)
    prices = torch.arange(64)
    problem = Problem(lambda: nn.Linear(8, 4), [(inputs, prices)], loss=nn.functional.cross_entropy)
    said = [reason for reason in initwise.choose(problem=problem).reasons if "taken as classes" in reason]
    assert len(said) == 1
    assert "4 is none of 4" in said[0]
    assert 'loss="regression"' in said[0]


class BareHead(nn.Module):
    """Ten classes, told apart by a bare matrix that no layer declares."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 32)
        self.last = nn.Parameter(torch.randn(32, 10) / 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.first(x)) @ self.last


def test_classes_are_not_called_strange_where_the_number_of_outputs_is_not_known() -> None:
    problem = Problem(BareHead, [(torch.randn(32, 8), torch.arange(32) % 10)], nn.functional.cross_entropy)
    assert not [reason for reason in initwise.choose(problem=problem).reasons if "taken as classes" in reason]
    assert not any(
        "taken as classes" in r for r in initwise.choose(problem=problem, loss="regression").reasons
    )


def test_classes_and_ignored_ones_need_no_word() -> None:
    labels = torch.arange(64) % 4
    labels[0] = -100
    problem = Problem(
        lambda: nn.Linear(8, 4), [(torch.randn(64, 8), labels)], loss=nn.functional.cross_entropy
    )
    assert not any("taken as classes" in reason for reason in initwise.choose(problem=problem).reasons)
