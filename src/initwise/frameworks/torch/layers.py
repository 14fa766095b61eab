"""What the parameters of each torch layer are: one row per kind of layer.

A row is a function from a module to its slots, by the parameter's local name. Rows are looked up
along the class's own inheritance, so that a subclass is known by the layer it extends. Layouts
are those in which torch stores: (out, in) for Linear, (out, in/groups, *kernel) for a
convolution, (in, out/groups, *kernel) for a transposed one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from ...core.layout import Layout, Parts


@dataclass(frozen=True)
class Slot:
    """What one parameter of a layer is.

    Attributes:
        role: one of `core.parameter.ROLES`.
        layout: its axes.
        of: local names of the weights whose fans a vector takes; several are packed in this order.
        gates: names and sizes of packed pieces.
        fan_hidden: hidden size of a recurrent layer.
        zero_row: padding row of a table.
        start: the value the constructor gives a vector, None where it is drawn.
    """

    role: str
    layout: Layout
    of: tuple[str, ...] = ()
    gates: Parts = ()
    fan_hidden: int = 0
    zero_row: int | None = None
    start: float | None = None


Slots = Mapping[str, Slot]
Row = Callable[[Any], Slots]

SPATIAL = {1: "k", 2: "hw", 3: "dhw"}
GATES = {"LSTM": "ifgo", "GRU": "rzn"}
"""Order in which torch packs the gates."""


def slots(module: nn.Module) -> tuple[str, Slots]:
    """The layer's kind and its slots; ("", {}) for a class no row knows."""
    for cls in type(module).__mro__:
        if cls in ROWS:
            return _kind(cls), ROWS[cls](module)
        if cls.__name__ in BY_NAME and not cls.__module__.startswith("torch."):
            return cls.__name__, BY_NAME[cls.__name__](module)
    if is_norm(module):
        return type(module).__name__, _foreign_norm(module)
    return "", {}


def is_norm(module: nn.Module) -> bool:
    """Is it somebody's own norm: "…Norm…" by its class, without layers inside, with a gain of one axis?"""
    own = dict(module.named_parameters(recurse=False))
    gains = [name for name in GAINS if name in own]
    return (
        "norm" in type(module).__name__.lower()
        and not any(True for _ in module.children())
        and len(gains) == 1
        and all(tensor.ndim == 1 for tensor in own.values())
    )


def _kind(cls: type) -> str:
    # attention's output layer is a Linear under a private name
    return "Linear" if cls is NonDynamicallyQuantizableLinear else cls.__name__


def _bias(*of: str, start: float | None = None, gates: Parts = ()) -> Slot:
    return Slot("bias", Layout("o", parts=gates), of, gates, start=start)


def _linear(module: nn.Linear) -> Slots:
    return {"weight": Slot("weight", Layout("oi")), "bias": _bias("weight")}


def _attention_output(module: nn.Linear) -> Slots:
    return {"weight": Slot("weight", Layout("oi")), "bias": _bias("weight", start=0.0)}


def _transposed_linear(module: Any) -> Slots:
    return {"weight": Slot("weight", Layout("io")), "bias": _bias("weight", start=0.0)}


def _convolution(module: _ConvNd) -> Slots:
    first = "io" if isinstance(module, _ConvTransposeNd) else "oi"
    axes = first + SPATIAL[len(module.kernel_size)]
    layout = Layout(axes, groups=module.groups, stride=tuple(module.stride))
    return {"weight": Slot("weight", layout), "bias": _bias("weight")}


def _bilinear(module: nn.Bilinear) -> Slots:
    return {"weight": Slot("weight", Layout("oii")), "bias": _bias("weight")}


def _embedding(module: nn.Embedding | nn.EmbeddingBag) -> Slots:
    return {"weight": Slot("embedding", Layout("vo"), zero_row=module.padding_idx)}


def _norm(module: Any) -> Slots:
    # LayerNorm and RMSNorm may span several axes
    axes = "o" * len(getattr(module, "normalized_shape", (1,)))
    return {
        "weight": Slot("norm_gain", Layout(axes), start=1.0),
        "bias": Slot("norm_bias", Layout(axes), start=0.0),
    }


GAINS = ("weight", "scale", "gain", "gamma")
SHIFTS = ("bias", "beta", "shift")


def _foreign_norm(module: nn.Module) -> Slots:
    neutral = _neutral_gain(module)
    row = {name: Slot("norm_gain", Layout("o"), start=neutral) for name in GAINS}
    return row | {name: Slot("norm_bias", Layout("o"), start=0.0) for name in SHIFTS}


def _neutral_gain(module: nn.Module) -> float:
    """0 for a norm that computes with 1 + w (Gemma's), 1 for all others.

    By what a copy answers with all its weights at 0: a plain norm then gives nothing. The name does
    not tell: one model may have norms of both kinds.
    """
    width = next(tensor.shape[0] for tensor in module.parameters())
    try:
        copied = copy.deepcopy(module).to_empty(device="cpu").float()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for tensor in copied.parameters():
                tensor.zero_()
            # its forward alone: what is hooked to the module is not to run
            answer = type(copied).forward(copied, torch.linspace(-1.0, 2.0, width).reshape(1, 1, width))
        return 0.0 if isinstance(answer, torch.Tensor) and bool(answer.any()) else 1.0
    except Exception:
        # a norm with further inputs (a gate, a condition) cannot be asked; those in use start at 1
        return 1.0


def _prelu(module: nn.PReLU) -> Slots:
    return {"weight": Slot("slope", Layout("o"), start=float(module.init))}


def _attention(module: nn.MultiheadAttention) -> Slots:
    parts = tuple((name, module.embed_dim) for name in "qkv")
    separate = tuple(f"{name}_proj_weight" for name in "qkv")
    of = ("in_proj_weight",) if module._qkv_same_embed_dim else separate
    token = Slot("token", Layout("ooo"))
    return {
        "in_proj_weight": Slot("weight", Layout("oi", parts=parts), gates=parts),
        **{name: Slot("weight", Layout("oi")) for name in separate},
        "in_proj_bias": _bias(*of, start=0.0, gates=parts),
        "bias_k": token,
        "bias_v": token,
    }


def _recurrent(module: nn.RNNBase) -> Slots:
    found: dict[str, Slot] = {}
    for layer in range(module.num_layers):
        for direction in ("", "_reverse")[: 1 + module.bidirectional]:
            end = f"_l{layer}{direction}"
            found |= _gated(GATES.get(module.mode, ""), module.hidden_size, end)
            found[f"weight_hr{end}"] = Slot("weight", Layout("oi"), fan_hidden=module.hidden_size)
    return found


def _cell(module: nn.RNNCellBase) -> Slots:
    gates = next((order for name, order in GATES.items() if isinstance(module, CELLS[name])), "")
    return _gated(gates, module.hidden_size, "")


CELLS = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell}


def _gated(order: str, hidden: int, end: str) -> dict[str, Slot]:
    """Input and hidden matrix and bias of one recurrent layer and direction."""
    parts = tuple((gate, hidden) for gate in order)
    matrix, vector = Layout("oi", parts=parts), Layout("o", parts=parts)
    return {
        f"weight_ih{end}": Slot("weight", matrix, gates=parts, fan_hidden=hidden),
        f"weight_hh{end}": Slot("recurrent", matrix, gates=parts, fan_hidden=hidden),
        f"bias_ih{end}": Slot("recurrent_bias", vector, (f"weight_ih{end}",), parts, hidden),
        f"bias_hh{end}": Slot("recurrent_bias", vector, (f"weight_hh{end}",), parts, hidden),
    }


ROWS: dict[type, Row] = {
    nn.Linear: _linear,
    NonDynamicallyQuantizableLinear: _attention_output,
    _ConvNd: _convolution,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    nn.ConvTranspose1d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.ConvTranspose3d: _convolution,
    nn.Bilinear: _bilinear,
    nn.Embedding: _embedding,
    nn.EmbeddingBag: _embedding,
    _NormBase: _norm,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.BatchNorm3d: _norm,
    nn.SyncBatchNorm: _norm,
    nn.InstanceNorm1d: _norm,
    nn.InstanceNorm2d: _norm,
    nn.InstanceNorm3d: _norm,
    nn.LayerNorm: _norm,
    nn.GroupNorm: _norm,
    nn.RMSNorm: _norm,
    nn.PReLU: _prelu,
    nn.MultiheadAttention: _attention,
    nn.RNN: _recurrent,
    nn.LSTM: _recurrent,
    nn.GRU: _recurrent,
    nn.RNNCell: _cell,
    nn.LSTMCell: _cell,
    nn.GRUCell: _cell,
}

BY_NAME: dict[str, Row] = {
    # transformers' Linear with a weight stored (in, out); GPT-2 is made of it
    "Conv1D": _transposed_linear,
}
