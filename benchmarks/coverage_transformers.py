"""Every family of transformers that has a model, built small from its configuration."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import transformers
from torch import nn
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

from coverage_inputs import inputs
from coverage_subjects import Subject
from recipe_auto import AUTO
from recipe_families import CASES
from recipe_shrink import LAYERS, SIZES, VOCABULARY, model_class, small

transformers.logging.set_verbosity_error()

BY_HAND = {case.family: case for case in CASES}
"""Families whose configuration the comparison of recipes gives by hand."""
CHANGES: dict[str, dict[str, Any]] = {
    family: changes for _, _, families in AUTO for family, changes in families.items()
}


DEPTHS = tuple(
    (pattern, size) for pattern, size in SIZES if size in (LAYERS, VOCABULARY) and "head" not in pattern
)


@functools.cache
def parts(family: str, narrow: bool) -> tuple[Any, type]:
    """A family's small configuration, and its model's class; or one as wide as it is, with few layers."""
    case, name = BY_HAND.get(family), OWN.get(family, family)
    if case is not None and (narrow or name not in CONFIG_MAPPING_NAMES):
        made = getattr(transformers, case.model)
        return made.config_class(**case.config), made
    made = getattr(transformers, case.model if case is not None else model_class(name))
    if not narrow:
        return shallow(CONFIG_MAPPING[name]()), made
    return fitting(small(name, CHANGES.get(name))), made


def fitting(config: Any) -> Any:
    """What small heads ask for: as many keys as queries behind latents, rotary sections that fill one."""
    for value in nested(config):
        if getattr(value, "kv_lora_rank", None) and getattr(value, "num_attention_heads", None):
            value.num_key_value_heads = value.num_attention_heads
        rope = getattr(value, "rope_parameters", None)
        if isinstance(rope, dict) and "mrope_section" in rope:
            size = getattr(value, "head_dim", None) or value.hidden_size // value.num_attention_heads
            half = int(size * rope.get("partial_rotary_factor", 1.0)) // 2
            rope["mrope_section"] = [half - 2 * (half // 3), half // 3, half // 3]
    return config


def shallow(config: Any) -> Any:
    """The configuration with few layers and a small vocabulary, all widths its own."""
    for value in nested(config):
        for name, number in list(vars(value).items()):
            size = next((size for pattern, size in DEPTHS if re.fullmatch(pattern, name)), 0)
            if size and isinstance(number, int) and not isinstance(number, bool) and number > size:
                setattr(value, name, size)
            elif name in ("layer_types", "layers_block_type", "mlp_layer_types") and isinstance(number, list):
                setattr(value, name, _kinds(number))
    return config


def _kinds(value: list[Any]) -> list[Any]:
    kinds = list(dict.fromkeys(value))[:LAYERS]
    return kinds + kinds[-1:] * (LAYERS - len(kinds))


def nested(config: Any) -> list[Any]:
    """The configuration and all that are nested in it."""
    found = [config]
    for value in vars(config).values():
        if hasattr(value, "to_dict"):
            found += nested(value)
    return found


def building(family: str, narrow: bool) -> Callable[[], nn.Module]:
    """The constructor of a family's small model, in eval mode: dropout is no matter of families."""

    def build() -> nn.Module:
        config, made = parts(family, narrow)
        if hasattr(config, "use_cache"):
            config.use_cache = False
        model: nn.Module = made(config).eval()
        return model

    return build


def example(family: str, narrow: bool) -> Callable[[], dict[str, Any]]:
    """What makes its arguments."""
    return lambda: inputs(OWN.get(family, family), *parts(family, narrow))


FAMILIES = {name for name in CONFIG_MAPPING_NAMES if model_class(name)}
OWN = {
    name: name.replace("_", "-")
    for name in BY_HAND
    if name not in FAMILIES and name.replace("_", "-") in FAMILIES
}
"""Families that the comparison of recipes spells in its own way."""
NAMES = (
    *BY_HAND,
    *(name for name in CONFIG_MAPPING_NAMES if name in FAMILIES - set(BY_HAND) - set(OWN.values())),
)


def subject(name: str, narrow: bool = True) -> Subject:
    """A family: small, else as wide as it is."""
    wide = subject(name, narrow=False) if narrow else None
    return Subject(name, "transformers", building(name, narrow), example(name, narrow), instead=wide)


SUBJECTS = tuple(map(subject, NAMES))
