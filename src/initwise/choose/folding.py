"""A graph in which `x @ W`, then `+ b`, is one weight with a bias, as a layer's is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..core.graph import Graph, Node


def folded(graph: Graph, owners: Mapping[tuple[int, str], int]) -> Graph:
    """The graph with vectors at the nodes they belong to.

    Args:
        owners: (index of the node that adds or multiplies, the vector's name) → index of the weight's or
            norm's node. The vector joins that node's parameters, and the node that added it goes.
    """
    nodes = {node.index: node for node in graph.nodes}
    given: dict[int, list[str]] = {}
    instead: dict[int, int] = {}
    gone: set[int] = set()
    for (index, name), owner in owners.items():
        given.setdefault(owner, []).append(name)
        signal, entering = _split(nodes, nodes[index], name)
        if signal is not None:
            instead[index] = signal
            gone |= {index, *entering}
    kept = [node for node in graph.nodes if node.index not in gone]
    place = {node.index: position for position, node in enumerate(kept)}

    def moved(index: int) -> int:
        while index in instead:
            index = instead[index]
        return place[index]

    return Graph(
        tuple(
            replace(
                node,
                index=place[node.index],
                inputs=tuple(dict.fromkeys(moved(index) for index in node.inputs)),
                parameters=_joined(node.parameters, given.get(node.index, ())),
            )
            for node in kept
        )
    )


def _split(nodes: Mapping[int, Node], node: Node, name: str) -> tuple[int | None, list[int]]:
    """The one signal that a node adds a vector to, and the vector's own node; (None, []) if there is more."""
    entering = [at for at in node.inputs if nodes[at].op == "parameter" and nodes[at].parameters == (name,)]
    signals = [at for at in node.inputs if at not in entering]
    alone = len(signals) == 1 and set(node.parameters) <= {name}
    return (signals[0], entering) if alone else (None, [])


def _joined(own: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*own, *more)))
