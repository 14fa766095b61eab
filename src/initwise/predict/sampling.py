"""Sampling: what depends on values is decided by one draw of them.

Which experts a router takes, where a condition holds, what `.item()` says: no moments tell. Such an
operation runs on numbers drawn from its operands' laws, always the same ones, and everything after
it says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._pytree import tree_leaves, tree_map

from . import values
from .moments import measured
from .values import Value

if TYPE_CHECKING:
    from .interpreter import Interpreter

OPERATIONS = frozenset(
    {
        "_ctc_loss",
        "_linalg_det",
        "_linalg_eigh",
        "_linalg_slogdet",
        "_linalg_solve_ex",
        "_linalg_svd",
        "_local_scalar_dense",
        "_unique2",
        "argmax",
        "argmin",
        "argsort",
        "bincount",
        "equal",
        "histc",
        "is_nonzero",
        "linalg_inv_ex",
        "linalg_lu_solve",
        "masked_select",
        "multinomial",
        "nonzero",
        "repeat_interleave",
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
PICKS = frozenset({"max", "min"})
"""Of these, with an axis, the second result says which place was picked."""


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
        with np.errstate(invalid="ignore"):  # scores of −∞ have no moments
            moments = measured(leaf.to(torch.float64).numpy())
        value = values.fresh(moments, notes=frozenset({note}))
        return interpreter.fake(tuple(leaf.shape), leaf.dtype, value)

    args, kwargs = tree_map(drawn, (args, kwargs))
    if not interpreter.building:
        # numbers and indices are real from here on: what they decide cannot be followed
        interpreter.decided |= {note}
    if name == "repeat_interleave":
        args = (_counts(args[0]), *args[1:])
    return tree_map(told, func(*args, **kwargs))


def _counts(repeats: Tensor) -> Tensor:
    """Numbers of repeats are not negative, and something is repeated."""
    counts = repeats.clamp(min=0)
    return counts if bool(counts.any()) else torch.ones_like(counts)


class Later:
    """Integers that are drawn once a rule asks which places they name."""

    def __init__(self, draw: Callable[[], Tensor]) -> None:
        self._draw = draw

    @cached_property
    def numbers(self) -> Tensor:
        """One draw, always the same."""
        with torch.no_grad():
            return self._draw()


def remember(interpreter: Interpreter, func: Any, args: Any, kwargs: Any, outs: list[Any]) -> None:
    """Let integers among `outs`, which depend on values, be drawn later."""
    last, name = outs[-1], func.overloadpacket.__name__
    if not isinstance(last, FakeTensor) or last.is_floating_point() or last.is_complex():
        return
    if name in PICKS and len(outs) == 2:
        seed = interpreter.operations.total()

        def pick() -> Tensor:
            generator = torch.Generator().manual_seed(seed)
            interpreter.decided |= {SAMPLED.format(name)}
            found: Tensor = func(_drawn(interpreter, args[0], generator), *args[1:], **kwargs)[1]
            return found

        last._initwise_later = Later(pick)  # type: ignore[attr-defined]
        return
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, FakeTensor)]
    if len(outs) == 1 and given and all(hasattr(leaf, "_initwise_later") for leaf in given):
        later = Later(lambda: func(*tree_map(_numbers, args), **tree_map(_numbers, kwargs)))
        last._initwise_later = later  # type: ignore[attr-defined]


def _numbers(leaf: Any) -> Any:
    return leaf._initwise_later.numbers if isinstance(leaf, FakeTensor) else leaf  # type: ignore[attr-defined]


def _drawn(interpreter: Interpreter, tensor: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers of the tensor's marginal law, element by element; standard normal where nothing is known."""
    if tensor.numel() > LARGEST:
        raise RuntimeError(f"{tensor.numel()} elements are too many to be drawn")
    mean, deviation = _marginal(interpreter, tensor)
    numbers = torch.randn(tensor.shape, generator=generator, dtype=torch.float64) * deviation + mean
    if tensor.dtype.is_floating_point:
        return numbers.to(tensor.dtype)
    return (numbers > 0.5) if tensor.dtype == torch.bool else numbers.round().to(tensor.dtype)


def thinned(tensor: Tensor, most: int) -> Tensor:
    """Some places of each axis, so that at most `most` elements are left."""
    generator = torch.Generator().manual_seed(0)
    while tensor.numel() > most:
        dim = max(range(tensor.dim()), key=lambda d: tensor.shape[d])
        size = tensor.shape[dim]
        kept = torch.randperm(size, generator=generator)[: (size + 1) // 2].sort().values
        tensor = tensor.index_select(dim, kept.to(tensor.device))
    return tensor


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
