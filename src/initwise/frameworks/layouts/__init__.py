"""Layouts: how the parameters of a layer are stored and what each is, one row per kind of layer."""

from .base import LayoutRow, Slot, Slots, layouts, registry, row_of

__all__ = ["LayoutRow", "Slot", "Slots", "layouts", "registry", "row_of"]
