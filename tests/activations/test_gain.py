"""Gains are computed from the function: the whole published table, closed forms, any callable."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.activations import activation, activations, gain, gate
from initwise.core.errors import OptionError

# E[φ], E[φ²], Var[φ], 1/√E[φ²], 1/√Var[φ], 1/√E[φ′²], by an independent quadrature, six decimals; the
# backward gain of a gate is not in that table
TABLE = {
    "identity": (0, 1, 1, 1, 1, 1),
    "relu": (0.398942, 0.5, 0.340845, 1.414214, 1.712859, 1.414214),
    "relu6": (0.398942, 0.500000, 0.340845, 1.414214, 1.712859, 1.414214),
    "leaky_relu(0.01)": (0.394953, 0.500050, 0.344062, 1.414143, 1.704832, 1.414143),
    "leaky_relu(0.2)": (0.319154, 0.520000, 0.418141, 1.386750, 1.546460, 1.386750),
    "elu": (0.160521, 0.644945, 0.619179, 1.245198, 1.270843, 1.223429),
    "celu": (0.160521, 0.644945, 0.619179, 1.245198, 1.270843, 1.223429),
    "selu": (0, 1, 1, 1, 1, 0.966026),
    "gelu": (0.282095, 0.425221, 0.345644, 1.533530, 1.700926, 1.481114),
    "gelu_tanh": (0.282039, 0.425194, 0.345648, 1.533581, 1.700917, 1.481168),
    "quick_gelu": (0.282331, 0.421953, 0.342242, 1.539459, 1.709359, 1.491459),
    "silu": (0.206621, 0.355776, 0.313083, 1.676532, 1.787187, 1.623320),
    "mish": (0.240404, 0.452342, 0.394548, 1.486848, 1.592025, 1.444755),
    "softplus": (0.806059, 0.921246, 0.271515, 1.041867, 1.919126, 1.846229),
    "log_sigmoid": (-0.806059, 0.921246, 0.271515, 1.041867, 1.919126, 1.846229),
    "tanh": (0, 0.394294, 0.394294, 1.592537, 1.592537, 1.467414),
    "erf": (0, 0.464559, 0.464559, 1.467167, 1.467167, 1.325218),
    "arctan": (0, 0.449701, 0.449701, 1.491208, 1.491208, 1.414214),
    "softsign": (0, 0.183014, 0.183014, 2.337533, 2.337533, 2.095781),
    "sigmoid": (0.5, 0.293379, 0.043379, 1.846229, 4.801313, 4.722646),
    "hard_tanh": (0, 0.516059, 0.516059, 1.392036, 1.392036, 1.210287),
    "hard_sigmoid": (0.5, 0.277639, 0.027639, 1.897840, 6.015034, 6.008116),
    "hard_swish": (0.166217, 0.331567, 0.303939, 1.736657, 1.813871, 1.670076),
    "relu_squared": (0.5, 1.5, 1.25, 0.816497, 0.894427, 0.707107),
    "sin": (0, 0.432332, 0.432332, 1.520867, 1.520867, 1.327251),
    "abs": (0.797885, 1, 0.363380, 1, 1.658897, 1),
    "exp": (1.648721, 7.389056, 4.670774, 0.367879, 0.462706, 0.367879),
    "glu": (0, 0.293379, 0.293379, 1.846229, 1.846229, None),
    "swiglu": (0, 0.355776, 0.355776, 1.676532, 1.676532, None),
    "geglu": (0, 0.425221, 0.425221, 1.533530, 1.533530, None),
    "reglu": (0, 0.5, 0.5, 1.414214, 1.414214, None),
}
# σ_w² = gain², χ_∥ and χ₁ at q = 1, to the digits printed. The table has 1.550520 for elu and 2.810757 for
# silu, squares of rounded gains: 30-digit quadrature gives the numbers below, as the test after next says.
STABILITY = {
    "relu": (2, 1, 1),
    "tanh": (2.536175, 0.461, 1.178),
    "selu": (1, 0.783, 1.0716),
    "elu": (1.550519, 0.891, 1.036),
    "mish": (2.210716, 1.076, 1.059),
    "gelu": (2.351716, 1.144, 1.072),
    "silu": (2.810761, 1.173, 1.067),
}


def assert_digits(got, printed, digits):
    assert got == pytest.approx(printed, rel=0, abs=0.51 * 10**-digits)


@pytest.mark.parametrize("name", TABLE)
def test_moments_have_the_tables_digits(name):
    moments = activation(name).moments()
    got = (
        moments.mean,
        moments.second,
        moments.variance,
        moments.gain,
        moments.centred_gain,
        moments.backward_gain,
    )
    for number, printed in zip(got, TABLE[name], strict=True):
        if printed is not None:
            assert_digits(number, printed, 6)


@pytest.mark.parametrize("name", STABILITY)
def test_stability_of_unit_variance_has_the_tables_digits(name):
    moments = activation(name).moments()
    weight_variance, parallel, chi = STABILITY[name]
    assert_digits(moments.gain**2, weight_variance, 6)
    assert_digits(moments.chi_parallel(), parallel, 3)
    assert_digits(moments.chi(), chi, 3 if name != "selu" else 4)


def test_two_last_digits_of_the_table_are_off_and_these_are_right():
    mpmath = pytest.importorskip("mpmath")

    def weight_variance(phi):
        def integrand(z):
            return phi(z) ** 2 * mpmath.npdf(z)

        return 1 / mpmath.quad(integrand, [-20, -4, -1, 0, 1, 4, 20])

    with mpmath.workdps(30):
        elu = weight_variance(lambda z: z if z > 0 else mpmath.expm1(z))
        silu = weight_variance(lambda z: z / (1 + mpmath.exp(-z)))
    assert gain("elu") ** 2 == pytest.approx(float(elu), rel=1e-14)
    assert gain("silu") ** 2 == pytest.approx(float(silu), rel=1e-14)
    assert (round(float(elu), 6), round(float(silu), 6)) == (1.550519, 2.810761)


def test_closed_forms_hold_to_twelve_digits():
    exact = 1e-12
    assert gain("relu") == pytest.approx(math.sqrt(2), rel=exact)
    assert gain("leaky_relu", backward=True) == pytest.approx(math.sqrt(2 / (1 + 0.01**2)), rel=exact)
    assert activation("relu").moments().centred_gain == pytest.approx(
        math.sqrt(2 / (1 - 1 / math.pi)), rel=exact
    )
    erf = activation("erf").moments()
    assert erf.second == pytest.approx(2 / math.pi * math.asin(2 / 3), rel=exact)
    assert erf.derivative_second == pytest.approx(4 / math.pi / math.sqrt(5), rel=exact)
    assert activation("sin").moments().second == pytest.approx((1 - math.exp(-2)) / 2, rel=exact)
    assert activation("exp").moments().second == pytest.approx(math.exp(2), rel=exact)


@pytest.mark.parametrize("a", [0.2, 1.0, 3.0])
def test_snakes_mean_and_variance_are_those_of_its_paper(a):
    moments = activation("snake", a=a).moments()
    assert moments.mean == pytest.approx((1 - math.exp(-2 * a * a)) / (2 * a), rel=1e-12)
    variance = 1 + (1 + math.exp(-8 * a * a) - 2 * math.exp(-4 * a * a)) / (8 * a * a)
    assert moments.variance == pytest.approx(variance, rel=1e-12)
    assert gain("snake(0)") == pytest.approx(1, rel=1e-14)


@settings(max_examples=25)
@given(q=st.floats(1e-6, 1e6), slope=st.floats(-0.9, 0.9))
def test_a_scale_free_function_has_one_gain_at_every_variance(q, slope):
    expected = math.sqrt(2 / (1 + slope**2))
    name = f"leaky_relu({slope!r})"
    assert gain(name, q=q) == pytest.approx(expected, rel=1e-10)
    assert gain(name, q=q, backward=True) == pytest.approx(expected, rel=1e-10)


@settings(max_examples=15)
@given(kink=st.floats(-3, 3), q=st.floats(0.01, 100))
def test_kinks_nobody_declared_are_found(kink, q):
    def ramp(x):
        return np.maximum(x - kink, 0.0)

    # closed form: E[max(x − t, 0)²] and P(x > t) for x ~ N(0, √q)
    t = kink / math.sqrt(q)
    above = 0.5 * math.erfc(t / math.sqrt(2))
    density = math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    moments = activation(ramp).moments(q)
    assert moments.derivative_second == pytest.approx(above, rel=1e-9, abs=1e-13)
    assert moments.second == pytest.approx(q * ((1 + t * t) * above - t * density), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("row", activations(), ids=lambda row: row.name)
def test_every_row_agrees_with_sampling_and_with_its_own_slope(row):
    chosen, q = activation(row.name), 0.7
    a, x = math.sqrt(q) * np.random.default_rng(0).standard_normal((2, 40_000))
    values, slopes, moments = chosen.elementwise(x), chosen.slope(x), chosen.moments(q)
    output = a * values if row.gated else values
    steepness = values**2 + (a * slopes) ** 2 if row.gated else slopes**2
    if row.spread:
        # its slope is drawn for negative x
        drawn = chosen.spread(x)
        output, steepness = np.sqrt(output**2 + drawn**2), steepness + (drawn / x) ** 2
    for sample, expected in ((output**2, moments.second), (steepness, moments.derivative_second)):
        tolerance = 5 * sample.std() / math.sqrt(x.size) + 1e-9
        assert sample.mean() == pytest.approx(expected, abs=tolerance)
    assert moments.error < 1e-10 * max(moments.second, 1)
    assert row.citation
    assert row.formula
    assert type(moments).from_json(moments.to_json()) == moments


def test_the_error_bound_holds_for_the_variance_at_which_tanh_is_steep():
    moments = activation("tanh").moments(1e6)
    # E[tanh²] = 1 − E[sech²] and E[sech²(√q z)] → 2/√(2πq)
    assert moments.second == pytest.approx(1 - 2 / math.sqrt(2 * math.pi * 1e6), abs=1e-8)


class TestWhatToKeep:
    def test_each_is_a_column_of_the_table(self):
        assert_digits(gain("silu"), 1.676532, 6)
        assert gain("silu", keep="second_moment") == gain("silu")
        assert_digits(gain("silu", keep="variance"), 1.787187, 6)
        assert_digits(gain("silu", keep="gradient"), 1.623320, 6)
        assert gain("silu", backward=True) == gain("silu", keep="gradient")

    def test_all_at_once_with_the_error_bound(self):
        gains = activation("gelu").gains(1.0)
        assert gains.forward == gain("gelu")
        assert gains.variance == gain("gelu", keep="variance")
        assert gains.backward == gain("gelu", backward=True)
        # the critical pair at q = 1
        assert_digits(gains.weight_variance, 2.193700, 6)
        assert_digits(gains.bias_variance, 0.067192, 6)
        assert_digits(gains.chi_parallel, 1.144, 3)
        assert 0 < gains.error < 1e-13
        assert 100 < gains.evaluations < 10_000
        assert type(gains).from_json(gains.to_json()) == gains

    def test_relative_to_any_variance(self):
        # sin: E[sin²] = (1 − e^(−2q))/2, E[cos²] = (1 + e^(−2q))/2
        q = 2.5
        assert gain("sin", q=q) == pytest.approx(math.sqrt(2 * q / (1 - math.exp(-2 * q))), rel=1e-13)
        assert gain("sin", q=q, backward=True) == pytest.approx(math.sqrt(2 / (1 + math.exp(-2 * q))))

    def test_another_wish_is_refused(self):
        with pytest.raises(OptionError) as caught:
            gain("relu", keep="varience")
        assert str(caught.value) == (
            "gain: keep='varience'.\n  Did you mean 'variance'?\n  Known: gradient, second_moment, variance."
        )
        with pytest.raises(OptionError, match="gain: backward=True with keep='variance'"):
            gain("relu", backward=True, keep="variance")

    def test_what_nothing_keeps(self):
        with pytest.raises(OptionError, match="it is constant, the gain would be infinite"):
            gain(lambda x: 0 * x + 3, keep="variance")
        with pytest.raises(OptionError, match="its derivative is zero almost everywhere"):
            gain(lambda x: 3.0, backward=True)
        assert gain(lambda x: 3.0) == pytest.approx(1 / 3)


class TestGates:
    @pytest.mark.parametrize(
        ("name", "phi"), [("glu", "sigmoid"), ("swiglu", "silu"), ("geglu", "gelu"), ("reglu", "relu")]
    )
    def test_a_pair_of_inputs_shares_one_forward_and_one_backward_gain(self, name, phi):
        q = 1.7
        alone = activation(phi).moments(q)
        assert gain(name, q=q) == pytest.approx(1 / math.sqrt(alone.second), rel=1e-13)
        both = alone.second + q * alone.derivative_second
        assert gain(name, q=q, backward=True) == pytest.approx(1 / math.sqrt(both), rel=1e-13)

    def test_a_bilinear_gate_is_a_product(self):
        # E[(ab)²] = q², and each factor is the other's derivative
        assert gain("bilinear", q=4) == pytest.approx(0.5, rel=1e-13)
        assert gain("bilinear", q=4, backward=True) == pytest.approx(1 / math.sqrt(8), rel=1e-13)

    def test_a_homogeneous_gate_doubles_every_deviation(self):
        # a·relu(b) has degree 2: at the forward gain both factors are 2, so signal and gradient blow up
        moments = activation("reglu").moments(3.0)
        assert moments.chi() == pytest.approx(2, rel=1e-12)
        assert moments.chi_parallel() == pytest.approx(2, rel=1e-12)

    def test_any_function_can_gate(self):
        assert gain(gate("silu")) == pytest.approx(gain("swiglu"), rel=1e-14)
        assert gain(gate(np.tanh), q=2) == pytest.approx(
            1 / math.sqrt(activation("tanh").moments(2).second), rel=1e-12
        )
        assert gate("glu") is activation("glu")
        assert gate(np.tanh).name == "gate(tanh)"

    def test_sampled_pairs_of_matrices_keep_signal_and_gradient(self):
        rng, width, hidden, batch = np.random.default_rng(1), 256, 512, 64
        x, error = rng.standard_normal((batch, width)), rng.standard_normal((batch, hidden))
        a, b = rng.standard_normal((2, width, hidden)) / math.sqrt(width)
        one, other, phi = x @ a, x @ b, activation("silu")
        output = one * phi.elementwise(other)
        assert (output**2).mean() == pytest.approx(1 / gain("swiglu") ** 2, rel=0.05)
        back = (error * phi.elementwise(other)) @ a.T + (error * one * phi.slope(other)) @ b.T
        # std gain/√fan_out instead of 1/√fan_in
        scale = gain("swiglu", backward=True) ** 2 / hidden * width
        assert (back**2).mean() * scale == pytest.approx(1, rel=0.05)


def test_names_with_parameters_are_the_same_activation():
    assert activation("leaky_relu(0.2)") is activation("lrelu", negative_slope=0.2)
    assert activation("leaky_relu(negative_slope=0.2)").name == "leaky_relu(0.2)"
    assert activation("leaky_relu(0.01)").name == "leaky_relu"
    assert activation(activation("leaky_relu"), negative_slope=0.2) is activation("leaky_relu(0.2)")
    assert gain("LeakyReLU", negative_slope=0.2) == gain("leaky_relu(0.2)")


def test_a_gate_multiplies_its_halves():
    x = np.array([[2.0, 3.0, 0.0, 1.0]])
    np.testing.assert_allclose(activation("reglu").numpy(x), [[0.0, 3.0]])


@pytest.mark.parametrize("q", [0.01, 1.0, 50.0])
def test_a_fast_function_is_served_up_to_what_the_error_says(q):
    rate = 0.22
    found = gain(lambda x: np.exp(rate * x * x / q), q=q)
    assert found == pytest.approx(math.sqrt(q) * (1 - 4 * rate) ** 0.25, rel=1e-12)
    with pytest.raises(OptionError, match=r"clearly slower than exp\(x²/4q\): exp\(0.22·x²/q\) does"):
        gain(lambda x: np.exp(0.24 * x * x / q), q=q)


@pytest.mark.parametrize("value", [1.0, 1e-9, 7e8])
@pytest.mark.parametrize("q", [0.01, 1.0, 300.0])
def test_a_constant_s_moments_do_not_follow_q(value, q):
    moments = activation(lambda x: x * 0 + value).moments(q)
    assert (moments.variance, moments.derivative_second, moments.second_slope) == (0, 0, 0)
    assert moments.chi_parallel() == 0


def test_a_step_s_moments_do_follow_q():
    """E[1(x > 1)²] = Φ(−1/√q) moves with q although the slope is 0 almost everywhere."""
    moments = activation(lambda x: (x > 1) * 1.0).moments()
    assert moments.second_slope == pytest.approx(math.exp(-0.5) / math.sqrt(2 * math.pi) / 2, rel=1e-9)


class TestOptionsHaveNames:
    @pytest.mark.parametrize(
        ("thing", "value", "fix"),
        [
            ("leaky_relu", 0.2, 'gain("leaky_relu", negative_slope=0.2)'),
            ("tanh", 2.0, 'gain("tanh", q=2.0)'),
            ("relu", True, 'gain("relu", backward=True)'),
        ],
    )
    def test_a_value_without_one_is_told_it(self, thing, value, fix):
        with pytest.raises(OptionError) as caught:
            gain(thing, value)
        assert str(caught.value).startswith(f"gain: {value!r} without a name; expected options")
        assert str(caught.value).endswith(f"{fix}.")

    @pytest.mark.parametrize("name", ["direction", "mode"])
    def test_the_gradient_s_gain_is_pointed_at(self, name):
        with pytest.raises(OptionError, match="backward=True is the gain that keeps the gradient"):
            gain("tanh", **{name: "backward"})
