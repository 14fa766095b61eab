"""Building: a model's constructor run without memory, so that its own initialization is what is predicted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from ..core.errors import ModelError
from ..core.fill import Fill
from . import values
from .interpreter import Interpreter
from .moments import independent


def built(build: Callable[[], Any], interpreter: Interpreter) -> nn.Module:
    """What `build()` gives, its parameters fake tensors that hold what their initialization drew.

    Raises:
        ModelError: it gives no torch.nn.Module.
    """
    interpreter.building = True
    try:
        with interpreter, _truncated_normal(interpreter):
            model = build()
    finally:
        interpreter.building = False
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"{getattr(build, '__name__', 'the callable')} gave {type(model).__name__}",
            where="model",
            expected="a torch.nn.Module, or a callable without arguments that makes one",
        )
    return model


@contextlib.contextmanager
def _truncated_normal(interpreter: Interpreter) -> Iterator[None]:
    """torch redraws until all values are within bounds, which fake tensors cannot tell: its law at once."""
    ours = torch.nn.init._no_grad_trunc_normal_

    def fill(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any = None) -> Tensor:
        if not isinstance(tensor, FakeTensor):
            return ours(tensor, mean, std, a, b, generator=generator)
        law = Fill.truncated_normal(mean, std, low=a, high=b)
        with torch.no_grad():
            tensor.normal_(law.mean, law.std)
        shape = tuple(tensor.shape)
        interpreter.attach(tensor, values.fresh(independent(shape, law.mean, law.std**2), parameter=True))
        return tensor

    torch.nn.init._no_grad_trunc_normal_ = fill
    try:
        yield
    finally:
        torch.nn.init._no_grad_trunc_normal_ = ours
