"""The NumPy adapter: a nested dict or list of arrays whose axes are declared.

Nothing of torch is in here, and nothing of it is needed: a tree of arrays is named, planned and
filled through the same protocol, with the same numbers for the same names.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelError, UnknownNameError, UnsupportedError
from ..core.fill import Fill
from ..core.graph import Graph
from ..core.layout import Fans, Layout, fans
from ..core.parameter import ROLES, ParameterInfo
from ..core.storage import DTYPES, extent, overlaps
from .overlap import overlapping
from .proof import pieces
from .protocol import adapters

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ArrayTree:
    """Weights as plain arrays, with what their axes mean.

    Args:
        arrays: a nested dict or list of NumPy arrays, filled in place. Names are the keys joined
            by dots: `{"dense": {"kernel": k}}` has "dense.kernel".
        layouts: {glob: axes or Layout}, for example `{"*.kernel": "io"}`; `*` matches dots; a
            full name wins over a pattern, of two patterns the later. An array with an `i` axis is
            a weight, with a `v` axis an embedding. A vector without a layout is a bias if its name
            says so; anything else without one is bare, and only an explicit rule fills it.
        roles: {glob: role}, where that is not right, for example `{"*.scale": "norm_gain"}`.

    Raises:
        ModelError: a leaf that is no array, a name that occurs twice.
        UnknownNameError: a glob that matches nothing, a role nobody knows.
        LayoutError: an array that does not fit its layout.
    """

    arrays: Any
    layouts: Mapping[str, str | Layout]
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = self.named()
        for what, table in (("layout", self.layouts), ("role", self.roles)):
            for glob in table:
                if glob not in named and not fnmatch.filter(named, glob):
                    raise UnknownNameError(f"{what} {glob!r} matches no array", legal=named, given=glob)
        for role in self.roles.values():
            if role not in ROLES:
                raise UnknownNameError(f"role {role!r}", legal=ROLES, given=str(role))
        parameters(self)

    def named(self) -> dict[str, Array]:
        """Every array by its full name, in the tree's order."""
        found: dict[str, Array] = {}
        for name, array in _walk("", self.arrays):
            if name in found:
                raise ModelError("two arrays have this name", where=name, cause="a key that contains a dot")
            found[name] = array
        return found


def _walk(path: str, node: Any) -> Iterator[tuple[str, Array]]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _walk(f"{path}.{key}" if path else str(key), child)
    elif isinstance(node, (list, tuple)):
        for position, child in enumerate(node):
            yield from _walk(f"{path}.{position}" if path else str(position), child)
    elif isinstance(node, np.ndarray):
        yield path, node
    else:
        raise ModelError(
            f"a {type(node).__name__}",
            where=path or "arrays",
            expected="a NumPy array, or a dict or list of them",
            cause="scalars and other frameworks' arrays cannot be filled in place",
            fix="Convert it: numpy.asarray(value), or np.empty(shape) for one yet to be filled.",
        )


def parameters(tree: ArrayTree) -> tuple[ParameterInfo, ...]:
    """Every array once, under the first name it is met by."""
    named = tree.named()
    shared = _overlapping(named)
    owner: dict[int, str] = {}
    aliases: dict[str, list[str]] = {}
    for name, array in named.items():
        first = owner.setdefault(id(array), name)
        aliases.setdefault(first, [])
        if first != name:
            aliases[first].append(name)
    infos = [_info(tree, name, named[name], shared, tuple(others)) for name, others in aliases.items()]
    weights = _weights_by_layer(infos)
    return tuple(replace(i, fans=weights.get(i.layer)) if i.role == "bias" else i for i in infos)


def _info(
    tree: ArrayTree, name: str, array: Array, shared: Mapping[str, str], aliases: tuple[str, ...]
) -> ParameterInfo:
    declared = _last(tree.layouts, name)
    layout = Layout(declared) if isinstance(declared, str) else declared
    if layout is not None:
        layout.check(array.shape, name)
    role = _last(tree.roles, name) or _role(name, array, layout)
    if layout is None and array.ndim == 1 and role != "bare":
        layout = Layout("o")
    problem = _obstacle(array) or shared.get(name, "")
    status = "refused" if problem else "ready" if array.size else "empty"
    own = layout is not None and bool(set("iv") & set(layout.axes))
    return ParameterInfo(
        name,
        array.shape,
        array.dtype.name,
        role,
        layer=name.rpartition(".")[0],
        layout=layout,
        fans=fans(array.shape, layout, where=name) if layout is not None and own else None,
        gates=layout.parts if layout is not None else (),
        status=status,
        problem=problem or ("" if array.size else "it has no elements"),
        aliases=aliases,
    )


def _last(table: Mapping[str, Any], name: str) -> Any:
    if name in table:
        return table[name]
    found = [value for glob, value in table.items() if fnmatch.fnmatchcase(name, glob)]
    return found[-1] if found else None


def _role(name: str, array: Array, layout: Layout | None) -> str:
    axes = set() if layout is None else set(layout.axes)
    if axes & set("iv"):
        return "embedding" if "v" in axes else "weight"
    return "bias" if array.ndim == 1 and "bias" in name.rpartition(".")[2].lower() else "bare"


def _weights_by_layer(infos: Sequence[ParameterInfo]) -> dict[str, Fans | None]:
    """The fans of each layer's one weight; a bias beside several belongs to none."""
    found: dict[str, list[Fans | None]] = {}
    for info in infos:
        if info.role == "weight":
            found.setdefault(info.layer, []).append(info.fans)
    return {layer: weights[0] for layer, weights in found.items() if len(weights) == 1}


def _obstacle(array: Array) -> str:
    """Why an array cannot be filled, or ""."""
    if array.dtype.name not in DTYPES:
        return f"it is {array.dtype.name}; only {', '.join(DTYPES)} can be filled"
    if not array.dtype.isnative:
        return "its bytes are in the other order; convert it with .astype(array.dtype.newbyteorder('='))"
    if not array.flags.writeable:
        return "it is read-only; copy it first"
    if overlaps(array.shape, array.strides, array.itemsize):
        return "it is a broadcast view: several elements share one place; copy it first"
    return ""


def _overlapping(named: Mapping[str, Array]) -> dict[str, str]:
    """Name → problem, for arrays whose memory another array of the tree shares."""
    once = {id(array): (name, array) for name, array in reversed(list(named.items())) if array.size}
    found = overlapping(
        (*extent(array.__array_interface__["data"][0], array.shape, array.strides, array.itemsize), name)
        for name, array in once.values()
    )
    text = "it shares memory with {} without being the same array; give each its own with .copy()"
    return {name: text.format(other) for name, other in found.items()}


class NumpyAdapter:
    """`Adapter` for `ArrayTree`."""

    name: str = "numpy"
    aliases: tuple[str, ...] = ()
    package: str = "numpy"
    models: str = "an initwise.ArrayTree of NumPy arrays"
    default_scheme: str = ""
    measure: str = ""
    calibrate: str = ""
    adapters: str = ""
    branches: str = ""
    unchanging: str = ""
    together: str = ""

    def recognises(self, model: Any) -> bool:
        """Is `model` an `ArrayTree`?"""
        return isinstance(model, ArrayTree)

    def parameters(self, model: Any) -> tuple[ParameterInfo, ...]:
        """See `parameters`."""
        return parameters(model)

    def check(self, model: Any, fills: Sequence[tuple[ParameterInfo, Fill]], *, seed: int) -> None:
        """Nothing wraps an array: whatever fits can be written."""

    def write(self, model: Any, info: ParameterInfo, fill: Fill, *, seed: int) -> None:
        """Fill one array in place by the stream (seed, info.name)."""
        from .memory import fill as engine

        engine(model.named()[info.name], fill, name=info.name, seed=seed)

    def values(self, model: Any, name: str) -> Iterator[NDArray[np.generic]]:
        """An array's stored bits, row-major, in flat pieces; bfloat16 as uint16."""
        for piece in pieces(_named(model, name), _flat):
            yield piece.view(np.uint16) if piece.dtype.name == "bfloat16" else piece

    def trace(self, model: Any, example: Any) -> Graph:
        """Raises UnsupportedError: arrays do not say what is done with them."""
        raise UnsupportedError(
            "an ArrayTree holds weights and no forward pass, so what feeds what cannot be seen",
            where="trace",
            fix='Use a scheme that needs no example, for example init_(tree, "he_normal").',
        )


def _named(tree: ArrayTree, name: str) -> Array:
    named = tree.named()
    if name not in named:
        raise UnknownNameError(f"no array is called {name!r}", legal=named, given=name)
    return named[name]


def _flat(array: Array) -> Array:
    return np.ascontiguousarray(array).reshape(-1)


adapters.add(NumpyAdapter())
