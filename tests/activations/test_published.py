"""Constants that papers and frameworks print, held against the computed gains."""

import math

import pytest

from initwise import explain
from initwise.activations import activation, activations, gain

ROWS = [(row, constant) for row in activations() for constant in row.published]
# NFNets' constants against the computed variance gain, in per cent, as printed
NFNETS = {
    "relu": "0.064",
    "relu6": "0.017",
    "leaky_relu": "0.063",
    "elu": "0.060",
    "celu": "0.007",
    "selu": "0.085",
    "gelu": "0.034",
    "silu": "0.053",
    "softplus": "0.063",
    "log_sigmoid": "0.012",
    "tanh": "0.086",
    "softsign": "0.056",
    "sigmoid": "0.053",
    "glu": "0.12",
}


def from_source(name, source):
    return next(constant for constant in activation(name).row.published if constant.source == source)


@pytest.mark.parametrize("name", NFNETS)
def test_nfnets_sampled_constants_are_off_by_what_the_table_says(name):
    constant = from_source(name, "NFNets")
    assert (constant.kind, constant.keeps) == ("sampled", "variance")
    digits = len(NFNETS[name].partition(".")[2])
    off = 100 * constant.deviation(activation(name).moments())
    assert off == pytest.approx(float(NFNETS[name]), rel=0, abs=0.51 * 10**-digits)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("identity", "exact"),
        ("relu", "exact"),
        ("leaky_relu", "exact"),
        ("tanh", "empirical"),
        ("selu", "empirical"),
        ("sigmoid", "convention"),
    ],
)
def test_torchs_constants_are_torchs_and_classed_by_what_they_are(name, kind):
    init = pytest.importorskip("torch").nn.init
    constant = from_source(name, "torch.nn.init.calculate_gain")
    assert constant.gain == init.calculate_gain({"identity": "linear"}.get(name, name))
    assert constant.kind == kind


@pytest.mark.parametrize(("row", "constant"), ROWS, ids=lambda item: getattr(item, "name", ""))
def test_what_is_called_exact_is_and_nothing_else(row, constant):
    off = abs(constant.deviation(activation(row.name).moments()))
    if constant.kind == "exact":
        assert off < 1e-12
    elif constant.kind in ("rounded", "sampled"):
        assert off < 1.3e-3
    elif constant.kind in ("empirical", "fitted"):
        assert off > 1e-3


def test_other_published_conventions():
    assert from_source("elu", "SIREN's code").gain ** 2 == pytest.approx(1.5505188080679277, rel=1e-15)
    assert from_source("silu", "EDM2").gain == pytest.approx(gain("silu"), rel=1e-3)
    # a table has 0.596470 for this root; to nine digits it is 0.596469211
    assert round(math.sqrt(activation("silu").moments().second), 9) == 0.596469211
    assert round(from_source("gelu", "unit-scaling").gain, 6) == 1.766783
    assert from_source("scaled_tanh", "LeCun et al. 1998").gain == 1
    # 1.7159 is what makes φ(1) = 1, to its four digits
    assert 1 / math.tanh(2 / 3) == pytest.approx(1.7159, abs=5e-5)
    assert gain("scaled_tanh") == pytest.approx(1.154, abs=5e-4)


def test_stylegan2_multiplies_relu_and_swish_by_the_root_of_two_and_the_rest_by_one():
    gains = {row.name: c.gain for row, c in ROWS if c.source == "StyleGAN2 bias_act"}
    assert {name for name, value in gains.items() if value == math.sqrt(2)} == {"relu", "silu"}
    assert {name for name, value in gains.items() if value == 1} == {
        "identity",
        "tanh",
        "sigmoid",
        "elu",
        "selu",
        "softplus",
    }


class TestExplained:
    def test_which_constant_is_exact_and_which_is_empirical_and_by_how_much(self):
        told = explain("tanh").differences
        assert (
            "torch.nn.init.calculate_gain: 1.666667, empirical: 4.65% above 1.592537, which keeps the second "
            "moment at q = 1."
        ) in told
        assert (
            "torch.nn.init.calculate_gain: 1.414214, exact: it keeps the second moment at q = 1."
        ) in explain("relu").differences
        assert any("0.75, empirical: 25.00% below 1," in line for line in explain("selu").differences)
        assert any("1, convention: 45.84% below 1.846229" in line for line in explain("sigmoid").differences)

    def test_constants_belong_to_the_default_parameters(self):
        assert any("NFNets" in line for line in explain("leaky_relu").differences)
        assert not any("NFNets" in line for line in explain("leaky_relu(0.2)").differences)

    def test_the_edge_of_chaos_is_told(self):
        facts = dict(explain("gelu").facts)
        assert facts["edge of chaos"].startswith(
            "σ_w² = 1.983058, σ_b² = 0.172922. χ_∥ = χ₁ = 1 at q = 3.56155"
        )
        assert dict(explain("softplus").facts)["edge of chaos"].startswith("None found")

    def test_a_gate_says_what_its_backward_gain_is_of(self):
        facts = dict(explain("reglu").facts)
        assert facts["E[φ(b)²] + q·E[φ′(b)²]"] == "1.000000"
        assert facts["backward gain"] == "1/√ of it = 1.000000"
