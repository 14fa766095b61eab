"""Layout + shape → Fans: which axis is what, declared and never guessed from rank."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .codec import LATER, JsonMixin
from .counts import SEPARATE, counted
from .counts import SPATIAL as SPATIAL
from .errors import LayoutError

AXES = "bvoi" + SPATIAL
CANONICAL = "bvoi"
"""Order of the named axes in the stream's element count; spatial axes follow in storage order."""

Parts = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Layout(JsonMixin):
    """The meaning of a weight's axes, in storage order.

    Args:
        axes: one letter per axis. `o` output, `i` input, `h w d k` spatial, `b` a batch of
            independent matrices (experts, heads), `v` a lookup axis of which one entry is
            active at a time (the rows of an embedding table). A letter may repeat: a bilinear
            weight is "oii", a dense-general kernel (width, heads, head size) is "ioo". Keras'
            depthwise kernel (h, w, channels, multiplier) is "hwbo": each channel by itself.
        groups: number of groups of a grouped convolution. The input axis of a convolution, and
            the output axis of a transposed one, are stored per group.
        parts: names and sizes of packed pieces along the first `o` axis, for example
            `(("q", 64), ("k", 64), ("v", 64))`; each has its own fans.
        stride: the convolution's strides, one per spatial axis, or () for 1.
        transposed: a transposed convolution. None, the default, means: yes exactly if the axes
            begin "io" and spatial axes follow, which is how torch stores one.

    Raises:
        LayoutError: unknown letters, no axes, groups or strides < 1, parts without an `o` axis.
    """

    axes: str
    groups: int = 1
    parts: Parts = ()
    stride: tuple[int, ...] = ()
    transposed: bool | None = None

    def __post_init__(self) -> None:
        self._check_axes()
        _set(self, "groups", whole(self.groups, f"layout {self.axes!r}, groups", least=1))
        if self.transposed is None:
            rest = self.axes[2:]
            _set(self, "transposed", self.axes[:2] == "io" and bool(rest) and set(rest) <= set(SPATIAL))
        sizes = [(str(name), whole(size, f"part {name!r}, size")) for name, size in self.parts]
        _set(self, "parts", tuple(sizes))
        if len(dict(sizes)) < len(sizes):
            raise LayoutError(f"parts {sizes}", expected="a name of its own for each part")
        _set(self, "stride", tuple(whole(step, "stride", least=1) for step in self.stride))
        if self.parts and "o" not in self.axes:
            raise LayoutError(f"layout {self.axes!r} has parts but no o axis", expected="parts lie along o")

    def _check_axes(self) -> None:
        if not isinstance(self.axes, str):
            raise LayoutError(
                f"layout {self.axes!r} is a {type(self.axes).__name__}", expected="a string of axes"
            )
        unknown = sorted(set(self.axes) - set(AXES))
        if unknown or not self.axes:
            raise LayoutError(
                f"layout {self.axes!r}" + (f" has unknown axes {', '.join(unknown)}" if unknown else ""),
                expected="one letter per axis, in storage order",
                legal=AXES,
                fix='For example "oi" (torch Linear), "io" (Keras Dense), "oihw" (torch Conv2d).',
            )

    def __str__(self) -> str:
        extra = [f"groups={self.groups}"] if self.groups > 1 else []
        if self.parts:
            extra.append("parts=" + "+".join(f"{name}:{size}" for name, size in self.parts))
        if any(step != 1 for step in self.stride):
            extra.append(f"stride={self.stride}")
        return f'"{self.axes}"' + (f" ({', '.join(extra)})" if extra else "")

    @property
    def spatial(self) -> tuple[int, ...]:
        """Indices of the spatial axes, in storage order."""
        return self._indices(SPATIAL)

    @property
    def part_axis(self) -> int:
        """The axis along which packed parts lie: the first `o`."""
        return self.axes.index("o")

    @property
    def canonical(self) -> tuple[int, ...]:
        """The axes' storage indices in canonical order: b, v, o, i, then spatial.

        A Keras (in, out) kernel and a torch (out, in) weight enumerate the same elements in the
        same order once transposed by this.
        """
        named = tuple(index for letter in CANONICAL for index in self._indices(letter))
        return named + self.spatial

    @property
    def sums(self) -> bool:
        """Does an output of this weight sum over inputs: has it fans?

        A depthwise kernel without an input axis sums over its field alone.
        """
        return bool(set("iv") & set(self.axes)) or ("b" in self.axes and bool(self.spatial))

    def size(self, shape: Sequence[int], letters: str) -> int:
        """The product of the axes named by `letters`, 1 if there are none."""
        return math.prod(shape[index] for index in self._indices(letters))

    def check(self, shape: Sequence[int], where: str = "") -> None:
        """Raise LayoutError unless `shape` fits: number of axes, groups, parts, strides."""
        if len(shape) != len(self.axes):
            raise LayoutError(
                f'layout "{self.axes}" needs {len(self.axes)} axes, shape is {tuple(shape)}',
                where=where,
                cause="the layout belongs to a layer of another kind",
                fix=f"Known layouts with {len(shape)} axes: {_known(len(shape))}. Pass the one that fits.",
            )
        divided = "i" if self.transposed else "o"
        if self.groups > 1 and self.size(shape, divided) % self.groups:
            raise LayoutError(
                f"axis {divided} of shape {tuple(shape)} does not divide into groups={self.groups}",
                where=where,
            )
        if self.parts and sum(size for _, size in self.parts) != shape[self.part_axis]:
            raise LayoutError(
                f"parts {dict(self.parts)} sum to {sum(size for _, size in self.parts)}, "
                f"axis o has {shape[self.part_axis]}",
                where=where,
                expected="part sizes that add up to the packed axis",
            )
        if self.stride and len(self.stride) != len(self.spatial):
            raise LayoutError(
                f"stride {self.stride} for {len(self.spatial)} spatial axes",
                where=where,
                expected="one per axis",
            )

    def _indices(self, letters: str) -> tuple[int, ...]:
        return tuple(index for index, letter in enumerate(self.axes) if letter in letters)


def whole(value: Any, what: str, least: int = 0, where: str = "") -> int:
    """`value` as an int ≥ `least`. Raises LayoutError for anything else: nothing is rounded."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise LayoutError(f"{what} {value!r}", where=where, expected=f"a whole number ≥ {least}")
    return number


def whole_shape(shape: Any, where: str = "") -> tuple[int, ...]:
    """`shape` as a tuple of ints ≥ 0. Raises LayoutError for anything else."""
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise LayoutError(
            f"shape {shape!r}", where=where, expected="a tuple of axis sizes, for example (256, 64)"
        )
    return tuple(whole(size, "axis size", where=where) for size in shape)


def _set(layout: Layout, name: str, value: Any) -> None:
    object.__setattr__(layout, name, value)


@dataclass(frozen=True)
class Fans(JsonMixin):
    """How many products make one output value, and how many outputs one input value feeds.

    Attributes:
        fan_in: weight·input products summed into one output value. May be fractional for
            strided transposed convolutions, where it is the mean over output positions.
        fan_out: output values that one input value feeds, divided by the strides.
        shape: the global shape these were computed from.
        layout: the axes they were computed by.
        parts: each packed part's own fans, by name; then `fan_in`/`fan_out` above are their means.
        compat: the framework that counts so, "" for the true fans.
    """

    fan_in: float
    fan_out: float
    shape: tuple[int, ...] = ()
    layout: Layout | None = None
    parts: tuple[tuple[str, Fans], ...] = ()
    compat: str = field(default="", metadata=LATER)

    @property
    def average(self) -> float:
        """(fan_in + fan_out) / 2, Glorot and Bengio's choice."""
        return (self.fan_in + self.fan_out) / 2

    @property
    def geometric(self) -> float:
        """√(fan_in · fan_out)."""
        return math.sqrt(self.fan_in * self.fan_out)

    def __str__(self) -> str:
        head = f"fan_in {self.fan_in:g}, fan_out {self.fan_out:g}"
        if self.compat:
            head += f" as {self.compat} counts"
        if not self.parts:
            return head
        return head + " (" + "; ".join(f"{name}: {part}" for name, part in self.parts) + ")"


def fans(
    shape: Sequence[int],
    layout: str | Layout,
    *,
    groups: int = 1,
    parts: Iterable[tuple[str, int]] | None = None,
    stride: int | Sequence[int] = (),
    where: str = "",
    compat: str | None = None,
) -> Fans:
    """The true fans of a weight of this global `shape` under this `layout`.

    Args:
        shape: the global shape, never a shard's.
        layout: axes in storage order ("oi", "oihw", "hwio" …) or a Layout.
        groups, parts, stride: as in `Layout`; given here they are added to a layout string.
        where: a parameter's name, for the error text.
        compat: None for the true fans; "torch", "keras", "jax", "flax", "haiku", "lasagne" or "timm"
            for what that framework's initializers count (`core/counts.py`).

    Raises:
        LayoutError: the shape does not fit, an unknown `compat`, or the layout has no input axis (a
            bias or a norm's gain has no fans: give it a rule of its own).

    >>> print(fans((256, 64), "oi"))
    fan_in 64, fan_out 256
    >>> print(fans((64, 16, 3, 3), "oihw", groups=4))
    fan_in 144, fan_out 144
    >>> print(fans((64, 16, 3, 3), "oihw", groups=4, compat="torch"))
    fan_in 144, fan_out 576 as torch counts
    """
    declared = layout if isinstance(layout, Layout) else Layout(layout)
    if groups != 1 or parts or stride != ():
        steps = (stride,) * len(declared.spatial) if isinstance(stride, int) else tuple(stride)
        declared = replace(
            declared,
            groups=groups if groups != 1 else declared.groups,
            parts=tuple(parts) if parts else declared.parts,
            stride=steps or declared.stride,
        )
    shape = whole_shape(shape, where)
    declared.check(shape, where)
    if compat is not None:
        return _as_counted(shape, declared, compat, where)
    if not declared.sums:
        raise LayoutError(
            f"shape {shape} with layout {declared} has no input axis, so it has no fans",
            where=where,
            expected="a weight with an i axis (or v, for a lookup table)",
            cause="a fan rule was asked for a bias, a norm's gain or another vector",
            fix="Give vectors a rule of their own: zeros, ones, constant(value), uniform(low, high).",
        )
    if declared.parts:
        return _packed(shape, declared, _plain)
    return _plain(shape, declared)


def recounted(fans_: Fans, compat: str | None) -> Fans:
    """The same weight's fans as `compat` counts them, None for the true ones.

    Raises:
        LayoutError: fans made by hand, without shape and layout; an unknown framework.
    """
    if fans_.layout is None or not fans_.shape:
        raise LayoutError(
            f"{compat} cannot count fans without shape and layout",
            expected="fans made by initwise.fans(shape, layout)",
        )
    return fans(fans_.shape, fans_.layout, compat=compat)


def _as_counted(shape: tuple[int, ...], layout: Layout, compat: str, where: str) -> Fans:
    def count(shape: tuple[int, ...], layout: Layout) -> Fans:
        return Fans(*counted(shape, layout, compat, where), shape, layout, compat=compat)

    if layout.parts and compat in SEPARATE:
        return replace(_packed(shape, layout, count), compat=compat)
    # to this framework the packed matrices are one
    return count(shape, replace(layout, parts=()))


def _plain(shape: tuple[int, ...], layout: Layout) -> Fans:
    field = layout.size(shape, SPATIAL)
    inputs, outputs = layout.size(shape, "i"), layout.size(shape, "o")
    step = math.prod(layout.stride)
    fan_in, fan_out = float(inputs * field), float(outputs * field)
    # groups: exactly one of the two axes is stored whole and must be divided
    if layout.transposed:
        fan_in /= layout.groups * step
    else:
        fan_out /= layout.groups * step
    return Fans(fan_in, fan_out, shape, layout)


def _packed(shape: tuple[int, ...], layout: Layout, count: Callable[[tuple[int, ...], Layout], Fans]) -> Fans:
    axis, bare = layout.part_axis, replace(layout, parts=())
    pieces = tuple(
        (name, count((*shape[:axis], size, *shape[axis + 1 :]), bare)) for name, size in layout.parts
    )
    return Fans(
        sum(part.fan_in for _, part in pieces) / len(pieces),
        sum(part.fan_out for _, part in pieces) / len(pieces),
        shape,
        layout,
        pieces,
    )


def _known(rank: int) -> str:
    table = {
        1: '"o"',
        2: '"oi", "io", "vo"',
        3: '"oik", "kio", "iok" (transposed), "boi", "oii"',
        4: '"oihw", "hwio", "iohw" (transposed), "hwbo" (depthwise)',
        5: '"oidhw", "dhwio", "iodhw" (transposed)',
    }
    return table.get(rank, "none; name each axis")
