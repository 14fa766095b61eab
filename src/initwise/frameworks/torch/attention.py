"""Attention in torch models: how many heads a layer says it has, and writing its matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.errors import ModelError
from .lora import FLOATS
from .wrappers import clean, submodule

F64 = NDArray[np.float64]
HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "nhead", "heads")


def attention(model: nn.Module) -> Attention:
    """The model, as `attending` needs it."""
    return Attention(model)


class Attention:
    """`attending.Attentions` for a torch model."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        named = model.named_parameters(remove_duplicate=False)
        self.tensors = {clean(model, name): tensor for name, tensor in named}

    def heads(self, path: str) -> int:
        """What the layer at `path`, one around it or its configuration says; the nearest counts."""
        steps = path.split(".") if path else []
        for count in range(len(steps), -1, -1):
            module = submodule(self.model, steps[:count])
            for holder in (module, getattr(module, "config", None)):
                told = [getattr(holder, name, None) for name in HEADS]
                found = next((n for n in told if isinstance(n, int) and not isinstance(n, bool) and n > 0), 0)
                if found:
                    return found
        return 0

    def rounded(self, name: str, value: F64) -> Tensor:
        """The value as it will be stored.

        Raises:
            ModelError: no plain parameter, one without memory or of another kind of numbers, or values
                beyond its dtype.
        """
        tensor = self.tensors.get(name)
        if tensor is None or tensor.dtype not in FLOATS or tensor.device.type == "meta":
            got = "no plain parameter" if tensor is None else f"{tensor.dtype} on {tensor.device}"
            raise ModelError(
                got,
                where=name,
                expected="a parameter of float32, float64, float16 or bfloat16 with memory",
                cause="a parametrization computes it" if tensor is None else "",
            )
        stored = torch.from_numpy(np.ascontiguousarray(value)).to(tensor.dtype)
        if not torch.isfinite(stored).all():
            raise ModelError(f"values up to {np.abs(value).max():.3g}, beyond {tensor.dtype}", where=name)
        return stored

    def write(self, name: str, stored: Any) -> None:
        """Write what `rounded` gave; gradients and requires_grad stay."""
        with torch.no_grad():
            self.tensors[name].copy_(stored)
