"""init_ with a scheme of attention: the arrays of every attention, all found before anything is written.

What is framework's own (the number of heads, rounding, writing) is behind the adapter's door "attention".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelError, UnsupportedError
from ..core.parameter import ParameterInfo
from ..core.records import Ledger
from ..schemes import Given, Scheme, Site
from ..schemes.mimetic import Attention as Started
from .adapting import draws, only, told
from .placing import sites
from .protocol import adapter_for, door, served

F64 = NDArray[np.float64]
READERS = {"attention.query": "query", "attention.key": "key", "attention.value": "value"}
FUSED = {"attention.qkv": "qkv", "attention.key_value": "key_value"}
MATRICES = ("query", "key", "value")


class Attentions(Protocol):
    """What the door "attention" gives for a model."""

    def heads(self, path: str) -> int:
        """The number of heads that the layer at `path` says, 0 if none."""
        ...

    def rounded(self, name: str, value: F64) -> Any:
        """The value as it will be stored. Raises ModelError for a parameter that cannot hold it."""
        ...

    def write(self, name: str, stored: Any) -> None:
        """Write what `rounded` gave."""
        ...


@dataclass(frozen=True)
class Block:
    """One attention: its path, and the parameters that hold its matrices ("qkv" holds three)."""

    path: str
    readers: Mapping[str, ParameterInfo]
    output: ParameterInfo

    @property
    def infos(self) -> tuple[ParameterInfo, ...]:
        """All its parameters."""
        return (*self.readers.values(), self.output)

    @property
    def first(self) -> ParameterInfo:
        """The one whose stream its draws are from."""
        return self.readers.get("qkv") or self.readers["query"]


def attend_(model: Any, law: Scheme, *, seed: int, data: Any, rules: Any) -> Ledger:
    """`init_` with a scheme of attention. Raises: see there."""
    only(law, data, rules)
    adapter = adapter_for(model)
    opened = door(adapter, "attention")
    if opened is None:
        raise UnsupportedError(
            f"the attention of {adapter.name} models",
            expected=served("attention"),
            fix="The arrays of one: initwise.schemes.mimetic.mimetic_attention(heads, joint).",
        )
    infos = adapter.parameters(model)
    where = sites(infos, dict(law.options))
    found: Attentions = opened(model)
    ready: list[tuple[str, Any]] = []
    reasons: dict[str, str] = {}
    for block in _writable(law, blocks(law, infos, where)):
        heads = int(dict(law.options)["heads"] or found.heads(block.path) or where[block.first.name].heads)
        ready += [(name, found.rounded(name, value)) for name, value in _arrays(law, block, heads, seed)]
        reasons |= {info.name: f"{law}, {heads} heads: {law.row.formula}" for info in block.infos}
    for name, stored in ready:
        found.write(name, stored)
    return told(adapter, model, law, seed, reasons, "the matrices of attention")


def blocks(law: Scheme, infos: Sequence[ParameterInfo], where: Mapping[str, Site]) -> list[Block]:
    """Every attention: matrices of queries, keys and values side by side, and the nearest output.

    Raises:
        ModelError: none at all, or one of which a matrix is missing.
    """
    matrices = [info for info in infos if where[info.name].matrix]
    groups: dict[str, dict[str, ParameterInfo]] = {}
    for info in matrices:
        kind = (READERS | FUSED).get(where[info.name].part)
        if kind is not None:
            groups.setdefault(_parent(info), {})[kind] = info
    outputs = [info for info in matrices if where[info.name].part == "attention.output"]
    if not groups:
        raise ModelError(
            "the model has no attention",
            where=f"scheme {law.name!r}",
            expected="matrices of queries, keys, values and output, known by their names",
            fix=f'If they have other names: scheme("{law.name}", assign="attention.query=GLOB, …").',
        )
    made = [Block(path, group, _output(path, group, outputs)) for path, group in groups.items()]
    shared = [block for block in made if [other.output for other in made].count(block.output) > 1]
    if shared:
        raise _incomplete(shared[0].path, {**shared[0].readers}, "output of its own")
    return made


def _parent(info: ParameterInfo) -> str:
    """The path beside whose layers a reader's layer stands; of a reader without a layer, its own."""
    return info.name.removesuffix(".weight").rpartition(".")[0]


def _output(path: str, group: Mapping[str, ParameterInfo], outputs: Sequence[ParameterInfo]) -> ParameterInfo:
    """The output that shares most of its path with the readers'."""
    missing = [] if "qkv" in group else [kind for kind in MATRICES if kind not in group]
    if missing or not outputs:
        raise _incomplete(path, group, " and no ".join(missing or ["output"]))
    return max(outputs, key=lambda info: _common(path, info.name))


def _common(path: str, name: str) -> int:
    steps = zip(path.split("."), name.split("."), strict=False)
    return next((count for count, (one, other) in enumerate(steps) if one != other), path.count(".") + 1)


def _incomplete(path: str, group: Mapping[str, ParameterInfo], missing: str) -> ModelError:
    return ModelError(
        f"attention with {', '.join(group)} and no {missing}",
        where=path,
        expected="query, key, value, or one matrix of the three, and output",
        fix='If it has them by other names: assign="attention.output=GLOB".',
    )


def _writable(law: Scheme, found: Sequence[Block]) -> list[Block]:
    """The attentions to write; frozen ones are left.

    Raises:
        ModelError: one that is frozen in part or refused; none that is left.
    """
    ready = []
    for block in found:
        stuck = [info for info in block.infos if info.status != "ready"]
        if not stuck:
            ready.append(block)
        elif any(info.status != "frozen" for info in stuck) or len(stuck) < len(block.infos):
            raise ModelError(
                "it cannot be filled with its attention", where=stuck[0].name, cause=stuck[0].problem
            )
    if not ready:
        info = found[0].first
        raise ModelError(
            f"nothing of the model's attention can be filled; {info.name}: {info.problem}", where="init_"
        )
    return ready


def _arrays(law: Scheme, block: Block, heads: int, seed: int) -> list[tuple[str, F64]]:
    """(name, array as it is stored) of the block's parameters."""
    width = _width(law, block)
    given = Given(width // heads if heads else 0, draw=draws(block.first.name, seed), where=block.path)
    made = cast(Started, law.start(Site(width=width, heads=heads, info=block.first, given=given)))
    held = {"query": made.query, "key": made.key, "value": made.value}
    if "qkv" in block.readers:
        held = {"qkv": np.concatenate([held[kind] for kind in _order(law, block.readers["qkv"])])}
    stored = [(info, held[kind]) for kind, info in block.readers.items()] + [(block.output, made.output)]
    return [(info.name, _as_stored(info, value)) for info, value in stored]


def _width(law: Scheme, block: Block) -> int:
    """d, of matrices that are all d × d. Raises ModelError for others."""
    out, width = _sizes(block.output)
    for kind, info in block.readers.items():
        pieces = 3 if kind == "qkv" else 1
        if _sizes(info) != (pieces * width, width) or out != width:
            raise ModelError(
                f"{kind} {_sizes(info)} beside output {(out, width)}, as (out, in)",
                where=info.name,
                expected="matrices d × d, or 3d × d of queries, keys and values in one",
                cause="fewer heads of keys than of queries, or heads that do not add up to the width",
                fix=f"{law.row.name} prescribes products of square matrices: choose another scheme.",
            )
    return width


def _sizes(info: ParameterInfo) -> tuple[int, int]:
    """(out, in). Raises ModelError unless the parameter is a matrix of these two axes."""
    layout = info.layout
    if layout is None or sorted(layout.axes) != ["i", "o"]:
        raise ModelError(
            f"axes {layout.axes!r}" if layout else "axes nobody knows",
            where=info.name,
            expected="a matrix, stored out × in or in × out",
        )
    return info.shape[layout.axes.index("o")], info.shape[layout.axes.index("i")]


def _order(law: Scheme, info: ParameterInfo) -> tuple[str, ...]:
    """In which order queries, keys and values follow one another in one matrix."""
    parts = info.layout.parts if info.layout is not None else ()
    names = {"q": "query", "k": "key", "v": "value"}
    if [size for _, size in parts] == [_sizes(info)[0] // 3] * 3 and {name[0] for name, _ in parts} == set(
        names
    ):
        return tuple(names[name[0]] for name, _ in parts)
    if dict(law.options).get("fused") == "thirds":
        return MATRICES
    raise ModelError(
        "queries, keys and values are one matrix",
        where=info.name,
        expected="a layout that names its parts q, k, v: the scheme treats them differently",
        fix=f'If they follow one another: scheme("{law.name}", fused="thirds").',
    )


def _as_stored(info: ParameterInfo, value: F64) -> F64:
    turned = info.layout is not None and info.layout.axes == "io"
    return value.T if turned else value
