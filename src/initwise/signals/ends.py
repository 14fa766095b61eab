"""Where the backward pass starts: the model's result, or the loss given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..core.errors import ForwardError, OptionError
from ..frameworks.torch.run import tensors

Loss = Callable[[Any], Any]


def loss_value(result: Any, loss: Loss) -> Tensor:
    """`loss(result)`, a scalar with a gradient.

    Raises:
        ForwardError: the loss raised.
        OptionError: it gave something else.
    """
    try:
        value = loss(result)
    except Exception as error:
        raise ForwardError(
            f"the loss raised {type(error).__name__}: {error}",
            where="loss",
            expected="a callable that takes the model's result and returns a scalar",
            fix="For targets, close over them: loss=lambda output: F.cross_entropy(output, targets).",
        ) from error
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        if isinstance(value, Tensor) and value.numel() == 1:
            got += " without a gradient"
        raise OptionError(
            f"it returned {got}",
            where="loss",
            expected="a scalar tensor that depends on the model's result",
            fix="Average it: loss=lambda output: my_loss(output).mean().",
        )
    return value


def ends(result: Any) -> list[Tensor]:
    """The tensors of the result that a gradient can start from."""
    return [t for t in tensors(result) if t.is_floating_point() and t.requires_grad and t.numel()]


def obstacle(result: Any) -> str:
    """Why no gradient can start from `result`, in words."""
    found = tensors(result)
    if not found:
        kind = "None" if result is None else f"a {type(result).__name__}"
        return f"the model returned {kind}, in which no tensor is found; a loss can take it out"
    if any(t.is_floating_point() for t in found):
        return "the result depends on no weight: it runs under torch.no_grad, or is detached"
    kinds = ", ".join(sorted({str(t.dtype).removeprefix("torch.") for t in found}))
    return f"the result is {kinds}, and only real floating-point numbers have gradients here"
