"""All rows conform (`initwise.testing.check_scheme`), the textbook's formulas, and errors."""

import dataclasses
import math
import re

import pytest

from initwise.core.errors import FillError, LayoutError, OptionError, UnknownNameError
from initwise.core.layout import Fans, fans
from initwise.schemes import NEEDS, from_values, scheme, schemes
from initwise.testing import check_scheme

ROWS = schemes()
MATRIX = fans((96, 64), "oi")
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

ISSUE = [
    "zeros",
    "ones",
    "constant",
    "uniform",
    "normal",
    "truncated_normal",
    "textbook_normal",
    "xavier_normal",
    "glorot_normal",
    "xavier_uniform",
    "glorot_uniform",
    "lasagne_glorot_uniform",
    "lasagne_glorot_normal",
    "lasagne_he_normal",
    "lasagne_he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "he_normal",
    "kaiming_normal",
    "he_uniform",
    "kaiming_uniform",
    "variance_scaling",
    "orthogonal",
    "delta_orthogonal",
    "identity",
    "dirac",
    "sparse",
    "zero_hadamard",
    "torch_default",
    "keras_default",
    "flax_default",
    "auto",
    "lsuv",
]


@pytest.mark.parametrize("name", ISSUE)
def test_every_scheme_of_the_textbook_is_there(name):
    assert scheme(name).row in ROWS


@every_row
def test_every_scheme_conforms(row):
    check_scheme(row)


@every_row
def test_a_scheme_answers_to_its_aliases_and_says_its_options(row):
    made = scheme(row.name)
    assert str(made) == row.name
    assert {scheme(alias) for alias in row.aliases} <= {made}
    data = row.to_dict()
    assert data["name"] == row.name
    assert [option["name"] for option in data["options"]] == [option.name for option in row.options]


def test_a_gain_is_told_and_nothing_is_nothing():
    assert scheme("he_normal").fill(MATRIX, gain=3).reason.endswith(", times gain 3")
    assert scheme("he_normal").fill(fans((0, 64), "oi")).reason == "no elements"
    with pytest.raises(FillError, match="fan_in is 0"):
        scheme("he_normal").fill(Fans(0.0, 0.0))


@every_row
def test_a_known_answer_says_where_it_comes_from(row):
    assert [known for known in row.known if not known.source.strip()] == []
    assert not [known for known in row.known if "catalogue" in known.source]


READ = re.compile(
    r"[\w*]\.(py|ipynb)\b|README|torch/nn/modules|keras/src/layers|lasagne/layers|transformers|torchtitan|nanochat"
    r"|mean-field-cnns"
)
"""Code and notebooks that can be read again, as a citation names them."""


@every_row
def test_what_was_verified_in_source_names_the_source(row):
    assert row.evidence != "verified in source" or READ.search(row.citation), row.citation


def test_evidence_of_adapters_is_said_row_by_row():
    with pytest.raises(TypeError, match="evidence"):
        from_values._add("x", len, (), "s", "f", "c", use="u", suits=(), see=())


@every_row
def test_laws_that_need_fans_say_so(row):
    made = scheme(row.name)
    if row.elementwise:
        assert made.fill().law
    elif row.planner:
        with pytest.raises(OptionError, match="decides for a whole model"):
            made.fill(MATRIX)
    elif row.needs:
        with pytest.raises(OptionError, match="without a place in a model; expected at=Site") as caught:
            made.fill(MATRIX)
        assert all(NEEDS[need] in str(caught.value) for need in row.needs)
    else:
        with pytest.raises(OptionError) as caught:
            made.fill((96, 64))
        assert str(caught.value) == (
            f"scheme {row.name!r}: fans is a tuple; expected Fans.\n"
            '  initwise.fans(shape, layout) makes them: fans((256, 64), "oi").'
        )


class TestExactFormulas:
    """The textbook's systems, as equalities."""

    def test_textbook_normal_redraws_into_the_open_interval(self):
        fill = scheme("textbook_normal").fill()
        assert fill.law == "truncated_normal"  # redrawn, not clamped
        assert (fill.loc, fill.scale, fill.low, fill.high) == (0.0, 0.1, -1.0, 1.0)

    @pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 256), (3, 7), (1, 1)])
    def test_fan_laws(self, fan_in, fan_out):
        weight = fans((fan_out, fan_in), "oi")

        def std(name, **options):
            return scheme(name, **options).fill(weight).std

        def high(name, **options):
            return scheme(name, **options).fill(weight).high

        assert std("xavier_normal") == pytest.approx(math.sqrt(2 / (fan_in + fan_out)), rel=1e-15)
        assert high("xavier_uniform") == pytest.approx(math.sqrt(6 / (fan_in + fan_out)), rel=1e-15)
        assert high("lasagne_glorot_uniform", gain="relu") == pytest.approx(
            math.sqrt(12 / (fan_in + fan_out)), rel=1e-15
        )
        assert high("lasagne_glorot_uniform", gain=0.5) == pytest.approx(
            math.sqrt(1.5 / (fan_in + fan_out)), rel=1e-15
        )
        assert std("he_normal") == math.sqrt(2 / fan_in)
        assert std("he_normal", mode="fan_out") == std("he_fan_out") == math.sqrt(2 / fan_out)
        assert std("lecun_normal") == math.sqrt(1 / fan_in)
        assert high("torch_default") == 1 / math.sqrt(fan_in)

    def test_truncation_is_corrected_or_not_as_asked(self):
        plain = scheme("truncated_normal", std=0.02).fill()
        assert (plain.scale, plain.low, plain.high) == (0.02, -0.04, 0.04)
        assert plain.std == pytest.approx(0.02 * 0.8796256610342398, rel=1e-13)
        fixed = scheme("truncated_normal", std=0.02, correct=True).fill()
        assert fixed.std == pytest.approx(0.02, rel=1e-13)
        bounded = scheme("truncated_normal", std=0.5, low=-1, high=1, bounds="weight", correct=True).fill()
        assert bounded.std == pytest.approx(0.5, rel=1e-12)
        assert (bounded.low, bounded.high) == (-1, 1)

    def test_normal_is_bounded_only_if_asked(self):
        assert scheme("normal", std=0.02).fill().law == "normal"
        assert scheme("normal", std=0.02, high=0.01).fill().law == "truncated_normal"

    def test_a_matrix_that_shrinks_cannot_be_delta_orthogonal(self):
        with pytest.raises(FillError, match="delta_orthogonal: 32 input and 16 output channels"):
            scheme("delta_orthogonal").fill(fans((16, 32, 3, 3), "oihw"))
        with pytest.raises(FillError, match="kernel size 4 has no centre"):
            scheme("delta_orthogonal").fill(fans((32, 32, 4, 4), "oihw"))
        assert scheme("delta_orthogonal").fill(MATRIX).law == "orthogonal"


class TestErrors:
    def test_unknown_scheme(self):
        with pytest.raises(UnknownNameError) as caught:
            scheme("he_norml")
        assert str(caught.value).startswith("no scheme is called 'he_norml'.\n  Did you mean 'he_normal'?\n")

    @pytest.mark.parametrize(
        ("name", "options", "text"),
        [
            (
                "he_normal",
                {"mod": "fan_in"},
                "scheme 'he_normal': it has no option 'mod'.\n  Did you mean 'mode'?",
            ),
            (
                "he_normal",
                {"mode": "fanout"},
                "scheme 'he_normal': mode='fanout'.\n  Did you mean 'fan_out'?",
            ),
            ("zeros", {"value": 1}, "scheme 'zeros': it has no option 'value'.\n  It has no options at all."),
            ("normal", {"std": "wide"}, "scheme 'normal': std='wide'; expected a number."),
            ("normal", {"std": math.nan}, "scheme 'normal': std=nan; expected a number."),
            ("normal", {"std": True}, "scheme 'normal': std=True; expected a number."),
            (
                "truncated_normal",
                {"correct": 1},
                "scheme 'truncated_normal': correct=1; expected True or False.",
            ),
            (
                "lasagne_he_normal",
                {"gain": "rleu"},
                "scheme 'lasagne_he_normal': gain='rleu'.\n  Did you mean 'relu'?",
            ),
            ("variance_scaling", {"scale": 0}, "variance_scaling: scale=0.0; expected a finite number > 0."),
            ("xavier_normal", {"gain": -1}, "gain=-1.0; expected a finite number > 0."),
        ],
    )
    def test_bad_options_are_refused_at_once(self, name, options, text):
        with pytest.raises(OptionError) as caught:
            scheme(name, **options)
        assert str(caught.value).startswith(text)

    @pytest.mark.parametrize(
        ("name", "options", "text"),
        [
            ("normal", {"std": -0.1}, "normal: std -0.1; expected std ≥ 0."),
            ("truncated_normal", {"std": 0.0}, "truncated_normal: std 0.0; expected std > 0."),
            ("truncated_normal", {"low": 2, "high": -2}, "truncated_normal: empty bounds"),
            ("uniform", {"high": math.inf}, "uniform: high inf; expected a finite number."),
            (
                "truncated_normal",
                {"std": 0.9, "low": -1, "high": 1, "bounds": "weight", "correct": True},
                "truncated_normal: no normal between -1.0 and 1.0 has std 0.9; "
                "expected a std below that of the uniform, 0.57735.",
            ),
        ],
    )
    def test_options_that_make_no_law_are_refused_at_once(self, name, options, text):
        with pytest.raises(FillError) as caught:
            scheme(name, **options)
        assert str(caught.value).startswith(text)

    @pytest.mark.parametrize("gain", [-1, math.nan, math.inf, "two", True])
    def test_a_gain_that_is_none_is_refused(self, gain):
        with pytest.raises(FillError, match="expected a finite number ≥ 0"):
            scheme("he_normal").fill(MATRIX, gain=gain)

    def test_fans_made_by_hand_cannot_be_counted_as_a_framework_does(self):
        with pytest.raises(LayoutError, match="torch cannot count fans without shape and layout"):
            scheme("he_normal", flavor="torch").fill(Fans(3.0, 4.0))

    def test_a_scheme_is_frozen(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            scheme("zeros").name = "ones"
