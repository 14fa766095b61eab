"""What an activation is, in the vocabulary's words: its family, and its shape computed from the function."""

from __future__ import annotations

import functools
import re

import numpy as np

from ..activations import ActivationRow, activation
from ..core.traits import GROUPS, TRAITS

FAR = 1e6
"""A function that stays below a thousandth of this at ±FAR is bounded."""


@functools.lru_cache(maxsize=1024)
def _traits(name: str) -> tuple[str, ...]:
    """Its family first, then its shape."""
    chosen = activation(name)
    row = chosen.row
    found = _families(name, row.aliases if row else ())
    if chosen.gated:
        return tuple(dict.fromkeys([*found, "glu", "gated function"]))
    x = np.linspace(-6, 6, 1201)
    with np.errstate(all="ignore"):
        y, far = chosen.elementwise(x), chosen.elementwise(np.array([-FAR, FAR]))
    bounded = bool(np.abs(far).max() < FAR / 1000)
    shape = {
        "kinked": bool(chosen.kinks),
        "smooth": not chosen.kinks,
        "bounded function": bounded,
        "zero-centred": bool(np.abs(y + y[::-1]).max() < 1e-9),
        "monotone": bool((np.diff(y) >= -1e-12).all()),
        "stochastic": chosen.spread is not None,
        "bounded": bounded,
    }
    return (*found, *(trait for trait, holds in shape.items() if holds))


def _families(name: str, aliases: tuple[str, ...]) -> list[str]:
    """Traits of the group "activation" that name it, or count it among their words."""
    own = {re.sub(r"[^a-z0-9]", "", word.lower()) for word in (name, *aliases)}
    return [
        trait
        for trait in GROUPS["activation"]
        if own & {re.sub(r"[^a-z0-9]", "", word) for word in (trait, *TRAITS[trait].words)}
    ]


def family_and_shape(row: ActivationRow) -> tuple[tuple[str, ...], frozenset[str]]:
    """What it suits as `find` reads it; an activation is not unsuited to anything."""
    return _traits(row.name), frozenset()
