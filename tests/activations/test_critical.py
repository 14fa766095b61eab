"""The edge of chaos: every pair of the table, closed forms, and an honest no where there is none."""

import math

import numpy as np
import pytest

from initwise.activations import activation, activations, critical, critical_point, fixed_point
from initwise.core.errors import OptionError

# (q, σ_w², σ_b²) on the critical line, to the digits printed
LINE = {
    "tanh": [
        (0.01, "1.01971", "0.000001"),
        (0.1, "1.17757", "0.000832"),
        (0.25, "1.39396", "0.008125"),
        (0.5, "1.68798", "0.038041"),
        (1, "2.15330", "0.150965"),
        (2, "2.86116", "0.512265"),
    ],
    "erf": [
        (0.1, "0.92930", "0.000936"),
        (0.25, "1.11072", "0.009699"),
        (0.5, "1.36035", "0.046550"),
        (1, "1.75620", "0.184140"),
    ],
    "arctan": [(0.1, "1.16759", "0.000677"), (0.5, "1.61014", "0.026206"), (1, "2.00000", "0.100598")],
    "softsign": [(0.1, "2.03313", "0.004803"), (0.5, "3.36656", "0.067804"), (1, "4.39230", "0.196148")],
    "hard_tanh": [(0.25, "1.04767", "0.008895"), (0.5, "1.18666", "0.059635"), (1, "1.46479", "0.244080")],
    "sin": [(0.25, "1.24492", "0.005081"), (0.5, "1.46212", "0.037883"), (1, "1.76159", "0.238406")],
    "elu": [
        (0.1, "1.216702", "0.000818"),
        (0.5, "1.400969", "0.012321"),
        (1, "1.496777", "0.034660"),
        (2, "1.593123", "0.088070"),
    ],
    "selu": [(0.5, "0.824540", "0.022413"), (1, "0.933206", "0.066794"), (2, "1.056313", "0.180492")],
    "gelu": [
        (0.5, "2.455506", "0.034543"),
        (1, "2.193700", "0.067192"),
        (2, "2.042851", "0.116322"),
        (5, "1.966275", "0.214445"),
    ],
    "silu": [
        (0.5, "2.987670", "0.026226"),
        (1, "2.635169", "0.062472"),
        (2, "2.342619", "0.127889"),
        (5, "2.099687", "0.273906"),
    ],
    "mish": [(1, "2.087318", "0.055818"), (2, "1.994289", "0.112002")],
    "sigmoid": [(50, "107.7052", "2.0366"), (100, "151.3627", "30.2611")],
}
PARALLEL = {
    ("gelu", 0.5): 1.100,
    ("gelu", 1): 1.067,
    ("gelu", 2): 1.026,
    ("gelu", 5): 0.990,
    ("mish", 1): 1.016,
    ("mish", 2): 0.994,
}
# σ_b² → (σ_w², q), as printed
BY_BIAS = {
    ("tanh", 0.0025): ("1.260094", "0.15369"),
    ("tanh", 0.01): ("1.424205", "0.27330"),
    ("tanh", 0.04): ("1.700796", "0.51208"),
    ("tanh", 0.05): ("1.760955", "0.57005"),
    ("tanh", 0.09): ("1.947655", "0.76347"),
    ("erf", 0.05): ("1.375839", None),
    ("elu", 0.04): ("1.511058", "1.1069"),
}
LIMITS = {"tanh": 1, "erf": math.pi / 4, "arctan": 1, "softsign": 1, "hard_tanh": 1, "sin": 1, "elu": 1}


def assert_printed(got, printed):
    digits = len(printed.partition(".")[2])
    assert got == pytest.approx(float(printed), rel=0, abs=0.51 * 10**-digits)


@pytest.mark.parametrize(("name", "row"), [(name, row) for name, rows in LINE.items() for row in rows])
def test_pairs_on_the_critical_line(name, row):
    q, weight, bias = row
    found = critical_point(name, q=q)
    assert_printed(found.weight_variance, weight)
    assert_printed(found.bias_variance, bias)
    if (name, q) in PARALLEL:
        assert found.chi_parallel == pytest.approx(PARALLEL[name, q], abs=5.1e-4)


@pytest.mark.parametrize(("name", "bias"), BY_BIAS)
def test_pairs_by_their_bias(name, bias):
    weight, q = BY_BIAS[name, bias]
    found = critical_point(name, bias_variance=bias)
    assert_printed(found.weight_variance, weight)
    assert found.bias_variance == pytest.approx(bias, rel=1e-9)
    if q:
        assert_printed(found.q, q)


@pytest.mark.parametrize(
    ("name", "q", "weight", "bias"),
    [
        ("gelu", "3.561553", "1.983058", "0.172922"),
        ("silu", "14.320174", "1.988005", "0.555143"),
        ("mish", "1.670169", "2.013524", "0.094522"),
    ],
)
def test_doubly_critical_points(name, q, weight, bias):
    found = critical(name)
    assert found.kind == "doubly critical"
    assert_printed(found.point.q, q)
    assert_printed(found.point.weight_variance, weight)
    assert_printed(found.point.bias_variance, bias)
    moments = activation(name).moments(found.point.q)
    assert moments.chi(found.point.weight_variance) == pytest.approx(1, abs=1e-12)
    assert moments.chi_parallel(found.point.weight_variance) == pytest.approx(1, abs=1e-9)


def test_gelus_doubly_critical_variance_has_a_closed_form():
    assert critical("gelu").point.q == pytest.approx((3 + math.sqrt(17)) / 2, rel=1e-12)


def test_a_silu_is_a_gelu_of_another_scale_as_far_as_the_weights_go():
    # x·σ(1.702x) is silu(1.702x)/1.702: critical at q/1.702², with the same σ_w²
    quick, silu = critical("quick_gelu").point, critical("silu").point
    assert quick.q == pytest.approx(silu.q / 1.702**2, rel=1e-9)
    assert quick.weight_variance == pytest.approx(silu.weight_variance, rel=1e-9)


@pytest.mark.parametrize("name", LIMITS)
def test_functions_that_are_linear_at_zero_are_critical_in_the_limit(name):
    found = critical(name)
    assert found.kind == "q → 0"
    assert found.point.weight_variance == pytest.approx(LIMITS[name], abs=1e-7)
    assert (found.point.q, found.point.bias_variance) == (0, 0)


@pytest.mark.parametrize(
    ("name", "weight"), [("identity", 1), ("relu", 2), ("leaky_relu(0.3)", 2 / 1.09), ("abs", 1)]
)
def test_scale_free_functions_have_one_pair_for_every_variance(name, weight):
    found = critical(name)
    assert found.kind == "every q"
    assert found.point.weight_variance == pytest.approx(weight, rel=1e-12)
    assert found.point.bias_variance == 0
    assert len(found.line) == 13


def test_no_pair_is_said_to_be_none_with_the_reason():
    found = critical("softplus")
    assert (found.kind, found.point, found.limit, found.line) == ("none", None, None, ())
    assert found.reason.startswith(
        "None found: for every q from 0.01 to 100 the pair with χ₁ = 1 needs a neg"
    )
    with pytest.raises(OptionError) as caught:
        critical_point("softplus", q=1)
    assert str(caught.value).startswith(
        "activation 'softplus' has no critical pair at q = 1.\n  Likely cause: σ_b²"
    )


def test_sigmoids_line_starts_far_out():
    found = critical("sigmoid")
    assert found.kind == "line"
    assert [pair.q for pair in found.line] == [50, 100]
    assert found.reason.startswith("Pairs exist only from q = 45.62 (σ_w² = 103) on")


def test_a_step_has_no_pair():
    found = critical(lambda x: np.sign(x))
    assert (found.kind, found.reason) == ("none", "E[φ′²] is zero, so no weights make χ₁ = 1.")


def test_any_callable_has_its_rows_pair():
    ours, rows = critical(np.tanh), critical("tanh")
    assert ours.point.weight_variance == pytest.approx(rows.point.weight_variance, rel=1e-9)
    assert [p.weight_variance for p in ours.line] == pytest.approx([p.weight_variance for p in rows.line])


def test_a_float32_function_is_judged_by_its_precision():
    def relu32(x):
        return np.maximum(np.float32(x), np.float32(0))

    assert critical(relu32).kind == "every q"
    assert critical(lambda x: np.tanh(np.float32(x))).kind == "q → 0"


@pytest.mark.parametrize("row", activations(), ids=lambda row: row.name)
def test_every_row_says_where_it_is_critical(row):
    found = critical(row.name)
    assert found.reason
    assert (found.point is None) == (found.kind in ("line", "none"))
    for pair in found.line:
        moments = activation(row.name).moments(pair.q)
        assert pair.weight_variance * moments.derivative_second == pytest.approx(1, rel=1e-12)
        assert pair.weight_variance * moments.second + pair.bias_variance == pytest.approx(pair.q, rel=1e-9)
    assert type(found).from_json(found.to_json()) == found


class TestFixedPoints:
    @pytest.mark.parametrize(
        ("name", "gain", "q", "chi"),
        [
            ("tanh", 5 / 3, "1.178481", "1.2098"),
            ("selu", 0.75, "0.023", None),
            ("sigmoid", 1, "0.264687", "0.0557"),
        ],
    )
    def test_what_torchs_constants_lead_to(self, name, gain, q, chi):
        found = fixed_point(name, gain**2)
        if name == "tanh":
            # the table's last digit is off by one: 1.1784804903…, confirmed by the test below
            q = "1.178480"
        assert_printed(found.q, q)
        if chi:
            assert_printed(found.chi, chi)

    def test_tanh_with_five_thirds_to_twelve_digits(self):
        mpmath = pytest.importorskip("mpmath")
        q = fixed_point("tanh", (5 / 3) ** 2).q
        with mpmath.workdps(25):
            second = mpmath.quad(
                lambda z: mpmath.tanh(mpmath.sqrt(q) * z) ** 2 * mpmath.npdf(z), [-15, -5, -1, 1, 5, 15]
            )
        assert float(second) * 25 / 9 == pytest.approx(q, rel=1e-12)

    def test_weights_and_biases_of_the_edge_stay_on_it(self):
        pair = critical_point("tanh", q=0.5)
        found = fixed_point("tanh", pair.weight_variance, pair.bias_variance, start=3.0)
        assert found.q == pytest.approx(0.5, rel=1e-9)
        assert found.chi == pytest.approx(1, rel=1e-9)
        assert found.gradient_depth > 1e8
        assert found.signal_depth == pytest.approx(1 / abs(math.log(pair.chi_parallel)), rel=1e-6)

    def test_variances_that_die_grow_or_stay(self):
        assert fixed_point("relu", 1).q == 0
        assert fixed_point("relu", 3).q == math.inf
        assert fixed_point("relu", 2, start=7.0).q == pytest.approx(7, rel=1e-12)
        assert fixed_point("relu", 1, 0.5).q == pytest.approx(1, rel=1e-12)

    def test_a_repelling_point_is_left_in_the_direction_of_the_start(self):
        # gelu at its q = 1 gain: χ_∥ = 1.144
        weight = 1 / activation("gelu").moments().second
        assert fixed_point("gelu", weight, start=0.9).q == 0
        assert fixed_point("gelu", weight, start=1.1).q == math.inf

    @pytest.mark.parametrize("value", [-1, math.nan, math.inf, "two"])
    def test_a_variance_that_is_none_is_refused(self, value):
        with pytest.raises(
            OptionError, match=r"fixed_point: weight_variance=.*; expected a finite number ≥ 0"
        ):
            fixed_point("relu", value)
        with pytest.raises(OptionError, match="fixed_point: bias_variance="):
            fixed_point("relu", 1, value)


class TestBadRequests:
    @pytest.mark.parametrize("given", [{}, {"q": 1, "bias_variance": 0.1}])
    def test_one_of_q_and_bias(self, given):
        with pytest.raises(OptionError, match="critical_point: q and bias_variance; expected one of the two"):
            critical_point("tanh", **given)

    @pytest.mark.parametrize("bias", [0, -1, math.nan, "a bit"])
    def test_a_bias_that_is_none(self, bias):
        with pytest.raises(OptionError, match=r"bias_variance=.*; expected a finite number > 0"):
            critical_point("tanh", bias_variance=bias)

    def test_a_bias_that_no_pair_has(self):
        with pytest.raises(OptionError) as caught:
            critical_point("relu", bias_variance=0.1)
        assert str(caught.value).startswith("activation 'relu' has no critical pair with σ_b² = 0.1.")
