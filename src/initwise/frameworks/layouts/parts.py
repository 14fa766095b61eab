"""Pieces that several rows are made of."""

from __future__ import annotations

from ...core.layout import Layout, Parts
from .base import Slot


def bias(*of: str, start: float | None = None, gates: Parts = ()) -> Slot:
    """A bias with the fans of the weights `of`."""
    return Slot("bias", Layout("o", parts=gates), of, gates, start=start)


def weight(axes: str) -> Slot:
    """A weight with these axes."""
    return Slot("weight", Layout(axes))
