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
        sys.modules.pop("recipe_agreement", None)
        sys.modules.pop("recipe_families", None)


def case(agreement, family):
    return next(case for case in agreement.CASES if case.family == family)


@pytest.mark.parametrize(
    "family", ["gpt2", "t5", "clip", "gemma2", "mixtral", "swin", "resnet", "mamba", "modernbert"]
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


def test_every_family_of_the_table_is_explained_or_agrees(agreement):
    page = (BENCHMARKS.parent / "docs" / "recipes-agreement.md").read_text(encoding="utf-8")
    for one in agreement.CASES:
        assert f"| {one.family} | " in page, f"{one.family}: run benchmarks/recipe_agreement.py --write"
    assert ", 0 of those unexplained." in page
