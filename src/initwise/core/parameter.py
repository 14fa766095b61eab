"""ParameterInfo: what initwise knows of one parameter of a model, whatever the framework."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codec import LATER, JsonMixin
from .layout import Fans, Layout

ROLES = (
    "weight",  # a matrix or kernel that maps one activation to another
    "bias",  # added to a weight's output
    "recurrent",  # a hidden-to-hidden matrix, one part per gate
    "recurrent_bias",  # the bias of an RNN cell, one part per gate
    "embedding",  # a lookup table
    "norm_gain",  # multiplies a normalised signal
    "norm_bias",  # added to a normalised signal
    "slope",  # PReLU's negative slope
    "magnitude",  # weight_norm's g, or another scale of a parametrized weight
    "token",  # learned vectors: class and register tokens, positions, attention's bias_k and bias_v
    "bare",  # a parameter of unknown purpose: only an explicit rule touches it
)

STATUSES = (
    "ready",  # can be filled
    "frozen",  # requires_grad is False: left alone unless a rule names it
    "empty",  # no elements: nothing to do
    "refused",  # cannot be filled; `problem` says why and what to do
)


@dataclass(frozen=True)
class ParameterInfo(JsonMixin):
    """One parameter, named and understood.

    Attributes:
        name: full name under its owner ("encoder.layers.0.weight").
        shape: global shape.
        dtype: "float32", "bfloat16", "float16", "float64", or the framework's name of another.
        role: one of `ROLES`.
        kind: the layer's class name ("Linear", "Conv2d", "LSTM"); "" for a bare parameter.
        layer: the owning module's path ("encoder.layers.0"); "" for the root.
        layout: the axes, or None if unknown (a bare parameter).
        fans: true fans of a weight; None for vectors and unknown layouts. For a bias, the fans
            of the weight it belongs to, because several published rules need them.
        gates: for "recurrent_bias" and packed weights, the part names in storage order.
        fan_hidden: hidden size of a recurrent layer, 0 otherwise.
        zero_row: padding row of an embedding, which stays zero.
        status: one of `STATUSES`; `problem` says why if it is not "ready".
        aliases: other names under which the same tensor appears (tied weights).
        start: the value a layer's constructor gives a vector (1 for a norm's gain, .25 for a
            PReLU slope), or None.
        remark: what to know about a parameter that can be filled all the same (a mask over it), or "".
        within: class names of the layer that owns it and of all around that, innermost first.
        use: the operation that told role and axes of a parameter of no known layer: "used as x @ W: axes (in,
            out)"; "" for all others.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: str
    kind: str = ""
    layer: str = ""
    layout: Layout | None = None
    fans: Fans | None = None
    gates: tuple[tuple[str, int], ...] = ()
    fan_hidden: int = 0
    zero_row: int | None = None
    status: str = "ready"
    problem: str = ""
    aliases: tuple[str, ...] = ()
    start: float | None = None
    remark: str = ""
    within: tuple[str, ...] = field(default=(), metadata=LATER)
    use: str = field(default="", metadata=LATER)
