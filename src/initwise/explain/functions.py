"""Activations explained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..activations import Activation, ActivationRow, Moments, Published, activation, critical, registry
from ..core.errors import OptionError
from ..core.records import Explanation
from .parts import Facts, also_called, count, only
from .pictures import picture_of_activation


def activation_by_name(name: str, facts: Mapping[str, Any]) -> Explanation:
    parameters = registry[name.partition("(")[0].strip()].parameters
    given = {key: value for key, value in facts.items() if key in parameters}
    rest = {key: value for key, value in facts.items() if key not in parameters}
    return told_activation(activation(name, **given), rest)


def activation_row(row: ActivationRow, facts: Mapping[str, Any]) -> Explanation:
    return activation_by_name(row.name, facts)


def told_activation(chosen: Activation, facts: Mapping[str, Any]) -> Explanation:
    only(f"activation {chosen.name!r}", facts, ("q", "fan_in", "fan_out", *dict(chosen.parameters)))
    moments, row = chosen.moments(facts.get("q", 1.0)), chosen.row
    return Explanation(
        title=chosen.name,
        summary=_fate(moments),
        law=_law(chosen),
        facts=(
            *also_called(row.aliases if row else ()),
            *_gains(moments, facts, chosen.gated),
            *_edge(chosen),
        ),
        differences=((row.gain_note,) if row and row.gain_note else ()) + _published(chosen),
        avoid="",
        citation=row.citation if row else "",
        evidence="computed",
        picture=picture_of_activation(chosen, moments.q),
    )


def _law(chosen: Activation) -> str:
    if chosen.row is None:
        return "a function of yours, computed as it is"
    return chosen.row.formula if chosen.gated else f"φ(x) = {chosen.row.formula}"


def _fate(moments: Moments) -> str:
    parallel = moments.chi_parallel()
    drift = (
        "returns to q"
        if parallel < 0.999
        else "drifts away from q"
        if parallel > 1.001
        else "stays where it is"
    )
    return (
        f"With gain {moments.gain:.6g} the pre-activation's variance stays {moments.q:g}; after a "
        f"disturbance it {drift} (χ_∥ = {parallel:.4g})."
    )


def _published(chosen: Activation) -> tuple[str, ...]:
    """What others print as this activation's gain, and how far off it is; at default parameters."""
    row = chosen.row
    if row is None or dict(chosen.parameters) != dict(row.parameters):
        return ()
    return tuple(_compared(constant, chosen.moments()) for constant in row.published)


def _compared(constant: Published, moments: Moments) -> str:
    said = f"{constant.source}: {constant.gain:.7g}, {constant.kind}"
    off, computed = constant.deviation(moments), constant.computed(moments)
    if abs(off) < 1e-9:
        return f"{said}: it keeps the {KEPT[constant.keeps]} at q = 1."
    side = "above" if off > 0 else "below"
    return f"{said}: {abs(off):.2%} {side} {computed:.7g}, which keeps the {KEPT[constant.keeps]} at q = 1."


def _edge(chosen: Activation) -> Facts:
    """Where signal and gradient both stay as they are: critical pairs of weights and biases."""
    if chosen.row is None:
        return ()
    try:
        found = critical(chosen)
    except OptionError:
        return ()
    if found.point is None:
        return (("edge of chaos", found.reason),)
    pair = f"σ_w² = {found.point.weight_variance:.7g}, σ_b² = {found.point.bias_variance:.6g}"
    return (("edge of chaos", f"{pair}. {found.reason}"),)


KEPT = {"second_moment": "second moment", "variance": "variance", "gradient": "gradient"}


def _gains(moments: Moments, facts: Mapping[str, Any], gated: bool = False) -> Facts:
    found = [
        ("q", f"{moments.q:g}, the pre-activation's variance; x = √q·z, z ~ N(0, 1)"),
        ("E[φ], E[φ²], Var[φ]", f"{moments.mean:.6f}, {moments.second:.6f}, {moments.variance:.6f}"),
        ("forward gain", f"√(q/E[φ²]) = {moments.gain:.6f}"),
        ("with the mean removed", f"√(q/Var[φ]) = {moments.centred_gain:.6f}"),
    ]
    if not math.isnan(moments.derivative_second):
        found += [
            ("E[φ(b)²] + q·E[φ′(b)²]" if gated else "E[φ′²]", f"{moments.derivative_second:.6f}"),
            ("backward gain", f"{'1/√ of it' if gated else '1/√E[φ′²]'} = {moments.backward_gain:.6f}"),
            (
                "χ₁ at the forward gain",
                f"{moments.chi():.4f}: the gradient's factor per layer, in second moment",
            ),
        ]
    if "fan_in" in facts:
        fan = count("fan_in", facts["fan_in"])
        std = moments.gain / math.sqrt(fan)
        found.append(("std for this fan_in", f"{moments.gain:.6g}/√{fan:g} = {std:.6g} keeps the signal"))
    if "fan_out" in facts and not math.isnan(moments.derivative_second):
        fan = count("fan_out", facts["fan_out"])
        std = moments.backward_gain / math.sqrt(fan)
        found.append(
            ("std for this fan_out", f"{moments.backward_gain:.6g}/√{fan:g} = {std:.6g} keeps the gradient")
        )
    return (*found, ("error of the quadrature", f"{moments.error:.0e}"))
