"""check_layout: a layout fits its layer, and its fans are what the layer's own gradient counts."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..core.layout import Fans, Layout
from ..core.parameter import ParameterInfo
from ..frameworks.layouts import LayoutRow, registry, row_of
from ..frameworks.protocol import adapter_for
from .claims import Claim, about, check_found, check_words

WORDS = ("name", "layers", "summary", "citation")


def check_layout(row: LayoutRow, layer: Any, example: Any = None) -> None:
    """Hold a layout to what every layout promises, on a layer it is for.

    - It says what it is, is found by its name and aliases, and is the row of `layer`'s class.
    - Every parameter of the layer has a role, and axes that fit its shape.
    - With an `example`: no output value depends on more entries of a weight than its fan_in (of a
      packed part, of the part), and one depends on exactly so many. Counted by the layer's own gradient.

    Args:
        layer: a torch module of the row's class, small; it is not changed.
        example: one input batch for it, on which every product counts (random, not zeros). Leave it
            out for layers whose fan_in is a mean (strided transposed convolutions).

    Raises:
        AssertionError: naming the row and what does not hold.
    """
    claim = about("layout", row)
    check_words(claim, row, WORDS)
    check_found(claim, row, registry)
    found = row_of(type(layer))
    claim(found is not None and found[0] is row, f"{type(layer).__qualname__} has another row: {found}")
    slots = row.read(layer)
    parameters = adapter_for(layer).parameters(layer)
    known = [info for info in parameters if info.name in slots]
    claim(bool(known), f"the layer has none of {', '.join(slots)}")
    for info in parameters:
        claim(info.role != "bare", f"parameter {info.name} of shape {info.shape} has no slot that fits it")
    if example is not None:
        for info in known:
            if info.role in ("weight", "recurrent") and info.fans is not None and info.layout is not None:
                _check_fans(claim, layer, example, info, info.fans, info.layout)


def _check_fans(
    claim: Claim, layer: Any, example: Any, info: ParameterInfo, fans: Fans, layout: Layout
) -> None:
    used = _used(layer, info.name, example)
    start = 0
    for name, size in layout.parts or (("", info.shape[layout.part_axis]),):
        span = [slice(None)] * len(info.shape)
        span[layout.part_axis] = slice(start, start + size)
        counts = used[(slice(None), *span)].reshape(len(used), -1).sum(axis=1)
        declared = dict(fans.parts)[name].fan_in if name else fans.fan_in
        where = f"{info.name}{f', part {name}' if name else ''}"
        claim(
            counts.max() == declared,
            f"{where}: an output depends on {counts.max()} entries, the layout says fan_in {declared:g}",
        )
        start += size


def _used(layer: Any, name: str, example: Any) -> Any:
    """(outputs, *shape) bools: which entries of the weight each output value depends on."""
    torch = sys.modules["torch"]
    weight = dict(layer.named_parameters())[name]
    values = {key: tensor.detach() for key, tensor in layer.named_parameters()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        values[name] = torch.randn(weight.shape, dtype=weight.dtype, requires_grad=True)
        output = torch.func.functional_call(layer, values, (example,))
    flat = output.reshape(-1)
    rows = [torch.autograd.grad(value, values[name], retain_graph=True)[0] for value in flat[:MOST_OUTPUTS]]
    return np.stack([(row != 0).numpy() for row in rows])


MOST_OUTPUTS = 256
