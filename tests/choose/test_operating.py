"""Operating points: known numbers, and the promise that depth times the change stays within the budget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.choose.operating import BUDGET, DRIFT, FLAT, operating_point, point_at

SMOOTH = ("tanh", "gelu", "silu", "selu", "elu", "mish", "sin", "erf")


@pytest.mark.parametrize(
    ("name", "gain", "chi", "stability"),
    [
        # gains, χ₁ and χ_∥ at q = 1 of the literature's table, six digits rounded
        ("relu", 1.414214, 1.0, 1.0),
        ("tanh", 1.592537, 1.178, 0.461),
        ("selu", 1.0, 1.0716, 0.783),
        ("elu", 1.245198, 1.036, 0.891),
        ("mish", 1.486848, 1.059, 1.076),
        ("gelu", 1.533530, 1.072, 1.144),
        ("silu", 1.676532, 1.067, 1.173),
    ],
)
def test_gain_and_both_factors_at_unit_variance(name: str, gain: float, chi: float, stability: float) -> None:
    point = point_at(name)
    assert point.gain == pytest.approx(gain, rel=1e-4)
    assert point.chi == pytest.approx(chi, abs=1e-3)
    assert point.stability == pytest.approx(stability, abs=1e-3)


def test_sigmoid_centred_is_the_critical_identity() -> None:
    point = operating_point("sigmoid", 10, centred=True)
    assert point.centred
    # φ(0) = 1/2 and φ′(0) = 1/4: z ← 4·(σ(z) − 1/2) has slope 1 at 0
    assert point.gain == pytest.approx(4, rel=1e-6)
    assert point.mean == pytest.approx(0.5)
    assert point.bias == 0
    assert operating_point("sigmoid", 100, centred=True).q < point.q


def test_sigmoid_without_a_bias_cannot_keep_its_gradient() -> None:
    point = operating_point("sigmoid", 10, biased=False)
    assert not point.within_budget
    assert point.bias == 0


def test_a_bias_moves_sigmoid_to_where_it_is_critical_and_steady() -> None:
    point = operating_point("sigmoid", 30)
    assert -4 < point.bias < -2.5
    assert point.within_budget
    assert point.chi == pytest.approx(1.0, abs=1 / 30)
    assert point.drift <= DRIFT


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from((*SMOOTH, "relu", "leaky_relu", "sigmoid", "softplus")), depth=st.integers(1, 300)
)
def test_depth_times_change_stays_within_the_budget(name: str, depth: int) -> None:
    point = operating_point(name, depth, centred=True)
    assert point.within_budget
    assert depth * abs(math.log(point.chi)) <= BUDGET + 1e-9


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(SMOOTH), depth=st.integers(2, 150))
def test_deeper_networks_work_at_smaller_variance(name: str, depth: int) -> None:
    shallow, deep = operating_point(name, depth), operating_point(name, 2 * depth)
    assert deep.q <= shallow.q
    assert shallow.drift <= DRIFT
    assert not shallow.bias


@pytest.mark.parametrize("depth", [2, 3, 5, 10, 50])
def test_a_bias_never_saturates_the_activation(depth: int) -> None:
    assert operating_point("sigmoid", depth).flat <= FLAT


def test_relu_is_the_same_at_every_depth() -> None:
    assert operating_point("relu", 3).q == operating_point("relu", 1000).q == 1.0


def test_the_largest_variance_within_the_budget_is_taken() -> None:
    point = operating_point("tanh", 50)
    bigger = point_at("tanh", point.q * 10**0.1, 50)
    assert not (bigger.within_budget and bigger.drift <= DRIFT)


def test_centring_is_only_for_what_cannot_do_without() -> None:
    assert not operating_point("tanh", 100, centred=True).centred
    assert not operating_point("gelu", 100, centred=True).centred
    assert operating_point("softplus", 100, centred=True).centred


@pytest.mark.parametrize("name", ["", "nobody_knows_this"])
def test_an_unknown_activation_counts_as_linear(name: str) -> None:
    point = operating_point(name, 20)
    assert (point.activation, point.q, point.gain, point.chi) == ("", 1.0, 1.0, 1.0)


def test_a_gated_activation_brings_its_second_moment() -> None:
    assert point_at("glu").second == pytest.approx(0.293379, rel=1e-4)
