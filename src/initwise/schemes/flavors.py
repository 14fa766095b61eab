"""Flavors: what a framework means by a scheme's name, as data.

A scheme is one law with options and true fans. A framework's law of the same name is that law with
other options and its own count of the fans, known bugs included. So a flavor is a row: whose, how it is
written there, which options it sets, whose count it takes. The law's own function knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.counts import SPATIAL, is_depthwise
from ..core.errors import FillError, LayoutError
from ..core.layout import Fans, Layout, recounted


@dataclass(frozen=True)
class Flavor:
    """One framework's law under a scheme's name.

    Attributes:
        name: the framework: "torch", "keras" …
        spelled: how the law is written there, defaults included.
        count: whose count of the fans it takes, one of `core.counts.COMPATS`; "" for the true ones, or
            for a law without fans.
        settings: options of the scheme that it sets; one given by the user wins.
        required: options that have no default there, so the user must give them.
        flattens: for laws of a matrix: how it makes one of more axes, "torch", "keras", "jax" or "haiku";
            "kernel" for one in × out matrix at a kernel's centre, whatever its groups; "" for its own.
        evidence: how well this is known; one of `base.EVIDENCE`.
        note: what else is to be known of it.
    """

    name: str
    spelled: str
    count: str = ""
    settings: Mapping[str, bool | float | str | None] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    flattens: str = ""
    evidence: str = "verified in source"
    note: str = ""

    def of(self, fans: Fans) -> Fans:
        """The fans as this framework sees them.

        Raises:
            LayoutError: fans made by hand, if it counts. FillError: a shape that its law refuses.
        """
        if self.flattens == "kernel":
            return _ungrouped(fans, self.spelled)
        if self.flattens:
            return _flattened(fans, self.flattens)
        return recounted(fans, self.count) if self.count else fans

    def to_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "name": self.name,
            "spelled": self.spelled,
            "count": self.count,
            "settings": dict(self.settings),
            "required": list(self.required),
            "flattens": self.flattens,
            "evidence": self.evidence,
            "note": self.note,
        }


_NO_SPATIAL = str.maketrans("", "", SPATIAL)
TRUNCATED = {"distribution": "truncated_normal"}
_JAX, _FLAX, _KERAS, _TORCH, _LASAGNE = (
    "jax.nn.initializers",
    "flax.linen.initializers",
    "keras.initializers",
    "torch.nn.init",
    "lasagne.init",
)


def torch(spelled: str, **settings: Any) -> Flavor:
    """torch's, from `torch.nn.init`."""
    return Flavor("torch", f"{_TORCH}.{spelled}", "torch", settings)


def keras(spelled: str, **settings: Any) -> Flavor:
    """Keras', from `keras.initializers`."""
    return Flavor("keras", f"{_KERAS}.{spelled}", "keras", settings)


def jax_and_flax(spelled: str, **settings: Any) -> tuple[Flavor, Flavor]:
    """JAX's, and Flax's, which are the same functions called by layers that flatten axes first."""
    return (
        Flavor("jax", f"{_JAX}.{spelled}", "jax", settings),
        Flavor("flax", f"{_FLAX}.{spelled}", "flax", settings),
    )


def haiku(spelled: str, **settings: Any) -> Flavor:
    """Haiku's, from `hk.initializers`."""
    return Flavor("haiku", f"hk.initializers.{spelled}", "haiku", settings)


def sonnet(spelled: str, **settings: Any) -> Flavor:
    """Sonnet 2's, from `snt.initializers`; it counts fans as Haiku does."""
    return Flavor("sonnet", f"snt.initializers.{spelled}", "haiku", settings)


def lasagne(spelled: str, **settings: Any) -> Flavor:
    """Lasagne's, from `lasagne.init`."""
    return Flavor("lasagne", f"{_LASAGNE}.{spelled}", "lasagne", settings)


def edm(mode: str, **settings: Any) -> Flavor:
    """EDM's `weight_init`, whose Kaiming laws have gain 1."""
    return Flavor("edm", f'edm weight_init(mode="{mode}")', "torch", settings)


def plain(flavors: tuple[Flavor, ...]) -> tuple[Flavor, ...]:
    """The same flavors of a law that takes no fans."""
    return tuple(replace(flavor, count="") for flavor in flavors)


def _flattened(fans: Fans, framework: str) -> Fans:
    """The fans with a layout of one matrix, of which a framework makes rows of one stored axis."""
    if fans.layout is None or len(fans.shape) < 2:
        return fans
    rows = _row_axis(fans.shape, fans.layout, framework)
    axes = "".join("o" if axis == rows else "i" for axis in range(len(fans.shape)))
    return replace(fans, layout=Layout(axes, transposed=False), parts=())


def _ungrouped(fans: Fans, spelled: str) -> Fans:
    """The fans of a bare kernel (k…, in, out), as a function of the shape alone sees it."""
    layout = fans.layout
    known = layout is not None and sorted(layout.axes.translate(_NO_SPATIAL)) == ["i", "o"]
    if layout is None or not known or len(layout.spatial) not in (1, 2, 3):
        raise FillError(
            f"shape {fans.shape}" + (f" with layout {layout}" if layout else ""),
            expected="a kernel of 3, 4 or 5 axes: one or more of space, one in, one out",
            cause=f"{spelled} refuses a matrix, and takes whatever stands before in and out for space",
            fix='Use "orthogonal" for this layer.',
        )
    bare = replace(layout, groups=1, parts=(), transposed=False)
    return replace(fans, layout=bare, parts=())


def _row_axis(shape: tuple[int, ...], layout: Layout, framework: str) -> int:
    """torch and Lasagne: the first axis stored; the others: the last. Of a kernel, as each stores it.

    torch, Keras and Haiku store a transposed convolution with in and out exchanged.
    """
    axes, first = layout.axes, framework == "torch"
    if "o" not in axes and not first:
        raise no_output(shape, layout)
    if framework == "keras" and "i" in axes and is_depthwise(shape, layout):
        return _depthwise_row(shape, layout)
    if layout.spatial:
        swapped = bool(layout.transposed) and framework != "jax"
        letter = "i" if swapped else "o"
        return axes.index(letter) if first else axes.rindex(letter)
    return 0 if first else axes.rindex("o")


def no_output(shape: tuple[int, ...], layout: Layout) -> LayoutError:
    """The error for a table that is asked to be an orthogonal matrix."""
    return LayoutError(
        f"orthogonal of shape {shape} with layout {layout}",
        expected="a matrix: an o axis and an i (or v) axis",
        cause="a lookup table has rows for its entries and no outputs",
        fix='Say which axis is the output: fans(shape, "vo"); or give tables a law of their own.',
    )


def _depthwise_row(shape: tuple[int, ...], layout: Layout) -> int:
    """Keras flattens (k…, channels, multiplier) to (k…·channels, multiplier)."""
    multiplier = layout.size(shape, "o") // layout.groups
    if multiplier > 1:
        raise LayoutError(
            f"Keras' orthogonal law of a depthwise kernel {shape}, {multiplier} filters to a channel",
            expected='the kernel as Keras stores it, (h, w, channels, multiplier) with layout "hwbo"',
            cause="here channels and filters share an axis, there each has its own",
        )
    return layout.axes.index("i")
