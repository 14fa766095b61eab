"""Losses: of differences, and those that pick: the negative log likelihood of real targets."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import maps, values
from ..algebra import average, scale
from ..axes import Array, start
from ..bases import Factor
from ..moments import Moments, expand, flat, uniform
from ..terms import Term
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .indexing import coincidence
from .reduction import reduced

NONE, MEAN = 0, 1
"""Values of the argument `reduction`."""


def _targets(call: Call) -> NDArray[np.int64]:
    target: Tensor = call["target"]
    if isinstance(target, FakeTensor):
        raise UnpredictedError("the targets depend on values that are not there")
    if call.get("weight") is not None:
        raise UnpredictedError("a loss with class weights")
    found: NDArray[np.int64] = target.detach().cpu().to(torch.int64).numpy()
    return found


def _kept_share(call: Call, targets: NDArray[np.int64]) -> float:
    return float((targets != call["ignore_index"]).mean())


@rule("nll_loss_forward", "nll_loss2d_forward")
def picked_loss(call: Call) -> list[Value]:
    """−x at the target's class, and its mean: classes are alike but for what the blocks say."""
    x, targets = call.value("self"), _targets(call)
    dim = 1 if len(x.shape) > 1 else 0
    share, taken = _kept_share(call, targets), _at_class(x.moments, dim, targets)
    shape = tuple(targets.shape)
    if call["reduction"] == NONE:
        y = scale(taken, -(share**0.5))
    else:
        count = float(targets.size) * share if call["reduction"] != MEAN else 1.0
        y = scale(average(taken, range(len(shape)), keep=False), -count)
    found = values.fresh(y, spread=x.scale_spread, notes=x.notes)
    return [found, values.fixed(tuple(call.out[1].shape), float(targets.size) * share)]


def _at_class(x: Moments, dim: int, targets: NDArray[np.int64]) -> Moments:
    """The elements of the targets' classes: axis `dim` is gone."""
    for other in range(len(x.axes)):
        x = uniform(flat(x, other), other)
    axes, share = coincidence(targets)
    place = start(x.axes, dim)
    same, differ = np.take(x.second, 1, place), np.take(x.second, 0, place)
    return Moments(axes, share * same + (1 - share) * differ, np.squeeze(x.mean, place))


@rule("nll_loss_backward", "nll_loss2d_backward")
def picked_loss_gradient(call: Call) -> Value:
    """−g (over the number of targets) at the target's class, 0 at the others."""
    g, targets = call.value("grad_output"), _targets(call)
    shape = call.shape
    dim = 1 if len(shape) > 1 else 0
    share = _kept_share(call, targets)
    number = targets.size * share if call["reduction"] == MEAN else 1.0
    whole = expand(g.moments, targets.shape) if call["reduction"] != NONE else g.moments
    moments = scale(_one_class(whole, dim, shape[dim], targets), -1 / number)
    if share < 1:
        moments = Moments(moments.axes, moments.second * share, moments.mean * share)
    return values.fresh(moments, spread=g.scale_spread, notes=g.notes)


def _one_class(g: Moments, dim: int, classes: int, targets: NDArray[np.int64]) -> Moments:
    """g at the targets' classes: of a pair of places with targets t and t′ the pair (t, t′) of classes."""
    for other in range(len(g.axes)):
        g = uniform(flat(g, other), other)
    if classes == 1:
        return maps.reshape(g, (*g.shape[:dim], 1, *g.shape[dim:]))
    share: Array = coincidence(targets)[1]
    alike = g.second * share / classes
    differ = g.second * (1 - share) / (classes * (classes - 1))
    axes = (*g.axes[:dim], ((classes,),), *g.axes[dim:])
    second = np.stack([differ, alike], axis=start(axes, dim))
    return Moments(axes, second, np.expand_dims(g.mean / classes, start(axes, dim)))


# of differences


def _of_difference(call: Call, gradient: bool) -> Value:
    """The operation on x − y and 0, not averaged, its gradient for a cotangent of 1: a function of x − y."""
    difference = values.plus(call.value("self"), call.value("target"), -1.0)
    factor = difference.single or difference.rebased().single
    assert factor is not None
    grid = torch.from_numpy(np.ascontiguousarray(factor.on_grid))
    settings = [call[name] for name in ("beta", "delta") if name in call.arguments]
    lead = [torch.ones_like(grid)] if gradient else []
    numbers = getattr(torch.ops.aten, call.name)(*lead, grid, torch.zeros_like(grid), NONE, *settings)
    return Value((Term((Factor(factor.base, numbers.numpy()),)),), difference.notes)


@rule("smooth_l1_loss", "huber_loss")
def loss_of_difference(call: Call) -> Value:
    """h(x − y), or its mean or sum."""
    each = _of_difference(call, False)
    if call["reduction"] == NONE:
        return each
    every = list(range(len(each.shape)))
    return reduced(each, every, False, 1.0 if call["reduction"] == MEAN else float(math.prod(each.shape)))


@rule("smooth_l1_loss_backward", "huber_loss_backward")
def loss_of_difference_gradient(call: Call) -> Value:
    """g·h′(x − y), over the number of elements for a mean."""
    slope = _of_difference(call, True)
    g = values.expanded(call.value("grad_output"), slope.shape)
    number = math.prod(slope.shape) if call["reduction"] == MEAN else 1
    return values.scaled(values.times(g, slope), 1 / number)
