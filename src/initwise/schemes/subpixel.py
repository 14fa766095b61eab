"""Sub-pixel convolutions: filters repeated, so that a pixel shuffle starts as plain nearest neighbours."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from ..core.errors import OptionError
from ..core.fill import Fill
from ..core.layout import Fans, recounted
from ..core.layout import fans as fans_of
from ..core.whole import single
from .base import Known, SchemeRow, registry, scheme

AITKEN = "Aitken et al. 2017, Checkerboard artifact free sub-pixel convolution, arXiv:1707.02937"
PLANE = 2
"""Axes that are upscaled by a matrix, which has no kernel to tell."""


def icnr(
    fans: Fans,
    *,
    upscale: Annotated[float, "r, the factor of the pixel shuffle, ≥ 1"] = 2.0,
    base: Annotated[str, "the scheme that draws the filters of out/r² outputs"] = "he_normal",
    order: Annotated[
        Literal["neighbours", "tiles"],
        "where a filter's copies stand: side by side (torch's PixelShuffle), or the whole set again and "
        "again "
        "(TensorFlow's depth_to_space)",
    ] = "neighbours",
) -> Fill:
    """Each of out/r² filters of `base`, r² times (r or r³ of a kernel with one or three axes)."""
    if upscale < 1 or upscale != int(upscale):
        raise OptionError(f"upscale={upscale!r}", where="scheme 'icnr'", expected="a whole number ≥ 1")
    layout = fans.layout
    times = int(upscale) ** (len(layout.spatial) if layout is not None and layout.spatial else PLANE)
    if layout is None or not fans.shape:
        drawn = scheme(base).fill(fans)
    else:
        if order == "tiles" and layout.groups > 1:
            raise OptionError(
                f"order='tiles' of {layout.groups} groups",
                where="scheme 'icnr'",
                expected="one group, or order='neighbours'",
                cause="a filter's copies would read other groups' inputs",
            )
        small = fans_of(single(fans.shape, layout.part_axis, times), dataclasses.replace(layout, parts=()))
        drawn = scheme(base).fill(recounted(small, fans.compat) if fans.compat else small)
    fill = Fill.repeated(drawn, times, order, layout=layout)
    reason = f"{drawn.reason}; each filter {times} times: the shuffled image has blocks of equal pixels"
    return fill.because(reason, f"{AITKEN}; {drawn.citation}")


registry.add(
    SchemeRow(
        name="icnr",
        aliases=("subpixel", "pixel_shuffle_init"),
        law=icnr,
        summary="The convolution before a pixel shuffle starts as nearest-neighbour upsampling: no "
        "checkerboard.",
        formula="W[o] = V[⌊o/r²⌋], V of out/r² outputs drawn by the base scheme",
        citation=AITKEN,
        evidence="recalled",
        differences=(
            "The order of copies belongs to the shuffle: torch's PixelShuffle takes r² consecutive channels, "
            'TensorFlow\'s depth_to_space every (out/r²)-th: order="tiles". Some torch ports tile: that '
            "shuffles "
            "r² different filters together.",
            "Ports draw by He normal, as here; fan_out and Xavier laws see out/r² outputs.",
            "A bias must be repeated too; a bias of 0 is.",
        ),
        avoid="convolutions that feed no pixel shuffle: give it to the one layer, by its name, in a rule.",
        use="the last convolution before a pixel shuffle, in super-resolution and generators.",
        suits=("upsampling", "cnn", "gan"),
        see=("bilinear_upsampling", "he_normal"),
        known=(
            Known(
                (64, 32, 3, 3), "oihw", "std", 0.0833333333, source="√(2/288), He's: fan_in does not change"
            ),
            Known(
                (3, 3, 32, 64),
                "hwio",
                "std",
                0.1178511302,
                (("base", "he_fan_out"),),
                source="√(2/144): fan_out is 16·9",
            ),
            Known(
                (16, 4, 3),
                "oik",
                "std",
                0.2886751346,
                (("upscale", 4.0), ("base", "xavier_normal")),
                source="√(2/(12 + 12))",
            ),
        ),
    )
)
