"""Every rule of every recipe and flavor, on models with the names of the real implementations."""

import pytest
import recipe_fixtures_convolutions
import recipe_fixtures_decoders
import recipe_fixtures_encoders
import recipe_fixtures_experts
import recipe_fixtures_generative
import recipe_fixtures_mixers
import recipe_fixtures_others
import recipe_fixtures_residual
import recipe_fixtures_states
import recipe_fixtures_towers
import recipe_fixtures_vision
from recipe_bench import KEPT, wanted

from initwise.frameworks.initialize import plan_for
from initwise.frameworks.protocol import adapter_for
from initwise.recipes import recipe, recipes
from initwise.recipes.structure import named, places

ROOMS = (
    recipe_fixtures_convolutions,
    recipe_fixtures_decoders,
    recipe_fixtures_encoders,
    recipe_fixtures_experts,
    recipe_fixtures_generative,
    recipe_fixtures_mixers,
    recipe_fixtures_others,
    recipe_fixtures_residual,
    recipe_fixtures_states,
    recipe_fixtures_towers,
    recipe_fixtures_vision,
)
FIXTURES = [fixture for room in ROOMS for fixture in room.FIXTURES]
FLAVORS = [(row.name, flavor) for row in recipes() for flavor in row.flavors or ("",)]


def made(fixture):
    flavor = {"flavor": fixture.flavor} if fixture.flavor else {}
    return recipe(fixture.recipe, **flavor, **fixture.options)


@pytest.mark.parametrize("fixture", FIXTURES, ids=str)
def test_every_parameter_gets_its_published_law(fixture):
    model = fixture.build()
    plan = plan_for(model, made(fixture))
    faults = []
    for info in adapter_for(model).parameters(model):
        law = wanted(fixture, info.name, info.role)
        fill = plan.get(info.name)
        if law is None or (fill is None) != (law is KEPT):
            faults.append(f"{info.name} ({info.role}): {fill and fill.formula}, expected {law}")
        elif fill is not None and law.fault(fill):
            faults.append(f"{info.name} ({info.role}): {law.fault(fill)}")
    assert faults == []


def fired(rules, found):
    """Which rules decide about a parameter, and by which of their names."""
    deciding, by_name = set(), set()
    for place in found:
        matching = [index for index, rule in enumerate(rules) if rule.matches(place)]
        rank = max((rules[index].rank for index in matching), default=None)
        for index in matching:
            if rules[index].rank == rank:
                deciding.add(index)
                names = [glob for glob in rules[index].names if named(place.info, glob, place.spelled)]
                by_name |= {(index, glob) for glob in names}
    return deciding, by_name


@pytest.mark.parametrize(("name", "flavor"), FLAVORS, ids=lambda value: value or "-")
def test_every_rule_and_every_name_in_it_decides_about_a_parameter(name, flavor):
    deciding, by_name, rules = set(), set(), ()
    for fixture in FIXTURES:
        if (fixture.recipe, fixture.flavor) == (name, flavor):
            chosen, model = made(fixture), fixture.build()
            rules = chosen.steps
            found = places(tuple(adapter_for(model).parameters(model)), dict(chosen.options))
            more, names = fired(rules, found)
            deciding, by_name = deciding | more, by_name | names
    assert rules, "no fixture"
    idle = [rule.matching for index, rule in enumerate(rules) if index not in deciding]
    assert idle == []
    unused = [glob for index, rule in enumerate(rules) for glob in rule.names if (index, glob) not in by_name]
    assert unused == []
