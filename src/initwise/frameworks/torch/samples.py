"""A few values of a tensor at fixed places, by which an elementwise function is named afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

COUNT = 64


@dataclass(frozen=True)
class Sample:
    """Up to `COUNT` values at places that depend on the shape alone, and how exact their dtype is."""

    shape: tuple[int, ...]
    values: NDArray[np.float64]
    tolerance: float = 1e-5


def sample(tensor: Tensor) -> Sample | None:
    """Some values of `tensor`, or None where it has none that are real numbers."""
    if not tensor.is_floating_point() or not tensor.numel() or tensor.device.type == "meta":
        return None
    if tensor.layout != torch.strided or tensor.is_nested:
        return None
    places = np.unique(np.linspace(0, tensor.numel() - 1, COUNT).astype(np.int64))
    index = tuple(
        torch.from_numpy(axis).to(tensor.device)
        for axis in np.unravel_index(places, tuple(tensor.shape) or (1,))
    )
    with torch.no_grad():
        flat = tensor.detach() if tensor.dim() else tensor.detach().reshape(1)
        picked = flat[index].to("cpu", torch.float64)
    return Sample(tuple(tensor.shape), picked.numpy(), max(1e-5, 4 * torch.finfo(tensor.dtype).eps))
