"""Recipes: a published model's rules, and none of them silent."""

import math

import pytest

from initwise.core.errors import ModelError, OptionError, UnknownNameError
from initwise.core.layout import fans
from initwise.core.parameter import ParameterInfo
from initwise.recipes import Recipe, recipe, recipes

WIDTH = 8


def matrix(name, status="ready", **more):
    return ParameterInfo(
        name,
        (WIDTH, WIDTH),
        "float32",
        "weight",
        "Linear",
        fans=fans((WIDTH, WIDTH), "oi"),
        status=status,
        **more,
    )


def vector(name, role):
    return ParameterInfo(name, (WIDTH,), "float32", role)


def gpt(blocks=12):
    """The parameters of a GPT-2 by their names."""
    table = ParameterInfo("wte.weight", (50, WIDTH), "float32", "embedding", fans=fans((50, WIDTH), "vo"))
    found = [table, ParameterInfo("wpe.weight", (16, WIDTH), "float32", "embedding")]
    for block in range(blocks):
        path = f"h.{block}"
        found += [
            vector(f"{path}.ln_1.weight", "norm_gain"),
            matrix(f"{path}.attn.c_attn.weight"),
            matrix(f"{path}.attn.c_proj.weight"),
            vector(f"{path}.attn.c_proj.bias", "bias"),
        ]
    return (*found, vector("scale", "bare"), matrix("frozen.weight", "frozen"))


@pytest.mark.parametrize("blocks", [1, 12, 48])
def test_gpt2_divides_what_writes_into_the_residual_stream_by_the_depth(blocks):
    plan = recipe("gpt2").plan(gpt(blocks))
    assert plan[f"h.{blocks - 1}.attn.c_proj.weight"].std == pytest.approx(0.02 / math.sqrt(2 * blocks))
    assert plan["h.0.attn.c_attn.weight"].std == 0.02
    assert plan["wte.weight"].std == plan["wpe.weight"].std == 0.02
    assert plan["h.0.attn.c_proj.bias"].formula == "0"
    assert plan["h.0.ln_1.weight"].formula == "1"


@pytest.mark.parametrize(("blocks", "printed"), [(12, 0.0040824829), (48, 0.0020412415)])
def test_gpt2_residual_std_is_the_published_number(blocks, printed):
    plan = recipe("gpt2").plan(gpt(blocks))
    assert plan["h.0.attn.c_proj.weight"].std == pytest.approx(printed, abs=6e-11)


def test_openais_released_code_scales_nothing_and_halves_the_positions():
    plan = recipe("gpt2_openai").plan(gpt())
    assert plan["h.0.attn.c_proj.weight"].std == 0.02
    assert plan["wpe.weight"].std == 0.01


def test_what_no_rule_touches_is_listed_with_its_reason():
    kept = dict(recipe("gpt2").plan(gpt()).kept)
    assert kept == {
        "scale": "of unknown purpose: only an explicit rule touches it",
        "frozen.weight": "frozen",
    }


def test_a_rule_that_would_never_fire_is_an_error():
    with pytest.raises(ModelError) as caught:
        recipe("gpt2").plan([matrix("layers.0.out.weight")])
    assert str(caught.value) == (
        "recipe 'gpt2': no parameter is called *c_proj.weight; expected a matrix that writes into the "
        "residual stream: std 0.02.\n"
        "  Likely cause: the model's layers have other names than this family's\n"
        '  Say which it is, for example recipe("gpt2", residual="*.out.weight").'
    )
    renamed = recipe("gpt2", residual="*.out.weight, *.down.weight")
    assert renamed.plan([matrix("layers.0.out.weight")])["layers.0.out.weight"].std == 0.02 / math.sqrt(2)


def test_depth_needs_numbered_blocks():
    with pytest.raises(ModelError, match=r"c_proj\.weight: its name has no block number"):
        recipe("gpt2").plan([matrix("attn.c_proj.weight")])


@pytest.mark.parametrize("row", recipes(), ids=lambda row: row.name)
def test_every_recipe_tells_its_source_and_survives_json(row):
    assert row.citation
    assert row.summary
    assert row.differences
    made = recipe(row.name)
    assert Recipe.from_json(made.to_json()) == made
    assert row.to_dict()["name"] == row.name
    plan = made.plan(gpt())
    assert all(fill.citation == row.citation for fill in plan.values())
    assert len(plan) + len(plan.kept) == len(gpt())


def test_unknown_recipes_and_options_say_what_was_meant():
    with pytest.raises(UnknownNameError, match="Did you mean 'gpt2'"):
        recipe("gpt3")
    with pytest.raises(OptionError, match=r"recipe 'gpt2': residual=3\.0; expected a text"):
        recipe("gpt2", residual=3.0)
    with pytest.raises(OptionError, match="recipe 'gpt2': it has no option 'sdt'"):
        recipe("gpt2", sdt=0.1)


def test_a_recipe_is_a_plan_for_a_model_by_name_or_as_it_is():
    torch = pytest.importorskip("torch")
    from initwise.frameworks.initialize import init_, plan_for

    block = torch.nn.ModuleDict({"attn": torch.nn.ModuleDict({"c_proj": torch.nn.Linear(64, 64)})})
    model = torch.nn.ModuleDict({"h": torch.nn.ModuleList([block])})
    ledger = init_(model, "nanogpt", seed=3)
    declared = next(entry for entry in ledger.entries if entry.name == "h.0.attn.c_proj.weight")
    assert declared.declared_std == pytest.approx(0.02 / math.sqrt(2))
    assert declared.measured_std == pytest.approx(declared.declared_std, rel=5 / math.sqrt(2 * 64 * 64))
    assert plan_for(model, recipe("gpt2", std=0.1))["h.0.attn.c_proj.weight"].std == 0.1 / math.sqrt(2)
    with pytest.raises(
        OptionError, match=r"rule '\*': recipe 'gpt2'; expected a scheme for single parameters"
    ):
        plan_for(model, {"*": "gpt2"})
