"""The torch adapter. Importing this loads no torch: the work is in modules loaded when asked."""

from __future__ import annotations

from ..protocol import adapters
from .door import TorchAdapter

__all__ = ["TorchAdapter"]

adapters.add(TorchAdapter())
