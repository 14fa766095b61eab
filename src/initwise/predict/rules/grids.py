"""Sampling images at places that a grid gives: a matrix of (places, pixels), made by the operation itself.

A real grid is taken as it is. Of a grid that depends on values the places are drawn once from its law,
each by itself. A large image, or many places, are counted on smaller ones in the same proportion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import maps, values
from ..algebra import contract, total
from ..axes import Array
from ..moments import Moments, measured
from ..values import Value
from .calling import Call, rule
from .separable import mapped
from .views import joined

COUNTED = 1 << 19
"""Elements of the matrix, at most about."""
STEP = 1e-5
DRAWN = "the places that are sampled were drawn once from the law of {}'s grid"


@dataclass(frozen=True)
class Sampling:
    """A call's geometry, as counted.

    Attributes:
        matrix: (places, pixels): what each place takes of each pixel.
        slopes: ∂matrix by each coordinate of the place.
        notes: what it rests on.
    """

    matrix: Array
    slopes: tuple[Array, ...]
    notes: frozenset[str]


def _sampling(call: Call, *, slopes: bool = False) -> Sampling:
    size, given = tuple(call["input"].shape[2:]), call["grid"]
    number = math.prod(given.shape[1:-1])
    share = min(1.0, math.sqrt(COUNTED / max(math.prod(size) * number, 1)))
    smaller = [max(round(n * share ** (1 / len(size))), min(n, 2)) for n in size]
    drawn = max(round(number * math.prod(smaller) / math.prod(size)), 1)
    places, notes = _places(call, given, drawn)
    found = []
    if slopes:
        for d in range(len(size)):
            shift = np.eye(len(size))[d] * STEP
            both = (_matrix(call, smaller, places + sign * shift) for sign in (1, -1))
            found.append(np.subtract(*both) / (2 * STEP))
    return Sampling(_matrix(call, smaller, places), tuple(found), notes)


def _places(call: Call, grid: Tensor, number: int) -> tuple[Array, frozenset[str]]:
    """(number, coordinates) places in units of the grid."""
    random = np.random.default_rng(0)
    if not isinstance(grid, FakeTensor):
        every = grid.detach()[0].reshape(-1, grid.shape[-1]).to(torch.float64).numpy()
        kept = np.linspace(0, len(every) - 1, number).round().astype(int)
        return every[kept], frozenset()
    value = call.of(grid)
    moments = value.moments
    deviation = math.sqrt(max(moments.mean_square - moments.overall_mean**2, 0.0))
    drawn = random.standard_normal((number, grid.shape[-1])) * deviation + moments.overall_mean
    return drawn, frozenset({DRAWN.format(call.name.removesuffix("_backward"))})


def _matrix(call: Call, size: Sequence[int], places: Array) -> Array:
    pixels = math.prod(size)
    image = torch.eye(pixels, dtype=torch.float64).view(1, pixels, *size)
    grid = torch.from_numpy(places).view(1, len(places), *(1,) * (len(size) - 1), len(size))
    op = getattr(torch.ops.aten, call.name.removesuffix("_backward"))
    modes = [call[name] for name in ("interpolation_mode", "padding_mode", "align_corners")]
    return np.asarray(op(image, grid, *modes).reshape(pixels, -1).T.numpy())


def _one_axis(x: Value) -> Moments:
    """(batch, channels, places)."""
    return maps.reshape(x.moments, (*x.shape[:2], math.prod(x.shape[2:])))


def _applied(x: Moments, matrix: Array, size: int) -> Moments:
    return mapped(x, 2, matrix, (matrix.shape[0],), size)


@rule("grid_sampler_2d", "grid_sampler_3d")
def sampled(call: Call) -> Value:
    """What interpolation finds of an image at the grid's places."""
    x, known = call.value("input"), _sampling(call)
    y = _applied(_one_axis(x), known.matrix, math.prod(call.shape[2:]))
    return values.fresh(maps.reshape(y, call.shape), spread=x.scale_spread, notes=x.notes | known.notes)


@rule("grid_sampler_2d_backward", "grid_sampler_3d_backward")
def sampled_gradient(call: Call) -> list[Value | None]:
    """At the image what places that took of a pixel send back, at the grid how the image changes there."""
    g, x, mask = call.value("grad_output"), call.value("input"), call["output_mask"]
    known = _sampling(call, slopes=bool(mask[1]))
    notes = g.notes | x.notes | known.notes
    at_image = at_grid = None
    if mask[0]:
        moments = _applied(_one_axis(g), known.matrix.T, math.prod(x.shape[2:]))
        at_image = values.fresh(maps.reshape(moments, x.shape), spread=g.scale_spread, notes=notes)
    if mask[1]:
        at_grid = _at_grid(g, x, known, tuple(call["grid"].shape))
    return [at_image, at_grid]


def _at_grid(g: Value, x: Value, known: Sampling, shape: tuple[int, ...]) -> Value:
    """Σ over channels of g times the image's slope."""
    places = math.prod(shape[1:-1])
    counted = known.matrix.shape[1]
    found = []
    for slope in known.slopes:
        size = x.shape[2:]
        # fewer pixels lie further apart: slopes are too small in proportion
        steeper = (math.prod(size) / counted) ** (1 / len(size))
        moments = _applied(_one_axis(x), slope * steeper, places)
        changes = values.fresh(moments, spread=x.scale_spread, notes=known.notes)
        product = values.times(values.reshaped(g, moments.shape), changes)
        summed = total(product.moments, [1], keep=False)
        part = values.fresh(summed, spread=product.spread, notes=product.notes)
        found.append(values.reshaped(part, (*shape[:-1], 1)))
    return joined(found, len(shape) - 1)


@rule("affine_grid_generator")
def affine_places(call: Call) -> Value:
    """θ·(coordinates, 1) at each place: a contraction with the coordinates."""
    theta, size = call.value("theta"), call["size"]
    rank = len(size) - 2
    units = torch.zeros(rank + 1, rank, rank + 1, dtype=torch.float64)
    units[:, 0] = torch.eye(rank + 1, dtype=torch.float64)
    made = call.op(units, [rank + 1, *size[1:]], call["align_corners"])[..., 0]
    numbers = measured(np.moveaxis(made.numpy(), 0, -1))
    letters = "xyz"[:rank]
    moments = contract(theta.moments, "nck", numbers, f"{letters}k", f"n{letters}c")
    return values.fresh(moments, spread=theta.spread, notes=theta.notes)
