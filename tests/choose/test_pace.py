"""Learning rates from the plan: S = Σ √fan_in/σ, and what is said of it."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import initwise  # noqa: E402
from initwise.choose.pace import RATES, advised, rate_range, sensitivity  # noqa: E402
from initwise.choose.planners import plan_a2, study  # noqa: E402
from initwise.core.fill import Fill  # noqa: E402


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 4))


def test_the_sum_is_over_weights_by_fan_in_and_std() -> None:
    case = study(net(), torch.randn(32, 16))
    plan = plan_a2(case).with_fills({"0.weight": Fill.normal(0, 0.5), "2.weight": Fill.normal(0, 0.1)})
    assert sensitivity(plan, case.structure, case.parameters) == pytest.approx(4 / 0.5 + 8 / 0.1)


def test_a_constant_weight_has_no_say() -> None:
    case = study(net(), torch.randn(32, 16))
    plan = plan_a2(case).with_fills({"0.weight": Fill.normal(0, 0.5), "2.weight": Fill.constant(0.0)})
    assert sensitivity(plan, case.structure, case.parameters) == pytest.approx(4 / 0.5)
    nothing = plan.with_fills({"0.weight": Fill.constant(0.0)})
    assert rate_range(sensitivity(nothing, case.structure, case.parameters)) is None


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_range_lies_around_the_fit_by_half_a_decade(optimizer: str) -> None:
    factor, exponent = RATES[optimizer]
    low, high = rate_range(250.0, optimizer) or (math.nan, math.nan)
    assert math.sqrt(low * high) == pytest.approx(factor * 250**-exponent)
    assert high / low == pytest.approx(10)
    assert rate_range(250.0, "lion") is None


def test_deeper_networks_are_told_smaller_rates() -> None:
    def deep(depth: int) -> nn.Module:
        layers = [layer for _ in range(depth) for layer in (nn.Linear(32, 32), nn.Tanh())]
        return nn.Sequential(*layers, nn.Linear(32, 4))

    ranges = [initwise.choose(deep(depth), torch.randn(32, 32)).learning_rates for depth in (2, 20)]
    assert ranges[0] is not None
    assert ranges[1] is not None
    assert ranges[1][1] < ranges[0][1]


def test_the_advice_says_both_optimizers_where_none_is_known_and_places_the_user_s_rate() -> None:
    made = initwise.choose(net(), torch.randn(32, 16))
    assert "with Adam" in made.reasons[-1]
    assert "with SGD with momentum 0.9" in made.reasons[-1]
    assert initwise.Advice.from_json(made.to_json()).learning_rates == made.learning_rates
    assert advised(250.0, "adam", 1.0).endswith("Yours, 1, lies above: steps may undo the start.")
    assert advised(250.0, "adam", 1e-6).endswith("Yours, 1e-06, lies below: training may be slow.")
    assert advised(250.0, "adam", 0.005).endswith("Yours, 0.005, lies among them.")
