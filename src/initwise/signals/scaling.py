"""Scaling: exponents of width, from the Readings at several widths. Pure functions.

The coordinate check of Yang et al. 2022 (Tensor Programs V, arXiv:2203.03466, appendix D.1): in a model that
is stable in width every hidden coordinate is of order 1, and the result of order 1 at most.

**The first update.** One step of SGD changes a weight by -η·G. G = Σ g·xᵀ is aligned with the inputs that
made it: ΔW·x sums fan_in terms of one sign, and its rms goes as fan_in·rms(G)·rms(x). Adam's first step is
-η·sign(G): its rms goes as fan_in·rms(x). For a batch of one both hold up to a factor without the width. As
G is a sum over samples of g·xᵀ, rms(x) goes as rms(G)/rms(g).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..core.records import Finding
from ..core.widths import LayerScaling
from .reading import WEIGHTED, Reading

TOLERANCE = 0.25
"""Exponents in the theory are multiples of 1/2: this is half-way to the next."""
MISFIT = 0.2
"""|ln(rms/fit)| beyond which the outputs are no power of the width."""


def scalings(widths: Sequence[int], passes: Sequence[Sequence[Reading]]) -> tuple[LayerScaling, ...]:
    """The exponents of all layers that are there at every width, in the order of the widest model."""
    rows = [{row.name: row for row in readings} for readings in passes]
    names = [name for name in rows[-1] if all(name in at for at in rows)]
    return tuple(_scaling(widths, [at[name] for at in rows]) for name in names)


def missing(passes: Sequence[Sequence[Reading]]) -> list[str]:
    """Names of layers that are there at some widths only."""
    sets = [{row.name for row in readings} for readings in passes]
    return sorted(name for name in set().union(*sets) if not all(name in names for names in sets))


def findings(layers: Sequence[LayerScaling]) -> tuple[Finding, ...]:
    """The first layer that grows, and the first that vanishes, with the width."""
    found = []
    for verdict in ("exploding", "vanishing"):
        marked = [layer for layer in layers if layer.verdict == verdict]
        if marked:
            more = f" (and {len(marked) - 1} more)" if len(marked) > 1 else ""
            found.append(Finding(marked[0].name, verdict, marked[0].reason + more, marked[0].forward))
    return tuple(found)


def _scaling(widths: Sequence[int], rows: Sequence[Reading]) -> LayerScaling:
    forward = exponent(widths, [row.forward_rms for row in rows])
    gradient = exponent(widths, [row.gradient_rms for row in rows])
    weight = exponent(widths, [row.weight_gradient_rms for row in rows])
    fan_in = exponent(widths, [_fan_in(row) for row in rows])
    adam = fan_in + weight - gradient
    misfit = _misfit(widths, [row.forward_rms for row in rows], forward)
    verdict, reason = _judged(rows, forward, misfit)
    return LayerScaling(
        name=rows[-1].name,
        kind=rows[-1].kind,
        forward=forward,
        gradient=gradient,
        weight_gradient=weight,
        fan_in=fan_in if math.isfinite(weight) else math.nan,
        sgd=adam + weight,
        adam=adam,
        forward_rms=tuple(row.forward_rms for row in rows),
        gradient_rms=tuple(row.gradient_rms for row in rows),
        misfit=misfit,
        verdict=verdict,
        reason=reason,
    )


def _fan_in(row: Reading) -> float:
    """How many weights one output sums over; a vector (a gain) has one for each."""
    if not row.weight_count:
        return math.nan
    return row.weight_count / row.units if row.role in WEIGHTED else 1.0


def exponent(widths: Sequence[int], values: Sequence[float]) -> float:
    """Slope of ln value over ln width; NaN unless all are positive and finite."""
    if not all(0 < value < math.inf for value in values):
        return math.nan
    logs = np.log(np.asarray(widths, dtype=float))
    logs -= logs.mean()
    return float(logs @ np.log(values) / (logs @ logs))


def _misfit(widths: Sequence[int], values: Sequence[float], slope: float) -> float:
    if math.isnan(slope):
        return 0.0
    rest = np.log(values) - slope * np.log(np.asarray(widths, dtype=float))
    return float(np.abs(rest - rest.mean()).max())


def _judged(rows: Sequence[Reading], forward: float, misfit: float) -> tuple[str, str]:
    unknown = next((row.unknown for row in rows if row.unknown), "")
    if unknown:
        return "unpredicted", f"not predicted: {unknown}"
    if any(row.forward_rms == 0 for row in rows):
        return "ok", "its output is zero at the start"
    if math.isnan(forward):
        return "unpredicted", "its output is not finite at every width"
    span = (
        f"its output goes as width^{forward:.2f} (rms {rows[0].forward_rms:.3g} → {rows[-1].forward_rms:.3g})"
    )
    if forward > TOLERANCE:
        return "exploding", span
    if forward < -TOLERANCE and not rows[-1].result:
        return "vanishing", span
    return "ok", "no power of the width" if misfit > MISFIT else ""
