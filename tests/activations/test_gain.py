"""Gains are computed from the function: the whole published table, closed forms, any callable."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.activations import activation, activations, gain
from initwise.core.errors import OptionError, UnknownNameError

# E[φ], E[φ²], Var[φ], 1/√E[φ²], 1/√Var[φ], 1/√E[φ′²], by an independent quadrature, six decimals
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
    "glu": (0, 0.293379, 0.293379, 1.846229, 1.846229, math.nan),
    "swiglu": (0, 0.355776, 0.355776, 1.676532, 1.676532, math.nan),
    "geglu": (0, 0.425221, 0.425221, 1.533530, 1.533530, math.nan),
    "reglu": (0, 0.5, 0.5, 1.414214, 1.414214, math.nan),
}
# σ_w² = gain², χ_∥ and χ₁ at q = 1, to the digits printed; σ_w² of elu and silu by 30-digit quadrature
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
    assert got == pytest.approx(printed, rel=0, abs=0.51 * 10**-digits, nan_ok=True)


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
        assert_digits(number, printed, 6)


@pytest.mark.parametrize("name", STABILITY)
def test_stability_of_unit_variance_has_the_tables_digits(name):
    moments = activation(name).moments()
    weight_variance, parallel, chi = STABILITY[name]
    assert_digits(moments.gain**2, weight_variance, 6)
    assert_digits(moments.chi_parallel(), parallel, 3)
    assert_digits(moments.chi(), chi, 3 if name != "selu" else 4)


@pytest.mark.parametrize(
    ("name", "q", "weight_variance"),
    [
        ("gelu", (3 + math.sqrt(17)) / 2, 1.983058),
        ("silu", 14.320174, 1.988005),
        ("mish", 1.670169, 2.013524),
    ],
)
def test_doubly_critical_points(name, q, weight_variance):
    moments = activation(name).moments(q)
    assert moments.chi(weight_variance) == pytest.approx(1, abs=1e-6)
    assert moments.chi_parallel(weight_variance) == pytest.approx(1, abs=1e-6)


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
    z = np.random.default_rng(0).standard_normal(40_000)
    x = math.sqrt(q) * z
    values, slopes, moments = chosen.elementwise(x), chosen.slope(x), chosen.moments(q)
    scale = math.sqrt(q) if row.gated else 1.0
    for sample, expected in ((values**2, moments.second / scale**2), (slopes**2, moments.derivative_second)):
        if math.isfinite(expected):
            tolerance = 5 * sample.std() / math.sqrt(z.size) + 1e-9
            assert sample.mean() == pytest.approx(expected, abs=tolerance)
    assert moments.error < 1e-10 * max(moments.second, 1)
    assert row.citation
    assert row.formula
    assert type(moments).from_json(moments.to_json()) == pytest.approx(moments) or math.isnan(
        moments.derivative_second
    )


def test_the_error_bound_holds_for_the_variance_at_which_tanh_is_steep():
    moments = activation("tanh").moments(1e6)
    # E[tanh²] = 1 − E[sech²] and E[sech²(√q z)] → 2/√(2πq)
    assert moments.second == pytest.approx(1 - 2 / math.sqrt(2 * math.pi * 1e6), abs=1e-8)


class TestCallables:
    def test_a_numpy_function_has_its_rows_gain(self):
        assert gain(np.tanh) == gain("tanh")

    def test_torch_functions_and_modules_are_called_on_tensors(self):
        torch = pytest.importorskip("torch")
        assert gain(torch.nn.functional.gelu) == pytest.approx(gain("gelu"), rel=1e-12)
        assert gain(torch.nn.LeakyReLU(0.2), backward=True) == pytest.approx(
            gain("leaky_relu(0.2)", backward=True), rel=1e-12
        )
        assert gain(torch.nn.PReLU()) == pytest.approx(gain("prelu"), rel=1e-12)

    def test_looking_at_a_module_changes_neither_it_nor_the_global_random_state(self):
        torch = pytest.importorskip("torch")
        module = torch.nn.RReLU()
        before = torch.random.get_rng_state()
        gain(module)
        assert module.training
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_a_float32_function_is_good_to_six_digits(self):
        def leaky(x):
            return np.maximum(np.float32(x), np.float32(0.1) * np.float32(x))

        assert gain(leaky) == pytest.approx(gain("leaky_relu(0.1)"), rel=1e-6)
        assert gain(leaky, backward=True) == pytest.approx(gain("leaky_relu(0.1)"), rel=1e-4)

    def test_a_callable_is_not_kept_alive(self):
        import gc
        import weakref

        class Square:
            def __call__(self, x):
                return x * x

        square = Square()
        gain(square)
        alive = weakref.ref(square)
        del square
        gc.collect()
        assert alive() is None


class TestErrors:
    def test_an_unknown_name_says_what_was_meant(self):
        with pytest.raises(UnknownNameError, match="no activation is called 'rellu'") as caught:
            gain("rellu")
        assert "Did you mean 'relu'?" in str(caught.value)

    @pytest.mark.parametrize(
        ("thing", "text"),
        [
            ("relu(3)", "activation 'relu': 'relu(3)' has too many parameters"),
            ("leaky_relu(x)", "activation 'leaky_relu': negative_slope='x'; expected a finite number"),
            ("leaky_relu(slope=1)", "activation 'leaky_relu': it has no parameter 'slope'"),
            (3, "activation is a int; expected a registered name or a function of an array"),
            (np.log, "activation 'log': the function gives nan at x = "),
            (np.sum, "activation 'sum' cannot be called on an array; expected a function of one array"),
            (lambda x: np.exp(x) / np.exp(x).sum(), "activation '<lambda>' is no elementwise function"),
            (lambda x: np.exp(x * x), "activation '<lambda>': E[f²] over N(0, 1) does not converge"),
            (
                lambda x: 0 * x,
                "activation '<lambda>': it is zero almost everywhere, the gain would be infinite",
            ),
        ],
    )
    def test_what_is_no_activation_is_refused(self, thing, text):
        with pytest.raises(OptionError) as caught:
            gain(thing)
        assert str(caught.value).startswith(text)

    def test_a_step_has_no_backward_gain(self):
        with pytest.raises(OptionError, match="its derivative is zero almost everywhere"):
            gain(lambda x: np.where(x > 0, 1.0, 0.0), backward=True)

    def test_a_gate_has_no_single_backward_gain(self):
        with pytest.raises(OptionError, match="activation 'swiglu' has two inputs"):
            gain("swiglu", backward=True)

    @pytest.mark.parametrize("q", [0, -1, math.nan, math.inf, "one"])
    def test_a_variance_that_is_none_is_refused(self, q):
        with pytest.raises(OptionError, match="expected a variance between"):
            gain("relu", q=q)


def test_names_with_parameters_are_the_same_activation():
    assert activation("leaky_relu(0.2)") is activation("lrelu", negative_slope=0.2)
    assert activation("leaky_relu(negative_slope=0.2)").name == "leaky_relu(0.2)"
    assert activation("leaky_relu(0.01)").name == "leaky_relu"


def test_a_gate_multiplies_its_halves():
    x = np.array([[2.0, 3.0, 0.0, 1.0]])
    np.testing.assert_allclose(activation("reglu").numpy(x), [[0.0, 3.0]])
