"""Bare parameters: what a model does with those that belong to no known layer says what they are.

A trace tells every use of such a parameter (`core.graph.Use`). Where all of them agree on a role, the
parameter gets it, with the axes and fans of the operation, and the graph is written as that of the layer that
would do the same: the bias that is added after `x @ W` belongs to the node of `x @ W`. From there on nothing
knows the difference. What has no such use keeps its values, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..core.fill import Fill
from ..core.graph import Graph, Node, Use
from ..core.layout import Fans, Layout, fans
from ..core.parameter import ParameterInfo
from ..core.plan import Plan
from .folding import folded

LEFT = "it stays as you have made it, unless a rule names it"
WORDS = {"o": "out", "i": "in", "b": "batch", "v": "row"}
"""Axes in words; all others are a kernel's."""
CARRYING = frozenset({"add", "view", "scale", "matmul", "other", "dropout", "pool"})
"""Operations that a weight's output may pass before its bias is added to it, as a graph's adjacency does."""
GAINED = frozenset({"layer", "rms", "batch", "group", "instance"})
"""Norms that have a gain and a bias."""
TURNED = str.maketrans("oi", "io")


@dataclass(frozen=True)
class Reading:
    """What a bare parameter is: a role, its axes, the weight or norm it belongs to; or why it is none."""

    role: str = "bare"
    layout: Layout | None = None
    use: str = ""
    of: str = ""
    problem: str = ""


def read_bare(graph: Graph, parameters: Sequence[ParameterInfo]) -> tuple[Graph, tuple[ParameterInfo, ...]]:
    """The graph and the parameters of a model, its bare parameters understood by their uses.

    Both are returned as they are where no parameter is bare.

    Args:
        graph: from `Adapter.trace`; `Node.uses` says what was done with bare parameters.
        parameters: from `Adapter.parameters`.

    Returns:
        The graph with the biases and gains of bare weights and norms at their nodes; the parameters, of which
        those understood have a role, axes, fans and `use`, and those that are not a `problem`.
    """
    bare = {info.name: info for info in parameters if info.role == "bare"}
    if not bare:
        return graph, tuple(parameters)
    reader = _Reader(graph, bare)
    readings = reader.readings()
    known = tuple(
        _understood(info, readings[info.name], bare, readings) if info.name in bare else info
        for info in parameters
    )
    used = {key: at for key, at in reader.owners.items() if readings[key[1]].role != "bare"}
    return folded(graph, used), known


def told(plan: Plan, parameters: Sequence[ParameterInfo]) -> Plan:
    """The plan, its reasons saying how bare parameters were understood, or why not."""
    changes: dict[str, Fill] = {}
    kept = dict(plan.kept)
    for info in parameters:
        if info.use and info.name in plan:
            fill = plan[info.name]
            changes[info.name] = fill.because("; ".join(filter(None, (fill.reason, info.use))))
        elif info.role == "bare" and info.problem and info.status == "ready" and info.name in kept:
            kept[info.name] = info.problem
    if not changes and kept == dict(plan.kept):
        return plan
    return replace(plan.with_fills(changes, plan.name), kept=tuple(kept.items()))


def _understood(
    info: ParameterInfo,
    reading: Reading,
    bare: Mapping[str, ParameterInfo],
    readings: Mapping[str, Reading],
) -> ParameterInfo:
    if reading.role == "bare":
        return replace(info, problem=info.problem or f"a bare parameter, {reading.problem}: {LEFT}")
    start = {"norm_gain": 1.0, "norm_bias": 0.0}.get(reading.role)
    return replace(
        info,
        role=reading.role,
        layout=reading.layout,
        fans=_fans(info, reading, bare, readings),
        start=start,
        use=f"a bare parameter, {reading.use}",
    )


def _fans(
    info: ParameterInfo,
    reading: Reading,
    bare: Mapping[str, ParameterInfo],
    readings: Mapping[str, Reading],
) -> Fans | None:
    """A weight's own fans; a bias has those of its weight."""
    owner, layout = (info, reading.layout)
    if reading.role == "bias":
        owner, layout = bare[reading.of], readings[reading.of].layout
    return fans(owner.shape, layout) if layout is not None and layout.sums else None


class _Reader:
    """The uses of bare parameters in one graph, and what they make of each of them."""

    def __init__(self, graph: Graph, bare: Mapping[str, ParameterInfo]) -> None:
        self.nodes, self.bare = graph.nodes, bare
        self.uses: dict[str, list[tuple[Node, Use]]] = {name: [] for name in bare}
        for node in graph.nodes:
            for use in node.uses:
                self.uses[use.name].append((node, use))
        self.weights: dict[str, Reading] = {}
        self.owners: dict[tuple[int, str], int] = {}
        """(node that adds or multiplies, parameter) → the node it belongs to."""
        self.crowded: set[str] = set()
        """Biases of weights to which something else is added in the same way."""

    def readings(self) -> dict[str, Reading]:
        found = {name: self._weight(uses) for name, uses in self.uses.items()}
        self.weights = {name: reading for name, reading in found.items() if reading is not None}
        vectors = {
            name: self._vector(name, uses) for name, uses in self.uses.items() if name not in self.weights
        }
        for name in self.crowded & vectors.keys():
            if vectors[name].role == "bias":
                shared = f"one of several vectors added to what {vectors[name].of} makes"
                vectors[name] = Reading(problem=shared)
        return self.weights | vectors

    def _weight(self, found: Sequence[tuple[Node, Use]]) -> Reading | None:
        """A matrix, kernel or table; None for what is used as neither."""
        uses = [use for _, use in found]
        kinds = {use.kind for use in uses}
        if not kinds & {"weight", "embedding"}:
            return None
        strange = next((use for use in uses if use.kind not in ("weight", "embedding")), None)
        if strange is not None:
            first = next(use for use in uses if use.kind in ("weight", "embedding"))
            return Reading(problem=f"used as {first.how}, and {_in_words(strange)}")
        matrices = [use for use in uses if use.kind == "weight"]
        tables = [use for use in uses if use.kind == "embedding"]
        if tables:
            return _table(tables, matrices)
        return self._matrix(found, matrices)

    def _matrix(self, found: Sequence[tuple[Node, Use]], uses: Sequence[Use]) -> Reading:
        first = uses[0]
        other = next((use for use in uses if use.layout != first.layout), None)
        if other is not None and not _alike(first, other):
            return Reading(problem=f"used in two ways, {_axes_of(first)} and {_axes_of(other)}")
        if first.piece >= 0 and self._one_after_the_other(found):
            return Reading(
                problem="whose pieces are the weights of layers one after the other "
                f"({first.how}); each layer needs a parameter of its own, in an nn.ParameterList"
            )
        said = f"used as {_axes_of(first)}"
        if other is not None:
            said += f", and as {other.how}: the first decides"
        return Reading("weight", first.layout, said)

    def _one_after_the_other(self, found: Sequence[tuple[Node, Use]]) -> bool:
        """Does one matrix of a stack feed another?"""
        pieces = [(node.index, use.piece) for node, use in found if "b" in _letters(use) and use.piece >= 0]
        before: dict[int, set[int]] = {}
        for node in self.nodes:
            before[node.index] = {node.index}.union(*(before[index] for index in node.inputs))
        return any(
            piece != later and index in before[end] for index, piece in pieces for end, later in pieces
        )

    def _vector(self, name: str, found: Sequence[tuple[Node, Use]]) -> Reading:
        """A bias, a norm's gain or bias; what is none of them stays."""
        if not found:
            return Reading(problem="which no signal was seen to meet")
        readings = [self._belonging(name, node, use) for node, use in found]
        strange = [
            _in_words(use) for (_, use), reading in zip(found, readings, strict=True) if reading is None
        ]
        if strange:
            return Reading(problem=strange[0])
        known = [reading for reading in readings if reading is not None]
        if len({reading.role for reading in known}) > 1:
            return Reading(problem=f"{known[0].use} and {known[-1].use}")
        return known[0]

    def _belonging(self, name: str, node: Node, use: Use) -> Reading | None:
        """What one use makes of a vector, None if nothing."""
        if use.kind in ("norm_gain", "norm_bias"):
            return Reading(use.kind, _vectorial(self.bare[name]), f"the {use.kind[5:]} in {use.how}")
        if use.kind == "bias":
            weight = self._weight_at(node)
            return self._bias(name, weight) if weight else None
        if use.kind not in ("term", "factor") or use.piece >= 0:
            return None
        made = self._inputs(node, name)
        if len(made) != 1:
            return None
        norm = self._norm_before(made[0]) if len(use.along) == 1 else None
        if norm is not None and (use.kind == "term" or (made[0] is norm and not norm.parameters)):
            self.owners[node.index, name] = norm.index
            role = "norm_bias" if use.kind == "term" else "norm_gain"
            return Reading(role, _vectorial(self.bare[name]), f"the {role[5:]} of a norm written by hand")
        return self._added(name, node, use, made[0]) if use.kind == "term" else None

    def _added(self, name: str, node: Node, use: Use, before: Node) -> Reading | None:
        """A bias: it varies along a weight's outputs and along nothing else."""
        found = self._owner(name, node, use, before)
        if found is None:
            return None
        made, weight = found
        self.owners[node.index, name] = made.index
        return self._bias(name, weight)

    def _owner(self, name: str, node: Node, use: Use, before: Node) -> tuple[Node, str] | None:
        """The weight that a vector is the bias of, and its node."""
        taken = {at: other for (_, other), at in self.owners.items() if other != name}
        crowded = []
        for made, read in self._made_by(before):
            exact = len(made.shape) == len(node.shape) and made.shape == before.shape
            fits = set(use.along) <= set(read.along) and bool(use.along) == bool(read.along)
            if not (fits if exact else self._last(use, read, made, node)):
                continue
            if made.index not in taken:
                return made, read.name
            crowded.append(taken[made.index])
        self.crowded |= set(crowded[:1])
        return None

    def _last(self, use: Use, read: Use, made: Node, node: Node) -> bool:
        """Where axes were moved on the way: one number for each of the weight's outputs, last in both."""
        return use.along == read.along == (-1,) and made.shape[-1:] == node.shape[-1:]

    def _bias(self, name: str, weight: str) -> Reading:
        return Reading("bias", _vectorial(self.bare[name]), f"added to what {weight} makes", weight)

    def _weight_at(self, node: Node) -> str:
        """The bare weight that a node multiplies with, "" if none."""
        names = (use.name for use in node.uses if use.kind == "weight")
        return next((name for name in names if self.weights.get(name, Reading()).role == "weight"), "")

    def _inputs(self, node: Node, name: str) -> list[Node]:
        """A node's inputs but for the parameter itself."""
        made = [self.nodes[index] for index in node.inputs]
        return [one for one in made if not (one.op == "parameter" and one.parameters == (name,))]

    def _norm_before(self, node: Node) -> Node | None:
        """The norm whose result this is, bare gains left out; a layer's has a gain and a bias of its own."""
        at = next((at for (index, _), at in self.owners.items() if index == node.index), node.index)
        norm = self.nodes[at]
        plain = norm.op == "norm" and norm.label in GAINED
        return norm if plain and set(norm.parameters) <= self.bare.keys() else None

    def _made_by(self, node: Node) -> Iterator[tuple[Node, Use]]:
        """The bare weights whose output a node hands on, those of the last sum first, in execution order;
        after them those that met constants only, as a recurrent one does at its first step."""
        seen, level, later = set[int](), [node], list[tuple[Node, Use]]()
        while level:
            for one in sorted(level, key=lambda one: one.index):
                weight = self._weight_at(one)
                read = next((use for use in one.uses if use.name == weight), None)
                if read is not None and one.op == "weight":
                    yield one, read
                elif read is not None:
                    later.append((one, read))
            seen |= {one.index for one in level}
            passing = [self.nodes[at] for one in level if one.op in CARRYING for at in one.inputs]
            level = list({one.index: one for one in passing if one.index not in seen}.values())
        yield from later


def _table(tables: Sequence[Use], matrices: Sequence[Use]) -> Reading:
    """An embedding, which may be the head as well."""
    first = tables[0]
    odd = next((use for use in tables if use.layout != first.layout), None)
    odd = odd or next((use for use in matrices if sorted(_letters(use)) != ["i", "o"]), None)
    if odd is not None:
        return Reading(problem=f"used in two ways, {_axes_of(first)} and {_axes_of(odd)}")
    said = f"used as {_axes_of(first)}"
    if matrices:
        said += f", and as {matrices[0].how}"
    return Reading("embedding", first.layout, said)


def _alike(one: Use, other: Use) -> bool:
    """The same axes, or the same the other way round, as in x @ W and y @ W.T."""
    return _letters(other) in (_letters(one), _letters(one).translate(TURNED))


def _letters(use: Use) -> str:
    return use.layout.axes if use.layout is not None else ""


def _axes_of(use: Use) -> str:
    """ "x @ W: axes (in, out)"."""
    names = ", ".join(WORDS.get(letter, "kernel") for letter in _letters(use))
    return f"{use.how}: axes ({names})"


def _vectorial(info: ParameterInfo) -> Layout | None:
    return Layout("o" * len(info.shape)) if info.shape else None


def _in_words(use: Use) -> str:
    """A use that makes nothing of a parameter, in words."""
    if use.kind == "factor":
        return f"multiplied with the signal ({use.how})"
    if use.kind == "term":
        return "added to the signal, and not to one weight's outputs alone"
    return use.how if use.kind == "" else f"used as {use.how}"
