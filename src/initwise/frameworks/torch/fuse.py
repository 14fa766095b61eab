"""From the tape to the Graph: functions written out in several operations become one node.

`0.5 * x * (1 + tanh(√(2/π)(x + 0.044715 x³)))` is eight operations and one activation;
`x * rsqrt(mean(x²) + ε)` is five and one norm. What lies between one signal and the result, and is
used nowhere else, is merged; an elementwise function is then named by its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...core.graph import Graph, Node
from .names import canonical, curve, named, proportional
from .recorder import Draft

NONE: frozenset[int] = frozenset()
FUNCTIONS = ("activation", "pointwise", "scale")


@dataclass(frozen=True)
class Merge:
    """Nodes that become one: the sink stays, `members` go, `root` feeds it."""

    members: frozenset[int]
    root: int


def graph(drafts: Sequence[Draft]) -> Graph:
    """The recorded nodes, merged, named and renumbered."""
    users = _users(drafts)
    gone: set[int] = set()
    settled: dict[int, Node] = {}
    for draft in reversed(drafts):
        if draft.node.index not in gone:
            node, members = _settled(draft, drafts, users)
            settled[node.index] = node
            gone |= members
    return Graph(_renumbered([settled[index] for index in sorted(settled)]))


def _users(drafts: Sequence[Draft]) -> Mapping[int, set[int]]:
    users: dict[int, set[int]] = {draft.node.index: set() for draft in drafts}
    for draft in drafts:
        for index in draft.node.inputs:
            users[index].add(draft.node.index)
    return users


def _merge(sink: Draft, drafts: Sequence[Draft], users: Mapping[int, set[int]]) -> Merge | None:
    """What can be merged into `sink`: everything back to its root that nothing else uses."""
    root = _root(sink, drafts)
    if root is None:
        return None
    members: set[int] = set()
    waiting = [index for index in sink.node.inputs if index != root]
    while waiting:
        index = waiting.pop()
        if index in members or index == root:
            continue
        if not drafts[index].node.inputs or index < root or drafts[index].node.parameters:
            return None
        members.add(index)
        waiting += drafts[index].node.inputs
    if not members or any(users[index] - members - {sink.node.index} for index in members):
        return None
    return Merge(frozenset(members), root)


def _root(sink: Draft, drafts: Sequence[Draft]) -> int | None:
    """The node a sink's value is a function of, if it is written in several operations."""
    if sink.root is not None and sink.node.op in FUNCTIONS and not sink.centred:
        return sink.root[0]
    if sink.node.op in ("norm", "softmax") and len(sink.node.inputs) == 2:
        statistics = {drafts[index].statistic for index in sink.node.inputs} - {None}
        return next(iter(statistics))[0] if len(statistics) == 1 else None  # type: ignore[index]
    return None


def _settled(
    draft: Draft, drafts: Sequence[Draft], users: Mapping[int, set[int]]
) -> tuple[Node, frozenset[int]]:
    """What a node and what merges into it are together, and the indices of what merged."""
    node, merge = draft.node, _merge(draft, drafts, users)
    found = _function(draft, merge, drafts)
    if found is not None:
        return found, merge.members if merge else NONE
    if node.op == "activation":
        return _registered(node), NONE
    if merge is None or node.op == "scale" or not _branches(draft, merge, drafts):
        return node, NONE
    return replace(
        node, label="" if node.op == "pointwise" else node.label, inputs=(merge.root,)
    ), merge.members


def _function(draft: Draft, merge: Merge | None, drafts: Sequence[Draft]) -> Node | None:
    """A function of the root alone, whatever else was on the way; None where that is not known.

    What somebody else uses as well stays a signal of its own; only a function that has a name
    reaches past it.
    """
    if draft.probe is None or draft.root is None:
        return None
    node, values, alone = draft.node, draft.probe.numpy(), draft.node.inputs == (draft.root[0],)
    label = canonical(node.label) if alone and node.op == "activation" else ""
    label = label or named(values, _hints(draft, drafts))
    if label and (alone or merge or node.op == "pointwise"):
        return replace(node, op="activation", label=label, inputs=(draft.root[0],))
    if not (alone or merge):
        return None
    factor = proportional(values)
    if factor is not None and (node.op == "scale" or factor != 1):
        return replace(node, op="scale", label=f"{factor:g}", inputs=(draft.root[0],))
    label = node.label if alone else ""
    return replace(node, op="pointwise", label=label, inputs=(draft.root[0],), curve=curve(values))


def _hints(draft: Draft, drafts: Sequence[Draft]) -> Iterator[str]:
    """What it may be called by its own name, and by the factor before it."""
    own = canonical(draft.node.label) if draft.node.op == "activation" else ""
    yield own
    before = drafts[draft.node.inputs[0]].probe if len(draft.node.inputs) == 1 else None
    factor = proportional(before.numpy()) if before is not None else None
    if factor is not None and own == "sin":
        yield f"sin({factor:g})"


def _registered(node: Node) -> Node:
    """An activation under its registered name; one that nobody registered is a pointwise function."""
    label = canonical(node.label)
    return replace(node, label=label) if label else replace(node, op="pointwise")


def _branches(sink: Draft, merge: Merge, drafts: Sequence[Draft]) -> bool:
    """Is the signal used twice in what merges? A mere chain of functions stays one, link by link."""
    return any(len(drafts[index].node.inputs) > 1 for index in (sink.node.index, *merge.members))


def _renumbered(nodes: Sequence[Node]) -> tuple[Node, ...]:
    place = {node.index: position for position, node in enumerate(nodes)}
    return tuple(
        replace(node, index=place[node.index], inputs=tuple(place[index] for index in node.inputs))
        for node in nodes
    )
