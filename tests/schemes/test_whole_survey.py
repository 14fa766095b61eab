"""The survey of schemes that the project started from, line by line: how initwise says each.

A line's number, its name, and ways to say it: a scheme with options (and a published number for one
weight), a recipe, or a function of arrays. So nothing can be missing silently.
"""

import pytest
from saying import Law
from survey_places import PLACES
from survey_weights import WEIGHTS

import initwise
from initwise import scheme

SURVEY = {**WEIGHTS, **PLACES}
IDS = ["S32b", *(f"S{number:02d}" for number in range(1, 115))]


def test_every_line_is_here():
    assert sorted(SURVEY) == sorted(IDS)


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, id=f"{line}-{getattr(way, 'name', getattr(way, 'path', 'because'))}-{number}")
        for line, (_, *ways) in SURVEY.items()
        for number, way in enumerate(ways)
    ],
)
def test_it_can_be_said(way):
    way.check()


@pytest.mark.parametrize("line", SURVEY)
def test_every_line_has_a_name_and_a_way(line):
    name, *ways = SURVEY[line]
    assert name
    assert ways


def test_no_scheme_is_outside_of_the_survey_but_our_own():
    """The other way around: what the survey does not have is told here, so that a new row is a decision."""
    told = {way.name for _, *ways in SURVEY.values() for way in ways if isinstance(way, Law)}
    names = {scheme(name).name for name in told}
    extra = {row.name for row in initwise.schemes()} - names
    assert extra == {
        "auto",
        "flax_default",
        "linspace",
        "np_rnn",
        "rule_a",
        "rule_a2",
        "sinusoidal_positions",
    }
