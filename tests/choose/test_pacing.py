"""Weights whose size only a step of the optimiser feels: in front of norms, and embeddings."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from initwise import Problem, choose, init_, scheme
from initwise.choose.assemble import NORMED
from initwise.choose.pacing import LEAST, LEAST_ROW, MOST, MOST_ROW, ROW, SGD_RATE, TURN, before_norm, of_rows
from initwise.core.errors import OptionError

WIDTH = 64


def normed() -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, WIDTH),
        nn.LayerNorm(WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.LayerNorm(WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, 3),
    )


def batch(count: int = 32) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(1))


def test_what_a_norm_divides_by_grows_with_the_rate_and_is_bounded() -> None:
    rate = TURN / math.sqrt(WIDTH)
    assert before_norm(rate, "adam", WIDTH) == pytest.approx(1)
    assert before_norm(rate / 4, "adam", WIDTH) == pytest.approx(1 / 4)
    # twice the width: the same turn from 1/√2 of the rate
    assert before_norm(rate / math.sqrt(2), "adam", 2 * WIDTH) == pytest.approx(1)
    assert before_norm(SGD_RATE / 9, "sgd", WIDTH) == pytest.approx(1 / 3)
    assert before_norm(1e-9, "adam", WIDTH) == LEAST
    assert before_norm(10.0, "adam", WIDTH) == MOST
    assert before_norm(0.0, "adam", WIDTH) == before_norm(1e-3, "lion", WIDTH) == 1


def test_a_row_of_a_table_is_moved_by_the_same_share_of_itself() -> None:
    assert of_rows(0.1 * ROW, "adam", NORMED) == pytest.approx(0.1)
    assert of_rows(1e-9, "adam", NORMED) == LEAST_ROW
    assert of_rows(1.0, "adam", NORMED) == MOST_ROW
    assert of_rows(0.0, "adam", NORMED) == of_rows(1e-2, "sgd", NORMED) == NORMED


@pytest.mark.parametrize("lr", [3e-4, 1e-3, 1e-2])
def test_choose_at_a_rate_scales_the_weights_before_norms_and_no_others(lr: float) -> None:
    free, told = choose(normed(), batch()), choose(normed(), batch(), lr=lr)
    factor = before_norm(lr, "adam", WIDTH)
    assert told.plan["3.weight"].std == pytest.approx(factor * free.plan["3.weight"].std)
    assert told.plan["0.weight"].std == pytest.approx(before_norm(lr, "adam", 8) * free.plan["0.weight"].std)
    assert told.plan["6.weight"].std == pytest.approx(free.plan["6.weight"].std, rel=1e-3)
    assert f"rate {lr:g}" in told.plan["3.weight"].reason
    assert f"lr={lr!r}" in told.apply
    # without a problem the rate is Adam's, and is placed in Adam's range
    assert "SGD" not in told.reasons[-1]
    assert f"Yours, {lr:g}, lies" in told.reasons[-1]


def test_the_lines_that_apply_it_repeat_the_rate_to_its_last_bit() -> None:
    lr = 0.1 / 81
    assert f"lr={lr!r}," in choose(normed(), batch(), method="analytic", lr=lr).apply


def test_the_problems_optimizer_is_the_one_the_rate_is_for() -> None:
    data = [(batch(), torch.zeros(32, dtype=torch.long))]
    problem = Problem(normed, data, nn.functional.cross_entropy, optimizer="sgd")
    free, told = choose(problem=problem), choose(problem=problem, lr=SGD_RATE / 4)
    assert told.plan["3.weight"].std == pytest.approx(free.plan["3.weight"].std / 2)


def test_the_scheme_auto_takes_the_rate_too() -> None:
    first, second = normed(), normed()
    init_(first, scheme("auto", lr=1e-3, loss="classification"), example=batch(), seed=3)
    init_(second, scheme("auto", loss="classification"), example=batch(), seed=3)
    share = float(first[3].weight.std() / second[3].weight.std())
    assert share == pytest.approx(before_norm(1e-3, "adam", WIDTH), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lr": -1e-3}, "lr=-0.001"),
        ({"lr": math.inf}, "lr=inf"),
        ({"lr": math.nan}, "lr=nan"),
        ({"lr": 1e-3, "optimizer": "lion"}, "Known: adam, adamw, nadam, radam, sgd"),
    ],
)
def test_the_scheme_auto_refuses_a_rate_or_an_optimizer_that_makes_no_sense(
    options: dict[str, Any], said: str
) -> None:
    model = normed()
    before = model[0].weight.clone()
    with pytest.raises(OptionError) as caught:
        init_(model, scheme("auto", method="analytic", **options), example=batch())
    assert said in str(caught.value)
    assert "scheme 'auto'" in str(caught.value)
    assert torch.equal(model[0].weight, before)
