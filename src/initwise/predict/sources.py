"""Sources: what is known of parameters and inputs before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from ..core.errors import ModelError
from ..core.fill import Fill
from ..core.parameter import ParameterInfo
from ..frameworks.inputs import Input
from . import values
from .axes import axes_of, block_shape
from .interpreter import LARGE_REAL, Interpreter
from .laws import of_fill
from .moments import Moments, independent, measured
from .rules import UnpredictedError
from .values import Value


def of_numbers(tensor: Tensor) -> Value:
    """A parameter that has numbers: independent elements of their mean and variance."""
    numbers = tensor.detach().to(torch.float64)
    mean = float(numbers.mean())
    variance = float(numbers.var(correction=0)) if numbers.numel() > 1 else 0.0
    return values.fresh(independent(tuple(tensor.shape), mean, variance), parameter=True)


def _copies_used_as_one(value: Value, parameter: Tensor, met: list[tuple[Value, Tensor]]) -> Value:
    """A weight with the very numbers of another is that one in several places; see `kin`."""
    moments = value.moments
    if moments.fixed:
        return value
    for other, numbers in met:
        alike = other.moments.shape == moments.shape and other.moments.mean_square == moments.mean_square
        if alike and torch.equal(numbers, parameter.detach()):
            return other
    met.append((value, parameter.detach()))
    return value


def of_input(given: Tensor | Input, shape: tuple[int, ...]) -> Value:
    """An input, with the moments of its numbers, or with those that are declared."""
    if isinstance(given, Input):
        return values.fresh(declared(given))
    found = measured(_some(given.detach()).to(torch.float64).cpu().numpy())
    return values.fresh(replace(found, axes=axes_of(shape)))


def _some(numbers: Tensor) -> Tensor:
    """The first inputs of a large batch, two or more: the others are like them."""
    number = len(numbers) if numbers.dim() else 1
    kept = max(LARGE_REAL * number // max(numbers.numel(), 1), 2)
    return numbers[:kept] if kept < number else numbers


def declared(x: Input) -> Moments:
    """Cov(x[b, p], x[b′, p′]) = std²·C·R on patterns: see `Input`; elements of other axes are independent."""
    axes = axes_of(x.shape)
    wide = [d for d, size in enumerate(x.shape) if size > 1]
    covariance = np.empty((2,) * len(wide))
    for pattern in np.ndindex(*covariance.shape):
        differ = {d for d, equal in zip(wide, pattern, strict=True) if not equal}
        inputs = x.correlation if 0 in differ else 1.0
        positions = x.position_correlation if differ & set(x.places) else 1.0
        covariance[pattern] = 0.0 if differ - {0, *x.places} else inputs * positions
    mean = np.full(block_shape(axes), float(x.mean))
    return Moments(axes, x.std**2 * covariance + x.mean**2, mean)


def _known_as_weight(interpreter: Interpreter, parameter: Tensor) -> None:
    """Say of what a constructor drew that it is a weight."""
    try:
        value = interpreter.value(parameter)
    except UnpredictedError:
        return
    if value.single is not None and value.terms[0].factors[0].values is None:
        value.terms[0].factors[0].base.parameter = True


def weights(
    model: nn.Module, interpreter: Interpreter, fills: Mapping[str, tuple[Fill, ParameterInfo]]
) -> dict[str, Tensor]:
    """Every floating parameter as a fake tensor: by its Fill, or by the numbers it has.

    Raises:
        ModelError: a lazy parameter, or one on the meta device that nothing is said about.
    """
    found: dict[str, Tensor] = {}
    met: list[tuple[Value, Tensor]] = []
    for name, own in model.named_parameters():
        # one that its constructor wrote drawn numbers into is no longer what its memory says
        parameter = interpreter.standing(own)
        if nn.parameter.is_lazy(parameter):
            raise ModelError(
                "is lazy: it has no shape before the first forward",
                where=name,
                fix="Run the model once on a real batch, then ask again.",
            )
        if not parameter.is_floating_point() or parameter.layout != torch.strided:
            continue
        if name in fills:
            value = of_fill(*fills[name])
        elif isinstance(parameter, FakeTensor):
            _known_as_weight(interpreter, parameter)
            found[name] = parameter
            continue
        elif parameter.device.type == "meta":
            raise ModelError(
                "is on the meta device, and the plan says nothing about it",
                where=name,
                expected="a law for every parameter",
                fix='Give a plan that names it ("*": a scheme for the rest), check(model, example, '
                'plan="torch_default", mode="predict"), or build the model with real memory.',
            )
        else:
            value = of_numbers(parameter)
            value = _copies_used_as_one(value, parameter, met)
        found[name] = interpreter.fake(tuple(parameter.shape), parameter.dtype, value)
    return found
