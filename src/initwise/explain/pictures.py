"""Pictures of laws and activations, computed from the formulas: nothing is drawn at random."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..activations import Activation
from ..core.curves import INDEXED, MAPPED
from ..core.fill import Fill
from ..core.layout import Fans, Layout
from ..core.picture import Picture

F64 = NDArray[np.float64]
POINTS = 121
"""Points of a density or curve."""
WIDE, BESIDE = 3.5, 0.15
"""How far a density without bounds is drawn, in std; and how much of its width is drawn beside bounds."""
CELLS = 16
"""Rows and columns of a grid, at most."""
REACH = 4.0
"""How far an activation is drawn, in standard deviations of its input."""


def picture_of_fill(fill: Fill, weight: Fans | None) -> Picture | None:
    """The law of one weight, or the matrix itself where nothing is random; None if there is no picture."""
    if fill.law in ("packed", "repeated"):
        return _of_first_part(fill, weight)
    make = LAWS.get(fill.law)
    return make(fill, weight) if make else None


def _of_first_part(fill: Fill, weight: Fans | None) -> Picture | None:
    name, _, part = fill.parts[0]
    drawn = picture_of_fill(part, None)
    if drawn is None or fill.law == "repeated":
        return drawn
    return dataclasses.replace(drawn, title=f"{drawn.title}, part {name}")


def _density(
    fill: Fill,
    x: F64,
    y: F64,
    marks: Sequence[tuple[str, float]],
    title: str = "",
    note: str = "",
) -> Picture:
    ends = (float(x[0]), float(x[-1]))
    low, high = max(ends[0], fill.low), min(ends[1], fill.high)
    shown = tuple((label, float(place)) for label, place in marks if low <= place <= high)
    return Picture(
        "density",
        title or f"Density of one weight, {fill.formula}",
        _floats(x),
        (("density", _floats(y)),),
        shown,
        note,
    )


def _floats(values: F64) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)


def _sigmas(mean: float, std: float) -> list[tuple[str, float]]:
    mean = mean if abs(mean) > 1e-9 * std else 0.0
    centre = [("mean" if mean else "0", mean)]
    return [("−2σ", mean - 2 * std), ("−σ", mean - std), *centre, ("σ", mean + std), ("2σ", mean + 2 * std)]


def _gauss(x: F64, loc: float, scale: float) -> F64:
    result: F64 = np.exp(-0.5 * ((x - loc) / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
    return result


def _normal(fill: Fill, weight: Fans | None) -> Picture:
    x = np.linspace(fill.mean - WIDE * fill.std, fill.mean + WIDE * fill.std, POINTS)
    return _density(fill, x, _gauss(x, fill.mean, fill.std), _sigmas(fill.mean, fill.std))


def _beside(low: float, high: float) -> F64:
    """An axis over [low, high] with some room on both sides."""
    room = BESIDE * (high - low)
    return np.linspace(low - room, high + room, POINTS)


def _inside(x: F64, y: F64, low: float, high: float) -> F64:
    return np.where((x >= low) & (x <= high), y, 0.0)


def _bounds(fill: Fill) -> list[tuple[str, float]]:
    return [("low", fill.low), ("high", fill.high)]


def _uniform(fill: Fill, weight: Fans | None) -> Picture:
    x = _beside(fill.low, fill.high)
    y = _inside(x, np.full(POINTS, 1 / (fill.high - fill.low)), fill.low, fill.high)
    return _density(fill, x, y, [*_bounds(fill), *_sigmas(fill.mean, fill.std)])


def _truncated(fill: Fill, weight: Fans | None) -> Picture:
    low, high = max(fill.low, fill.mean - WIDE * fill.std), min(fill.high, fill.mean + WIDE * fill.std)
    x = _beside(low, high)
    kept = 0.5 * (_erf((fill.high - fill.loc) / fill.scale) - _erf((fill.low - fill.loc) / fill.scale))
    y = _inside(x, _gauss(x, fill.loc, fill.scale) / kept, fill.low, fill.high)
    bounds = _bounds(fill) if 1 - kept > 1e-12 else []
    note = f"{1 - kept:.3g} of the parent lies outside the bounds and is drawn again." if bounds else ""
    return _density(fill, x, y, [*bounds, *_sigmas(fill.mean, fill.std)], note=note)


def _erf(z: float) -> float:
    return math.erf(z / math.sqrt(2))


def _sparse(fill: Fill, weight: Fans | None) -> Picture:
    x = np.linspace(-WIDE * fill.scale, WIDE * fill.scale, POINTS)
    zero = "some" if math.isnan(fill.std) else f"{1 - (fill.std / fill.scale) ** 2:.3g} of the"
    note = f"{zero} weights are exactly 0; σ is of the others."
    return _density(
        fill,
        x,
        _gauss(x, 0.0, fill.scale),
        _sigmas(0.0, fill.scale),
        "Density of a weight that is not 0",
        note,
    )


def _mapped(fill: Fill, weight: Fans | None) -> Picture | None:
    if fill.curve is None:
        return None
    u = np.linspace(0, 1, 20001)[:-1]
    values = fill.gain * MAPPED[fill.curve.name].function(u, *fill.curve.numbers)
    order = np.argsort(values)
    low, high = float(values[order[0]]), float(values[order[-1]])
    room = BESIDE * (high - low)
    ends = np.linspace(low - room, high + room, POINTS + 1)
    # how much of u falls between two ends: exact averages of the density, even where it has poles
    share = np.abs(np.diff(np.interp(ends, values[order], u[order])))
    x = (ends[1:] + ends[:-1]) / 2
    return _density(fill, x, share / np.diff(ends), [*_bounds(fill), *_sigmas(fill.mean, fill.std)])


def _orthogonal(fill: Fill, weight: Fans | None) -> Picture | None:
    """One entry of a Haar matrix with columns of length N: density ∝ (1 − x²)^((N−3)/2) on (−1, 1)."""
    if not fill.std:
        return None
    gain = abs(fill.gain)
    size = round((gain / fill.std) ** 2)
    if size < 3:
        return None
    log_norm = math.lgamma(size / 2) - math.lgamma((size - 1) / 2) - 0.5 * math.log(math.pi)
    reach = min(WIDE * fill.std, gain * (1 - 1e-9))
    x = np.linspace(-reach, reach, POINTS)
    y = np.exp(log_norm + (size - 3) / 2 * np.log1p(-((x / gain) ** 2))) / gain
    note = (
        f"One entry alone. Together: every row or column of the longer side has length {gain:.4g} and stands "
        "at a right angle to the others."
    )
    return _density(fill, x, y, _sigmas(0.0, fill.std), "Density of one entry", note)


def _constant(fill: Fill, weight: Fans | None) -> Picture:
    return Picture("bars", "Every weight", (fill.mean,), (("probability", (1.0,)),))


def _structure(fill: Fill, weight: Fans | None) -> Picture:
    """A matrix that nothing is random about, a corner of it if it is large."""
    shape, layout = _small(weight)
    values = _written(fill, shape, layout)
    if values.ndim > 2:
        return _kernel(fill, values)
    title = f"The matrix, at {' × '.join(map(str, values.shape))}"
    return _grid(values, title, "Rows are outputs, columns inputs.")


def _kernel(fill: Fill, values: F64) -> Picture:
    """Where in the kernel something is: root mean squares over outputs and inputs."""
    plane = np.sqrt((values**2).sum(axis=(0, 1)) / min(values.shape[:2]))
    plane = plane.reshape(plane.shape[0], -1) if plane.ndim > 1 else plane[None]
    return _grid(
        plane, "Where in the kernel the matrix stands", "Length of what one input adds, place by place."
    )


def _delta(fill: Fill, weight: Fans | None) -> Picture:
    field = weight.layout is not None and len(weight.shape) > 2 if weight else False
    if field:
        return _structure(fill, weight)
    return Picture(
        "grid",
        "Where in a 3 × 3 kernel the orthogonal matrix stands",
        (0.0, 1.0, 2.0),
        tuple(
            (str(row), tuple(fill.gain * float(row == column == 1) for column in range(3)))
            for row in range(3)
        ),
    )


def _small(weight: Fans | None) -> tuple[tuple[int, ...], Layout]:
    """The weight's shape, (out, in, spatial…), made smaller than `CELLS`; 8 × 8 if it has none."""
    if weight is None or weight.layout is None or not weight.shape:
        return (8, 8), Layout("oi")
    axes = weight.layout
    rows, columns = axes.size(weight.shape, "o"), axes.size(weight.shape, "iv")
    field = tuple(size for size, axis in zip(weight.shape, axes.axes, strict=True) if axis in "hwdk")
    most = 8 if max(rows, columns) > CELLS else CELLS
    ratio = max(1.0, max(rows, columns) / most)
    shape = (max(1, round(rows / ratio)), max(1, round(columns / ratio)), *field)
    return shape, Layout("oi" + "k" * len(field))


def _written(fill: Fill, shape: tuple[int, ...], layout: Layout) -> F64:
    from ..random import fill_array  # compiles nothing before it is needed

    small = dataclasses.replace(fill, layout=layout, zero_row=None).of_shape(shape, layout)
    return fill_array(np.empty(shape), small, name="picture")


def _grid(values: F64, title: str, note: str = "") -> Picture:
    shown = values[:CELLS, : 2 * CELLS]
    rows = tuple((str(index), _floats(row)) for index, row in enumerate(shown))
    return Picture("grid", title, tuple(float(i) for i in range(shown.shape[1])), rows, (), note)


def _indexed(fill: Fill, weight: Fans | None) -> Picture:
    """What stands where: a curve over the last axis, a grid where two axes matter."""
    grid = fill.curve is not None and INDEXED[fill.curve.name].axes != 1
    shape, layout = ((CELLS, CELLS) if grid else (1, 64)), Layout("oi")
    values = _written(fill, shape, layout)
    if grid:
        return _grid(values, f"A table of {CELLS} × {CELLS}")
    return Picture(
        "curves", "A vector of 64", tuple(float(n) for n in range(64)), (("value", _floats(values[0])),)
    )


LAWS: Mapping[str, Callable[[Fill, Fans | None], Picture | None]] = {
    "constant": _constant,
    "delta_orthogonal": _delta,
    "dirac": _structure,
    "hadamard": _structure,
    "identity": _structure,
    "indexed": _indexed,
    "mapped": _mapped,
    "normal": _normal,
    "orthogonal": _orthogonal,
    "sparse": _sparse,
    "truncated_normal": _truncated,
    "uniform": _uniform,
}


def picture_of_activation(chosen: Activation, q: float = 1.0) -> Picture:
    """φ and φ′ over ±4 standard deviations of the input; of a gated one, those of its gate."""
    reach = REACH * math.sqrt(q)
    x = np.linspace(-reach, reach, POINTS)
    with np.errstate(all="ignore"):
        y, slope = chosen.elementwise(x), chosen.slope(x)
    kept = np.isfinite(y) & np.isfinite(slope)
    name = "gate φ" if chosen.gated else "φ"
    return Picture(
        "curves",
        f"{'The gate of ' if chosen.gated else ''}{chosen.name} and its slope, over ±4σ of its input",
        _floats(x[kept]),
        ((f"{name}(x)", _floats(y[kept])), (f"{name}′(x)", _floats(slope[kept]))),
    )
