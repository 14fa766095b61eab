"""Whole numbers and truths: where values lie, how many are not zero, whether all of them are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from .. import quadrature, values
from ..axes import Array
from ..bases import Factor
from ..moments import independent
from ..terms import Term
from ..values import Value
from .calling import Call, UnpredictedError, rule
from .reduction import reduced


def of_grid(x: Value, function: Callable[[Array], Any]) -> Value:
    """A function of a value, from its values on the grid of its base."""
    factor = x.single or x.rebased().single
    assert factor is not None
    return Value((Term((Factor(factor.base, np.asarray(function(factor.on_grid), float)),)),), x.notes)


@rule("searchsorted", "bucketize")
def place_among(call: Call) -> Value:
    """How many real bounds lie below: a step function."""
    given, bounds = call["self"], call.get("boundaries", call.get("sorted_sequence"))
    if isinstance(bounds, FakeTensor) or bounds.dim() != 1 or not isinstance(given, Tensor):
        raise UnpredictedError("bounds that depend on values that are not there")
    side: Literal["left", "right"] = "right" if call["right"] else "left"
    edges = bounds.detach().to(torch.float64).numpy()
    return of_grid(call.of(given), lambda x: np.searchsorted(edges, x, side=side))


@rule("isin")
def among(call: Call) -> Value:
    """Is it one of some real numbers?"""
    tests = call.get("test_elements", call.get("test_element"))
    if isinstance(tests, FakeTensor) or not isinstance(call.get("elements"), Tensor):
        raise UnpredictedError("among numbers that depend on values that are not there")
    numbers = tests.detach().to(torch.float64).numpy() if isinstance(tests, Tensor) else float(tests)
    flipped = bool(call["invert"])
    return of_grid(call.value("elements"), lambda x: np.isin(x, numbers) != flipped)


def _true(x: Value) -> Value:
    return of_grid(x, lambda numbers: numbers != 0)


@rule("count_nonzero")
def number_of_nonzero(call: Call) -> Value:
    """How many are not zero."""
    x = _true(call.value("self"))
    dims = call.dims(len(x.shape))
    return reduced(x, dims, False, float(math.prod(x.shape[d] for d in dims)))


@rule("all", "_is_all_true", "any", "_is_any_true")
def together(call: Call) -> Value:
    """Of n elements that are true with probability p, all are with pⁿ: taken as independent."""
    x = _true(call.value("self"))
    number = math.prod(x.shape[d] for d in call.dims(len(x.shape)))
    share = min(max(x.moments.overall_mean, 0.0), 1.0)
    share = share**number if "all" in call.name else 1 - (1 - share) ** number
    law = (1 - share < quadrature.QUANTILES) * 1.0 if 0 < share < 1 else None
    law = None if law is None else (law - share) / math.sqrt(share * (1 - share))
    return values.fresh(independent(call.shape, share, share * (1 - share)), law, notes=x.notes)
