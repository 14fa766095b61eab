"""Walks over a Graph: where a signal comes from and where it goes, and which sums are residual."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..core.graph import Graph, Node

CARRIERS = frozenset({"view", "dropout", "pool", "scale", "concat"})
"""Operations that hand the same values on: elsewhere, thinned, averaged or times a number."""

WEIGHTS = frozenset({"weight", "recurrent"})
SILENT = frozenset({"parameter"})


@dataclass(frozen=True)
class ResidualSum:
    """One residual sum: `skip` and `branch` are the indices of the two summands' nodes."""

    index: int
    skip: int
    branch: int
    post_norm: bool = False


class Flow:
    """A Graph with the look-ups that reading it needs; everything is computed once."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = {node.index: node for node in graph.nodes}
        self.after: dict[int, list[Node]] = {index: [] for index in self.nodes}
        for node in graph.nodes:
            for index in dict.fromkeys(node.inputs):
                if index in self.after:
                    self.after[index].append(node)
        # ancestor sets as bit masks: bit i is set if node i comes before
        self.before: dict[int, int] = {}
        for node in graph.nodes:
            mask = 1 << node.index
            for index in node.inputs:
                mask |= self.before.get(index, 0)
            self.before[node.index] = mask
        self.embedding_mask = sum(1 << node.index for node in graph.nodes if node.op == "embedding")
        self.weight_mask = sum(1 << node.index for node in graph.nodes if node.op in WEIGHTS)
        self.residual: dict[int, ResidualSum] = {}
        for found in self._residual_sums():
            self.residual[found.index] = found
        for found in tuple(self.residual.values()):
            self.residual[found.index] = replace(found, post_norm=self._post_norm(found))

    @functools.cached_property
    def adds(self) -> tuple[ResidualSum, ...]:
        """The residual sums, in execution order."""
        return tuple(self.residual.values())

    def carries(self, node: Node) -> bool:
        """Does the node hand its input on: a carrier, or a sum that is not residual?"""
        return node.op in CARRIERS or (node.op == "add" and node.index not in self.residual)

    def sources(self, index: int, through: Iterable[str] = ()) -> tuple[Node, ...]:
        """The nodes that made the values of node `index`, seen through carriers (and ops `through`)."""
        extra = frozenset(through)

        def opaque(node: Node) -> bool:
            return not (self.carries(node) or node.op in extra)

        found = self._walk([self.nodes[index]], self._inputs, opaque)
        return tuple(node for node in found if node.op not in SILENT) or found

    def sinks(self, index: int, through: Iterable[str] = ()) -> tuple[Node, ...]:
        """The nodes that the values of node `index` end in, seen through carriers (and ops `through`)."""
        extra = frozenset(through)

        def opaque(node: Node) -> bool:
            return not (self.carries(node) or node.op in extra)

        return self._walk(self.after[index], lambda node: self.after[node.index], opaque)

    def reaches(self, index: int, goal: Callable[[Node], bool], stop: Callable[[Node], bool]) -> bool:
        """Does some path from node `index` arrive at a `goal` without crossing a `stop`?"""
        ends = self._walk(
            self.after[index], lambda node: self.after[node.index], lambda n: goal(n) or stop(n)
        )
        return any(goal(node) for node in ends)

    def ancestor(self, early: int, late: int) -> bool:
        """Is node `early` node `late` itself, or one of its ancestors?"""
        return bool(self.before[late] >> early & 1)

    def weights_between(self, late: int, early: int) -> int:
        """Number of weights that `late` depends on and `early` does not."""
        return (self.before[late] & ~self.before[early] & self.weight_mask).bit_count()

    def _inputs(self, node: Node) -> list[Node]:
        return [self.nodes[index] for index in node.inputs if index in self.nodes]

    @staticmethod
    def _walk(
        start: Iterable[Node], step: Callable[[Node], Iterable[Node]], opaque: Callable[[Node], bool]
    ) -> tuple[Node, ...]:
        """The opaque nodes met when stepping from `start`, each once, in the order met."""
        stack, seen, found = list(start)[::-1], set[int](), dict[int, Node]()
        while stack:
            node = stack.pop()
            if node.index in seen:
                continue
            seen.add(node.index)
            if opaque(node):
                found[node.index] = node
            else:
                stack.extend(list(step(node))[::-1])
        return tuple(found.values())

    def _residual_sums(self) -> Iterable[ResidualSum]:
        for node in self.nodes.values():
            if node.op == "add" and not self._within_a_product(node):
                pair = self._skip_and_branch([i for i in dict.fromkeys(node.inputs) if i in self.nodes])
                if pair:
                    yield ResidualSum(node.index, *pair)

    def _within_a_product(self, node: Node) -> bool:
        """Is the sum only there to be multiplied, as H − x in a highway's x + T·(H − x)?"""
        after = self.after[node.index]
        return bool(after) and all(consumer.op == "mul" for consumer in after)

    def _skip_and_branch(self, summands: list[int]) -> tuple[int, int] | None:
        pairs = [(skip, branch) for skip in summands for branch in summands if skip != branch]
        for skip, branch in pairs:
            if self._is_skip(self._skip_roots(skip), branch) and self.weights_between(branch, skip):
                return skip, branch
        for skip, branch in pairs:
            if self._is_projection(skip, branch):
                return skip, branch
        return None

    def _skip_roots(self, index: int) -> tuple[int, ...]:
        """Node `index`, and what it is a mere carrier of."""
        plain = frozenset({"view", "dropout", "pool", "scale"})
        roots, node = [index], self.nodes[index]
        while node.op in plain and node.inputs and node.inputs[0] in self.nodes:
            node = self.nodes[node.inputs[0]]
            roots.append(node.index)
        return tuple(roots)

    def _is_skip(self, roots: tuple[int, ...], branch: int) -> bool:
        return any(self.ancestor(root, branch) and self.nodes[root].op not in SILENT for root in roots)

    def _is_projection(self, skip: int, branch: int) -> bool:
        """A shortcut with one weight of its own (a 1×1 convolution, perhaps normed) beside two or more."""
        if self.weights_between(skip, branch) != 1 or self.weights_between(branch, skip) < 2:
            return False
        weight = next((node for node in self.sources(skip, through=("norm",)) if node.op == "weight"), None)
        if weight is None:
            return False
        return any(self.ancestor(node, branch) for node in weight.inputs)

    def _post_norm(self, found: ResidualSum) -> bool:
        after = self.sinks(found.index)
        if not after or any(node.op != "norm" for node in after):
            return False
        # pre-LN's last sum is normalised too, but there the branch starts with a norm off the stream
        branch = self.before[found.branch] & ~self.before[found.skip]
        own_norms = [
            node
            for node in self.nodes.values()
            if node.op == "norm" and branch >> node.index & 1 and self._reads(node, found.skip)
        ]
        return not own_norms

    def _reads(self, norm: Node, skip: int) -> bool:
        roots = self._skip_roots(skip)
        return any(index in roots or set(self._skip_roots(index)) & set(roots) for index in norm.inputs)
