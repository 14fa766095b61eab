"""What a model does with the parameters that belong to no known layer, read while it runs.

A parameter goes through views (`W.T`, `W[i]`, `W.view(heads, d, k)`) before it meets a signal. Each of them
is done a second time on a stand-in without memory, whose strides then say where every axis of the view lies
in the parameter. So the axes that an operation names (`products`) are known of the parameter's own axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ...core.graph import Use
from ...core.layout import Layout
from .products import product_of
from .recorder import Call, Origin, Tape

KERNEL = {1: "k", 2: "hw", 3: "dhw"}
"""Axes of a convolution's kernel, by their number."""
NORMS = {
    "layer_norm": (2, 3),
    "group_norm": (2, 3),
    "rms_norm": (2, 3),
    "batch_norm": (3, 4),
    "instance_norm": (3, 4),
}
"""Where norms take their gain and bias."""


@dataclass(frozen=True)
class Lens:
    """A view of a parameter: its name and shape, and where the view's elements lie in it.

    Attributes:
        places: a tensor without memory, whose strides and offset are those of the view if the parameter's
            memory is one block.
    """

    name: str
    shape: tuple[int, ...]
    places: Tensor

    @classmethod
    def of(cls, name: str, shape: Sequence[int]) -> Lens:
        """The parameter itself."""
        return cls(name, tuple(shape), torch.empty(tuple(shape), device="meta"))

    @property
    def piece(self) -> int:
        """The first element seen, -1 if all are."""
        whole = self.places.numel() >= int(np.prod(self.shape)) or 0 in self.places.stride()
        return -1 if whole else int(self.places.storage_offset())

    def axes(self, letters: Sequence[str]) -> str:
        """The parameter's axes by the letters of the view's; "" if one of them is two things at once."""
        found: list[set[str]] = [set() for _ in self.shape]
        spare = [letter for letter, size in zip(letters, self.places.shape, strict=True) if size == 1]
        for letter, size, stride in zip(letters, self.places.shape, self.places.stride(), strict=True):
            for axis in self._crossed(size, stride):
                found[axis].add(letter)
        if any(len(letter) > 1 for letter in found):
            return ""
        spare.sort(key=lambda letter: letter not in "oi")  # stable: an axis of one is seen in its order
        # of an axis that is not seen, one place was chosen: each of its places is a matrix of its own
        return "".join(
            letter.pop() if letter else spare.pop(0) if size == 1 and spare else "b"
            for letter, size in zip(found, self.shape, strict=True)
        )

    def _crossed(self, size: int, stride: int) -> Iterator[int]:
        """The parameter's axes along which one axis of the view moves."""
        start = int(self.places.storage_offset())
        moved, step = start + stride * np.arange(1, size), 1
        for axis in range(len(self.shape) - 1, -1, -1):
            length = self.shape[axis]
            if bool(((moved // step) % length != (start // step) % length).any()):
                yield axis
            step *= length

    @property
    def along(self) -> tuple[int, ...]:
        """The view's axes of several places, counted from the last."""
        pairs = list(zip(self.places.shape, self.places.stride(), strict=True))
        return tuple(at - len(pairs) for at, (size, stride) in enumerate(pairs) if size > 1 and stride)


@dataclass(frozen=True)
class Lost:
    """What is made of parameters by more than views: how, in words."""

    names: tuple[str, ...]
    how: str


@dataclass(frozen=True)
class Applied:
    """What linear operations made of parameters and constants: a state of zeros, or a learned one, times its
    weight."""

    names: tuple[str, ...]
    uses: tuple[Use, ...]


def note(tape: Tape, call: Call, origin: Origin) -> None:
    """Remember what `call`, which left `origin`, did with parameters of no known layer."""
    if origin.node < 0:
        _follow(tape, call)
    elif call.op.rule not in ("view", "same"):
        found = uses(tape, call)
        draft = tape.drafts[origin.node]
        if found:
            draft.node = replace(draft.node, uses=tuple(dict.fromkeys((*draft.node.uses, *found))))


def _seen(tape: Tape, call: Call) -> list[tuple[Tensor, Any]]:
    """The operands that are made of parameters of no known layer, each once."""
    found = {id(tensor): (tensor, tape.lenses.get(tensor)) for tensor, _ in call.operands}
    return [(tensor, lens) for tensor, lens in found.values() if lens is not None]


def _follow(tape: Tape, call: Call) -> None:
    seen = _seen(tape, call)
    if not seen:
        return
    if len(seen) == 1 and isinstance(seen[0][1], Lens):
        views = _views(call, *seen[0])
        if views:
            for tensor, view in zip(call.outputs, views, strict=True):
                tape.lenses[tensor] = view
            return
    made = _mixed(tape, call, seen)
    for tensor in call.outputs:
        tape.lenses[tensor] = made


def _views(call: Call, tensor: Tensor, lens: Lens) -> list[Lens]:
    """What the results are of the parameter, if they are views or copies of it."""
    if call.op.rule in ("same", "dropout"):
        alike = all(output.shape == tensor.shape for output in call.outputs)
        return [lens for _ in call.outputs] if alike else []
    if call.op.rule not in ("view", "index"):
        return []
    try:
        with torch.no_grad():
            args, kwargs = tree_map(
                lambda leaf: lens.places if leaf is tensor else leaf, (call.args, dict(call.kwargs))
            )
            made = [leaf for leaf in tree_leaves(call.func(*args, **kwargs)) if isinstance(leaf, Tensor)]
    except Exception:  # whatever a foreign operation raises without memory, its result is not followed
        return []
    same = [one.untyped_storage()._cdata == lens.places.untyped_storage()._cdata for one in made]
    shapes = [one.shape for one in made] == [output.shape for output in call.outputs]
    return [replace(lens, places=one) for one in made] if all(same) and shapes else []


def _mixed(tape: Tape, call: Call, seen: Sequence[tuple[Tensor, Any]]) -> Lost | Applied:
    names = tuple(dict.fromkeys(name for _, lens in seen for name in _names(lens)))
    if any(isinstance(lens, Applied) for _, lens in seen):
        known = [use for _, lens in seen if isinstance(lens, Applied) for use in lens.uses]
        return Applied(names, tuple(dict.fromkeys(known)))
    lost = next((lens for _, lens in seen if isinstance(lens, Lost)), None)
    if call.op.rule == "linear" and lost is None:
        # of two parameters, as a learned state and its weight, nothing tells which is which
        constant = any(origin is None for _, origin in call.operands)
        return Applied(names, tuple(_weight(call, tensor, lens) for tensor, lens in seen if constant))
    moved = "rearranged" if call.op.rule in ("view", "index", "concat") else "changed"
    return Lost(names, lost.how if lost is not None else f"{moved} by {call.name} before it is used")


def _names(lens: Any) -> tuple[str, ...]:
    return (lens.name,) if isinstance(lens, Lens) else lens.names


def uses(tape: Tape, call: Call) -> tuple[Use, ...]:
    """What an operation that met a signal did with each parameter of no known layer."""
    chosen = call.operands[0][1] if call.op.rule == "index" and call.operands else None
    if chosen is not None and chosen.node >= 0:  # places of the signal, chosen by a parameter
        seen = [name for _, lens in _seen(tape, call) for name in _names(lens)]
        return tuple(Use(name, "", f"an argument of {call.name}") for name in seen)
    found: list[Use] = []
    for tensor, lens in _seen(tape, call):
        if isinstance(lens, Lens):
            found.append(_use(call, tensor, lens))
        elif isinstance(lens, Lost):
            found += [Use(name, "", lens.how) for name in lens.names]
        elif call.op.rule == "linear":
            found += [
                Use(name, "", "multiplied with something else before it is used") for name in lens.names
            ]
        else:
            found += lens.uses
    return tuple(dict.fromkeys(found))


def _use(call: Call, tensor: Tensor, lens: Lens) -> Use:
    rule = call.op.rule
    if rule == "linear":
        return _weight(call, tensor, lens)
    if rule in ("embedding", "index"):
        return _looked_up(call, tensor, lens)
    if rule == "sum":
        return Use(lens.name, "term", "x + b", along=lens.along, piece=lens.piece)
    if rule == "product":
        return Use(lens.name, "factor", "x / g" if "div" in call.name else "x * g", along=lens.along)
    if rule == "norm":
        return _of_norm(call, tensor, lens)
    return Use(lens.name, "", f"an argument of {call.name}")


def _of_norm(call: Call, tensor: Tensor, lens: Lens) -> Use:
    gain, bias = NORMS.get(call.name, (-1, -1))
    how = f"F.{call.name}(x, …, g, b)"
    if gain > 0 and call.argument(gain, "weight") is tensor:
        return Use(lens.name, "norm_gain", how, along=lens.along)
    if gain > 0 and call.argument(bias, "bias") is tensor:
        return Use(lens.name, "norm_bias", how, along=lens.along)
    return Use(lens.name, "", f"an argument of {call.name}")


def _looked_up(call: Call, tensor: Tensor, lens: Lens) -> Use:
    """Rows of a table, chosen by the input: W[ids], F.embedding(ids, W)."""
    how = f"{'F' if 'embedding' in call.name else 'torch'}.{call.name}(W, ids)"
    if "embedding" in call.name:
        by_rows, how = call.argument(1, "weight") is tensor, f"F.{call.name}(ids, W)"
    elif call.name == "getitem":
        chosen = call.args[1]
        chosen = chosen[0] if isinstance(chosen, tuple) and len(chosen) == 1 else chosen
        by_rows, how = isinstance(chosen, Tensor) and chosen.dtype != torch.bool, "W[ids]"
    else:
        by_rows = call.name == "index_select" and call.argument(1, "dim") in (0, -tensor.dim())
    axes = lens.axes("v" + "o" * (tensor.dim() - 1)) if by_rows and tensor.dim() > 1 else ""
    if by_rows and tensor.dim() == 1:
        return Use(lens.name, "", f"one number for each id, looked up by {how}")
    if not axes or "v" not in axes:
        return Use(lens.name, "", f"looked up by {how}, which does not choose whole rows")
    return Use(lens.name, "embedding", how, Layout(axes), piece=lens.piece)


def _weight(call: Call, tensor: Tensor, lens: Lens) -> Use:
    if "conv" in call.name:
        return _kernel(call, tensor, lens)
    if "grouped_mm" in call.name:
        return _grouped(call, tensor, lens)
    product, how = product_of(call), _said(call, tensor, lens)
    if product is None:
        return Use(lens.name, "", f"an argument of {call.name}")
    if product.added is tensor:
        return Use(lens.name, "bias", how, along=lens.along, piece=lens.piece)
    weights = {id(other) for other, origin in call.operands if origin is not None and origin.node < 0}
    letters = product.letters(tensor, weights)
    axes = lens.axes(letters) if letters is not None else ""
    if not axes:
        return Use(lens.name, "", f"used in {how}, where one of its axes is two things at once")
    along = product.along(tensor)
    if "i" not in axes:
        return Use(lens.name, "factor", f"{how}, which sums over nothing", along=along)
    return Use(lens.name, "weight", how, Layout(axes), along, lens.piece)


def _grouped(call: Call, tensor: Tensor, lens: Lens) -> Use:
    """torch's grouped_mm(x, W): each row of x by one of the matrices W[k]."""
    given = call.operands[0][0]
    axes = lens.axes("bio") if tensor is not given and (given.dim(), tensor.dim()) == (2, 3) else ""
    if not axes:
        return Use(lens.name, "", f"an argument of {call.name}")
    return Use(lens.name, "weight", f"torch.{call.name}(x, W)", Layout(axes), (-1,), lens.piece)


def _kernel(call: Call, tensor: Tensor, lens: Lens) -> Use:
    """F.conv1d and its like: (out, in/groups, *kernel), transposed (in, out/groups, *kernel)."""
    how, turned = f"F.{call.name}(x, W)", "transpose" in call.name
    if call.argument(2, "bias") is tensor:
        return Use(lens.name, "bias", how, along=(1 - call.outputs[0].dim(),))
    count = tensor.dim() - 2
    if call.argument(1, "weight") is not tensor or count not in KERNEL:
        return Use(lens.name, "", f"an argument of {call.name}")
    axes = lens.axes(("io" if turned else "oi") + KERNEL[count])
    groups = int(call.argument(6, "groups", 1))
    step = call.argument(3, "stride", 1)
    stride = (step,) * count if isinstance(step, int) else tuple(step) * (count if len(step) == 1 else 1)
    if not axes or lens.piece >= 0:
        return Use(lens.name, "", f"used in {how}, where one of its axes is two things at once")
    return Use(
        lens.name,
        "weight",
        how,
        Layout(axes, groups=groups, stride=stride, transposed=turned),
        (-1 - count,),
        lens.piece,
    )


def _said(call: Call, tensor: Tensor, lens: Lens) -> str:
    """The operation as it is written, with W for the parameter and x for all else."""
    if call.name == "einsum" and isinstance(call.args[0], str):
        return f'einsum("{call.args[0]}")'
    if call.name in ("matmul", "rmatmul"):
        stride = lens.places.stride()
        turned = len(stride) == 2 and len(lens.shape) == 2 and stride[0] < stride[1]
        weight = "W[k]" if len(stride) < len(lens.shape) else "W.T" if turned else "W"
        first = (call.args[0] is tensor) != (call.name == "rmatmul")
        return f"{weight} @ x" if first else f"x @ {weight}"
    home = "F" if call.name in ("linear", "bilinear") else "torch"
    return f"{home}.{call.name}(x, W)"
