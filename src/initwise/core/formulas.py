"""A Fill's law in closed form, as one short text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from . import curves

if TYPE_CHECKING:
    from .fill import Fill


def _uniform(fill: Fill) -> str:
    if fill.low == -fill.high:
        return f"U(±{fill.high:.6g})"
    return f"U[{fill.low:.6g}, {fill.high:.6g})"


def _curve(fill: Fill) -> str:
    text = curves.words(fill.curve) if fill.curve is not None else ""
    return text if fill.gain == 1 else f"({text}) × {fill.gain:.6g}"


def _part(fill: Fill) -> str:
    return f"({fill.formula})" if fill.law == "packed" else fill.formula


_FORMULA: Mapping[str, Callable[[Fill], str]] = {
    "constant": lambda f: f"{f.mean:g}",
    "normal": lambda f: f"N({f.mean:g}, {f.std:.6g})",
    "uniform": _uniform,
    "truncated_normal": lambda f: (
        f"N({f.loc:g}, {f.scale:.6g}) on ({f.low:.6g}, {f.high:.6g}), std {f.std:.6g}"
    ),
    "orthogonal": lambda f: f"orthogonal × {f.gain:.6g}",
    "delta_orthogonal": lambda f: f"delta-orthogonal × {f.gain:.6g}",
    "identity": lambda f: f"identity × {f.gain:g}",
    "dirac": lambda f: f"dirac × {f.gain:g}",
    "hadamard": lambda f: f"identity or Hadamard × {f.gain:.6g}",
    "sparse": lambda f: f"N(0, {f.scale:.6g}), {f.sparsity}",
    "indexed": _curve,
    "mapped": _curve,
    "whole": _curve,
    "repeated": lambda f: f"{f.parts[0][2].formula}, each filter {f.repeat.times if f.repeat else 1} times",
    "packed": lambda f: " | ".join(f"{name}: {_part(part)}" for name, _, part in f.parts),
}


def formula_of(fill: Fill) -> str:
    """The law in closed form: "N(0, 0.0417)", "U(±0.137)", "orthogonal × 1.41" …"""
    return _FORMULA[fill.law](fill)
