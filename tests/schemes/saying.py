"""Ways to say a law: a scheme with options and a published number, a recipe, a function of arrays."""

import importlib
import math
from dataclasses import dataclass, field

import pytest

from initwise import fans, recipe, scheme
from initwise.schemes import Site

LINEAR = fans((256, 64), "oi")
SQUARE = fans((64, 64), "oi")
KERNEL = fans((128, 32, 3, 3), "oihw")
R = math.sqrt
CUT = 0.8796256610342398
"""Std of N(0, 1) cut at ±2."""


@dataclass(frozen=True)
class Law:
    """A scheme, and what its Fill for a weight must have."""

    name: str
    options: dict = field(default_factory=dict)
    weight: object = LINEAR
    at: dict = field(default_factory=dict)
    expect: dict = field(default_factory=dict)

    def check(self):
        made = scheme(self.name, **self.options)
        if not self.expect:
            return
        site = Site(**self.at) if made.row.needs else None
        fill = made.fill(self.weight, at=site)
        for attribute, value in self.expect.items():
            found = getattr(fill, attribute)
            assert found == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9, abs=1e-12))


@dataclass(frozen=True)
class Whole:
    """A recipe, for what is a law of a whole model."""

    name: str
    options: dict = field(default_factory=dict)

    def check(self):
        assert recipe(self.name, **self.options).name == recipe(self.name).name


@dataclass(frozen=True)
class Function:
    """A function from arrays to arrays, for what starts from values, or constants of a model."""

    path: str

    def check(self):
        module, _, name = self.path.rpartition(".")
        assert callable(getattr(importlib.import_module(f"initwise.{module}"), name))


def law(name, weight=LINEAR, at=None, expect=None, **options):
    return Law(name, options, weight, at or {}, expect or {})


def whole(name, **options):
    return Whole(name, options)


def std(value):
    return {"std": value}


def bound(value):
    return {"low": -value, "high": value}
