"""From the tape to the Graph: functions written out in several operations become one node.

`0.5 * x * (1 + tanh(√(2/π)(x + 0.044715 x³)))` is eight operations and one activation;
`x * rsqrt(mean(x²) + ε)` is five and one norm. What lies between one signal and the result, and is
used nowhere else, is merged; an elementwise function is then named by its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...core.graph import Graph, Node
from .names import canonical, named
from .recorder import Draft

NONE: frozenset[int] = frozenset()


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
    if sink.root is not None and sink.node.op in ("pointwise", "scale") and not sink.centred:
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
    if node.op == "activation":
        return _registered(draft), NONE
    label = named(draft.samples) if draft.samples and (merge or node.op == "pointwise") else ""
    if label and node.op in ("pointwise", "scale"):
        # named by its values, so a function of its root alone, whatever else was on the way
        inputs = node.inputs if draft.root is None else (draft.root[0],)
        return replace(node, op="activation", label=label, inputs=inputs), merge.members if merge else NONE
    if merge is None or node.op == "scale" or not _branches(draft, merge, drafts):
        return node, NONE
    return replace(
        node, label="" if node.op == "pointwise" else node.label, inputs=(merge.root,)
    ), merge.members


def _registered(draft: Draft) -> Node:
    """An activation under its registered name; one that nobody registered is a pointwise function."""
    label = canonical(draft.node.label) or (named(draft.samples) if draft.samples else "")
    if label:
        return replace(draft.node, label=label)
    return replace(draft.node, op="pointwise")


def _branches(sink: Draft, merge: Merge, drafts: Sequence[Draft]) -> bool:
    """Is the signal used twice in what merges? A mere chain of functions stays one, link by link."""
    return any(len(drafts[index].node.inputs) > 1 for index in (sink.node.index, *merge.members))


def _renumbered(nodes: Sequence[Node]) -> tuple[Node, ...]:
    place = {node.index: position for position, node in enumerate(nodes)}
    return tuple(
        replace(node, index=place[node.index], inputs=tuple(place[index] for index in node.inputs))
        for node in nodes
    )
