"""Recipes: a published model's rules, and none of them silent."""

import copy
import fnmatch
import math

import pytest

from initwise.core.errors import ModelError, OptionError, UnknownNameError
from initwise.core.layout import fans
from initwise.core.parameter import ParameterInfo
from initwise.recipes import PARTS, Recipe, RecipeRow, Rule, recipe, recipes, registry
from initwise.recipes.laws import ZERO, normal
from initwise.schemes.base import EVIDENCE

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
            matrix(f"{path}.mlp.c_fc.weight"),
            matrix(f"{path}.mlp.c_proj.weight"),
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
    plan = recipe("gpt2", flavor="openai").plan(gpt())
    assert plan["h.0.attn.c_proj.weight"].std == 0.02
    assert plan["wpe.weight"].std == 0.01


def test_what_no_rule_touches_is_listed_with_its_reason():
    kept = dict(recipe("gpt2").plan(gpt()).kept)
    assert kept == {
        "scale": "of unknown purpose: only an explicit rule touches it",
        "frozen.weight": "frozen",
    }


def test_a_model_without_the_parts_is_refused_with_what_it_has_and_what_is_left():
    infos = [matrix("layers.0.attn.out.weight"), matrix("layers.0.oddly.weight")]
    with pytest.raises(ModelError) as caught:
        recipe("gpt2").plan(infos)
    assert str(caught.value) == (
        "recipe 'gpt2': the model has no mlp.down; expected a model of this family.\n"
        "  Likely cause: it has attention.output; of unknown part: layers.0.oddly.weight\n"
        '  Name its parts, if it is one: recipe("gpt2", assign="mlp.down=GLOB"). '
        "For a model of another family: choose(model, example)."
    )
    named = recipe("gpt2", assign="mlp.down=*.oddly.weight").plan(infos)
    assert {fill.std for fill in named.values()} == {0.02 / math.sqrt(2)}


def test_residual_outputs_can_be_named():
    renamed = recipe("gpt2", residual="*.out.weight, *.down.weight", unmatched="allow")
    assert renamed.plan([matrix("layers.0.out.weight")])["layers.0.out.weight"].std == 0.02 / math.sqrt(2)
    with pytest.raises(ModelError, match=r"no parameter is called \*\.nowhere; expected residual: matrices"):
        recipe("gpt2", residual="*.nowhere").plan(gpt())


@pytest.mark.parametrize(
    ("assign", "message"),
    [
        ("mlp.down=*.nowhere", r"assign='mlp\.down=\*\.nowhere' names no parameter"),
        ("mlp.down", r"assign='mlp\.down' is no assignment"),
        ("mlp.dwon=*.c_fc.weight", r"no part is called 'mlp\.dwon'\.\n  Did you mean 'mlp\.down'"),
        ("mlp.up=*c_fc.weight, head=*c_fc.weight", "assigned to mlp.up and to head; expected one part"),
    ],
)
def test_an_assignment_that_makes_no_sense_says_so(assign, message):
    with pytest.raises(ModelError, match=message):
        recipe("gpt2", assign=assign).plan(gpt())


def test_two_rules_for_one_tensor_are_named_both():
    rules = (Rule(normal(0.1), names=("*.c_attn.*",)), Rule(ZERO, names=("h.0.*",)))
    registry.add(RecipeRow("quarrel", lambda: rules, "s", "c", differences=("none",)))
    try:
        with pytest.raises(ModelError) as caught:
            recipe("quarrel").plan(gpt(1))
    finally:
        del registry._rows["quarrel"], registry._names["quarrel"]
    assert str(caught.value) == (
        "recipe 'quarrel', h.0.attn.c_attn.weight: two rules want it: *.c_attn.* (N(0, 0.1)) and h.0.* (0); "
        "expected one rule, or one that is more particular.\n"
        '  Say what it is: recipe("quarrel", assign="PART=h.0.attn.c_attn.weight").'
    )


def test_depth_needs_numbered_blocks_or_to_be_told():
    infos = [matrix("attn.c_proj.weight"), matrix("mlp.c_proj.weight")]
    with pytest.raises(ModelError, match=r"attn\.c_proj\.weight: its name has no block number"):
        recipe("gpt2").plan(infos)
    assert recipe("gpt2", depth=8).plan(infos)["attn.c_proj.weight"].std == 0.005


@pytest.mark.parametrize("row", recipes(), ids=lambda row: row.name)
def test_every_recipe_tells_its_source_and_survives_json(row):
    assert row.citation
    assert row.summary
    assert row.differences
    assert row.avoid
    assert row.evidence in EVIDENCE
    assert row.steps.__doc__
    for flavor in row.flavors or (None,):
        made = recipe(row.name, **({"flavor": flavor} if flavor else {}))
        assert Recipe.from_json(made.to_json()) == made
        assert made.steps
        assert all(part == "" or _known(part) for rule in made.steps for part in rule.parts)
    assert row.to_dict()["name"] == row.name


def _known(glob):
    return any(fnmatch.fnmatchcase(part, glob) for part in PARTS)


def test_every_fill_tells_its_source():
    plan = recipe("gpt2").plan(gpt())
    assert all(fill.citation == recipe("gpt2").row.citation for fill in plan.values())
    assert len(plan) + len(plan.kept) == len(gpt())
    assert plan["h.3.mlp.c_proj.weight"].reason == "mlp.down: N(0, 0.02/√(2L)) with L = 12"


def test_unknown_recipes_and_options_say_what_was_meant():
    with pytest.raises(UnknownNameError, match="Did you mean 'gpt2'"):
        recipe("gpt-2")
    with pytest.raises(OptionError, match=r"recipe 'gpt2': residual=3\.0; expected a text"):
        recipe("gpt2", residual=3.0)
    with pytest.raises(OptionError, match="recipe 'gpt2': it has no option 'sdt'"):
        recipe("gpt2", sdt=0.1)


def test_a_recipe_is_a_plan_for_a_model_by_name_or_as_it_is():
    torch = pytest.importorskip("torch")
    from initwise.frameworks.initialize import init_, plan_for

    branch = torch.nn.ModuleDict({"c_proj": torch.nn.Linear(64, 64)})
    block = torch.nn.ModuleDict({"attn": branch, "mlp": copy.deepcopy(branch)})
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
