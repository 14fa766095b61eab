"""Pictures of laws are the laws: their areas and moments are exact, and nothing about them is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from initwise.activations import activation, activations
from initwise.core.fill import Fill
from initwise.core.layout import fans
from initwise.core.picture import KINDS, Picture
from initwise.core.records import Explanation
from initwise.explain import explain
from initwise.explain.pictures import picture_of_activation, picture_of_fill
from initwise.report import html, text
from initwise.schemes import scheme, schemes

MATRIX = fans((96, 64), "oi")


def area(picture: Picture, power: int = 0) -> float:
    """∫ x^power p(x) dx over the axis, by the trapezoid rule."""
    x, y = np.array(picture.x), np.array(picture.series[0][1])
    return float(np.trapezoid(x**power * y, x))


LAWS = {
    "normal": Fill.normal(0.1, 0.02),
    "uniform": Fill.uniform(-0.5, 1.5),
    "truncated": Fill.truncated_normal(0.0, 1.0, -2.0, 2.0),
    "one-sided": Fill.truncated_normal(0.0, 1.0, 1.0, math.inf),
    "log-uniform": Fill.mapped("log_uniform", 0.01, 0.1),
    "arcsine": Fill.mapped("arcsine", gain=0.3),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_density_has_the_laws_mass_and_moments(name):
    fill = LAWS[name]
    picture = picture_of_fill(fill, None)
    assert picture.kind == "density"
    # between ±3.5 std lies all but 4.7e-4 of a normal; 121 points leave an edge known to half a step
    step = picture.x[1] - picture.x[0]
    edge = step * max(picture.series[0][1])
    assert area(picture) == pytest.approx(1.0, abs=edge + 6e-4)
    mean = area(picture, 1)
    assert mean == pytest.approx(fill.mean, abs=(edge + 6e-3) * max(abs(picture.x[0]), abs(picture.x[-1])))


def test_a_density_is_the_formula_at_its_points():
    picture = picture_of_fill(Fill.normal(0.0, 0.5), None)
    x = dict(zip(picture.x, picture.series[0][1], strict=True))
    assert x[0.0] == pytest.approx(1 / (0.5 * math.sqrt(2 * math.pi)), rel=1e-5)
    assert dict(picture.marks) == {"−2σ": -1.0, "−σ": -0.5, "0": 0.0, "σ": 0.5, "2σ": 1.0}


def test_bounds_are_marked_and_nothing_is_beyond_them():
    picture = picture_of_fill(Fill.uniform(-0.5, 1.5), None)
    assert dict(picture.marks)["low"] == -0.5
    assert dict(picture.marks)["high"] == 1.5
    outside = [y for x, y in zip(picture.x, picture.series[0][1], strict=True) if not -0.5 <= x <= 1.5]
    assert outside
    assert set(outside) == {0.0}
    assert all(-0.5 <= at <= 1.5 for _, at in picture.marks)


def test_what_a_truncation_cuts_is_told():
    # P(|z| > 2) = 0.0455
    assert picture_of_fill(LAWS["truncated"], None).note.startswith("0.0455 of the parent lies outside")
    assert picture_of_fill(scheme("textbook_normal").fill(), None).note == ""  # 1.5e-23


@pytest.mark.parametrize("size", [4, 6, 12])
@pytest.mark.parametrize("gain", [1.0, math.sqrt(2)])
def test_an_entry_of_a_rotation_has_its_exact_law(size, gain):
    """A coordinate of a uniform unit vector in ℝᴺ: E[x²] = 1/N, E[x⁴] = 3/(N(N+2))."""
    fill = scheme("orthogonal", gain=gain).fill(fans((size, 3), "oi"))
    picture = picture_of_fill(fill, None)
    assert area(picture) == pytest.approx(1, abs=2e-3)
    assert area(picture, 2) == pytest.approx(gain**2 / size, rel=5e-3)
    assert area(picture, 4) == pytest.approx(3 * gain**4 / (size * (size + 2)), rel=1e-2)


def test_matrices_that_nothing_is_random_about_are_shown():
    identity = picture_of_fill(scheme("identity").fill(MATRIX), fans((3, 3), "oi"))
    assert [row for _, row in identity.series] == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    kernel = fans((8, 8, 3, 3), "oihw")
    dirac = picture_of_fill(scheme("dirac").fill(kernel), kernel)
    assert [row for _, row in dirac.series] == [(0.0,) * 3, (0.0, 1.0, 0.0), (0.0,) * 3]
    tall = fans((16, 8), "oi")
    hadamard = picture_of_fill(scheme("zero_hadamard").fill(tall), tall)
    assert {abs(v) for _, row in hadamard.series for v in row} == {0.25}
    assert picture_of_fill(Fill.constant(0.5), None) == Picture(
        "bars", "Every weight", (0.5,), (("probability", (1.0,)),)
    )


def test_zeros_of_a_sparse_law_are_told():
    fill = scheme("sparse").fill(MATRIX)  # ⌈0.1·96⌉ of 96
    assert picture_of_fill(fill, MATRIX).note.startswith(f"{10 / 96:.3g} of the weights are exactly 0")


@pytest.mark.parametrize("row", schemes(), ids=lambda row: row.name)
def test_every_scheme_is_drawn_or_has_no_single_law(row):
    found = explain(row.name)
    if row.planner or row.needs:
        return
    fill = scheme(row.name).fill(MATRIX)
    if fill.law in ("whole",):
        return
    assert found.picture is not None
    assert found.picture.kind in KINDS
    assert all(len(series) == len(found.picture.x) for _, series in found.picture.series)
    assert all(math.isfinite(value) for _, series in found.picture.series for value in series)


@pytest.mark.parametrize("row", activations(), ids=lambda row: row.name)
def test_every_activation_is_drawn_with_its_slope(row):
    picture = picture_of_activation(activation(row.name))
    names = [name for name, _ in picture.series]
    assert [name.endswith("′(x)") for name in names] == [False, True]
    assert len(picture.x) > 50  # a pole, or where it is not defined, is left out
    assert all(math.isfinite(value) for _, series in picture.series for value in series)


def test_an_activation_is_drawn_over_four_sigmas_of_its_input():
    picture = picture_of_activation(activation("relu"), q=4.0)
    assert (picture.x[0], picture.x[-1]) == (-8.0, 8.0)
    assert picture.series[0][1][-1] == 8.0
    assert set(picture.series[1][1]) == {0.0, 0.5, 1.0}  # at the kink the mean of both sides


def test_the_picture_is_for_the_fans_given():
    assert explain("he_normal").picture.title.endswith("N(0, 0.0883883), for 256 inputs and outputs")
    assert explain("he_normal", fan_in=8).picture.title == "Density of one weight, N(0, 0.5)"
    assert dict(explain("he_normal", fan_in=8).picture.marks)["σ"] == 0.5


def test_a_scheme_that_needs_a_place_is_drawn_at_one_it_is_known_for():
    title = explain("gpt2_residual").picture.title
    assert title.startswith("Density of one weight, N(0, 0.00408248), for 768×768: part attention.output")


@pytest.mark.parametrize("name", ["he_normal", "orthogonal", "identity", "relu", "swiglu", "zeros"])
def test_every_form_holds_it(name):
    found = explain(name)
    assert Explanation.from_json(found.to_json()) == found
    assert found.to_dict()["picture"]["kind"] in KINDS
    assert found.picture.title in text(found)
    assert "<svg" in html(found)
