"""Means over windows, resampling and padding: linear and separable; see `separable`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import values
from ..axes import Array
from ..values import Value
from .calling import Call, rule
from .separable import LARGEST, OTHER, applied, first, operator

Line = Callable[[int, int, int], Array]
"""(place of the axis among those that are moved, size before, size after) → matrix."""


def space(call: Call, rank: int) -> list[int]:
    """The axes that are moved: as many of the last as the operation's name says."""
    count = next((int(c) for c in call.name if c.isdigit()), rank - 2)
    return list(range(rank - count, rank))


def per_axis(given: Any, count: int) -> list[Any]:
    """An argument for each axis, which may be given once for all."""
    listed = list(given) if isinstance(given, (list, tuple)) else [given]
    return listed * count if len(listed) == 1 else listed


def _forward(call: Call, x: Value, line: Line) -> Value:
    dims = space(call, len(x.shape))
    return applied(call, x, {d: line(i, x.shape[d], call.shape[d]) for i, d in enumerate(dims)})


def _backward(call: Call, g: Value, line: Line, factor: float = 1.0) -> Value:
    dims = space(call, len(g.shape))
    back = {d: line(i, call.shape[d], g.shape[d]).T for i, d in enumerate(dims)}
    return applied(call, g, back, factor)


def _plain(call: Call) -> str:
    return call.name.removesuffix("_backward")


AVERAGES = ("avg_pool1d", "avg_pool2d", "avg_pool3d")
ADAPTIVE = ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d")


def _windows(call: Call, rank: int) -> Line:
    kernel, padding = (per_axis(call[name], rank) for name in ("kernel_size", "padding"))
    stride = per_axis(call["stride"] or kernel, rank)

    def line(i: int, size: int, _: int) -> Array:
        one = {"kernel_size": kernel[i], "stride": stride[i], "padding": padding[i]}
        given = {name: first(rank, number, int(name != "padding")) for name, number in one.items()}
        return operator(
            _plain(call),
            min(size, LARGEST),
            rank,
            **given,
            ceil_mode=call["ceil_mode"],
            count_include_pad=call["count_include_pad"],
        )

    return line


def _divisor(call: Call, rank: int) -> float:
    """What an overriding divisor makes of means."""
    given, size = call.get("divisor_override"), 1.0
    for kernel in per_axis(call["kernel_size"], rank):
        size *= kernel
    return size / given if given else 1.0


@rule(*AVERAGES)
def average_pool(call: Call) -> Value:
    """Means over windows."""
    x = call.value("self")
    rank = len(space(call, len(x.shape)))
    y = _forward(call, x, _windows(call, rank))
    if call.shape == x.shape:
        y = values.noted(y, frozenset({BLURRED}))
    return values.scaled(y, _divisor(call, rank))


BLURRED = "means over neighbours: that near places are then more alike than far ones is kept as an average"


@rule("avg_pool2d_backward", "avg_pool3d_backward")
def average_pool_gradient(call: Call) -> Value:
    """Each window's gradient, shared equally."""
    g = call.value("grad_output")
    rank = len(space(call, len(g.shape)))
    return _backward(call, g, _windows(call, rank), _divisor(call, rank))


def _adaptive(call: Call, rank: int) -> Line:
    def line(_: int, size: int, out: int) -> Array:
        size, out = shrunk(size, out)
        return operator(_plain(call), size, rank, output_size=first(rank, out, OTHER))

    return line


def shrunk(size: int, out: int) -> tuple[int, int]:
    """Sizes in the same ratio, small enough to count."""
    longest = max(size, out)
    if longest <= LARGEST:
        return size, out
    return max(round(size * LARGEST / longest), 1), max(round(out * LARGEST / longest), 1)


@rule(*ADAPTIVE)
def adaptive_average_pool(call: Call) -> Value:
    """Means over as many windows as asked for."""
    x = call.value("self")
    return _forward(call, x, _adaptive(call, len(space(call, len(x.shape)))))


@rule("_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward")
def adaptive_average_pool_gradient(call: Call) -> Value:
    """Each window's gradient, shared equally."""
    g = call.value("grad_output")
    return _backward(call, g, _adaptive(call, len(space(call, len(g.shape)))))


RESAMPLED = (
    *(f"upsample_{kind}" for kind in ("nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d")),
    *(f"upsample_{kind}" for kind in ("trilinear3d", "bicubic2d")),
    *(f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)),
    "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa",
)
SCALES = (("scales",), ("scales_h", "scales_w"), ("scales_d", "scales_h", "scales_w"))


def _resampling(call: Call, rank: int) -> Line:
    names = SCALES[rank - 1]

    def line(i: int, size: int, out: int) -> Array:
        scale = call.get(names[i]) or (call.get("scale_factors") or [None] * rank)[i]
        given: dict[str, Any] = dict(zip(names, first(rank, scale, None), strict=True))
        if call.get("align_corners") is not None:
            given["align_corners"] = call["align_corners"]
        size, out = shrunk(size, out)
        return operator(_plain(call), size, rank, output_size=first(rank, out, OTHER), **given)

    return line


@rule(*RESAMPLED)
def resampled(call: Call) -> Value:
    """Copies, or interpolations, of neighbouring places."""
    x = call.value("input" if "input" in call.arguments else "self")
    return _forward(call, x, _resampling(call, len(space(call, len(x.shape)))))


@rule(*(f"{name}_backward" for name in RESAMPLED))
def resampled_gradient(call: Call) -> Value:
    """The gradients of all that a place went into, summed."""
    g = call.value("grad_output")
    return _backward(call, g, _resampling(call, len(space(call, len(g.shape)))))


PADDED = tuple(f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3))


def _padding(call: Call, rank: int) -> Line:
    given: Sequence[int] = call["padding"]

    def line(i: int, size: int, out: int) -> Array:
        before, after = given[2 * (rank - 1 - i)], given[2 * (rank - 1 - i) + 1]
        one = _plain(call)[:-2] + "1d"
        cut = min(size, max(LARGEST, before + 1, after + 1))
        return operator(one, cut, 1, padding=[before, after])

    return line


@rule(*PADDED)
def padded_by_itself(call: Call) -> Value:
    """Copies of what lies inside around it."""
    x = call.value("self")
    return _forward(call, x, _padding(call, len(space(call, len(x.shape)))))


@rule(*(f"{name}_backward" for name in PADDED))
def padded_by_itself_gradient(call: Call) -> Value:
    """The gradients of all copies, summed."""
    g = call.value("grad_output")
    return _backward(call, g, _padding(call, len(space(call, len(g.shape)))))
