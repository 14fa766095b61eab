"""Scalars: numbers computed on the device, brought to the host all at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

Scalar = Tensor | float


class Scalars:
    """Collects 0-d tensors; `fetch()` is the only place where the host waits for the device."""

    def __init__(self) -> None:
        self._numbers: list[Scalar] = []

    def add(self, number: Scalar) -> int:
        """Keep a number (a 0-d tensor of any real dtype). Returns its place in what `fetch` gives."""
        self._numbers.append(widened(number.detach()) if isinstance(number, Tensor) else number)
        return len(self._numbers) - 1

    def fetch(self) -> list[float]:
        """All of them as Python floats: one transfer (one per device, if there are several)."""
        values = [math.nan if isinstance(number, Tensor) else number for number in self._numbers]
        by_device: dict[torch.device, list[tuple[int, Tensor]]] = {}
        for place, number in enumerate(self._numbers):
            if isinstance(number, Tensor):
                by_device.setdefault(number.device, []).append((place, number))
        for kept in by_device.values():
            fetched = torch.stack([tensor for _, tensor in kept]).tolist()
            for (place, _), number in zip(kept, fetched, strict=True):
                values[place] = number
        return values


def widened(tensor: Tensor) -> Tensor:
    """`tensor` in float64, or in float32 on a device that has no float64."""
    return tensor.to(torch.float32 if tensor.device.type == "mps" else torch.float64)
