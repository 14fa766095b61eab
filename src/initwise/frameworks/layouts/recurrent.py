"""Recurrent layers and cells: gates packed along the outputs, in torch's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.layout import Layout
from .base import LayoutRow, Slot, Slots, registry

GATES = {"LSTM": "ifgo", "GRU": "rzn", "RNN": ""}
"""Order in which torch packs the gates."""


def _layers(order: str) -> Callable[[Any], Slots]:
    def slots(module: Any) -> Slots:
        found: dict[str, Slot] = {}
        for layer in range(module.num_layers):
            for direction in ("", "_reverse")[: 1 + module.bidirectional]:
                end = f"_l{layer}{direction}"
                found |= _gated(order, module.hidden_size, end)
                found[f"weight_hr{end}"] = Slot("weight", Layout("oi"), fan_hidden=module.hidden_size)
        return found

    return slots


def _cell(order: str) -> Callable[[Any], Slots]:
    return lambda module: _gated(order, module.hidden_size, "")


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


for _name, _order in GATES.items():
    _packed = f"gates {', '.join(_order)} packed along the outputs" if _order else "no gates"
    registry.add(
        LayoutRow(
            name=_name.lower(),
            layers=(f"torch.nn.{_name}",),
            slots=_layers(_order),
            summary=f"weight_ih and weight_hh (out, in) of each layer and direction, {_packed}; weight_hr.",
            citation=f"torch.nn.{_name}",
        )
    )
    registry.add(
        LayoutRow(
            name=f"{_name.lower()}_cell",
            layers=(f"torch.nn.{_name}Cell",),
            slots=_cell(_order),
            summary=f"weight_ih and weight_hh (out, in), {_packed}.",
            citation=f"torch.nn.{_name}Cell",
        )
    )
