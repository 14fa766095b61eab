"""What a Fill declares of itself: numbers, and those of its law."""

import json
import math

import pytest

from initwise import Plan
from initwise.core.errors import FillError
from initwise.core.fill import Fill
from initwise.core.layout import Layout

HAND = "the record was edited, or the Fill made without its class methods"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Fill("normal", 0.0, -1.0), "normal: std -1.0; expected std ≥ 0."),
        (lambda: Fill("normal", 0.0, math.nan), "normal: std is NaN; expected a number."),
        (lambda: Fill("normal", math.nan, 1.0), "normal: mean is NaN"),
        (lambda: Fill("normal", 0.0, math.inf), "normal: std inf; expected a finite number."),
        (lambda: Fill("normal", 0.0, "wide"), "normal: std 'wide'; expected a number."),
        (lambda: Fill("normal", 0.0, 1.0, -1.0, 1.0), "normal: bounds (-1.0, 1.0); expected -inf and inf."),
        (lambda: Fill("uniform", 0.0, 0.5, math.nan, 1.0), "uniform: low is NaN"),
        (lambda: Fill("uniform", 0.0, 0.5, -1.0, math.nan), "uniform: high is NaN"),
        (lambda: Fill("uniform", 0.0, 9.0, -1.0, 1.0), "uniform: std 9.0; expected 0.577350"),
        (lambda: Fill("uniform", 0.5, 1 / math.sqrt(3), -1.0, 1.0), "uniform: mean 0.5; expected 0.0"),
        (lambda: Fill("uniform", 0.0, 1.0), "uniform: bounds (-inf, inf)"),
        (lambda: Fill("constant", 1.0, 0.0, 2.0, 2.0), "constant: mean 1.0; expected 2.0"),
        (lambda: Fill("constant", 1.0, 0.0, 1.0, 2.0), "constant: mean 1.0, bounds (1.0, 2.0)"),
        (lambda: Fill("truncated_normal", 0.0, 1.0, -2.0, 2.0, 0.0, 1.0), "truncated_normal: std 1.0; expec"),
        (lambda: Fill("truncated_normal", 0.0, 1.0, -2.0, 2.0), "truncated_normal: scale 0.0; expected sc"),
        (lambda: Fill("truncated_normal", 0.0, 1.0, -2.0, 2.0, math.nan, 1.0), "truncated_normal: loc is N"),
        (lambda: Fill("truncated_normal", 0.0, 1.0, -2.0, 2.0, 0.0, -1.0), "truncated_normal: scale -1.0;"),
        (lambda: Fill("orthogonal", 0.0, math.nan, gain=math.nan), "orthogonal: gain is NaN"),
        (lambda: Fill("packed", 0.0, math.nan, parts=(("a", 1, Fill.normal()),)), "packed: std is NaN"),
    ],
)
def test_a_number_that_is_none_or_is_not_the_law_s_is_refused(make, text):
    with pytest.raises(FillError) as caught:
        make()
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "fill",
    [
        Fill.matrix("orthogonal", 2.0),
        Fill.sparse(0.1, "zero", 0.5, "input"),
        Fill.indexed("linear", 1.0, 1.0),
        Fill.whole("unit_outputs"),
        Fill.repeated(Fill.matrix("orthogonal"), 4),
        Fill.packed([("a", 2, Fill.matrix("orthogonal"))], layout=Layout("o", parts=(("a", 2),))),
    ],
)
def test_moments_that_follow_from_a_shape_may_be_unknown(fill):
    assert math.isnan(fill.std)
    assert Fill.from_json(fill.to_json()).to_json() == fill.to_json()


@pytest.mark.parametrize("factor", [1e-320, 1e-300, 1e-12, 0.1, 3.0, 1e12, 1e290])
@pytest.mark.parametrize(
    "fill",
    [
        Fill.uniform(-0.7, 0.3),
        Fill.uniform(1e6, 1e6 + 1e-3),
        Fill.truncated_normal(0.1, 0.02, 0.08, 0.3),
        Fill.truncated_normal(0.0, 1.0, 37.0, 38.0),
        Fill.truncated_normal(1e6, 1.0, 1e6 - 1e-3, 1e6 + 1e-3),
        Fill.truncated_normal(0.0, 1.0, 2.0, math.inf),
        Fill.mapped("log_uniform", 0.001, 0.1),
    ],
)
def test_scaling_rounds_and_that_is_no_lie(fill, factor):
    assert fill.scaled(factor).mean == fill.mean * factor


def test_scaling_beyond_floating_point_is_refused():
    with pytest.raises(FillError, match=r"normal: std inf; expected a finite number"):
        Fill.normal(0.0, 1e200).scaled(1e200)


@pytest.mark.parametrize("wrong", ["nan", -1.0])
def test_a_plan_edited_by_hand_is_refused_when_it_is_read_and_says_where(wrong):
    plan = Plan("mine", (("a", Fill.normal(0.0, 0.1)), ("b", Fill.normal(0.0, 0.1))))
    data = json.loads(plan.to_json())
    data["fills"][1][1]["std"] = wrong
    with pytest.raises(FillError) as caught:
        Plan.from_dict(data)
    assert str(caught.value).startswith("Plan.fills[1][1]: normal: std ")
    assert HAND in str(caught.value)
