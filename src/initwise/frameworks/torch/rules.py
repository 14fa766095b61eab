"""What node an operation leaves on the tape: one rule per kind of operation in `ops.TABLE`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .recorder import Call, Origin, Rule, Tape, number


def elementwise(tape: Tape, call: Call, op: str, label: str) -> Origin:
    """A node whose output is, element by element, a function of its inputs.

    Where it is one of a single signal and plain numbers, it can be merged with what came before,
    and named by its values.
    """
    statistic = _common(tape.draft(o).statistic for o in call.signals)
    own = statistic is None and tape.owned(call) and tape.shaped(call)
    root = tape.common(call) if own else None
    probe = tape.probe(call, root) if root is not None else None
    # of masks alone: the signal that was compared
    inputs = call.signals or tuple(Origin(*r) for r in (tape.common(call),) if r is not None)
    shape = call.outputs[0].shape
    return tape.add(op, label, inputs, call.parameters, shape, root=root, statistic=statistic, probe=probe)


def _common(found: Any) -> Any:
    values = set(found)
    return values.pop() if len(values) == 1 else None


PARAMETERS = {
    "leaky_relu": ("negative_slope", 0.01),
    "elu": ("alpha", 1.0),
    "celu": ("alpha", 1.0),
    "softplus": ("beta", 1.0),
    "softshrink": ("lambd", 0.5),
    "hardshrink": ("lambd", 0.5),
}
"""The second argument of activations that have one, and its default."""


def activation(tape: Tape, call: Call) -> Origin:
    label = call.label
    if label == "gelu" and call.argument(1, "approximate") == "tanh":
        label = "gelu_tanh"
    if label in PARAMETERS:
        name, default = PARAMETERS[label]
        value = call.argument(1, name, default)
        label += f"({value:g})" if value != default else ""
    if label == "hardtanh" and (call.argument(1, "min_val", -1.0), call.argument(2, "max_val", 1.0)) != (
        -1,
        1,
    ):
        return elementwise(tape, call, "pointwise", label)
    if label == "rrelu":
        return _random_leaky(tape, call)
    if label == "threshold":
        label = _threshold(float(call.argument(1, "threshold")), float(call.argument(2, "value")))
    return elementwise(tape, call, "activation", label)


def _threshold(edge: float, value: float) -> str:
    return f"threshold({edge:g},{value:g})" if edge or value else "relu"


def _random_leaky(tape: Tape, call: Call) -> Origin:
    """A leaky ReLU with random slopes: the one slope that gives the same second moment."""
    low, high = float(call.argument(1, "lower", 1 / 8)), float(call.argument(2, "upper", 1 / 3))
    mean_square = (low * low + low * high + high * high) / 3
    slope = math.sqrt(mean_square) if call.argument(3, "training", False) else (low + high) / 2
    alike = replace(call, func=torch.nn.functional.leaky_relu, args=(call.args[0], slope), kwargs={})
    return elementwise(tape, alike, "activation", f"leaky_relu({slope:.6g})")


def pointwise(tape: Tape, call: Call) -> Origin:
    return elementwise(tape, call, "pointwise", call.label)


def negation(tape: Tape, call: Call) -> Origin:
    return elementwise(tape, call, "scale", call.label)


def masked(tape: Tape, call: Call) -> Origin:
    return elementwise(tape, call, "pointwise", call.label)


def same(tape: Tape, call: Call) -> Origin | None:
    """A cast or copy keeps its origin; a mask or index turned into numbers is no signal."""
    source, origin = call.operands[0]
    if origin is None and source in tape.masks:
        return masked(tape, call) if call.outputs[0].is_floating_point() else None
    if origin is None or origin.node < 0:
        return origin
    if source.is_floating_point() or source.is_complex() or source.dtype == torch.uint8:
        return origin
    return origin if tape.draft(origin).node.label == "one_hot" else None


def total(tape: Tape, call: Call) -> Origin:
    """add, sub: a sum of signals, a parameter entering, or a number added."""
    signals = call.signals
    if len(signals) == 1 and call.parameters:
        return tape.add("add", "", (signals[0], _entering(tape, call)), (), call.outputs[0].shape)
    if len(signals) < 2:
        return elementwise(tape, call, "pointwise", call.label)
    return _two(tape, call) or tape.add("add", "", signals, call.parameters, call.outputs[0].shape)


def product(tape: Tape, call: Call) -> Origin:
    """mul, div: a gate, a normalisation, a scale."""
    signals = call.signals
    if len(signals) == 1:
        return _scaled(tape, call)
    dividing = "div" in call.name
    return _normed(tape, call, dividing) or _two(tape, call) or _multiplied(tape, call, dividing)


def _multiplied(tape: Tape, call: Call, dividing: bool) -> Origin:
    op, label = ("pointwise", "div") if dividing else ("mul", "")
    return tape.add(op, label, call.signals, call.parameters, call.outputs[0].shape)


def _scaled(tape: Tape, call: Call) -> Origin:
    signal = call.signals[0]
    if call.parameters:
        return tape.add("scale", "", (signal,), call.parameters, call.outputs[0].shape)
    masked_ = any(tensor in tape.masks for tensor, _ in call.operands)
    factor = None if masked_ else _factor(call)
    if factor is None:
        return elementwise(tape, call, "pointwise", call.name)
    return elementwise(tape, call, "scale", f"{factor:g}")


def _factor(call: Call) -> float | None:
    """The number that the one signal is multiplied by, or None."""
    if len(call.operands) > 1 and all(origin is not None for _, origin in call.operands):
        return None
    others = [value for value in call.args[:2] if not _is_signal(call, value)]
    found = number(others[0]) if others else number(call.kwargs.get("other"))
    if found is None or "div" not in call.name:
        return found
    reversed_ = call.name.startswith("r")
    return None if reversed_ or not found else 1 / found


def _is_signal(call: Call, value: Any) -> bool:
    return any(value is tensor and origin is not None for tensor, origin in call.operands)


def _two(tape: Tape, call: Call) -> Origin | None:
    """A sum or product of functions of one and the same signal is a function of that signal."""
    signals = call.signals
    statistics = [tape.draft(origin).statistic for origin in signals]
    roots = [tape.root(origin) for origin in signals]
    if _common(statistics) is not None or (len(set(roots)) == 1 and not call.parameters):
        return elementwise(tape, call, "pointwise", call.name)
    for root, statistic in zip(roots, reversed(statistics), strict=False):
        if statistic is not None and statistic == root and call.op.rule == "sum":
            shape = call.outputs[0].shape
            return tape.add("pointwise", "centre", signals, (), shape, root=root, centred=True)
    return None


def _normed(tape: Tape, call: Call, dividing: bool) -> Origin | None:
    """A signal over its own root mean square, deviation or sum: a normalisation written by hand."""
    if len(call.signals) != 2 or call.parameters:
        return None
    one, other = call.signals
    pairs = ((one, other),) if dividing else ((one, other), (other, one))
    for signal, statistic in pairs:
        if tape.draft(statistic).statistic is not None and tape.draft(statistic).statistic == tape.root(
            signal
        ):
            exponential = tape.draft(signal).node.label == "exp"
            op, label = ("softmax", "softmax") if exponential else ("norm", _which(tape, signal))
            return tape.add(op, label, call.signals, (), call.outputs[0].shape)
    return None


def _which(tape: Tape, signal: Origin) -> str:
    return "layer" if tape.draft(signal).centred else "rms"


def _entering(tape: Tape, call: Call) -> Origin:
    """A node for the parameters that enter the signal here."""
    shapes = [t.shape for t, origin in call.operands if origin is not None and origin.node < 0]
    return tape.add("parameter", "", (), call.parameters, shapes[0] if shapes else ())


def reduce(tape: Tape, call: Call) -> Origin:
    shape = call.outputs[0].shape
    if len(call.signals) > 1:
        return tape.add("pointwise", call.label, call.signals, call.parameters, shape)
    signal = call.signals[0]
    return tape.add("pool", call.label, (signal,), call.parameters, shape, statistic=tape.root(signal))


def linear(tape: Tape, call: Call) -> Origin:
    """A linear map by a parameter is a weight; of two activations, a matmul."""
    shape = call.outputs[0].shape
    if call.parameters:
        return tape.add("weight", call.label, call.signals, call.parameters, shape)
    if sum(origin is not None for _, origin in call.operands) > 1:
        return tape.add("matmul", call.label, call.signals, (), shape)
    return tape.add("other", call.label, call.signals, (), shape)


def view(tape: Tape, call: Call) -> Origin | None:
    """The first operand in another shape; the others only say which."""
    origin = call.operands[0][1]
    if origin is None or origin.node < 0:
        return origin
    return tape.add("view", call.label, (origin,), (), call.outputs[0].shape)


def index(tape: Tape, call: Call) -> Origin:
    """Part of a signal is a view; rows of a parameter chosen by the input are an embedding."""
    origin = call.operands[0][1]
    op = "view" if origin is not None and origin.node >= 0 else "embedding" if call.parameters else "other"
    inputs = (origin,) if op == "view" and origin is not None else call.signals
    return tape.add(op, call.label, inputs, call.parameters, call.outputs[0].shape)


def embedding(tape: Tape, call: Call) -> Origin | None:
    if not call.parameters:
        return tape.add("view", call.label, call.signals, (), call.outputs[0].shape) if call.signals else None
    return tape.add("embedding", call.label, call.signals, call.parameters, call.outputs[0].shape)


def concat(tape: Tape, call: Call) -> Origin:
    inputs: list[Origin] = []
    for tensor, origin in call.operands:
        if origin is not None:
            entering = origin.node < 0
            inputs.append(
                tape.add("parameter", "", (), origin.parameters, tensor.shape) if entering else origin
            )
    return tape.add("concat", call.label, inputs, (), call.outputs[0].shape)


def assign(tape: Tape, call: Call) -> Origin | None:
    """Writing into part of a tensor: what was there and what was written, side by side."""
    if call.name == "copy_":
        return call.operands[1][1] if len(call.operands) > 1 else None
    if len(call.args) > 1 and isinstance(call.args[1], Tensor) and call.args[1] in tape.masks:
        # x[x < 0] = 0
        return elementwise(tape, call, "pointwise", call.label)
    op = "concat" if len(call.signals) > 1 else "view"
    return tape.add(op, call.label, call.signals, call.parameters, call.outputs[0].shape)


def attention(tape: Tape, call: Call) -> Origin:
    """Scaled dot-product attention, taken apart."""
    query, key, value = (
        _origin(call, call.argument(i, name)) for i, name in enumerate(("query", "key", "value"))
    )
    return _attend(tape, query, key, value, float(call.argument(4, "dropout_p", 0.0)), call.outputs[0].shape)[
        0
    ]


def _attend(
    tape: Tape,
    query: Origin | None,
    key: Origin | None,
    value: Origin | None,
    dropout: float,
    shape: Sequence[int],
) -> tuple[Origin, Origin]:
    """The weighted values and the weights."""
    scores = tape.add("matmul", "scores", [o for o in (query, key) if o is not None])
    weights = tape.add("softmax", "softmax", [tape.add("scale", "1/√d", [scores])])
    if dropout > 0:
        weights = tape.add("dropout", "dropout", [weights])
    inputs = [weights] if value is None else [weights, value]
    return tape.add("matmul", "values", inputs, (), shape), weights


def _origin(call: Call, tensor: Any) -> Origin | None:
    """A tensor argument's origin if it is a signal."""
    for operand, origin in call.operands:
        if operand is tensor:
            return origin if origin is not None and origin.node >= 0 else None
    return None


MULTIHEAD = tuple(inspect.signature(torch.nn.functional.multi_head_attention_forward).parameters)


def multihead(tape: Tape, call: Call) -> Origin:
    """nn.MultiheadAttention: three projections, attention, the output's projection."""
    given = {**dict(zip(MULTIHEAD, call.args, strict=False)), **call.kwargs}
    heads = []
    for part in "query", "key", "value":
        source = _signal_of(tape, given[part])
        names = _names(tape, given, "in_proj_weight", f"{part[0]}_proj_weight", "in_proj_bias")
        head = tape.add("weight", part, source, names, given[part].shape)
        extra = _names(tape, given, f"bias_{part[0]}")
        if extra:
            head = tape.add(
                "concat", "cat", [head, tape.add("parameter", "", (), extra)], (), given[part].shape
            )
        heads.append(head)
    dropout = float(given.get("dropout_p") or 0.0) if given.get("training", True) else 0.0
    query, key, value = heads
    values, weights = _attend(tape, query, key, value, dropout, given["query"].shape)
    names = _names(tape, given, "out_proj_weight", "out_proj_bias")
    out = tape.add("weight", "out", [values], names, call.outputs[0].shape)
    if len(call.outputs) > 1:
        # marked here, because it is not the next port of the output's node
        tape.mark(call.outputs[1], weights)
    return out


def _signal_of(tape: Tape, tensor: Tensor) -> list[Origin]:
    origin = tape.find(tensor)
    return [origin] if origin is not None and origin.node >= 0 else []


def _names(tape: Tape, given: dict[str, Any], *arguments: str) -> tuple[str, ...]:
    found = [tape.find(given[name]) for name in arguments if isinstance(given.get(name), Tensor)]
    return tuple(dict.fromkeys(n for origin in found if origin is not None for n in origin.parameters))


def glu(tape: Tape, call: Call) -> Origin:
    """a · σ(b), the two halves of one signal."""
    shape, signals = call.outputs[0].shape, call.signals
    value, gate = (tape.add("view", "chunk", signals, (), shape) for _ in range(2))
    opened = tape.add("activation", "sigmoid", [gate], (), shape)
    return tape.add("mul", "", [value, opened], (), shape)


RULES: dict[str, Rule] = {
    "activation": activation,
    "pointwise": pointwise,
    "negation": negation,
    "masked": masked,
    "same": same,
    "sum": total,
    "product": product,
    "reduce": reduce,
    "linear": linear,
    "view": view,
    "index": index,
    "embedding": embedding,
    "concat": concat,
    "assign": assign,
    "attention": attention,
    "multihead": multihead,
    "glu": glu,
}
