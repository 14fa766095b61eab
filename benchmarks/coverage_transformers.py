"""Every family of transformers that has a model, built small from its configuration."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import transformers
from torch import nn
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from coverage_inputs import inputs
from coverage_subjects import Subject
from recipe_auto import AUTO
from recipe_families import CASES
from recipe_shrink import model_class, small

transformers.logging.set_verbosity_error()

BY_HAND = {case.family: case for case in CASES}
"""Families whose configuration the comparison of recipes gives by hand."""
CHANGES: dict[str, dict[str, Any]] = {
    family: changes for _, _, families in AUTO for family, changes in families.items()
}


@functools.cache
def parts(family: str) -> tuple[Any, type]:
    """A family's small configuration, and the class of its model."""
    case = BY_HAND.get(family)
    if case is not None:
        made = getattr(transformers, case.model)
        return made.config_class(**case.config), made
    return small(family, CHANGES.get(family)), getattr(transformers, model_class(family))


def building(family: str) -> Callable[[], nn.Module]:
    """The constructor of a family's small model, in eval mode: dropout is no matter of families."""

    def build() -> nn.Module:
        config, made = parts(family)
        if hasattr(config, "use_cache"):
            config.use_cache = False
        model: nn.Module = made(config).eval()
        return model

    return build


def example(family: str) -> Callable[[], dict[str, Any]]:
    """What makes its arguments."""
    return lambda: inputs(family, *parts(family))


NAMES = tuple(dict.fromkeys([*BY_HAND, *(name for name in CONFIG_MAPPING_NAMES if model_class(name))]))
SUBJECTS = tuple(Subject(name, "transformers", building(name), example(name)) for name in NAMES)

__all__ = ["SUBJECTS"]
