# ruff: noqa: N802 - laws by their usual letters
"""Small models with the parameter names of real implementations, and the laws expected of them as numbers."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

D, FF, L, V = 64, 160, 3, 300
"""Width, inner width of the MLP, blocks, rows of the table of tokens."""

REL = 1e-9
"""Both sides are the same formula in float64: a few roundings."""


def tree(**children: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict(children)


def called(kind: str, parameters: Mapping[str, tuple[int, ...]] | None = None, **children: Any) -> nn.Module:
    """A module of a class of that name, with bare parameters of these shapes."""
    module = type(kind, (nn.Module,), {})()
    for name, shape in (parameters or {}).items():
        module.register_parameter(name, nn.Parameter(torch.full(shape, 7.0)))
    for name, child in children.items():
        module.add_module(name, child)
    return module


def owner(parameters: Mapping[str, tuple[int, ...]], **children: nn.Module) -> nn.Module:
    return called("Block", parameters, **children)


def blocks(make: Callable[[], nn.Module], count: int = L) -> nn.ModuleList:
    return nn.ModuleList([make() for _ in range(count)])


def lin(i: int, o: int, bias: bool = True) -> nn.Linear:
    return nn.Linear(i, o, bias=bias)


def conv(i: int, o: int, k: int = 3, groups: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(i, o, k, groups=groups, bias=bias)


def linears(names: str, i: int = D, o: int = D) -> dict[str, nn.Module]:
    return {name: lin(i, o) for name in names.split()}


def extras() -> nn.Module:
    """What transformers' base class initializes besides Linear: packed attention, an LSTM, experts."""
    experts = owner({"gate_up_proj": (4, 2 * FF, D), "down_proj": (4, D, FF)})
    moe = tree(gate=lin(D, 4, False), experts=experts)
    return tree(attention=nn.MultiheadAttention(D, 4), recurrent=nn.LSTM(D, D), moe=moe)


@dataclass(frozen=True)
class Expected:
    """A law by its name and numbers."""

    law: str
    numbers: tuple[tuple[str, float], ...] = ()
    formula: str = ""
    parts: tuple[Expected, ...] = ()

    def fault(self, fill: Any) -> str:
        """What disagrees, or ""."""
        if fill.law != self.law:
            return f"{fill.law} {fill.formula} is no {self.law}"
        for name, value in self.numbers:
            if not math.isclose(getattr(fill, name), value, rel_tol=REL, abs_tol=1e-15):
                return f"{name} {getattr(fill, name)!r}, expected {value!r}"
        if self.formula and fill.formula != self.formula:
            return f"{fill.formula}, expected {self.formula}"
        faults = [part.fault(piece) for part, (_, _, piece) in zip(self.parts, fill.parts, strict=True)]
        return next(filter(None, faults), "")


def N(std: float, mean: float = 0.0) -> Expected:
    """Normal."""
    return Expected("normal", (("mean", mean), ("std", std)))


def B(low: float, high: float) -> Expected:
    """Uniform between two numbers."""
    return Expected("uniform", (("low", low), ("high", high)))


def U(bound: float) -> Expected:
    """Uniform, ±bound."""
    return B(-bound, bound)


def TA(scale: float, bound: float = 2.0) -> Expected:
    """A normal cut at ±bound in weight units."""
    return Expected("truncated_normal", (("scale", scale), ("low", -bound), ("high", bound)))


def T(scale: float, cut: float = 2.0) -> Expected:
    """A normal cut at ±cut sigmas."""
    return TA(scale, cut * scale)


def TC(std: float) -> Expected:
    """A normal cut at ±2σ and widened, so that the written std is std."""
    return T(std / 0.87962566103423978)


def C(value: float) -> Expected:
    return Expected("constant", (("mean", value), ("std", 0.0)))


def ORTH(gain: float) -> Expected:
    return Expected("orthogonal", (("gain", gain),))


def F(law: str, formula: str) -> Expected:
    """A mapped or indexed law by its closed form."""
    return Expected(law, formula=formula)


def I(values: Any) -> Expected:  # noqa: E743
    """An indexed law by the moments of what it writes."""
    return Expected("indexed", (("mean", float(np.mean(values))), ("std", float(np.std(values)))))


def HALVES(first: Expected, second: Expected) -> Expected:
    return Expected("packed", parts=(first, second))


KEPT = Expected("kept")
ZERO, ONE = C(0.0), C(1.0)


def xavier(i: int, o: int, gain: float = 1.0) -> Expected:
    return U(gain * math.sqrt(6 / (i + o)))


def extra(std: float, output: Expected | None = None) -> dict[str, Expected]:
    """What `extras` get."""
    return {
        "*extras.attention.in_proj_weight": xavier(D, 3 * D),
        "*extras.attention.out_proj.weight": output or N(std),
        "*extras.recurrent.weight*": xavier(D, 4 * D),
        "*extras.moe.*": N(std),
    }


@dataclass(frozen=True)
class Fixture:
    """A recipe of a flavor, a model, and what every parameter gets: of several globs the first."""

    recipe: str
    flavor: str
    build: Callable[[], Any]
    expected: Mapping[str, Expected]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        build = getattr(self.build, "__name__", "")
        return f"{self.recipe}-{self.flavor}-{build}" if self.flavor else f"{self.recipe}-{build}"


DEFAULTS = {"bias": ZERO, "recurrent_bias": ZERO, "norm_bias": ZERO, "norm_gain": ONE}
"""What a role gets of which neither the recipe nor the fixture says anything."""


def wanted(fixture: Fixture, name: str, role: str) -> Expected | None:
    """What the fixture says of a parameter. A glob that starts with a role's name and a colon is for it."""
    for glob, law in fixture.expected.items():
        only, _, pattern = glob.rpartition(":")
        if (only and only != role) or (not only and role in DEFAULTS and pattern == "*"):
            continue
        if fnmatch.fnmatchcase(name, pattern):
            return law
    return DEFAULTS.get(role)
