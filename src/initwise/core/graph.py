"""Graph: what feeds what in a model, as seen in a real execution, whatever the framework."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codec import LATER, JsonMixin
from .layout import Layout

OPS = (
    "input",  # an argument of the model
    "weight",  # linear map with a weight: linear, convolution, bilinear
    "recurrent",  # an RNN, LSTM or GRU layer, as one node
    "embedding",
    "activation",  # `label` is the activation's registered name
    "norm",  # batch, layer, group, instance, rms; `label` says which
    "add",  # sum of two or more signals
    "mul",  # product of two signals: a gate
    "scale",  # product with a parameter or a number: LayerScale, SkipInit, attention's 1/√d
    "matmul",  # product of two activations: attention
    "softmax",
    "concat",
    "pool",
    "dropout",
    "view",  # reshape, transpose, slice, index: the same values in other places
    "parameter",  # a bare parameter entering the signal: positions, tokens
    "pointwise",  # an elementwise function without a name
    "other",  # anything else; `label` is the framework's name of it
    "output",  # the model's result
)


USES = (
    "weight",  # of a linear map; `layout` says what its axes are to it
    "embedding",  # rows of it are looked up
    "bias",  # added to a weight's output, within the same operation
    "term",  # added to a signal
    "factor",  # multiplied with a signal, element by element
    "norm_gain",  # given to a norm
    "norm_bias",
    "",  # in some other way; `how` says in which
)


@dataclass(frozen=True)
class Use(JsonMixin):
    """What one operation did with a parameter that belongs to no known layer.

    Attributes:
        name: the parameter.
        kind: one of `USES`.
        how: the operation in words: "x @ W".
        layout: the parameter's own axes, as this operation uses them; None where it says nothing of them.
        along: the axes of the result that the parameter makes different from each other, counted from the
            last (-1): a weight's outputs, a term's own axes.
        piece: the first element used, -1 if all of them are.
    """

    name: str
    kind: str
    how: str
    layout: Layout | None = None
    along: tuple[int, ...] = ()
    piece: int = -1


@dataclass(frozen=True)
class Node(JsonMixin):
    """One operation.

    Attributes:
        index: position in execution order, from 0.
        op: one of `OPS`.
        label: the activation's or norm's name, or the framework's name of the operation.
        layer: path of the innermost module that ran it.
        inputs: indices of the nodes whose outputs it consumed.
        parameters: full names of the parameters it used.
        shape: shape of its (first) output.
        curve: a nameless elementwise function of the one input as a table of (x, y), from which its
            moments can be computed; () where it is not known, and for whatever has a name.
        uses: what it did with parameters that belong to no known layer.
    """

    index: int
    op: str
    label: str = ""
    layer: str = ""
    inputs: tuple[int, ...] = ()
    parameters: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    uses: tuple[Use, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True)
class Graph(JsonMixin):
    """Nodes in execution order; a layer used twice appears twice."""

    nodes: tuple[Node, ...]
