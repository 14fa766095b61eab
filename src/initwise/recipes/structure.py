"""What a recipe's formulas may ask of a model: its parts, blocks and sizes, found from names and shapes.

Nothing here runs the model. Blocks are found as the deepest numbered containers that hold both an
attention and an MLP ("encoder.block.3", "layers.2.blocks.1"); containers of the same list, wherever
they stand ("layer1.0", "layer2.0"), count on, so that a vision model's stages are one stack, and an
encoder and a decoder are two.
"""

from __future__ import annotations

import collections
import fnmatch
import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..core.errors import ModelError
from ..core.parameter import ParameterInfo
from .chains import NUMBERED, positions_in
from .parts import part_of
from .spelling import spelled

READERS = (
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.qkv",
    "mlp.up",
    "mlp.gate",
    "mlp.gate_up",
)
"""Parts whose fan-in is the model's width."""
WRITERS = ("attention.output", "mlp.down")
"""Parts whose fan-out is the model's width."""


@dataclass(frozen=True)
class Place:
    """One parameter, and where in the model it stands.

    Attributes:
        info: the parameter. part: one of `parts.PARTS`, "" if unknown.
        role: its role; "bare" is replaced by what its part says.
        stack: its list of blocks ("encoder.layers"), "" outside of all.
        block: its block's index l, from 0, or None outside of all.
        blocks: number L of blocks of its stack; outside of all, of the model's only stack, or None.
        position: "first", "last", "only" or "middle" of the chain of matrices it belongs to.
        sizes: what is known of the model: "width", "inner", "vocabulary", "heads".
        stacks: the model's stacks and their numbers of blocks.
        spelled: its name as torch would have it, "" if that is its name.
    """

    info: ParameterInfo
    part: str = ""
    role: str = ""
    stack: str = ""
    block: int | None = None
    blocks: int | None = None
    position: str = ""
    sizes: tuple[tuple[str, int], ...] = ()
    stacks: tuple[tuple[str, int], ...] = ()
    spelled: str = ""

    @property
    def l(self) -> int:  # noqa: E743 - the literature's letter
        """The block's index, from 0. Raises ModelError outside of numbered blocks."""
        if self.block is None:
            raise self._unknown(
                "its name has no block number, so depth is unknown", "h.3.attn.c_proj.weight", "depth"
            )
        return self.block

    @property
    def L(self) -> int:  # noqa: N802 - the literature's letter
        """Number of blocks. Raises ModelError if there are no numbered blocks."""
        if self.blocks is None:
            raise self._unknown(
                "its name has no block number, so depth is unknown", "h.3.attn.c_proj.weight", "depth"
            )
        return self.blocks

    @property
    def seen(self) -> int | None:
        """Number of blocks that its stack has here, whatever the user says; None outside of all."""
        only = self.stacks[0][0] if len(self.stacks) == 1 else ""
        return dict(self.stacks).get(self.stack or only)

    @property
    def d(self) -> int:
        """The model's width at this parameter. Raises ModelError if no shape tells it."""
        if self.info.fans is not None and self.part in READERS:
            return round(self.info.fans.fan_in)
        if self.info.fans is not None and self.part in WRITERS and not self.info.fans.parts:
            return round(self.info.fans.fan_out)
        return self._size("width")

    @property
    def d_ff(self) -> int:
        """Width of the MLP's inside. Raises ModelError if no shape tells it."""
        return self._size("inner")

    @property
    def V(self) -> int:  # noqa: N802 - the literature's letter
        """Number of rows of the table of tokens. Raises ModelError if there is none."""
        return self._size("vocabulary")

    @property
    def h(self) -> int:
        """Number of attention heads. Raises ModelError: shapes rarely tell it, the option heads does."""
        return self._size("heads")

    @property
    def fan_in(self) -> float:
        """The weight's fan-in. Raises ModelError for a tensor whose axes are unknown."""
        return self._fans()[0]

    @property
    def fan_out(self) -> float:
        """The weight's fan-out. Raises ModelError for a tensor whose axes are unknown."""
        return self._fans()[1]

    @property
    def field(self) -> int:
        """Elements of a convolution's kernel, 1 for a matrix."""
        fans = self.info.fans
        return 1 if fans is None or fans.layout is None else fans.layout.size(fans.shape, "hwdk")

    @property
    def outputs(self) -> int:
        """Output channels, of all groups."""
        fans = self.info.fans
        if fans is None or fans.layout is None:
            return self.info.shape[0]
        return fans.layout.size(fans.shape, "o") * (fans.layout.groups if fans.layout.transposed else 1)

    def _fans(self) -> tuple[float, float]:
        if self.info.fans is None:
            raise self._unknown("its axes are unknown, so it has no fans", "a weight of a known layer", "")
        return self.info.fans.fan_in, self.info.fans.fan_out

    def _size(self, name: str) -> int:
        found = dict(self.sizes).get(name, 0)
        if not found:
            raise self._unknown(f"the model's {name} is unknown", "shapes that tell it", name)
        return found

    def _unknown(self, got: str, expected: str, option: str) -> ModelError:
        like = expected.startswith("h.")
        return ModelError(
            got,
            where=self.info.name,
            expected=f"a name like {expected}" if like else expected,
            fix=f"Say it: recipe(…, {option}=12)." if option else "",
        )


def places(infos: Sequence[ParameterInfo], options: Mapping[str, object] | None = None) -> tuple[Place, ...]:
    """Every parameter's place.

    Args:
        options: `assign` ("part=glob, part=glob"), `width`, `heads`, `depth`: what the user says
            instead of what names and shapes do.

    Raises:
        ModelError: an assignment to a part nobody knows, or that matches no parameter.
    """
    given = dict(options or {})
    assigned = _assigned(infos, str(given.get("assign", "")), given.get("unmatched") == "allow")
    views = spelled(infos)
    found = [
        (view, assigned.get(info.name) or part_of(view)) for info, view in zip(infos, views, strict=True)
    ]
    stacks = _stacks(found)
    sizes = _sizes(found, stacks, given)
    positions = positions_in(views)
    depth = _number(given, "depth")
    _deep_enough(depth, stacks)
    made = [_place(view, part, stacks, sizes, positions, depth) for view, part in found]
    return tuple(
        place if place.info is info else replace(place, info=info, spelled=place.info.name)
        for info, place in zip(infos, made, strict=True)
    )


def _deep_enough(depth: int, stacks: _Stacks) -> None:
    """Raise ModelError for a number of blocks below the model's own; a pipeline's stage has fewer."""
    counts = {key: len(stacks.order[key]) for key in stacks.paired}
    key = max(counts, key=lambda key: counts[key], default="")
    if depth and key and depth < counts[key]:
        raise ModelError(
            f"depth={depth}, and {key} has {counts[key]} blocks",
            where="depth",
            expected=f"{counts[key]} or more: more where the model is one stage of a larger one",
            fix="Leave it out: the names tell it.",
        )


def _place(
    info: ParameterInfo,
    part: str,
    stacks: _Stacks,
    sizes: Mapping[str, tuple[tuple[str, int], ...]],
    positions: Mapping[str, str],
    depth: int,
) -> Place:
    stack, block = stacks.of(info.name)
    blocks = depth or stacks.count(stack)
    return Place(
        info,
        part,
        _role(info, part),
        stack,
        block,
        blocks,
        positions.get(info.name, ""),
        sizes.get(stack, sizes[""]),
        tuple((key, len(stacks.order[key])) for key in sorted(stacks.keys)),
    )


def _role(info: ParameterInfo, part: str) -> str:
    """The role, that of a bare parameter by its part and name."""
    last = info.name.rpartition(".")[2]
    if info.role != "bare" or not part:
        return "bias" if info.role == "bare" and last == "bias" else info.role
    if part in ("class_token", "mask_token", "register_token", "position", "relative_position"):
        return "token"
    if part == "norm":
        return "norm_bias" if "bias" in last else "norm_gain"
    if "bias" in last and part.partition(".")[0] in ("attention", "mlp", "expert", "router", "head", "conv"):
        return "bias"
    return "bare"


def _assigned(infos: Sequence[ParameterInfo], text: str, allow: bool = False) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, (piece.strip() for piece in text.split(","))):
        part, _, glob = (side.strip() for side in pair.partition("="))
        _known_parts((part,))
        matched = [info for info in infos if named(info, glob)] if glob else []
        if not matched and not (glob and allow):
            raise ModelError(
                f"assign={pair!r} names no parameter" if glob else f"assign={pair!r} is no assignment",
                where="recipe",
                expected='"part=glob", several separated by commas, each glob matching something',
                fix='For example recipe("gpt2", assign="attention.output=*.attn.out.weight").'
                + (' A glob that may match nothing: unmatched="allow".' if glob else ""),
            )
        _clashes(found, matched, part)
        found.update((info.name, part) for info in matched)
    return found


def _clashes(found: Mapping[str, str], matched: Iterable[ParameterInfo], part: str) -> None:
    for info in matched:
        if found.get(info.name, part) != part:
            raise ModelError(
                f"assigned to {found[info.name]} and to {part}", where=info.name, expected="one part"
            )


def _known_parts(parts: Iterable[str]) -> None:
    from .parts import PARTS

    for part in parts:
        if part not in PARTS:
            raise ModelError(f"no part is called {part!r}", where="recipe, assign", legal=PARTS, given=part)


def named(info: ParameterInfo, glob: str, *others: str) -> bool:
    """Does the glob match one of the parameter's names, or of these others?"""
    return any(fnmatch.fnmatchcase(name, glob) for name in (info.name, *info.aliases, *others))


@dataclass(frozen=True)
class _Stacks:
    """Which numbered containers are blocks, and their order.

    Attributes:
        keys: the lists whose containers are blocks, by their path without numbers.
        order: of each list, its containers' paths in order of appearance.
        paired: those of `keys` whose containers hold an attention and an MLP: blocks beyond doubt.
    """

    keys: frozenset[str]
    order: Mapping[str, tuple[str, ...]]
    paired: frozenset[str] = frozenset()

    def of(self, name: str) -> tuple[str, int | None]:
        """The stack a parameter belongs to and its block's index."""
        found = [(key, path) for key, path in _containers(name) if key in self.keys]
        if not found:
            return "", None
        key, path = found[-1]
        return key, self.order[key].index(path)

    def count(self, key: str) -> int | None:
        """Number of blocks; outside of all stacks, that of the only one."""
        if key:
            return len(self.order[key])
        return len(self.order[next(iter(self.keys))]) if len(self.keys) == 1 else None


@functools.lru_cache(maxsize=1 << 17)
def _containers(name: str) -> tuple[tuple[str, str], ...]:
    """(list, path) of each numbered container around a name, outermost first."""
    found = []
    for match in NUMBERED.finditer(name):
        path = name[: match.end()]
        if match.end() < len(name) and match.start():
            found.append((re.sub(r"\d+", "", path).strip("."), path))
    return tuple(found)


def _stacks(found: Sequence[tuple[ParameterInfo, str]]) -> _Stacks:
    inside: dict[str, dict[str, set[str]]] = {}
    for info, part in found:
        for key, path in _containers(info.name):
            inside.setdefault(key, {}).setdefault(path, set()).add(part.partition(".")[0])
    order = {key: tuple(paths) for key, paths in inside.items()}
    whole = {
        key
        for key, paths in inside.items()
        if any({"attention"} < parts and parts & {"mlp", "expert"} for parts in paths.values())
    }
    whole -= {key for key in whole if any(other.startswith(f"{key}.") for other in whole)}
    return _Stacks(frozenset(whole | _others(found, whole, inside)), order, frozenset(whole))


def _others(
    found: Sequence[tuple[ParameterInfo, str]], whole: set[str], inside: Mapping[str, Mapping[str, set[str]]]
) -> set[str]:
    """Outermost lists without such pairs (convolutions, state spaces), where no real blocks are near."""
    others = set()
    for info, _ in found:
        outer = next((key for key, _ in _containers(info.name)), "")
        near = any(f"{key}.".startswith(f"{outer}.") or f"{outer}.".startswith(f"{key}.") for key in whole)
        if outer and not near and _counts(inside[outer]):
            others.add(outer)
    return others


def _counts(containers: Mapping[str, set[str]]) -> bool:
    """Several containers, or one that holds more than a head."""
    return len(containers) > 1 or any(parts - {"head"} for parts in containers.values())


def _sizes(
    found: Sequence[tuple[ParameterInfo, str]], stacks: _Stacks, given: Mapping[str, object]
) -> dict[str, tuple[tuple[str, int], ...]]:
    """The sizes of each stack, and under "" those of the whole model."""
    votes: dict[tuple[str, str], collections.Counter[int]] = {}
    for info, part in found:
        stack, _ = stacks.of(info.name)
        for name, size in _tells(info, part):
            for key in {stack, ""}:
                votes.setdefault((key, name), collections.Counter())[size] += 1
    names = ("width", "inner", "vocabulary", "heads")
    table: dict[str, tuple[tuple[str, int], ...]] = {}
    for stack in {"", *stacks.keys}:
        sizes = {}
        for name in names:
            counter = votes.get((stack, name)) or votes.get(("", name))
            sizes[name] = _number(given, name) or (counter.most_common(1)[0][0] if counter else 0)
        table[stack] = tuple(sizes.items())
    return table


def _tells(info: ParameterInfo, part: str) -> Iterable[tuple[str, int]]:
    """What a parameter's shape says about the model."""
    if part == "embedding" and len(info.shape) == 2:
        yield "vocabulary", info.shape[0]
        yield "width", info.shape[1]
    if part == "relative_position" and len(info.shape) == 2:
        yield "heads", info.shape[1]
    if part == "attention.bonus" and len(info.shape) == 2:
        yield "heads", info.shape[0]
    if info.fans is None or info.role != "weight":
        return
    if part in READERS:
        yield "width", round(info.fans.fan_in)
    if part in WRITERS and not info.fans.parts:
        yield "width", round(info.fans.fan_out)
    if part == "mlp.down":
        yield "inner", round(info.fans.fan_in)


def _number(given: Mapping[str, object], name: str) -> int:
    value = given.get(name, 0)
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0


def with_part(place: Place, part: str) -> Place:
    """The place under another part."""
    return replace(place, part=part, role=_role(place.info, part))
