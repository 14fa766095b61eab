"""Fans as a framework counts them, for layers where that is not what an output really sums.

torch and Keras take fans from the stored shape alone: groups and strides are not divided out,
and a transposed convolution's two fans come out swapped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from ..core.errors import OptionError
from ..core.layout import SPATIAL, Fans

Compat = Annotated[
    Literal["none", "torch", "keras"],
    "none takes the true fans; torch or keras those which that framework reports for the layer",
]


def reported(fans: Fans, compat: str) -> Fans:
    """`fans` as `compat` ("none", "torch" or "keras") counts them.

    They differ from the true ones for grouped and strided convolutions (fan_out not divided),
    transposed ones (swapped, not divided by the strides) and lookup tables (torch: fan_in is the
    width, Keras: the number of rows).

    Raises:
        OptionError: `fans` made by hand, without shape and layout, while compat is not "none".
    """
    if compat == "none":
        return fans
    if fans.layout is None:
        raise OptionError(
            f'compat="{compat}" for fans without shape and layout',
            expected="fans made by initwise.fans(shape, layout)",
        )
    size = fans.layout.size
    field = size(fans.shape, SPATIAL)
    inputs, outputs = float(size(fans.shape, "i") * field), float(size(fans.shape, "o") * field)
    if "v" in fans.layout.axes:
        inputs = float(size(fans.shape, "v"))
    swapped = fans.layout.transposed or ("v" in fans.layout.axes and compat == "torch")
    fan_in, fan_out = (outputs, inputs) if swapped else (inputs, outputs)
    return replace(fans, fan_in=fan_in, fan_out=fan_out)
