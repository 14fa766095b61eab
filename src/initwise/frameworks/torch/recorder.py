"""Recording what a torch model does while it runs: tensors remember which node made them.

Every torch function and tensor method passes through `Recorder`, which looks its name up in
`ops.TABLE`, asks the rule there for a node, and notes the outputs' origin. A tensor computed from
parameters alone (a parametrized weight, a transposed one) stays "made of parameters" until a
signal meets it; a tensor computed from neither is a constant and leaves no trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from ...core.graph import Node
from .ops import OTHER, TABLE, Op, operation
from .probes import GRID, constant, replay
from .state import readable

Root = tuple[int, int]
"""A node and which of its outputs."""


@dataclass(frozen=True)
class Origin:
    """Where a tensor comes from.

    Attributes:
        node: the node that made it, -1 if it is made of parameters alone.
        port: which of the node's outputs.
        parameters: names of the parameters it is made of, if `node` is -1.
    """

    node: int = -1
    port: int = 0
    parameters: tuple[str, ...] = ()

    @property
    def root(self) -> Root:
        return (self.node, self.port)


@dataclass
class Draft:
    """A node while recording.

    Attributes:
        root: for elementwise functions of one signal: that signal.
        statistic: for reductions and what follows from them: the signal they summarise.
        centred: the signal minus its own mean.
        probe: an elementwise function's values on the grid of `probes`, None where it is more than
            a function of its root.
    """

    node: Node
    root: Root | None = None
    statistic: Root | None = None
    centred: bool = False
    probe: Tensor | None = None


@dataclass(frozen=True)
class Call:
    """One operation as it ran.

    Attributes:
        func: what ran.
        name: its plain name.
        op: its row in the table.
        args, kwargs: what it was given.
        operands: its tensor arguments, flat, in order, with their origins (None for constants).
        outputs: its tensor results, flat.
    """

    func: Any
    name: str
    op: Op
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    operands: tuple[tuple[Tensor, Origin | None], ...]
    outputs: tuple[Tensor, ...]

    @property
    def label(self) -> str:
        return self.op.label or self.name

    @property
    def signals(self) -> tuple[Origin, ...]:
        """Origins of the operands that carry a signal, each once."""
        return tuple(dict.fromkeys(o for _, o in self.operands if o is not None and o.node >= 0))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters among the operands, directly or by what is made of them."""
        names = (name for _, o in self.operands if o is not None and o.node < 0 for name in o.parameters)
        return tuple(dict.fromkeys(names))

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument given by position or by name."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)


@dataclass
class Tape:
    """The nodes so far, and every living tensor's origin.

    `masks` are the results of comparisons: which signal each is of, and its values on the grid.
    `lenses` are what tensors are of parameters that belong to no known layer: see `uses`.
    """

    drafts: list[Draft] = field(default_factory=list)
    origins: Any = field(default_factory=WeakIdKeyDictionary)
    constants: Any = field(default_factory=WeakIdKeyDictionary)
    masks: Any = field(default_factory=WeakIdKeyDictionary)
    lenses: Any = field(default_factory=WeakIdKeyDictionary)
    gradients: dict[Any, Origin] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)

    def add(
        self,
        op: str,
        label: str = "",
        inputs: Sequence[Origin] = (),
        parameters: tuple[str, ...] = (),
        shape: Sequence[int] = (),
        **facts: Any,
    ) -> Origin:
        """Append a node; returns the origin of its output."""
        node = Node(
            len(self.drafts),
            op,
            label,
            self.layers[-1] if self.layers else "",
            tuple(dict.fromkeys(origin.node for origin in inputs)),
            parameters,
            tuple(shape),
        )
        self.drafts.append(Draft(node, **facts))
        return Origin(node.index)

    def draft(self, origin: Origin) -> Draft:
        return self.drafts[origin.node]

    def root(self, origin: Origin) -> Root:
        """The signal that an elementwise function's value is a function of; the value itself otherwise."""
        return self.draft(origin).root or origin.root

    def common(self, call: Call) -> Root | None:
        """The one signal that an operation's signals and masks are all functions of."""
        roots = {self.masks[t][0] if t in self.masks else self.root(o) for t, o in self._moving(call)}
        return roots.pop() if len(roots) == 1 else None

    def _moving(self, call: Call) -> list[tuple[Tensor, Any]]:
        return [(t, o) for t, o in call.operands if t in self.masks or (o is not None and o.node >= 0)]

    def shaped(self, call: Call) -> bool:
        """Do an operation's signals and masks have the shape of its result?"""
        return all(tensor.shape == call.outputs[0].shape for tensor, _ in self._moving(call))

    def owned(self, call: Call) -> bool:
        """Is the result made of signals, masks and plain numbers alone?"""
        others = (t for t, origin in call.operands if origin is None and t not in self.masks)
        return not call.parameters and all(constant(tensor) is not None for tensor in others)

    def probe(self, call: Call, root: Root) -> Tensor | None:
        """An elementwise operation's values on the grid, as a function of `root`."""
        standing_in: dict[int, Tensor] = {}
        for tensor, origin in call.operands:
            value = self._standing_in(tensor, origin, root)
            if value is None:
                return None
            standing_in[id(tensor)] = value
        return replay(call.func, call.args, call.kwargs, standing_in)

    def _standing_in(self, tensor: Tensor, origin: Origin | None, root: Root) -> Tensor | None:
        if tensor in self.masks:
            found, values = self.masks[tensor]
            return values if found == root else None
        if origin is None or origin.node < 0:
            return constant(tensor) if origin is None else None
        if origin.root == root:
            return GRID if tensor.is_floating_point() else None
        return self.draft(origin).probe

    def find(self, tensor: Tensor) -> Origin | None:
        """A tensor's origin; through autograd's graph where it was made out of sight."""
        origin: Origin | None = self.origins.get(tensor)
        if tensor.grad_fn is not None:
            if origin is not None:
                # made inside an autograd function, where there was no gradient function yet
                self.gradients.setdefault(tensor.grad_fn, origin)
            else:
                origin = self._by_gradient(tensor)
        return origin

    def unseen(self, tensor: Tensor) -> bool:
        """Was a tensor made where no operation was seen?"""
        return self.find(tensor) is None and tensor not in self.constants

    def mark(self, tensor: Tensor, origin: Origin) -> None:
        """Note a tensor's origin."""
        self.origins[tensor] = origin
        if tensor.grad_fn is not None:
            self.gradients[tensor.grad_fn] = origin

    def _by_gradient(self, tensor: Tensor) -> Origin | None:
        """A node "other" for what an autograd function or a scripted module did out of sight."""
        found: list[Origin] = []
        queue: list[Any] = [tensor.grad_fn]
        seen: set[Any] = set()
        while queue and len(seen) < 1000:
            function = queue.pop(0)
            if function is None or function in seen:
                continue
            seen.add(function)
            leaf = getattr(function, "variable", None)
            origin = self.gradients.get(function) or (None if leaf is None else self.origins.get(leaf))
            if origin is not None:
                found.append(origin)
            else:
                queue += [following for following, _ in function.next_functions]
        inputs = [origin for origin in found if origin.node >= 0]
        names = tuple(dict.fromkeys(name for origin in found for name in origin.parameters))
        if not inputs:
            return Origin(parameters=names) if names else None
        label = type(tensor.grad_fn).__name__
        origin = self.add("other", label, inputs, names, tensor.shape)
        self.mark(tensor, origin)
        return origin


Rule = Callable[[Tape, Call], "Origin | None"]
ELEMENTWISE = ("activation", "pointwise", "sum", "product", "masked", "negation")
"""Rules that may leave a node whose output is, element by element, a function of its inputs."""


class Recorder(TorchFunctionMode):
    """Records every torch operation on `tape`.

    Args:
        tape: where to.
        rules: rule name → function; a name that is missing makes a plain node of that op.
        noted: called with the tape, every call and the origin it left, where parameters belong to no known
            layer.
    """

    def __init__(
        self, tape: Tape, rules: Mapping[str, Rule], noted: Callable[[Tape, Call, Origin], None]
    ) -> None:
        super().__init__()
        self.tape, self.rules, self.noted = tape, rules, noted

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name, in_place = operation(func)
        op = TABLE.get(name, OTHER)
        if op.rule == "silent":
            return self._constant(name, func(*args, **kwargs))
        operands = tuple(
            (leaf, self.tape.find(leaf)) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)
        )
        result = func(*args, **kwargs)
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if in_place and operands:
            outputs = [operands[0][0]]
        call = Call(func, name, op, args, kwargs, operands, tuple(outputs))
        if op.rule == "mask" or not self._moves(call):
            self._masked(call)
            return self._constant(name, result)
        if outputs:
            self._note(call, in_place)
        return result

    def _moves(self, call: Call) -> bool:
        """Does a signal or a parameter flow through, or does a mask turn into numbers?"""
        if any(origin is not None for _, origin in call.operands):
            return True
        masked = any(tensor in self.tape.masks for tensor, _ in call.operands)
        numbers = bool(call.outputs) and call.outputs[0].is_floating_point()
        return masked and numbers and call.op.rule in (*ELEMENTWISE, "same")

    def _masked(self, call: Call) -> None:
        """Note which comparisons of a signal a mask is."""
        if call.op.rule not in ("mask", "same") or len(call.outputs) != 1:
            return
        root = self.tape.common(call)
        if root is None or call.outputs[0].dtype != torch.bool or not self.tape.shaped(call):
            return
        values = self.tape.probe(call, root)
        if values is not None:
            self.tape.masks[call.outputs[0]] = (root, values)

    def _constant(self, name: str, result: Any) -> Any:
        """Note tensors made of no signal; empty ones may be filled where nothing is seen."""
        if "empty" not in name:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self.tape.constants[leaf] = True
        return result

    def _note(self, call: Call, in_place: bool) -> None:
        origin = self._origin(call)
        if origin is None:
            return
        if len(self.tape.lenses):
            self.noted(self.tape, call, origin)
        for port, tensor in enumerate(call.outputs):
            self.tape.mark(tensor, Origin(origin.node, origin.port + port, origin.parameters))
            base = tensor._base if in_place else None
            if base is not None and self.tape.find(base) is not None:
                self.tape.mark(base, origin)

    def _origin(self, call: Call) -> Origin | None:
        if not call.signals and call.op.rule != "embedding":
            if not call.parameters and any(tensor in self.tape.masks for tensor, _ in call.operands):
                return self.rules["masked"](self.tape, call)
            return Origin(parameters=call.parameters) if call.parameters else None
        if all(not (t.is_floating_point() or t.is_complex()) for t in call.outputs):
            return _integers(call)
        rule = self.rules.get(call.op.rule)
        if rule is not None:
            return rule(self.tape, call)
        return self.tape.add(call.op.rule, call.label, call.signals, call.parameters, call.outputs[0].shape)


def _integers(call: Call) -> Origin | None:
    """Token ids keep their origin through views and sums; comparisons and masks end it."""
    keeping = ("view", "same", "index", "concat", "sum", "product", "pointwise", "masked", "pool")
    kept = call.op.rule in keeping and call.outputs[0].dtype != torch.bool
    return call.signals[0] if kept else None


def number(value: Any) -> float | None:
    """A Python number or a one-element constant tensor as a float."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Tensor) and value.numel() == 1 and readable(value):
        found = float(value.detach().reshape(()).real if value.is_complex() else value.detach().reshape(()))
        return found if math.isfinite(found) else None
    return None
