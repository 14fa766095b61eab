"""Rules: which parameters a recipe's law is for, and which of two rules is the more particular one.

A recipe is a table, not a program: the order of its rules means nothing. What names a parameter
beats what names a class, that beats what names a part, that beats what names a role, and that beats
the rule for everything. Two equally particular rules that want different things of one tensor are
an error that names both.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .laws import ONE, ZERO, Law, constant
from .structure import Place, named

MATRICES = ("weight", "recurrent", "embedding")
DRAWN = (*MATRICES, "token", "bare")
"""Roles a rule is for that names none: matrices and tables, and, if it names parts, classes or
parameters, tokens and bare tensors too. Biases and norms have to be asked for."""


@dataclass(frozen=True)
class Rule:
    """What some parameters of a model get.

    Attributes:
        law: what they get; `laws.KEPT` leaves them as they are.
        parts: globs over `parts.PARTS` ("attention.*").
        roles: roles it is for; () means matrices and tables (see `DRAWN`).
        layers: globs over the classes of the layer and of all that contain it ("T5Attention").
        names: globs over full names ("*.c_proj.weight").
        inside: globs over the classes around it ("Siglip*"): rules for a tower of another family.
        positions: "first", "last", "only", "middle" of a chain of layers.
        needed: a model without such a parameter ("any") or without one of each of `parts` ("all";
            experts may stand for the MLP) is not this recipe's.
        option: name of the option that holds `names`, for the error text.
        reason: why, if the law's own words do not say it.
        copies: a part whose first parameter's numbers it draws, so that it starts as a copy of it.
    """

    law: Law
    parts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    needed: Literal["", "any", "all"] = ""
    option: str = ""
    reason: str = ""
    copies: str = ""

    @property
    def matching(self) -> str:
        """For whom, in words."""
        words = ", ".join(self.parts or self.names or self.layers or self.roles)
        if self.parts and self.names:
            words += f" named {', '.join(self.names)}"
        if (self.parts or self.names) and self.layers:
            words += f" in {', '.join(self.layers)}"
        if self.inside:
            words = f"{words or 'matrices and tables'} of {', '.join(self.inside)}"
        if words and self.roles and words != ", ".join(self.roles):
            words += f" ({', '.join(self.roles)})"
        if self.positions:
            words = f"{words or 'matrices'}, {' or '.join(self.positions)} of a chain"
        return words or "every other matrix and table"

    @property
    def doing(self) -> str:
        """What they get, in words."""
        return self.law.words

    @property
    def rank(self) -> tuple[int, ...]:
        """How particular it is: larger is more."""
        exact = bool(self.parts) + (bool(self.parts) and not any("*" in part for part in self.parts))
        return (
            bool(self.inside),
            bool(self.names),
            bool(self.layers),
            exact,
            bool(self.positions),
            bool(self.roles),
        )

    def matches(self, place: Place) -> bool:
        """Is this rule for that parameter?"""
        info = place.info
        wanted = self.roles or (DRAWN if self.parts or self.layers or self.names else MATRICES)
        return (
            place.role in wanted
            and (not self.parts or _among(place.part, self.parts))
            and (not self.names or any(named(info, glob, place.spelled) for glob in self.names))
            and (not self.positions or place.position in self.positions)
            and (not self.layers or _inside(place, self.layers))
            and (not self.inside or _inside(place, self.inside))
        )

    def missing(self, found: Sequence[Place]) -> tuple[str, ...]:
        """What of `needed` the model does not have."""
        matched = [place for place in found if self.matches(place)] if self.needed else []
        if self.needed == "all":
            have = {_plain(place.part) for place in matched}
            return tuple(part for part in self.parts if _plain(part) not in have)
        return () if matched or not self.needed else self.parts or self.layers or self.names or ("matrix",)

    def idle(self, found: Sequence[Place]) -> tuple[str, ...]:
        """Which of `names` match no parameter."""
        return tuple(
            glob for glob in self.names if not any(named(place.info, glob, place.spelled) for place in found)
        )


def tower(rules: Sequence[Rule], *inside: str) -> tuple[Rule, ...]:
    """A family's rules for a part of a larger model, told by its classes; nothing of them is needed."""
    return tuple(replace(rule, inside=inside, needed="") for rule in rules)


@functools.lru_cache(maxsize=4096)
def _among(part: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(part, glob) for glob in globs)


def _plain(part: str) -> str:
    """The part, an expert's as the MLP's."""
    return part.replace("expert.", "mlp.")


def _inside(place: Place, layers: tuple[str, ...]) -> bool:
    classes = {place.info.kind, *place.info.within}
    return any(fnmatch.fnmatchcase(name, glob) for name in classes for glob in layers)


def neutral(default: float) -> Law:
    """The value with which the layer is neutral, seen from what it computes; else the default."""

    def make(place: Place):  # type: ignore[no-untyped-def]
        value = default if place.info.start is None else place.info.start
        return constant(value).make(place)

    return Law(make, f"{default:g}, or what the layer computes with as neutral")


COMMON: tuple[Rule, ...] = (
    Rule(ZERO, roles=("bias", "recurrent_bias", "norm_bias"), reason="a bias starts at 0"),
    Rule(neutral(1.0), roles=("norm_gain",), reason="a norm starts as a pure normalisation"),
    Rule(neutral(0.25), roles=("slope",), reason="PReLU's slope"),
)
"""What every recipe does unless it says otherwise."""

__all__ = ["COMMON", "DRAWN", "MATRICES", "ONE", "Rule", "neutral"]
