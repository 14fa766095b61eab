"""Scalars: numbers computed on the device, brought to the host all at once."""

from __future__ import annotations

import torch
from torch import Tensor

Scalar = Tensor | float


class Scalars:
    """Collects 0-d tensors; `fetch()` is the only place where the host waits for the device."""

    def __init__(self) -> None:
        self._tensors: list[Tensor] = []

    def add(self, number: Scalar) -> int:
        """Keep a number (a 0-d tensor of any real dtype). Returns its place in what `fetch` gives."""
        tensor = number.detach() if isinstance(number, Tensor) else torch.tensor(number, dtype=torch.float64)
        self._tensors.append(widened(tensor))
        return len(self._tensors) - 1

    def fetch(self) -> list[float]:
        """All of them as Python floats: one transfer (one per device, if there are several)."""
        by_device: dict[torch.device, list[int]] = {}
        for place, tensor in enumerate(self._tensors):
            by_device.setdefault(tensor.device, []).append(place)
        values = [0.0] * len(self._tensors)
        for places in by_device.values():
            numbers = torch.stack([self._tensors[place] for place in places]).tolist()
            for place, number in zip(places, numbers, strict=True):
                values[place] = number
        return values


def widened(tensor: Tensor) -> Tensor:
    """`tensor` in float64, or in float32 on a device that has no float64."""
    return tensor.to(torch.float32 if tensor.device.type == "mps" else torch.float64)
