"""Sampling: what depends on values is decided by one draw of them.

Which experts a router takes, where a condition holds, what `.item()` says: no moments tell. Such an
operation runs on numbers drawn from its operands' laws, always the same ones, and everything after
it says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._pytree import tree_map

from . import values
from .moments import measured
from .values import Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

OPERATIONS = frozenset(
    {
        "_local_scalar_dense",
        "_unique2",
        "argmax",
        "argmin",
        "argsort",
        "bincount",
        "equal",
        "histc",
        "is_nonzero",
        "masked_select",
        "multinomial",
        "nonzero",
        "sort",
        "topk",
        "unique",
        "unique_consecutive",
        "unique_dim",
    }
)
SAMPLED = "{} was decided by one draw of its values"
NAMES = {"_local_scalar_dense": "a number read from a tensor (.item(), if, while)"}
LARGEST = 1 << 24


def run(interpreter: Interpreter, func: Any, args: Any, kwargs: Any) -> Any:
    """`func` on one draw of its operands; floating results become fake, with the moments of the draw."""
    name = func.overloadpacket.__name__
    note = SAMPLED.format(NAMES.get(name, name))
    interpreter.operations[name] += 1
    generator = torch.Generator().manual_seed(interpreter.operations[name])

    def drawn(leaf: Any) -> Any:
        return _drawn(interpreter, leaf, generator) if isinstance(leaf, FakeTensor) else leaf

    def told(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
            return leaf
        value = values.fresh(measured(leaf.to(torch.float64).numpy()), notes=frozenset({note}))
        return interpreter.fake(tuple(leaf.shape), leaf.dtype, value)

    args, kwargs = tree_map(drawn, (args, kwargs))
    if not interpreter.building:
        # numbers and indices are real from here on: what they decide cannot be followed
        interpreter.decided |= {note}
    return tree_map(told, func(*args, **kwargs))


def _drawn(interpreter: Interpreter, tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers of the tensor's marginal law, element by element; standard normal where nothing is known."""
    if tensor.numel() > LARGEST:
        raise RuntimeError(f"{tensor.numel()} elements are too many to be drawn")
    mean, deviation = _marginal(interpreter, tensor)
    numbers = torch.randn(tensor.shape, generator=generator, dtype=torch.float64) * deviation + mean
    if tensor.dtype.is_floating_point:
        return numbers.to(tensor.dtype)
    return (numbers > 0.5) if tensor.dtype == torch.bool else numbers.round().to(tensor.dtype)


def _marginal(interpreter: Interpreter, tensor: Tensor) -> tuple[float, float]:
    value = _known(interpreter, tensor)
    if value is None:
        return 0.0, 1.0
    moments = value.moments
    return moments.overall_mean, max(moments.mean_square - moments.overall_mean**2, 0.0) ** 0.5


def _known(interpreter: Interpreter, tensor: Tensor) -> Value | None:
    from .rules import UnpredictedError

    try:
        return interpreter.value(tensor)
    except UnpredictedError:
        return None
