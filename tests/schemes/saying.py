"""Ways to say a law: a scheme with options and a published number, a recipe, a function of arrays.

Each says what it must give, or which test holds it to that: nothing passes for having a name.
"""

import ast
import importlib
import math
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from initwise import fans, recipe, scheme
from initwise.schemes import Site

LINEAR = fans((256, 64), "oi")
SQUARE = fans((64, 64), "oi")
KERNEL = fans((128, 32, 3, 3), "oihw")
R = math.sqrt
CUT = 0.8796256610342398
"""Std of N(0, 1) cut at ±2."""


TESTS = Path(__file__).parents[1]
RECIPES = "recipes/test_every_rule.py::test_every_parameter_gets_its_published_law"


@cache
def tests_of(file):
    """The tests of a file below tests/, as "test" or "Class::test"."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    classes = [
        ("", tree),
        *((f"{node.name}::", node) for node in tree.body if isinstance(node, ast.ClassDef)),
    ]
    return {
        f"{prefix}{node.name}"
        for prefix, body in classes
        for node in body.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def held(tested, *names):
    """That this test is there, in a file that speaks of one of these names."""
    file, _, test = tested.partition("::")
    assert test in tests_of(file), f"no test {tested}"
    text = (TESTS / file).read_text(encoding="utf-8")
    assert any(re.search(rf"\b{re.escape(name)}\b", text) for name in names), f"{file} has none of {names}"


@dataclass(frozen=True)
class Law:
    """A scheme, and what its Fill for a weight must have, or which test knows; else its row's known ones."""

    name: str
    options: dict = field(default_factory=dict)
    weight: object = LINEAR
    at: dict = field(default_factory=dict)
    expect: dict = field(default_factory=dict)
    tested: str = ""

    def check(self):
        made = scheme(self.name, **self.options)
        if self.tested:
            return held(self.tested, self.name, made.name, *made.row.aliases)
        if not self.expect:
            known = [dict(answer.options) for answer in made.row.known]
            assert self.options in known, (
                "neither expect=, nor tested=, nor a known answer with these options"
            )
            return None
        site = Site(**self.at) if made.row.needs else None
        fill = made.fill(self.weight, at=site)
        for attribute, value in self.expect.items():
            found = getattr(fill, attribute)
            assert found == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9, abs=1e-12))
        return None


@dataclass(frozen=True)
class Whole:
    """A recipe, for what is a law of a whole model: its fixtures are held to each parameter's law."""

    name: str
    options: dict = field(default_factory=dict)

    def check(self):
        made = recipe(self.name, **self.options)
        test, _, _ = RECIPES.partition("::")
        fixtures = [
            file.read_text(encoding="utf-8") for file in (TESTS / test).parent.glob("recipe_fixtures_*")
        ]
        assert any(f'"{made.name}"' in text for text in fixtures), f"no fixture for {made.name}"
        held(RECIPES, "recipe")


@dataclass(frozen=True)
class Function:
    """A function from arrays to arrays, for what starts from values, or constants of a model."""

    path: str
    tested: str

    def check(self):
        module, _, name = self.path.rpartition(".")
        assert callable(getattr(importlib.import_module(f"initwise.{module}"), name))
        held(self.tested, name)


def law(name, weight=LINEAR, at=None, expect=None, *, tested="", **options):
    return Law(name, options, weight, at or {}, expect or {}, tested)


def whole(name, **options):
    return Whole(name, options)


def std(value):
    return {"std": value}


def bound(value):
    return {"low": -value, "high": value}
