"""Losses that are asked for by name: from the model's result and the example to a scalar.

Targets that the example does not bring are drawn: classes uniform, numbers standard normal. Logits are
taken in float32, as training does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..core.errors import OptionError
from ..core.problem import LOSSES
from ..frameworks.example import Spec, draw
from ..frameworks.torch.run import tensors
from .ends import loss_value
from .gauge import Gauge

IGNORED = -100
"""Targets of this value count for nothing, as in torch.nn.functional.cross_entropy."""
IDS = ("decoder_input_ids", "input_ids")
"""Names under which transformers' models take the tokens that they predict the next of."""
OWN = "Or give a function: loss=lambda output: F.cross_entropy(output, targets)."


@dataclass(frozen=True)
class Given:
    """What a loss asked for by name may use beside the model's result.

    Attributes:
        kwargs: the example's keyword arguments.
        inputs: all tensors of the example, in order.
        gauge: makes standard normal targets.
        seed: of the targets.
    """

    kwargs: Mapping[str, Any]
    inputs: Sequence[Tensor]
    gauge: Gauge
    seed: int


def named_loss(name: str, result: Any, given: Given) -> tuple[Tensor, str]:
    """(the loss of this name, a scalar with a gradient; what its gradient is that of, in words).

    Raises:
        OptionError: the result or the example has not what this loss needs.
    """
    value, words = _LOSSES[name](result, given)
    return loss_value(result, lambda _: value), words


def _language_model(result: Any, given: Given) -> tuple[Any, str]:
    """Mean cross-entropy of the logits at a token against the next one of the example."""
    logits = _logits(result, "lm")
    ids = _tokens(logits, given)
    _require_below(ids, logits.shape[-1], "lm")
    if ids.shape[1] < 2:
        raise _refused(
            "lm", "the example has one token", "two tokens or more: the first one predicts the second"
        )
    scores, targets = logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
    return F.cross_entropy(scores, targets), "the next token's cross-entropy"


def _tokens(logits: Tensor, given: Given) -> Tensor:
    named = [given.kwargs.get(name) for name in ("labels", *IDS)]
    for ids in [*named, *given.inputs]:
        if isinstance(ids, Tensor) and _integers(ids) and logits.dim() == 3 and ids.shape == logits.shape[:2]:
            return ids.long()
    shapes = ", ".join(str(tuple(x.shape)) for x in given.inputs if _integers(x)) or "none"
    raise _refused(
        "lm",
        f"the result has shape {tuple(logits.shape)}, the example's integers have {shapes}",
        "logits of shape (batch, tokens, vocabulary) and ids of shape (batch, tokens)",
    )


def _classification(result: Any, given: Given) -> tuple[Any, str]:
    """Mean cross-entropy against the example's `labels`, else against uniformly drawn classes."""
    logits = _logits(result, "classification")
    axis = _class_axis(logits)
    classes, shape = logits.shape[axis], logits.shape[:axis] + logits.shape[axis + 1 :]
    if classes < 2:
        raise _refused(
            "classification", f"the result has shape {tuple(logits.shape)}: one class", "two or more"
        )
    labels = given.kwargs.get("labels")
    if isinstance(labels, Tensor) and _integers(labels):
        targets, words = _labels(labels, shape, classes), "the cross-entropy against the example's labels"
    else:
        numbers = draw(Spec("int64", tuple(shape), classes), seed=given.seed, where="loss")
        targets = torch.from_numpy(numbers).to(logits.device)
        words = "the cross-entropy against uniformly drawn classes"
    scores = logits.movedim(axis, -1).reshape(-1, classes)
    return F.cross_entropy(scores, targets.reshape(-1)), words


def _class_axis(logits: Tensor) -> int:
    """The last axis; of maps (batch, classes, height, width) and volumes the second."""
    return 1 if logits.dim() > 3 else logits.dim() - 1


def _labels(labels: Tensor, shape: torch.Size, classes: int) -> Tensor:
    if labels.shape != shape:
        raise _refused(
            "classification",
            f"labels have shape {tuple(labels.shape)}, the result without its classes {tuple(shape)}",
            "one label per prediction",
        )
    _require_below(labels, classes, "classification")
    return labels.long()


def _require_below(ids: Tensor, classes: int, name: str) -> None:
    kept = ids[ids != IGNORED]
    if not kept.numel():
        raise _refused(
            name, f"every target is {IGNORED}, which counts for nothing", "at least one that counts"
        )
    low, high = int(kept.min()), int(kept.max())
    if low < 0 or high >= classes:
        raise _refused(
            name,
            f"targets lie from {low} to {high}, and the result has {classes} classes",
            f"0 to {classes - 1}",
        )


def _squared_error(result: Any, given: Given) -> tuple[Any, str]:
    """Mean squared error against standard normal targets."""
    output = _logits(result, "mse")
    targets = given.gauge.cotangent(output, given.seed, 0)
    return F.mse_loss(output, targets), "the mean squared error against standard normal targets"


def _own(result: Any, given: Given) -> tuple[Any, str]:
    """The loss that the model computes itself."""
    found = result if isinstance(result, Tensor) else _member(result, "loss")
    if found is None and isinstance(result, tuple) and result and isinstance(result[0], Tensor):
        found = result[0]
    if not isinstance(found, Tensor) or found.numel() != 1:
        raise OptionError(
            f'loss="own": the model returned {_shown(result)}, in which there is no loss',
            where="check",
            expected="a scalar, or a result with a scalar called loss",
            cause="transformers' models give one only where the example has labels",
            fix='Give them: check(model, {"input_ids": ids, "labels": ids}, loss="own"). ' + OWN,
        )
    return found, "the loss that the model returned"


_LOSSES: Mapping[str, Callable[[Any, Given], tuple[Any, str]]] = dict(
    zip(LOSSES, (_classification, _language_model, _squared_error, _own), strict=True)
)


def _logits(result: Any, name: str) -> Tensor:
    """The result's `logits`, else its first floating tensor with an axis; in float32 at least."""
    found = _member(result, "logits")
    floats = [t for t in tensors(result) if t.is_floating_point() and t.dim() > 0]
    if not isinstance(found, Tensor):
        found = floats[0] if floats else None
    if found is None:
        raise _refused(name, f"the model returned {_shown(result)}", "a floating-point tensor with an axis")
    logits: Tensor = found if found.dtype == torch.float64 else found.float()
    return logits


def _member(result: Any, name: str) -> Any:
    if isinstance(result, Mapping):
        return result.get(name)
    return getattr(result, name, None)


def _shown(result: Any) -> str:
    if isinstance(result, Tensor):
        return f"a {str(result.dtype).removeprefix('torch.')} tensor of shape {tuple(result.shape)}"
    return "None" if result is None else f"a {type(result).__name__}"


def _integers(x: Any) -> bool:
    return (
        isinstance(x, Tensor) and not x.is_floating_point() and not x.is_complex() and x.dtype != torch.bool
    )


def _refused(name: str, got: str, expected: str) -> OptionError:
    return OptionError(f'loss="{name}": {got}', where="check", expected=expected, fix=OWN)
