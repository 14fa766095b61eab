"""Gates: products of signals, and sigmoids that mix a stream with something new."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.graph import Node
from .flow import Flow


def gate_side(flow: Flow, node: Node) -> str:
    """Which side of a product the node makes: "gate" or "value", "gate_value" for both, "" for none."""
    sides = set()
    # 1 + γ, as in (1 + γ)·h + β, is a side of the product too
    for sink in flow.sinks(node.index, through=("pointwise",)):
        if _gates(flow, sink):
            sides.add("value")
        elif sink.op == "activation" and any(_gates(flow, n) for n in flow.sinks(sink.index)):
            sides.add("gate")
    return "gate_value" if len(sides) == 2 else next(iter(sides), "")


def carry(flow: Flow, node: Node) -> int:
    """−1 if the node's sigmoid says how much of its own input is replaced, as in t·h + (1 − t)·x and
    x + t·(h − x); 1 if it says how much is carried on; else 0."""
    sigmoids = [sink for sink in flow.sinks(node.index) if sink.label == "sigmoid"]
    if not sigmoids or not node.inputs:
        return 0
    gate, after = sigmoids[0].index, flow.after
    stream = {node.inputs[0], *(source.index for source in flow.sources(node.inputs[0]))}
    for mixed in after[gate]:
        if mixed.label == "lerp" and mixed.inputs[2:] == (gate,):
            start, end = (index in stream for index in mixed.inputs[:2])
            return end - start
    turned = [one.index for one in after[gate] if one.op == "pointwise"]
    taken = _partners(flow, [gate])
    kept = _partners(flow, turned)
    if taken and kept:
        return any(i in stream for i in taken) - any(i in stream for i in kept)
    differences = [flow.nodes[i] for i in taken if flow.nodes[i].op == "add"]
    return -any(i in stream for one in differences for i in one.inputs)


def _partners(flow: Flow, factors: Sequence[int]) -> list[int]:
    """What the nodes `factors` are multiplied with."""
    products = [one for index in factors for one in flow.after[index] if one.op == "mul"]
    return [i for one in products for i in one.inputs if i not in factors]


def _gates(flow: Flow, node: Node) -> bool:
    """Is it a product of signals, and not one with the weights of a mean, which a softmax made?"""
    return node.op == "mul" and not averaged(flow, node)


def averaged(flow: Flow, product: Node) -> list[int]:
    """The inputs of a product that a softmax weighs, as in (softmax(s)·h).sum(1)."""
    weighing = {
        index for index in product.inputs if any(source.op == "softmax" for source in flow.sources(index))
    }
    return [index for index in product.inputs if index not in weighing] if weighing else []
