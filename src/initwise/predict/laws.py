"""Laws of parameters: what a Fill says of a tensor's moments.

Most laws draw their elements independently, or nearly (a row of length 1, an orthogonal matrix: what its
elements owe each other is of the order 1/n and not kept). Those that do not:

- an identity, or a kernel with one at its centre, picks inputs; on average over the places of rows and
  columns it has the moments of a permutation, and where nothing else happens to x it gives x itself;
- a kernel with all its weight at the centre has no borders: its taps are blocks;
- filters that stand several times are the same ones, and so are, but for their sign, mirrored rows and
  columns;
- what is computed from the place alone has the moments of its numbers, averaged over rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..core.curves import MAPPED
from ..core.fill import Fill
from ..core.layout import Layout
from ..core.parameter import ParameterInfo
from ..core.shaped import matrix_sizes
from ..core.twins import twin_factor
from ..frameworks.memory import fill as written
from . import quadrature, values
from .algebra import multiply
from .axes import Dim, block_shape, pattern_shape, patterns, single
from .maps import concatenate, reshape
from .moments import Moments, expand, independent, measured, simplified
from .picking import picking
from .values import Value

LARGEST = 1 << 22
"""Tensors of more elements are not computed to be measured."""
AVERAGED = "a weight of law {} is no draw: which unit has which weights is averaged over"

Shape = tuple[int, ...]


def of_fill(fill: Fill, info: ParameterInfo) -> Value:
    """A parameter that a Fill describes."""
    shape, layout = info.shape, fill.layout or info.layout
    if fill.law == "uniform":
        return _drawn(values.uniform(shape, fill.low, fill.high))
    if fill.law == "mapped":
        return _mapped(fill, shape)
    if layout is not None and _picks(fill, shape, layout):
        return _picking(fill, shape, layout)
    moments = moments_of(fill, shape, layout, info.name)
    return values.fresh(moments, notes=_notes(fill), parameter=not _notes(fill))


def moments_of(fill: Fill, shape: Shape, layout: Layout | None, name: str = "weight") -> Moments:
    """The moments of a tensor of `shape` under `fill`."""
    make = _MOMENTS.get(fill.law)
    if make is None or layout is None:
        return _alike(fill, shape)
    return make(fill, shape, layout, name)


def _alike(fill: Fill, shape: Shape) -> Moments:
    return independent(shape, fill.mean, fill.std**2)


def _notes(fill: Fill) -> frozenset[str]:
    names = {_word(one) for one in (fill, *(part for _, _, part in fill.parts)) if _word(one)}
    return frozenset(AVERAGED.format(name) for name in names)


def _word(fill: Fill) -> str:
    """The name of a law that is no draw and of which only averages over places are kept; else ""."""
    if fill.law == "indexed" and fill.curve is not None:
        return fill.curve.name
    return fill.law if fill.law in ("dirac", "hadamard", "identity") else ""


def _picks(fill: Fill, shape: Shape, layout: Layout) -> bool:
    """Is it an identity? A Hadamard law is one unless there are more outputs than inputs."""
    rows, columns, _ = matrix_sizes(shape, layout)
    return fill.law in ("identity", "dirac") or (fill.law == "hadamard" and rows <= columns)


def _drawn(value: Value) -> Value:
    base = value.terms[0].factors[0].base
    return values.fresh(base.moments, base.law, parameter=True)


def _mapped(fill: Fill, shape: Shape) -> Value:
    """Independent elements f(u): the law is f at the grid's quantiles."""
    assert fill.curve is not None
    row = MAPPED[fill.curve.name]
    law = quadrature.standardized(fill.gain * row.function(_strata(), *fill.curve.numbers))
    return values.fresh(_alike(fill, shape), law, parameter=True)


def _strata() -> NDArray[np.float64]:
    return (np.arange(quadrature.STRATA) + 0.5) / quadrature.STRATA


# structured


def _packed(fill: Fill, shape: Shape, layout: Layout, name: str) -> Moments:
    """Parts as blocks; two that are ± the same numbers as an axis of twins."""
    axis = layout.part_axis
    pieces = [
        moments_of(
            part,
            (*shape[:axis], size, *shape[axis + 1 :]),
            part.layout or replace(layout, parts=()),
            f"{name}#{part_name}",
        )
        for part_name, size, part in fill.parts
        if size
    ]
    factor = twin_factor(fill)
    if factor is not None and len(pieces) == 2:
        return _twins(pieces[0], factor, axis)
    return simplified(concatenate(pieces, axis))


def _twins(half: Moments, factor: float, axis: int) -> Moments:
    """`half`, and after it along `axis` `half` times `factor`."""
    thin = reshape(half, (*half.shape[:axis], 1, *half.shape[axis:]))
    wide = expand(thin, (*thin.shape[:axis], 2, *thin.shape[axis + 1 :]))
    signs = measured(np.reshape([1.0, factor], [2 if d == axis else 1 for d in range(len(wide.shape))]))
    return reshape(multiply(wide, signs), (*half.shape[:axis], 2 * half.shape[axis], *half.shape[axis + 1 :]))


def _repeated(fill: Fill, shape: Shape, layout: Layout, name: str) -> Moments:
    """Each filter several times: the same elements along an axis of copies."""
    assert fill.repeat is not None
    (_, _, one), axis, times = fill.parts[0], layout.part_axis, fill.repeat.times
    number = shape[axis] // times
    found = moments_of(one, (*shape[:axis], number, *shape[axis + 1 :]), layout, name)
    place = axis + (fill.repeat.order == "neighbours")
    thin = reshape(found, (*found.shape[:place], 1, *found.shape[place:]))
    wide = expand(thin, (*thin.shape[:place], times, *thin.shape[place + 1 :]))
    return reshape(wide, shape)


def _computed(fill: Fill, shape: Shape, layout: Layout, name: str) -> Moments:
    """The moments of the numbers themselves, rows and columns averaged over."""
    if int(np.prod(shape)) > LARGEST:
        return _alike(fill, shape)
    return measured(written(np.empty(shape), replace(fill, layout=layout), name=name))


def _signs(fill: Fill, shape: Shape, layout: Layout, name: str) -> Moments:
    """Rows of a Hadamard matrix at the centre of kernels."""
    if _picks(fill, shape, layout):
        return _picked(fill, shape, layout, name)
    plane = tuple(1 if d in layout.spatial else size for d, size in enumerate(shape))
    return _at_centre(_computed(fill, plane, layout, name), fill, shape, layout)


def _centred(fill: Fill, shape: Shape, layout: Layout, name: str) -> Moments:
    """A delta-orthogonal kernel: independent weights at its centre, zeros elsewhere."""
    taps = int(np.prod([shape[d] for d in layout.spatial]))
    plane = tuple(1 if d in layout.spatial else size for d, size in enumerate(shape))
    return _at_centre(independent(plane, 0.0, fill.std**2 * taps), fill, shape, layout)


def _at_centre(plane: Moments, fill: Fill, shape: Shape, layout: Layout) -> Moments:
    """`plane`, with spatial axes of size 1, as the centre of kernels that are 0 elsewhere."""
    found = plane
    for d in layout.spatial:
        if shape[d] > 1:
            found = _surrounded(found, d, shape[d], (shape[d] - fill.low_centre) // 2)
    return found


def _surrounded(x: Moments, dim: int, size: int, centre: int) -> Moments:
    """Axis `dim` of size 1 as one of `size`, 0 but at `centre`."""
    atom = tuple(number for number in (centre, 1, size - centre - 1) if number)
    block = 1 if centre else 0
    table, place = patterns(atom), sum(len(axes) for axes in x.axes[:dim])
    mine = (table.left == block) & (table.right == block)
    axes = (*x.axes[:dim], (atom,), *x.axes[dim + 1 :])
    second = np.moveaxis(np.multiply.outer(mine.astype(float), x.second), 0, place)
    mean = np.moveaxis(np.multiply.outer((np.arange(len(atom)) == block).astype(float), x.mean), 0, place)
    return Moments(axes, second, mean)


def _picking(fill: Fill, shape: Shape, layout: Layout) -> Value:
    """gain·(1 where output and input have the same number), in kernels at the centre."""
    moments = _picked(fill, shape, layout, "weight")
    if layout.axes[:2] != "oi" or layout.groups > 1 or layout.spatial != tuple(range(2, len(shape))):
        return values.fresh(moments, notes=_notes(fill))
    centre = tuple((shape[d] - fill.low_centre) // 2 for d in layout.spatial)
    return picking(moments, fill.gain, centre, _notes(fill))


def _picked(fill: Fill, shape: Shape, layout: Layout, name: str) -> Moments:
    if layout.axes[:2] not in ("oi", "io") or layout.groups > 1:
        return _computed(fill, shape, layout, name)
    n, m = shape[:2]
    k = min(n, m)
    axes: tuple[Dim, ...] = (single(n), single(m), *(() for _ in shape[2:]))
    second = np.zeros((2, 2))
    second[1, 1] = k / (n * m)
    second[0, 0] = k * (k - 1) / max(n * (n - 1) * m * (m - 1), 1)
    kept = tuple(slice(None) if size > 1 else 1 for size in (n, m))
    second, mean = fill.gain**2 * second[kept], np.full(block_shape(axes), fill.gain * k / (n * m))
    plane = Moments(axes, second.reshape(pattern_shape(axes)), mean)
    return _at_centre(plane, fill, shape, layout)


_MOMENTS: Mapping[str, Callable[[Fill, Shape, Layout, str], Moments]] = {
    "delta_orthogonal": _centred,
    "dirac": _picked,
    "hadamard": _signs,
    "identity": _picked,
    "indexed": _computed,
    "packed": _packed,
    "repeated": _repeated,
}
