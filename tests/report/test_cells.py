"""How one value is written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initwise.report.cells import cell, listed, number, shape, share, shorten, with_error


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (0.04166, "0.0417"),
        (12.34, "12.3"),
        (1234.5, "1230"),
        (9999.0, "1.00e4"),
        (0.9999, "1.00"),
        (0.00123, "0.00123"),
        (0.000999, "9.99e-4"),
        (-0.5, "-0.500"),
        (math.inf, "inf"),
        (1e-30, "1.00e-30"),
    ],
)
def test_numbers_have_three_significant_digits(value, said):
    assert number(value) == said


@given(st.floats(-1e300, 1e300, allow_subnormal=False))
@settings(max_examples=200)
def test_a_number_is_written_to_half_a_percent_and_short(value):
    assert float(number(value)) == pytest.approx(value, rel=5.1e-3)
    assert len(number(value)) <= 10


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0%"), (0.004, "<1%"), (0.12, "12%"), (0.997, ">99%"), (1.0, "100%")]
)
def test_shares_never_round_something_to_nothing(value, said):
    assert share(value) == said


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (0.3121, 0.0043, "0.312 ± 0.004"),
        (0.3121, 0.0001, "0.312 ± <0.001"),
        (0.3121, 0.0, "0.312 ± 0.000"),
        (1.4e-5, 2e-7, "1.40e-5 ± 2.00e-7"),
        (math.inf, 0.1, "inf ± 0.100"),
    ],
)
def test_an_error_has_the_decimals_of_its_value(value, error, said):
    assert with_error(value, error) == said


def test_long_names_lose_their_middle():
    name = "vision.encoder.layers.11.attention.dense.weight"
    assert shorten(name, 21) == "vision.enc…nse.weight"
    assert shorten("short", 21) == "short"


@given(st.text(max_size=60), st.integers(1, 60))
@settings(max_examples=100)
def test_a_shortened_name_never_exceeds_its_width(name, width):
    assert len(shorten(name, width)) <= width


def test_what_is_not_there_is_a_dash():
    assert [cell(math.nan, "number"), cell("", "word"), cell(None, "rate")] == ["–", "–", "–"]


def test_shapes():
    assert [shape((128, 64)), shape((3,)), cell((), "shape")] == ["128×64", "3", "scalar"]


def test_learning_rates_have_no_trailing_zeros():
    assert cell(0.01, "rate") == "0.01"


def test_names_in_a_sentence():
    assert [listed(("a",)), listed(("a", "b")), listed(("a", "b", "c"))] == ["a", "a and b", "a, b and c"]
