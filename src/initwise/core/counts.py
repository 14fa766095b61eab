"""Fans as frameworks count them: from the bare shape, in the order in which each stores a layer.

Two steps. `stored` says in which shape a framework keeps the layer; `ARITHMETIC` is what it then makes of
that shape, whatever the axes mean. Groups, strides and packed matrices are unknown to all of them.
docs/notes/fans.md lists where this differs from the true fans. Read in torch 2.15, Keras 3, JAX 0.10,
Flax linen, Haiku, Lasagne 0.2.dev1 and timm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import LayoutError

if TYPE_CHECKING:
    from .layout import Layout

Shape = tuple[int, ...]
SPATIAL = "hwdk"
SEPARATE = frozenset({"flax"})
"""Frameworks that keep packed matrices (gates, query-key-value) apart: each has fans of its own."""
VECTORS = frozenset({"keras", "haiku"})
"""Frameworks that give a vector of n the fans (n, n); the others refuse one."""


def counted(shape: Shape, layout: Layout, compat: str, where: str = "") -> tuple[float, float]:
    """(fan_in, fan_out) that the framework `compat` computes for a layer of this shape and layout.

    Raises:
        LayoutError: a framework nobody knows, or a vector where it has no fans for vectors.
    """
    if compat not in ARITHMETIC:
        raise LayoutError(f"compat={compat!r}", where=where, legal=ARITHMETIC, given=str(compat))
    bare = stored(shape, layout, compat)
    if len(bare) < 2 and compat not in VECTORS:
        raise LayoutError(
            f"shape {shape} has no fans in {compat} either",
            where=where,
            expected="two axes or more",
            cause="a fan rule was asked for a bias, a norm's gain or another vector",
            fix="Give vectors a rule of their own: zeros, ones, constant(value), uniform(low, high).",
        )
    fan_in, fan_out = ARITHMETIC[compat](bare)
    if compat == "timm":
        return fan_in, fan_out / (layout.groups * layout.size(shape, "b"))
    return fan_in, fan_out


def stored(shape: Shape, layout: Layout, compat: str) -> Shape:
    """The shape in which `compat` stores this layer.

    A layout that is already this framework's own is left as it is, as are all that its initializers
    can meet: torch's functions see an (in, out) matrix (transformers' Conv1D) and take it for (out, in).
    """
    if len(shape) < 2:
        return shape
    if is_depthwise(shape, layout) and (compat == "keras" or "i" not in layout.axes):
        return _depthwise(shape, layout, compat)
    return (_channels_first if compat in CHANNELS_FIRST else _channels_last)(shape, layout, compat)


def is_depthwise(shape: Shape, layout: Layout) -> bool:
    """One input channel to each filter: stored as (channels, 1, k…), or with the channels as batch.

    Keras' grouped convolution, stored (k…, 1, channels), is none: its kernel says which layer it is.
    """
    if not layout.spatial or layout.transposed:
        return False
    if "i" not in layout.axes:
        return "b" in layout.axes
    return layout.groups > 1 and layout.size(shape, "i") == 1 and layout.axes[0] not in SPATIAL


def _depthwise(shape: Shape, layout: Layout, compat: str) -> Shape:
    kernel = _kernel(shape, layout)
    channels = layout.size(shape, "b") * layout.groups
    filters = layout.size(shape, "bo")
    if compat == "keras":
        return (*kernel, channels, filters // channels)
    return (filters, 1, *kernel) if compat in CHANNELS_FIRST else (*kernel, 1, filters)


def _channels_first(shape: Shape, layout: Layout, compat: str) -> Shape:
    inputs, outputs = layout.size(shape, "iv"), layout.size(shape, "o")
    if compat == "lasagne" and len(shape) == 2:
        return inputs, outputs
    if not layout.spatial or layout.spatial[-1] == len(shape) - 1:
        return shape
    pair = (inputs, outputs) if layout.transposed else (outputs, inputs)
    return (*_sizes(shape, layout, "b"), *pair, *_kernel(shape, layout))


def _channels_last(shape: Shape, layout: Layout, compat: str) -> Shape:
    inputs, outputs, batch = layout.size(shape, "iv"), layout.size(shape, "o"), layout.size(shape, "b")
    if layout.spatial:
        own = layout.axes[0] in SPATIAL and layout.axes[-2:] == "oi"
        swapped = layout.transposed and (compat in ("keras", "haiku") or own)
        pair = (outputs, inputs) if swapped else (inputs, outputs)
        return (batch, *_kernel(shape, layout), *pair)
    if compat == "keras":  # its EinsumDense names the axes
        return batch, inputs, outputs
    if compat == "flax":  # its DenseGeneral flattens before it calls the initializer
        return batch * inputs, outputs
    if layout.axes[-1] == "o":
        return shape
    return tuple(size for letters in ("b", "iv", "o") for size in _sizes(shape, layout, letters))


def _kernel(shape: Shape, layout: Layout) -> Shape:
    return _sizes(shape, layout, SPATIAL)


def _sizes(shape: Shape, layout: Layout, letters: str) -> Shape:
    return tuple(size for size, letter in zip(shape, layout.axes, strict=True) if letter in letters)


def _last_two(shape: Shape) -> tuple[float, float]:
    if len(shape) < 2:
        return float(math.prod(shape)), float(math.prod(shape))
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


def _first_two(shape: Shape) -> tuple[float, float]:
    field = math.prod(shape[2:])
    return float(shape[1] * field), float(shape[0] * field)


def _lasagne(shape: Shape) -> tuple[float, float]:
    """Glorot takes the sum of the first two axes; He all but the first, and of a matrix the first."""
    return _last_two(shape) if len(shape) == 2 else _first_two(shape)


ARITHMETIC: dict[str, Callable[[Shape], tuple[float, float]]] = {
    "flax": _last_two,
    "haiku": _last_two,
    "jax": _last_two,
    "keras": _last_two,
    "lasagne": _lasagne,
    "timm": _first_two,
    "torch": _first_two,
}
"""Each framework's own arithmetic on a bare shape. timm then divides fan_out by the groups."""

CHANNELS_FIRST = frozenset({"torch", "timm", "lasagne"})
COMPATS = tuple(sorted(ARITHMETIC))
