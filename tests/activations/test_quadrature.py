"""The quadrature: error bounds that hold, breaks nobody declared, and how little it takes."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from initwise.activations import activation
from initwise.activations.quadrature import expectations
from initwise.activations.roots import root


def above(t):
    """P(z > t)."""
    return 0.5 * math.erfc(t / math.sqrt(2))


def density(t):
    return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)


def within(found, exact, bound):
    assert abs(found - exact) <= bound, (found, exact, bound)


# name, q → E[φ²] and E[φ′²] in closed form
CLOSED = {
    "relu": lambda q: (q / 2, 0.5),
    "exp": lambda q: (math.exp(2 * q), math.exp(2 * q)),
    "sin": lambda q: (-math.expm1(-2 * q) / 2, (1 + math.exp(-2 * q)) / 2),
    "cos": lambda q: ((1 + math.exp(-2 * q)) / 2, -math.expm1(-2 * q) / 2),
    "erf": lambda q: (2 / math.pi * math.asin(2 * q / (1 + 2 * q)), 4 / math.pi / math.sqrt(1 + 4 * q)),
    "gaussian": lambda q: ((1 + 4 * q) ** -0.5, 4 * q * (1 + 4 * q) ** -1.5),
    "relu_squared": lambda q: (1.5 * q * q, 2 * q),
    "abs": lambda q: (q, 1.0),
    "gelu": lambda q: (
        q / 4 + q / (2 * math.pi) * (math.asin(q / (1 + q)) + 2 * q / ((1 + q) * math.sqrt(1 + 2 * q))),
        0.25 + (math.asin(q / (1 + q)) + q * (3 + 5 * q) / ((1 + q) * (1 + 2 * q) ** 1.5)) / (2 * math.pi),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("q", [1e-4, 0.03, 1.0, 7.0, 50.0])
def test_the_error_bound_holds_where_the_answer_is_known(name, q):
    second, derivative = CLOSED[name](q)
    moments = activation(name).moments(q)
    # the closed form itself is rounded
    within(moments.second, second, moments.second_error + 2e-15 * second)
    within(moments.derivative_second, derivative, moments.derivative_error + 2e-15 * max(derivative, 0.25))
    assert moments.second_error <= 1e-12 * second + 1e-15


@settings(max_examples=40)
@given(place=st.floats(-4, 4), q=st.floats(0.05, 20), height=st.floats(0.01, 100))
@example(place=2e-11, q=2.0, height=1.0)  # between a panel's edge and where its end was probed
def test_a_jump_nobody_declared_is_found_and_has_no_slope(place, q, height):
    def step(x):
        return np.where(x > place, height, 0.0) + 0.5 * x

    t = place / math.sqrt(q)
    found = expectations(step, q, scout=True)
    second = height**2 * above(t) + height * math.sqrt(q) * density(t) + q / 4
    within(found.square, second, found.errors[1] + 1e-13 * second)
    within(found.slope_square, 0.25, found.errors[3] + 1e-12)
    assert max(found.errors[1] / second, found.errors[3]) < 1e-6


@settings(max_examples=30)
@given(place=st.floats(-3, 3), power=st.floats(0.58, 0.95))
def test_a_cusp_is_weighed_by_its_shells(place, power):
    # around x₀ = place: E[(|x − x₀|^p)′²] = p²·E[|x − x₀|^(2p − 2)], by mpmath
    mpmath = pytest.importorskip("mpmath")

    def cusp(x):
        return np.abs(x - place) ** power

    found = expectations(cusp, 1.0, scout=True)
    exponent = 2 * power - 2
    exact = (
        power**2
        * 2 ** (exponent / 2)
        * mpmath.gamma((exponent + 1) / 2)
        / mpmath.sqrt(mpmath.pi)
        * mpmath.hyp1f1(-exponent / 2, 0.5, -(place**2) / 2)
    )
    within(found.slope_square, float(exact), found.errors[3] + 1e-9)


def test_what_a_sliver_holds_is_counted():
    # half a per cent of E[(|z|^0.6)′²] lies closer to 0 than 1e-11, where no panel goes
    found = expectations(lambda x: np.abs(x) ** 0.6, 1.0)
    exact = 0.36 * 2**-0.4 * math.gamma(0.1) / math.sqrt(math.pi)
    assert found.errors[3] > 5e-3
    assert found.slope_square == pytest.approx(exact, rel=1e-4)


def test_what_diverges_is_infinite_and_what_does_not_is_not():
    assert expectations(lambda x: np.sqrt(np.abs(x)), 1.0).slope_square == math.inf
    log = expectations(lambda x: np.log(np.abs(x)), 1.0)
    assert log.slope_square == math.inf
    # E[ln²|z|] = π²/8 + ((γ + ln 2)/2)²
    exact = math.pi**2 / 8 + ((np.euler_gamma + math.log(2)) / 2) ** 2
    within(log.square, exact, log.errors[1] + 1e-9)


def test_many_breaks_are_all_found():
    def stairs(x):
        return np.floor(3.7 * x)

    ks = np.arange(-60, 60)
    edges = [above(k / 3.7) for k in range(-60, 61)]
    exact = sum(k * k * (a - b) for k, a, b in zip(ks, edges[:-1], edges[1:], strict=True))
    found = expectations(stairs, 1.0, scout=True)
    within(found.square, exact, found.errors[1] + 1e-12)
    within(found.slope_square, 0, found.errors[3])
    assert found.errors[3] < 1e-9


def test_a_narrow_spike_in_an_unknown_function_is_seen():
    def spike(x):
        return x + 10 * (np.abs(x - 0.7123) < 2e-3)

    width = above(0.7103) - above(0.7143)
    expected = 1 + (100 + 20 * 0.7123) * width
    assert activation(spike).moments().second == pytest.approx(expected, rel=1e-5)


def test_steep_functions_of_large_variances():
    # E[tanh²(√q z)] → 1 − √(2/πq)
    found = activation("tanh").moments(1e10)
    assert found.second == pytest.approx(1 - math.sqrt(2 / math.pi / 1e10), abs=1e-10)
    assert found.derivative_second == pytest.approx(4 / 3 * density(0) / 1e5, rel=1e-6)


def test_float32_functions_are_known_to_be_less_exact():
    rough = activation(lambda x: np.tanh(np.float32(x))).moments()
    exact = activation("tanh").moments()
    assert rough.error > 1e3 * exact.error
    within(rough.second, exact.second, rough.second_error + 1e-7)
    within(rough.derivative_second, exact.derivative_second, 1e-5)


def test_it_takes_few_evaluations():
    for name in ("relu", "tanh", "gelu", "silu", "hard_swish"):
        assert activation(name).moments().evaluations <= 2000


def test_a_root_is_found_to_the_last_digits():
    assert root(lambda x: x**3 - 2, 0, 2) == pytest.approx(2 ** (1 / 3), rel=1e-14)
    assert root(lambda x: math.exp(20 * x) - 1, -1, 0.9) == pytest.approx(0, abs=1e-12)
    assert root(lambda x: x, 0, 1) == 0
    assert root(lambda x: x - 1, 0, 1) == 1
