"""Fill: the declared mean and std of every law, in closed form."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from initwise.core.errors import FillError
from initwise.core.fill import Fill, truncated_moments
from initwise.core.layout import Layout


def test_uniform_std_is_half_width_over_root_three():
    fill = Fill.uniform(-0.5, 1.5)
    assert fill.mean == 0.5
    assert fill.std == pytest.approx(1 / math.sqrt(3), rel=1e-15)


@pytest.mark.parametrize(
    ("cut", "std"),
    [(1, 0.539560), (2, 0.8796256610342398), (2.5, 0.954597), (3, 0.9865783925581086), (4, 0.999465)],
)
def test_realised_std_of_a_symmetric_truncation(cut, std):
    tolerance = 1e-14 if cut in (2, 3) else 1e-6
    assert truncated_moments(-cut, cut)[1] == pytest.approx(std, abs=tolerance)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-2, 2), (0, math.inf), (-1, 3), (6, 7), (-7, -6), (3, math.inf), (8.0, 8.5), (-0.5, 0.1)],
)
def test_truncated_moments_agree_with_scipy(low, high):
    law = stats.truncnorm(low, high)
    mean, std = truncated_moments(low, high)
    assert mean == pytest.approx(law.mean(), rel=1e-9)
    assert std == pytest.approx(law.std(), rel=1e-5)


def test_a_sliver_is_uniform():
    mean, std = truncated_moments(-0.001, 0.001)
    assert mean == pytest.approx(0, abs=1e-18)
    assert std == pytest.approx(0.001 / math.sqrt(3), rel=1e-6)


@given(st.floats(20, 38))
def test_a_far_tail_is_exponential(low):
    mean, std = truncated_moments(low, math.inf)
    assert mean - low == pytest.approx(1 / low, rel=0.01)
    assert std == pytest.approx(1 / low, rel=0.02)


def test_the_textbook_normal_keeps_its_std_to_machine_precision():
    assert Fill.truncated_normal(0.0, 0.1, -1.0, 1.0).std == pytest.approx(0.1, rel=1e-15)


@pytest.mark.parametrize(
    ("law", "shape", "layout", "std"),
    [
        ("orthogonal", (64, 256), Layout("oi"), 1 / 16),
        ("orthogonal", (256, 64), Layout("oi"), 1 / 16),
        ("orthogonal", (8, 4, 3, 3), Layout("oihw"), 1 / 6),
        ("orthogonal", (3, 64, 64), Layout("boi"), 1 / 8),
        ("delta_orthogonal", (16, 16, 3, 3), Layout("oihw"), 1 / 12),
        ("identity", (4, 4), Layout("oi"), math.sqrt(3) / 4),
    ],
)
def test_std_of_an_entry_of_a_matrix_law(law, shape, layout, std):
    assert Fill.matrix(law, 1.0, shape=shape, layout=layout).std == pytest.approx(std, rel=1e-12)


def test_packed_moments_are_the_mixture():
    fill = Fill.packed(
        [("i", 8, Fill.constant(0.0)), ("f", 8, Fill.constant(1.0)), ("go", 16, Fill.constant(0.0))],
        layout=Layout("o", parts=(("i", 8), ("f", 8), ("go", 16))),
    )
    assert fill.mean == 0.25
    assert fill.std == pytest.approx(math.sqrt(0.25 * 0.75))


@given(st.floats(0.01, 100))
def test_scaling_a_law_scales_its_moments(factor):
    for fill in (
        Fill.normal(0.3, 2),
        Fill.uniform(-1, 2),
        Fill.truncated_normal(0, 1, -2, 2),
        Fill.constant(3),
    ):
        scaled = fill.scaled(factor)
        assert scaled.mean == pytest.approx(fill.mean * factor)
        assert scaled.std == pytest.approx(fill.std * factor)
        assert scaled.high == pytest.approx(fill.high * factor)


def test_degenerate_laws_become_constants():
    assert Fill.normal(2.0, 0.0).law == "constant"
    assert Fill.uniform(3.0, 3.0).mean == 3.0


def test_json_round_trip_keeps_infinities_and_parts():
    for fill in (
        Fill.normal(0, 0.1, reason="why", citation="who"),
        Fill.packed([("a", 2, Fill.constant(0.0))], layout=Layout("o", parts=(("a", 2),))),
        Fill.matrix("orthogonal", 2.0, shape=(3, 4)),
    ):
        assert Fill.from_json(fill.to_json()) == fill


def test_formula_says_the_law():
    assert str(Fill.normal(0, 0.0417, reason="He fan_out, gain √2", citation="He 2015")) == (
        "N(0, 0.0417), because He fan_out, gain √2 [He 2015]"
    )
    assert Fill.uniform(-0.25, 0.25).formula == "U(±0.25)"
    assert Fill.uniform(0, 1).formula == "U[0, 1)"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Fill.normal(0, -1), "normal: std -1.0; expected std ≥ 0"),
        (lambda: Fill.normal(0, math.nan), "normal: std is NaN"),
        (lambda: Fill.normal(math.inf, 1), "normal: mean inf; expected a finite number"),
        (lambda: Fill.normal("wide", 1), "normal: mean 'wide'; expected a number"),
        (lambda: Fill.truncated_normal(0, 0.01, 50, 51), "bounds (50.0, 51.0) hold no probability"),
        (lambda: Fill.uniform(-1.7e308, 1.7e308), "are farther apart than floats reach"),
        (lambda: Fill.uniform(1, -1), "low 1.0 > high -1.0"),
        (lambda: Fill.truncated_normal(0, 1, 2, 2), "empty bounds (2.0, 2.0)"),
        (lambda: Fill.truncated_normal(0, 1, math.inf, math.inf), "empty bounds"),
        (lambda: Fill.truncated_normal(0, 1e-12, 1, 2), "hold no probability of N(0.0, 1e-12)"),
        (lambda: Fill.truncated_normal(0, 0, -1, 1), "std 0.0; expected std > 0"),
        (lambda: Fill("gauss", 0, 1), "Known: constant, delta_orthogonal"),
        (lambda: Fill("norml", 0, 1), "Did you mean 'normal'?"),
        (lambda: Fill.matrix("normal"), "law 'normal' is not a law of a matrix"),
    ],
)
def test_what_is_no_law_is_refused(make, text):
    with pytest.raises(FillError) as caught:
        make()
    assert text in str(caught.value)
