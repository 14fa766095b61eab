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
def _traits(name: str) -> frozenset[str]:
    chosen = activation(name)
    row = chosen.row
    found = set(_families(name, row.aliases if row else ()))
    if chosen.gated:
        return frozenset({*found, "glu", "gated function"})
    x = np.linspace(-6, 6, 1201)
    with np.errstate(all="ignore"):
        y, far = chosen.elementwise(x), chosen.elementwise(np.array([-FAR, FAR]))
    found.add("kinked" if chosen.kinks else "smooth")
    if np.abs(far).max() < FAR / 1000:
        found |= {"bounded function", "bounded"}
    if np.abs(y + y[::-1]).max() < 1e-9:
        found.add("zero-centred")
    if (np.diff(y) >= -1e-12).all():
        found.add("monotone")
    if chosen.spread is not None:
        found.add("stochastic")
    return frozenset(found)


def _families(name: str, aliases: tuple[str, ...]) -> set[str]:
    """Traits of the group "activation" that name it, or count it among their words."""
    own = {re.sub(r"[^a-z0-9]", "", word.lower()) for word in (name, *aliases)}
    return {
        trait
        for trait in GROUPS["activation"]
        if own & {re.sub(r"[^a-z0-9]", "", word) for word in (trait, *TRAITS[trait].words)}
    }


def family_and_shape(row: ActivationRow) -> tuple[frozenset[str], frozenset[str]]:
    """What it suits as `find` reads it; an activation is not unsuited to anything."""
    return _traits(row.name), frozenset()
