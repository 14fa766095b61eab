"""Recipes against the real thing: transformers' own initialization of small models.

All families are in benchmarks/recipe_agreement.py; here a few that need every kind of formula.
"""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("transformers")
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def agreement():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("recipe_agreement", BENCHMARKS / "recipe_agreement.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))
        for path in BENCHMARKS.glob("recipe_*.py"):
            sys.modules.pop(path.stem, None)


def case(agreement, family):
    return next(case for case in agreement.CASES if case.family == family)


@pytest.mark.parametrize(
    "family",
    [
        *("gpt2", "t5", "clip", "gemma2", "mixtral", "swin", "resnet", "mamba", "modernbert", "rwkv"),
        *("recurrent_gemma", "funnel", "dbrx", "jetmoe", "blip", "mobilevit", "paligemma", "zamba2"),
    ],
)
def test_the_plan_is_what_the_models_own_constructor_does(agreement, family):
    result = agreement.compare(case(agreement, family))
    assert result.tensors > 10
    assert agreement.unexplained(result) == ()


@pytest.mark.parametrize(
    ("family", "recipe", "options", "parts"),
    [
        ("gpt2", "gpt2", {"flavor": "openai"}, {"attention.output", "mlp.down", "position"}),
        ("bert", "bert", {"flavor": "google"}, {"embedding", "attention.query", "mlp.up"}),
        ("clip", "clip", {"flavor": "openai"}, {"attention.output", "attention.query"}),
        ("gemma2", "llama", {}, set()),
        ("llama", "llama", {"std": 0.021}, {"attention.query", "mlp.gate", "head"}),
    ],
)
def test_another_recipe_is_found_out(agreement, family, recipe, options, parts):
    other = replace(case(agreement, family), recipe=recipe, options=options)
    faults = {group.part for group in agreement.compare(other).faults}
    assert parts <= faults
    # a norm's neutral gain is seen from what the norm computes, whatever the recipe
    assert not any("norm" in part for part in faults)


def test_every_family_that_has_a_recipe_is_compared(agreement):
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    from initwise.recipes import registry

    compared = {name for one in agreement.CASES for name in (one.family, one.recipe)}
    compared |= {name.replace("_", "-") for name in compared}
    known = {name for name in CONFIG_MAPPING_NAMES if name in registry or name.replace("-", "_") in registry}
    assert len(known) > 300
    assert sorted(known - compared) == []


def test_what_a_plan_leaves_is_explained_only_if_transformers_leaves_it_too(agreement):
    case = agreement.Case("nothing", "hf_default", "", {}, {})
    left = (("bare: kept", "of unknown purpose: only an explicit rule touches it"),)
    assert agreement.unexplained(agreement.Result(case, left=left)) != ()
    left = (("bare: kept", agreement.CONSTRUCTED),)
    assert agreement.unexplained(agreement.Result(case, left=left)) == ()


def test_a_configuration_is_made_small_in_all_its_parts(agreement):
    config = agreement.small("paligemma")
    assert (config.text_config.hidden_size, config.vision_config.hidden_size) == (64, 64)
    assert (config.text_config.num_hidden_layers, config.vision_config.num_hidden_layers) == (2, 2)
    assert config.text_config.vocab_size == 300
    assert agreement.small("gemma3n_text", {"num_kv_shared_layers": 0}).num_kv_shared_layers == 0


def committed_page():
    return (BENCHMARKS.parent / "docs" / "recipes-agreement.md").read_text(encoding="utf-8")


def rows_of(text):
    """family → its row of the table, without the header."""
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}


REWRITE = "run: python benchmarks/recipe_agreement.py --write"


def test_every_family_of_the_table_is_explained_or_agrees(agreement):
    assert set(rows_of(committed_page())) == {one.family for one in agreement.CASES}, REWRITE
    assert ", 0 of those unexplained." in committed_page()


@pytest.mark.parametrize("family", ["gpt2", "siglip", "wav2vec2"])
def test_a_row_of_the_committed_page_is_what_the_comparison_prints(agreement, family):
    result = agreement.compared(case(agreement, family))
    assert rows_of(agreement.table([result]))[family] == rows_of(committed_page())[family], REWRITE


@pytest.mark.slow
def test_the_committed_page_is_what_comparing_every_family_prints(agreement):
    """As many minutes as transformers has hundreds of families."""
    transformers = agreement.transformers
    written = (
        f"transformers {transformers.__version__}, torch {agreement.torch.__version__.partition('+')[0]}."
    )
    if written not in committed_page():
        pytest.skip("the page was written with other versions of transformers and torch")
    results = agreement.run(agreement.CASES)
    assert [what for result in results for what in agreement.unexplained(result)] == []
    assert agreement.page(results) == committed_page(), REWRITE
