"""Bare parameters beside layers that do the same: the same rules, the same sizes, the same signal."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
from bare_models import PAIRS, Pair, Written, bare  # noqa: E402
from torch import nn  # noqa: E402

import initwise  # noqa: E402
from initwise.choose.facts import Structure, WeightFacts  # noqa: E402
from initwise.choose.planners import study  # noqa: E402
from initwise.core.plan import Plan  # noqa: E402
from initwise.core.records import Advice  # noqa: E402
from initwise.frameworks.torch.run import arguments  # noqa: E402

STORED = {"outputs_first", "name", "bias", "before", "order"}
"""Facts that tell how a weight is stored, or by which name."""
HEADS = {"inputs", "outputs", "square"}
"""Facts that are said of one plain matrix only."""


@pytest.fixture(params=PAIRS, ids=str)
def twins(request: pytest.FixtureRequest) -> Pair:
    torch.manual_seed(0)
    return PAIRS[request.param]


def test_a_bare_weight_has_the_place_in_the_network_that_its_layer_has(twins: Pair) -> None:
    own = study(twins.bare(), twins.example).structure
    other = study(twins.layers(), twins.example).structure
    for name, layer in twins.twins.items():
        assert place(own, name, twins) == place(other, layer, twins), name


def place(structure: Structure, name: str, twins: Pair) -> dict[str, object]:
    facts: WeightFacts = structure[name]
    axes = twins.axes.get(name) or twins.axes[{b: a for a, b in twins.twins.items()}[name]]
    left = STORED | (HEADS if len(set(axes)) < len(axes) else set())
    named = {twins.biases.get(facts.bias, facts.bias)} - {""}
    kept = {key: value for key, value in dataclasses.asdict(facts).items() if key not in left}
    return {**kept, "bias": named}


def test_its_axes_are_those_of_the_operation(twins: Pair) -> None:
    plan = initwise.choose(twins.bare(), twins.example, method="analytic", candidates="rule_a2").plan
    for name, axes in twins.axes.items():
        assert plan[name].layout is not None
        assert plan[name].layout.axes == axes


def test_the_plan_gives_it_the_std_that_the_layer_gets(twins: Pair) -> None:
    for rule in ("rule_a2", "rule_a", "he_normal", "xavier_normal", "torch_default"):
        own = planned(twins.bare(), twins.example, rule)
        other = planned(twins.layers(), twins.example, rule)
        for name, layer in (twins.twins | twins.biases).items():
            assert own[name].std == pytest.approx(other[layer].std, rel=1e-6), (rule, name)
            assert own[name].mean == other[layer].mean


def planned(model: nn.Module, example: object, rule: str) -> Plan:
    return initwise.choose(model, example, method="analytic", candidates=rule).plan


def test_after_filling_the_signal_is_as_large_as_with_layers(twins: Pair) -> None:
    """The mean over draws of ln E[y²], within four of its standard errors of the twin's."""
    inputs = arguments(twins.layers(), twins.example, seed=0)[0]
    own, other = (sizes(make, inputs) for make in (twins.bare, twins.layers))
    error = math.sqrt((statistics.variance(own) + statistics.variance(other)) / DRAWS)
    assert abs(statistics.mean(own) - statistics.mean(other)) < 4 * error + 0.02


DRAWS = 6


def sizes(make: Callable[[], nn.Module], inputs: tuple[torch.Tensor, ...]) -> list[float]:
    """ln E[y²] of the output, for several seeds."""
    found = []
    for seed in range(DRAWS):
        torch.manual_seed(0)
        model = make()
        if hasattr(model, "positions"):
            nn.init.normal_(model.positions, std=0.02)
        initwise.init_(model, "auto", example=inputs, seed=seed)
        with torch.no_grad():
            found.append(math.log(float(model(*inputs).square().mean())))
    return found


def test_biases_start_at_zero_and_gains_at_one_each_with_its_reason() -> None:
    twins = PAIRS["transformer"]
    model = twins.bare()
    advice = initwise.choose(model, twins.example)
    ledger = initwise.init_(model, advice)
    for name in ("bqkv", "bo", "bf1", "bf2", "c1", "c2", "c3"):
        assert not getattr(model, name).any()
    for name in ("g1", "g2", "g3"):
        assert bool((getattr(model, name) == 1).all())
    reasons = {entry.name: entry.reason for entry in ledger.entries}
    assert "a bare parameter, used as x @ W: axes (in, out)" in reasons["qkv"]
    assert "a bare parameter, added to what qkv makes" in reasons["bqkv"]
    assert "a bare parameter, the gain in F.layer_norm(x, …, g, b)" in reasons["g1"]
    assert "a bare parameter, the gain of a norm written by hand" in reasons["g2"]
    assert "used as W[ids]: axes (row, out), and as x @ W.T" in reasons["table"]


def test_positions_stay_as_they_were_made() -> None:
    twins = PAIRS["transformer"]
    model = twins.bare()
    before = model.positions.detach().clone()
    advice = initwise.choose(model, twins.example)
    initwise.init_(model, advice)
    assert torch.equal(model.positions, before)
    assert dict(advice.plan.kept)["positions"] == (
        "a bare parameter, added to the signal, and not to one weight's outputs alone: it stays as you have "
        "made it, unless a rule names it"
    )


def test_the_advice_says_that_it_read_them() -> None:
    twins = PAIRS["mlp"]
    said = initwise.choose(twins.bare(), twins.example).reasons
    assert (
        "Bare parameters are filled as the layers that would do the same (w1: used as x @ W: axes (in, out), "
        "6 in all); each reason in the plan says how it was read."
    ) in said


def test_an_advice_that_was_stored_still_fills_them(tmp_path) -> None:
    twins = PAIRS["attention by heads"]
    model, again = twins.bare(), twins.bare()
    advice = initwise.choose(model, twins.example)
    stored = Advice.from_json(advice.to_json())
    assert stored.plan == advice.plan
    initwise.init_(model, advice, seed=3)
    initwise.init_(again, Plan.from_json(stored.plan.to_json()), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_without_values_the_same_is_read(twins: Pair) -> None:
    with torch.device("meta"):
        model = twins.bare()
    advice = initwise.choose(model, twins.example, method="analytic", candidates="rule_a2")
    real = planned(twins.bare(), twins.example, "rule_a2")
    assert advice.plan.fills == real.fills
    assert advice.plan.kept == real.kept


def test_a_prediction_and_a_measurement_take_such_an_advice(twins: Pair) -> None:
    torch.manual_seed(0)
    model = twins.bare()
    advice = initwise.choose(model, twins.example, candidates="rule_a2")
    predicted, measured = (
        {layer.name: layer for layer in initwise.check(model, twins.example, plan=advice, mode=mode).layers}
        for mode in ("predict", "measure")
    )
    whole = next(name for name, layer in measured.items() if math.isfinite(layer.forward_rms))
    ratio = predicted[whole].forward_rms / measured[whole].forward_rms
    assert abs(math.log(ratio)) < 0.5  # few outputs: what one draw of them may be off by


def test_a_scheme_by_its_name_still_leaves_them_alone() -> None:
    model = PAIRS["mlp"].bare()
    model.extra = nn.Linear(3, 3)
    before = [p.detach().clone() for name, p in model.named_parameters() if "extra" not in name]
    initwise.init_(model, "he_normal")
    after = [p for name, p in model.named_parameters() if "extra" not in name]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_whole_model_schemes_of_choose_fill_them() -> None:
    for name in ("auto", "lsuv", "rule_a2"):
        model = Written(lambda m, x: torch.relu(x @ m.w1) @ m.w2, {"w1": bare(24, 32), "w2": bare(32, 3)})
        ledger = initwise.init_(model, name, example="f32[64,24]")
        assert [entry.status for entry in ledger.entries] == ["filled"] * 2
