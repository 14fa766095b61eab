"""Graph + parameters → Structure: what each weight is in the network, found from real execution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..core.graph import Graph, Node
from ..core.parameter import ParameterInfo
from .facts import Structure, WeightFacts
from .flow import WEIGHTS, Flow
from .gating import averaged, carry, gate_side

MATRIX_ROLES = frozenset({"weight", "recurrent"})
SEQUENCE = 3
"""Axes of a batch of looked-up sequences: examples, positions, width."""
SOURCE_OF_OP = {
    "input": "raw",
    "weight": "linear",
    "activation": "activation",
    "norm": "norm",
    "add": "stream",
    "mul": "gate",
    "matmul": "attention",
    "embedding": "embedding",
    "parameter": "embedding",
    "recurrent": "recurrent",
}


def read_structure(graph: Graph, parameters: Sequence[ParameterInfo]) -> Structure:
    """The facts of every weight among `parameters`, read from what really ran.

    Args:
        graph: from `Adapter.trace(model, example)`; nodes in execution order.
        parameters: from `Adapter.parameters(model)`; tied tensors once, under their owner's name.

    Returns:
        One `WeightFacts` per weight, in execution order; those that did not run come last with
        role "unused". An embedding's table that also serves as the head is listed as a weight.
    """
    flow = Flow(graph)
    reader = _Reader(flow, {info.name: info for info in parameters}, _chains(flow))
    used = reader.weights()
    unused = tuple(
        WeightFacts(info.name, role="unused")
        for info in parameters
        if info.role in MATRIX_ROLES and info.name not in used
    )
    adds = flow.adds
    return Structure(
        weights=(*used.values(), *unused),
        branch_norms=reader.branch_norms(),
        adds=len(adds),
        norms=sum(node.op == "norm" for node in graph.nodes),
        post_norm=sum(add.post_norm for add in adds) * 2 > len(adds),
        unnamed=sum(node.op == "pointwise" for node in graph.nodes),
        embeddings=reader.looked_up(used.values()),
        direct=reader.direct_tables(),
    )


def guess_structure(parameters: Sequence[ParameterInfo]) -> Structure:
    """A structure for a model that cannot be run: weights in the model's order, as a plain chain.

    Nothing is claimed that the parameters do not show: no activations, no residual sums; a model
    that has norm gains counts as normed.
    """
    weights = [info for info in parameters if info.role in MATRIX_ROLES]
    norms = sum(info.role == "norm_gain" for info in parameters)
    biases = {info.layer: info.name for info in parameters if info.role == "bias"}
    facts = [
        WeightFacts(
            info.name,
            bias=biases.get(info.layer, ""),
            role=_guessed_role(index, len(weights), info),
            order=index,
            source="raw" if index == 0 else "other",
            depth=index,
            chain=1 if norms else len(weights),
        )
        for index, info in enumerate(weights)
    ]
    return Structure(tuple(facts), norms=norms, traced=False)


def _guessed_role(index: int, count: int, info: ParameterInfo) -> str:
    if info.role == "recurrent":
        return "recurrent"
    if index == count - 1 and not info.gates:
        return "head"
    return "stem" if index == 0 else "hidden"


@dataclass(frozen=True)
class _Chains:
    """Weights on the longest path: before a node, and through it without norm or residual sum."""

    depth: Mapping[int, int]
    above: Mapping[int, int]
    below: Mapping[int, int]

    def through(self, index: int) -> int:
        return self.above[index] + self.below[index] + 1


def _chains(flow: Flow) -> _Chains:
    depth: dict[int, int] = {}
    above: dict[int, int] = {}
    below: dict[int, int] = {}

    def breaks(node: Node) -> bool:
        return node.op == "norm" or node.index in flow.residual

    for index in sorted(flow.nodes):
        inputs = [flow.nodes[i] for i in flow.nodes[index].inputs if i in depth]
        weight = {node.index: node.op in WEIGHTS for node in inputs}
        depth[index] = max((depth[i] + weight[i] for i in weight), default=0)
        above[index] = max(
            (0 if breaks(node) else above[node.index] + weight[node.index] for node in inputs), default=0
        )
    for index in sorted(flow.nodes, reverse=True):
        after = [node for node in flow.after[index] if node.index in below]
        below[index] = max(
            (0 if breaks(node) else below[node.index] + (node.op in WEIGHTS) for node in after), default=0
        )
    return _Chains(depth, above, below)


@dataclass(frozen=True)
class _Reader:
    flow: Flow
    infos: Mapping[str, ParameterInfo]
    chains: _Chains

    def weights(self) -> dict[str, WeightFacts]:
        """Facts by name, in execution order. A weight that runs several times is read at its first
        run, with the longest chain of all its runs."""
        found: dict[str, WeightFacts] = {}
        first: dict[str, Node] = {}
        attention = self._attention()
        for node in self.flow.nodes.values():
            for name in self._matrices(node):
                facts = self._facts(node, name, attention.get(node.index, ""))
                if name in found:
                    found[name] = self._again(found[name], facts, first[name], node)
                else:
                    found[name], first[name] = replace(facts, order=len(found)), node
        return found

    def _again(self, known: WeightFacts, facts: WeightFacts, first: Node, node: Node) -> WeightFacts:
        feeds_itself = self.flow.ancestor(first.index, node.index)
        role = "recurrent" if feeds_itself and known.role != "head" else known.role
        # packed attention weights run once per part
        parts = {known.attention, facts.attention}
        return replace(
            known,
            role=role,
            uses=known.uses + 1,
            chain=max(known.chain, facts.chain),
            attention=_attention_name(parts),
        )

    def _matrices(self, node: Node) -> list[str]:
        """The matrices a node multiplies with; an embedding's table counts when it is used as one."""
        if node.op == "embedding":
            return []
        roles = {name: self.infos[name].role for name in node.parameters if name in self.infos}
        tied = {"embedding"} if node.op == "weight" else set()
        return [name for name, role in roles.items() if role in MATRIX_ROLES | tied]

    def _facts(self, node: Node, name: str, attention: str) -> WeightFacts:
        info, sinks = self.infos[name], self.flow.sinks(node.index)
        source, fed_by = self._source(node)
        ends = self._ends(node)
        return WeightFacts(
            name,
            bias=self._bias(node, info),
            role=self._role(node, info, ends),
            source=source,
            fed_by=fed_by,
            before=self._before(node),
            feeds=next((sink.label for sink in sinks if sink.op == "activation"), ""),
            normed_output=bool(sinks) and all(sink.op == "norm" for sink in sinks),
            post_norm=any(self.flow.residual[i].post_norm for i in self._sums_around(node)),
            attention=attention or self._packed_attention(info),
            gate=gate_side(self.flow, node),
            carry=carry(self.flow, node),
            branch_start=self._starts_branch(node),
            adds=len(self.flow.adds),
            depth=self.chains.depth[node.index],
            chain=self.chains.through(node.index),
            square=_square(info),
            **_units(info),
            tied=info.role == "embedding",
        )

    def _bias(self, node: Node, info: ParameterInfo) -> str:
        biases = [name for name in node.parameters if name in self.infos and self.infos[name].role == "bias"]
        same_layer = [name for name in biases if self.infos[name].layer == info.layer]
        return next(iter(same_layer or biases), "")

    def _role(self, node: Node, info: ParameterInfo, ends: bool) -> str:
        if info.role == "recurrent":
            return "recurrent"
        if node.op == "recurrent":
            return "input"
        if ends and not gate_side(self.flow, node):
            return "branch_end"
        if self.flow.reaches(node.index, lambda n: n.op == "output", self._interrupts):
            return "head"
        earlier = self.flow.before[node.index] & self.flow.weight_mask & ~(1 << node.index)
        embedded = self.flow.before[node.index] & self.flow.embedding_mask
        return "stem" if not earlier and not embedded else "hidden"

    def _interrupts(self, node: Node) -> bool:
        return node.op in WEIGHTS or node.op == "matmul" or node.index in self.flow.residual

    def _source(self, node: Node) -> tuple[str, str]:
        sources = self.flow.sources(node.inputs[0]) if node.inputs else ()
        if not sources:
            return "raw", ""
        made = max(sources, key=lambda n: (n.op == "activation", n.index))
        if made.op == "mul":
            return self._product(made)
        if "attention" in made.label.lower():
            return "attention", ""
        return SOURCE_OF_OP.get(made.op, "other"), made.label if made.op == "activation" else ""

    def _product(self, product: Node) -> tuple[str, str]:
        """A gate and the activation in it; z·sigmoid(z), written out, is SiLU; a softmax's is attention."""
        if averaged(self.flow, product):
            return "attention", ""
        made = [source for index in product.inputs for source in self.flow.sources(index)]
        active = next((node for node in made if node.op == "activation"), None)
        if active is None:
            return "gate", ""
        inner = {source.index for index in active.inputs for source in self.flow.sources(index)}
        if active.label == "sigmoid" and inner & {node.index for node in made}:
            return "activation", "silu"
        return "gate", active.label

    def _before(self, node: Node) -> str:
        """The weight that the activation feeding `node` got its input from, if it is only one."""
        sources = self.flow.sources(node.inputs[0]) if node.inputs else ()
        if len(sources) != 1 or sources[0].op != "activation":
            return ""
        made = [n for index in sources[0].inputs for n in self.flow.sources(index)]
        names = [name for n in made if n.op == "weight" for name in self._matrices(n)]
        return names[0] if len(made) == len(names) == 1 else ""

    def _ends(self, node: Node) -> bool:
        """Does the node's output enter a residual sum on the branch side with no weight in between?"""
        for add in self.flow.adds:
            if self.flow.ancestor(node.index, add.branch) and not self.flow.ancestor(node.index, add.skip):
                made = self.flow.sources(add.branch, through=("norm", "activation", "mul", "pointwise"))
                if node in made or (node.index == add.branch):
                    return True
        return False

    def _sums_around(self, node: Node) -> list[int]:
        """The residual sums in whose branch the node lies (and not its skip)."""
        return [
            add.index
            for add in self.flow.adds
            if self.flow.ancestor(node.index, add.branch) and not self.flow.ancestor(node.index, add.skip)
        ]

    def _starts_branch(self, node: Node) -> bool:
        """Does the node read the residual stream: no weight between the skip and its input?"""
        if not node.inputs:  # a layer that reads a constant: a recurrent one its first, empty state
            return False
        sums = [self.flow.residual[index] for index in self._sums_around(node)]
        return any(self.flow.weights_between(node.inputs[0], add.skip) == 0 for add in sums)

    def _attention(self) -> dict[int, str]:
        """Node index → part in attention, for every weight near a product with a softmax."""
        roles: dict[int, set[str]] = {}
        for node in self.flow.nodes.values():
            for part, index in self._attention_inputs(node):
                for source in self.flow.sources(index, through=("norm", "mul", "activation")):
                    if source.op == "weight":
                        roles.setdefault(source.index, set()).add(part)
            if node.op == "weight" and self._source(node)[0] == "attention":
                roles.setdefault(node.index, set()).add("out")
        return {index: _attention_name(parts) for index, parts in roles.items()}

    def _attention_inputs(self, node: Node) -> list[tuple[str, int]]:
        if "attention" in node.label.lower() and len(node.inputs) >= 3:
            return list(zip(("query", "key", "value"), node.inputs, strict=False))
        if node.op == "mul":
            return [("value", index) for index in averaged(self.flow, node)]
        if node.op != "matmul" or not 1 <= len(node.inputs) <= 2:
            return []
        # one input: query and key are parts of one tensor
        left, right = node.inputs[0], node.inputs[-1]
        if any(source.op == "softmax" for source in self.flow.sources(left)):
            return [("value", right)]
        if self.flow.reaches(node.index, lambda n: n.op == "softmax", lambda n: n.op in WEIGHTS | {"matmul"}):
            return [("query", left), ("key", right)]
        return []

    def _packed_attention(self, info: ParameterInfo) -> str:
        parts = {name for name, _ in info.layout.parts} if info.layout else set()
        return "query_key_value" if {"q", "k", "v"} <= parts else ""

    def looked_up(self, weights: Iterable[WeightFacts]) -> int:
        """Look-ups of sequences that the model is given; positions are its own.

        One row per example, beside numbers that a stem reads, is a label or a category and no sequence.
        """
        mixed = any(facts.role == "stem" for facts in weights)
        return sum(
            any(source.op == "input" for index in node.inputs for source in self.flow.sources(index))
            for node in self.flow.nodes.values()
            if node.op == "embedding" and not (mixed and len(node.shape) < SEQUENCE)
        )

    def direct_tables(self) -> tuple[str, ...]:
        """Embeddings whose values reach the result with neither weight nor norm in between."""
        nodes = [node for node in self.flow.nodes.values() if node.op == "embedding"]
        found = [
            name
            for node in nodes
            if self.flow.reaches(node.index, lambda n: n.op == "output", lambda n: n.op in WEIGHTS | {"norm"})
            for name in node.parameters
        ]
        return tuple(dict.fromkeys(found))

    def branch_norms(self) -> tuple[str, ...]:
        """Gains of norms that a residual branch ends with."""
        gains = []
        for add in self.flow.adds:
            for source in self.flow.sources(add.branch):
                inside = not self.flow.ancestor(source.index, add.skip)
                if source.op == "norm" and inside and self.flow.weights_between(source.index, add.skip):
                    gains += [n for n in source.parameters if n in self.infos]
        return tuple(dict.fromkeys(n for n in gains if self.infos[n].role == "norm_gain"))


def _square(info: ParameterInfo) -> bool:
    if info.layout is None or info.layout.axes not in ("oi", "io") or info.layout.parts:
        return False
    return info.layout.size(info.shape, "o") <= info.layout.size(info.shape, "i")


def _units(info: ParameterInfo) -> dict[str, Any]:
    """Inputs and outputs of a weight that is one matrix, at every place of a kernel."""
    layout = info.layout
    if layout is None or layout.transposed or layout.groups > 1 or layout.parts:
        return {}
    if layout.axes.count("o") != 1 or layout.axes.count("i") != 1 or set(layout.axes) & set("bv"):
        return {}
    inputs, outputs = layout.size(info.shape, "i"), layout.size(info.shape, "o")
    first = layout.axes.index("o") < layout.axes.index("i")
    return {"inputs": inputs, "outputs": outputs, "outputs_first": first}


def _attention_name(parts: set[str]) -> str:
    if len(parts) > 1:
        return "query_key_value"
    return next(iter(parts), "")
