"""One conformance test over all rows: a row that is wrong or incomplete cannot be added."""

import dataclasses
import math

import numpy as np
import pytest

from initwise.core.errors import FillError, LayoutError, OptionError, UnknownNameError
from initwise.core.fill import MATRIX_LAWS, SHAPED_LAWS, Fill
from initwise.core.layout import Fans, Layout, fans
from initwise.random import fill_array
from initwise.schemes import NEEDS, Scheme, Site, scheme, schemes
from initwise.schemes.base import EVIDENCE

ROWS = schemes()
LAWS = [row for row in ROWS if not row.planner and not row.needs]
KNOWN = [
    pytest.param(row, known, id=f"{row.name}-{known.attribute}-{i}")
    for row in ROWS
    for i, known in enumerate(row.known)
]
MATRIX = fans((96, 64), "oi")
KERNEL = fans((48, 32, 3, 3), "oihw")
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
every_law = pytest.mark.parametrize("row", LAWS, ids=lambda row: row.name)

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


@pytest.mark.parametrize(("row", "known"), KNOWN)
def test_known_answer(row, known):
    weight = None  # a factor on a branch has no axes and no fans
    if known.layout:
        weight = fans(
            known.shape, known.layout, groups=known.groups, parts=known.parts or None, stride=known.stride
        )
    at = Site(**dict(known.at)) if row.needs else None
    fill = scheme(row.name, **dict(known.options)).fill(weight, at=at)
    # the published numbers have ten decimals
    assert getattr(fill, known.attribute) == pytest.approx(known.value, rel=0, abs=6e-11)


@every_row
def test_row_is_complete(row):
    assert row.summary.endswith(".")
    assert row.formula
    assert row.citation
    assert row.evidence in EVIDENCE
    assert row.differences
    assert row.avoid
    assert row.use.endswith("."), "when to use it, in one sentence"
    assert row.suits, "at least one of core.traits.TRAITS"
    assert not set(row.suits) & set(row.unsuited)
    assert {scheme(name).name for name in row.see} == set(row.see) - {row.name}
    # what starts from arrays is no law, and has no number of its own
    assert row.known or row.planner or {"values", "data"} & set(row.needs)
    assert all(option.meaning and option.kind for option in row.options)
    data = row.to_dict()
    assert data["name"] == row.name
    assert [option["name"] for option in data["options"]] == [option.name for option in row.options]


@every_row
def test_scheme_survives_json_and_answers_to_its_aliases(row):
    made = scheme(row.name)
    assert Scheme.from_json(made.to_json()) == made
    assert str(made) == row.name
    assert {scheme(alias) for alias in row.aliases} <= {made}


@every_law
@pytest.mark.parametrize("weight", [MATRIX, KERNEL], ids=["matrix", "kernel"])
def test_fill_is_explained_and_survives_json(row, weight):
    fill = scheme(row.name).fill(weight)
    assert fill.reason
    assert fill.citation
    assert fill.layout == weight.layout
    assert Fill.from_json(fill.to_json()) == fill


@every_law
def test_declared_moments_are_those_of_the_numbers(row):
    for weight in (MATRIX, KERNEL):
        fill = scheme(row.name).fill(weight)
        values = fill_array(np.empty(weight.shape, np.float64), fill, name=f"{row.name}.weight", seed=3)
        # five standard errors; a matrix law's entries are less free than independent ones, never more
        assert values.mean() == pytest.approx(fill.mean, abs=5 * fill.std / math.sqrt(values.size) + 1e-12)
        if fill.law in MATRIX_LAWS:
            rms = math.hypot(fill.mean, fill.std)
            assert math.sqrt((values**2).mean()) == pytest.approx(rms, rel=1e-9)
        else:
            # the fewer weights are not zero, the more of the variance each of them is
            spread = fill.scale if fill.law == "sparse" else fill.std
            assert values.std() == pytest.approx(fill.std, abs=5 * spread / math.sqrt(2 * values.size))
        assert fill.low <= values.min()
        assert values.max() <= fill.high


@every_law
def test_gain_is_an_extra_factor(row):
    once, thrice = scheme(row.name).fill(MATRIX), scheme(row.name).fill(MATRIX, gain=3)
    assert thrice.std == pytest.approx(3 * once.std, rel=1e-15)
    assert thrice.mean == pytest.approx(3 * once.mean, rel=1e-15)
    assert thrice.reason.endswith(", times gain 3")


@every_law
def test_packed_parts_have_their_own_fans(row):
    parts = (("q", 64), ("kv", 32))
    packed = scheme(row.name).fill(fans((96, 64), Layout("oi", parts=parts)))
    alone = [scheme(row.name).fill(fans((size, 64), "oi")) for _, size in parts]
    if alone[0].law == "constant":
        assert packed.mean == alone[0].mean
        return
    assert packed.law == "packed"
    assert [(name, size) for name, size, _ in packed.parts] == list(parts)
    assert [fill.formula for _, _, fill in packed.parts] == [fill.formula for fill in alone]


@every_law
def test_nothing_is_written_where_there_is_nothing(row):
    fill = scheme(row.name).fill(fans((0, 64), "oi"))
    assert (fill.law, fill.mean, fill.reason) == ("constant", 0.0, "no elements")


@every_law
def test_a_fan_of_zero_is_refused_or_does_not_matter(row):
    broken, made = Fans(0.0, 0.0), scheme(row.name)
    shaped = made.fill(MATRIX).law in SHAPED_LAWS
    by_ratio = shaped and made.fill(MATRIX).gain != made.fill(fans((64, 96), "oi")).gain
    if row.elementwise or (shaped and not by_ratio):
        assert made.fill(broken).law
    else:
        with pytest.raises(FillError, match=r"fan_(in|out|avg) is 0"):
            scheme(row.name).fill(broken)


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
