"""What the parameters of each torch layer are: its row among the layouts, or what a norm's name tells.

Layouts are those in which torch stores: (out, in) for Linear, (out, in/groups, *kernel) for a
convolution, (in, out/groups, *kernel) for a transposed one. Rows are in `frameworks/layouts`.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from ...core.layout import Layout
from ..layouts import Slot, Slots, row_of

__all__ = ["Slot", "Slots", "is_norm", "slots"]


def slots(module: nn.Module) -> tuple[str, Slots]:
    """The layer's kind and its slots; ("", {}) for a class no row knows.

    Raises:
        ModelError: the layer's row cannot read it; a third-party row, or a layer of another version.
    """
    found = row_of(type(module))
    if found is not None:
        row, kind = found
        return kind, row.read(module)
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
