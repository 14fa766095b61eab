"""Margin losses: pairs of a target class t and another j, each pays h(m − x_t + x_j).

The gradient at j is Σ_t h′, at t it is −Σ_j h′. With u = x_j − x_t of independent Gaussian scores,
E[(Σ_t h′)²] = T·E[h′²] + T(T − 1)·E[E[h′|x_j]²], T the number of targets; the gradients of a line sum to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch._subclasses.fake_tensor import FakeTensor

from .. import values
from ..algebra import centre
from ..axes import Array, start
from ..moments import Moments, independent, measured
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .losses import MEAN, NONE
from .pointwise import NODE_WEIGHTS, NODES


@dataclass(frozen=True)
class Pairs:
    """h or h′ of a pair: its mean, its mean square, and the mean squares of what either end alone expects."""

    mean: float
    square: float
    given_other: float
    given_target: float


def _of_pairs(x: Value, margin: float, function: Callable[[Array], Array]) -> Pairs:
    rank = len(x.shape)
    scores = centre(x.moments, [rank - 1])
    size = x.shape[-1]
    deviation = math.sqrt(scores.mean_square * size / max(size - 1, 1))
    between = margin + deviation * (NODES[:, None] - NODES[None])  # (other, target)
    table = function(between)
    given_other, given_target = table @ NODE_WEIGHTS, NODE_WEIGHTS @ table
    return Pairs(
        float(NODE_WEIGHTS @ given_other),
        float(NODE_WEIGHTS @ (table**2) @ NODE_WEIGHTS),
        float(NODE_WEIGHTS @ given_other**2),
        float(NODE_WEIGHTS @ given_target**2),
    )


def _slopes(x: Value, margin: float, power: float) -> Pairs:
    return _of_pairs(x, margin, lambda u: (u > 0) * (1.0 if power == 1 else 2 * u))


def _gradient(call: Call, targets: NDArray[np.bool_], slopes: Pairs) -> Value:
    """g/C times the sums of h′, over the number of lines for a mean loss."""
    g, (lines, classes) = call.value("grad_output"), targets.shape
    wanted = targets.sum(1, keepdims=True).astype(float)
    others = classes - wanted
    at_other = wanted * slopes.square + wanted * (wanted - 1) * slopes.given_other
    at_target = others * slopes.square + others * (others - 1) * slopes.given_target
    equal = float(np.where(targets, at_target, at_other).mean())
    moments = measured(np.where(targets, -others, wanted) * slopes.mean)
    place, second = start(moments.axes, 1), np.moveaxis(moments.second, start(moments.axes, 1), 0).copy()
    alone = (1, -1) if moments.axes[0] else (1,)
    second[alone] = equal
    second[(0, *alone[1:])] = -equal / max(classes - 1, 1)
    moments = Moments(moments.axes, np.moveaxis(second, 0, place), moments.mean)
    number = classes * (lines if call["reduction"] == MEAN else 1)
    each = values.fresh(moments, notes=g.notes)
    shape = (lines, 1) if g.shape == (lines,) else (1, 1)
    lead = values.expanded(values.reshaped(g, shape), (lines, classes))
    found = values.scaled(values.times(lead, each), 1 / number)
    return values.reshaped(found, call.shape)


def _numbers(call: Call) -> NDArray[np.int64]:
    target = call["target"]
    if isinstance(target, FakeTensor) or call.get("weight") is not None:
        raise UnpredictedError("targets that depend on values, or weights of classes")
    return np.asarray(target.detach().cpu().numpy().astype(np.int64))


@rule("multi_margin_loss_backward")
def one_target(call: Call) -> Value:
    """Of one target each."""
    classes = call.shape[-1]
    targets = np.eye(classes, dtype=bool)[_numbers(call).reshape(-1)]
    return _gradient(call, targets, _slopes(call.value("self"), float(call["margin"]), float(call["p"])))


@rule("multilabel_margin_loss_backward")
def many_targets(call: Call) -> Value:
    """Of those named before the first −1."""
    return _gradient(call, _named(call), _slopes(call.value("self"), 1.0, 1.0))


def _named(call: Call) -> NDArray[np.bool_]:
    """(lines, classes): which are targets."""
    shape = call["self"].shape
    targets = np.zeros((math.prod(shape) // shape[-1], shape[-1]), bool)
    for line, named in zip(targets, _numbers(call).reshape(targets.shape), strict=True):
        ends = np.flatnonzero(named < 0)
        line[named[: ends[0] if len(ends) else len(line)]] = True
    return targets


@rule("multilabel_margin_loss_forward")
def many_targets_loss(call: Call) -> list[Value]:
    """Σ h over the T·n pairs of a line, over C: pairs that share an end are not independent."""
    x, targets = call.value("self"), _named(call)
    h = _of_pairs(x, 1.0, lambda u: np.maximum(u, 0.0))
    wanted = targets.sum(1).astype(float)
    lines, classes = targets.shape
    others = classes - wanted
    pairs = wanted * others
    spread = pairs * (h.square + (others - 1) * h.given_target + (wanted - 1) * h.given_other)
    spread = (spread + pairs * (wanted - 1) * (others - 1) * h.mean**2 - (pairs * h.mean) ** 2) / classes**2
    level, variance = float((pairs * h.mean / classes).mean()), float(spread.mean())
    if call["reduction"] == MEAN:
        variance = variance / lines
    elif call["reduction"] != NONE:
        level, variance = level * lines, variance * lines
    loss = values.fresh(independent(call.shape, level, variance), spread=x.scale_spread, notes=x.notes)
    return [loss, values.fresh(measured(targets.reshape(call["self"].shape).astype(float)))]
