"""Elementwise functions on a fixed grid of inputs, so that naming them needs no weights.

What values a signal happens to have says little: after a few layers at torch's defaults all are
near zero, where every smooth function is a line. So each elementwise operation is done again, on
the grid instead of the signal, while the model runs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from .state import readable

GRID = torch.arange(-160, 161, dtype=torch.float64, device="cpu") / 16
"""From −10 to 10; zero, ±1, ±3 and ±6, where published activations bend, are among its points."""


def replay(func: Any, args: Any, kwargs: Any, standing_in: dict[int, Tensor]) -> Tensor | None:
    """What `func` gives with every tensor replaced by `standing_in[id(tensor)]`; None if it cannot be.

    In-place operations write into copies, and give what they wrote.
    """

    def own(leaf: Any) -> Any:
        return standing_in[id(leaf)].clone() if isinstance(leaf, Tensor) else leaf

    try:
        with torch.no_grad():
            args, kwargs = tree_map(own, (args, kwargs))
            result = func(*args, **kwargs)
    except Exception:
        return None
    result = args[0] if result is None else result
    if not isinstance(result, Tensor) or result.shape != GRID.shape or result.is_complex():
        return None
    kind = result.dtype if result.dtype == torch.bool else torch.float64
    return result.to("cpu", kind)


def constant(tensor: Tensor) -> Tensor | None:
    """A tensor of equal numbers as one number; None where the place matters, and for masks."""
    if tensor.dtype == torch.bool or tensor.is_complex() or not tensor.numel():
        return None
    if not readable(tensor) or tensor.layout != torch.strided or tensor.is_nested:
        return None
    with torch.no_grad():
        first = tensor.detach().flatten()[0]
        if tensor.numel() > 1 and not bool((tensor == first).all()):
            return None
        return first.to("cpu", torch.float64 if first.is_floating_point() else first.dtype)
