"""Walks over a Graph: where a signal comes from and where it goes, and which sums are residual."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
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
                if pair and not self._corrects(node, *pair):
                    yield ResidualSum(node.index, *pair)

    def _within_a_product(self, node: Node) -> bool:
        """Is the sum only there to be multiplied, as H − x in a highway's x + T·(H − x)?"""
        after = self.after[node.index]
        return bool(after) and all(consumer.op == "mul" for consumer in after)

    def _corrects(self, node: Node, skip: int, branch: int) -> bool:
        """Is the sum the output: a correction of the input itself, or of what one weight beside makes of it?

        A branch that normalises the input first is a block of a residual stream, looked at by itself.
        """
        weights = (self.before[skip] & self.weight_mask).bit_count()
        if weights > 1 or (weights == 1 and self.ancestor(skip, branch)):
            return False
        if any(reader.op == "norm" for root in self._skip_roots(skip) for reader in self.after[root]):
            return False
        ahead = self.sinks(node.index, through=("activation", "pointwise", "softmax"))
        return bool(ahead) and all(sink.op == "output" for sink in ahead)

    def _skip_and_branch(self, summands: list[int]) -> tuple[int, int] | None:
        pairs = [(skip, branch) for skip in summands for branch in summands if skip != branch]
        for skip, branch in pairs:
            if self._is_skip(skip, branch):
                return skip, branch
        for skip, branch in pairs:
            if self._is_projection(skip, branch):
                return skip, branch
        return None

    def _skip_roots(self, index: int) -> tuple[int, ...]:
        """Node `index`, and what it is a mere carrier of.

        A residual sum that is only summed on counts as a carrier of its skip: in x + f(x) + g(x) both
        branches read x.
        """
        plain = frozenset({"view", "dropout", "pool", "scale"})
        roots, node = [index], self.nodes[index]
        while True:
            if node.index in self.residual and [n.op for n in self.after[node.index]] == ["add"]:
                before = self.residual[node.index].skip
            elif node.op in plain and node.inputs and node.inputs[0] in self.nodes:
                before = node.inputs[0]
            else:
                return tuple(roots)
            node = self.nodes[before]
            roots.append(before)

    def _is_skip(self, skip: int, branch: int) -> bool:
        """Does a weight that `skip` does not depend on lead from it, or from what it carries, to `branch`?

        A weight elsewhere in the branch is not enough: in γ·f(x) + β, with γ and β parts of one tensor, that
        tensor enters the other summand too, but as a factor.
        """
        roots = [root for root in self._skip_roots(skip) if self.nodes[root].op not in SILENT]
        roots = [root for root in roots if self.ancestor(root, branch)]
        inside = self.before[branch] & ~self.before[skip] & self.weight_mask
        return bool(roots) and any(self.ancestor(root, index) for index in _bits(inside) for root in roots)

    def _is_projection(self, skip: int, branch: int) -> bool:
        """A shortcut with one weight of its own (a 1×1 convolution, perhaps normed) beside two or more."""
        if self.weights_between(skip, branch) != 1 or self.weights_between(branch, skip) < 2:
            return False
        weight = next((node for node in self.sources(skip, through=("norm",)) if node.op == "weight"), None)
        if weight is None:
            return False
        return any(self.ancestor(node, branch) for node in weight.inputs)

    def _post_norm(self, found: ResidualSum) -> bool:
        """Is the sum itself normalised, and is that more than the last norm of a stream, or of its stage?

        It is where the normalised sum is carried on as the next stream, or no norm lies in the branch.
        """
        after = self.sinks(found.index)
        if not after or any(node.op != "norm" for node in after):
            return False
        streams = [self.sources(later.skip, through=("activation",)) for later in self.residual.values()]
        carried_on = any(norm in stream for stream in streams for norm in after)
        return carried_on or not self._normed_inside(found)

    def _normed_inside(self, found: ResidualSum) -> bool:
        """Does every way from the stream to the branch's end cross a norm?"""
        start = set(self._skip_roots(found.skip))
        shortcut = next((node for node in self.sources(found.skip, through=("norm",))), None)
        if shortcut is not None and not self.ancestor(found.skip, found.branch):
            start |= {root for index in shortcut.inputs for root in self._skip_roots(index)}
        met = self._walk(
            [self.nodes[found.branch]], self._inputs, lambda node: node.op == "norm" or node.index in start
        )
        return not any(node.index in start for node in met)


def _bits(mask: int) -> Iterator[int]:
    """The places of the ones in a bit mask."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
