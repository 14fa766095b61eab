"""What kind of loss a model is trained with: it decides how large the output starts.

Told by the targets of a problem; where there is none, by the model: one output per row of an embedding are
logits; a single output, or as many as the stem has inputs, are numbers to be met. Who knows better says so:
`choose(…, loss="classification")`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import OptionError
from ..core.parameter import ParameterInfo
from .facts import Structure

KINDS = ("classification", "regression", "")
"""Logits; numbers; not known."""


IGNORED = -100
"""The class that torch's cross-entropy passes over."""


def require_loss(loss: str | None, where: str) -> None:
    """Raise OptionError for a kind of loss that there is not."""
    if loss is not None and loss not in KINDS:
        legal = tuple(kind for kind in KINDS if kind)
        raise OptionError(
            f"loss {loss!r}",
            where=where,
            legal=legal,
            given=str(loss),
            cause="it says what the output is for, not which loss is computed",
            fix='"classification" for logits, "regression" for numbers to be met; or leave it out.',
        )


def of_targets(targets: Any) -> str:
    """The kind of loss that `targets` are for: a tensor, an array, or whatever NumPy makes one of.

    Integers and truth values name classes, and so do numbers of which some are 0 and all others 1, or rows
    of probabilities. Rows of zeros and ones of which several may be 1 are not known: labels of one thing, or
    a picture in black and white. All other numbers are to be met themselves. What is no array is not known.
    """
    try:
        values = np.asarray(targets.detach().cpu() if hasattr(targets, "detach") else targets)
    except Exception:  # whatever a foreign type raises, it is not known then
        return ""
    if values.dtype.kind in "iub":
        return "classification" if values.size else ""
    if values.dtype.kind != "f" or not values.size:
        return ""
    return _of_numbers(values.astype(np.float64))


def no_classes(targets: Any, structure: Structure, parameters: Sequence[ParameterInfo]) -> str:
    """What to say of integer targets of which some are no class of the model's outputs; "" of all others."""
    values = np.asarray(targets.detach().cpu() if hasattr(targets, "detach") else targets)
    if values.dtype.kind not in "iu" or not values.size:
        return ""
    outputs = _outputs(structure, {info.name: _sizes(info) for info in parameters})
    if not outputs:  # a head made of bare parameters, say: how many classes it has is not known
        return ""
    count = max(*outputs, 2)
    outside = values[((values < 0) | (values >= count)) & (values != IGNORED)]
    if not outside.size:
        return ""
    return (
        f"Caveat: whole numbers as targets were taken as classes, so the output starts as large as logits; "
        f'{int(outside.flat[0])} is none of {count}. Counts, prices and grades are loss="regression".'
    )


def _of_numbers(values: np.ndarray[Any, Any]) -> str:
    rows = values.ndim > 1 and values.shape[-1] > 1
    if rows and bool((values >= 0).all()) and bool(np.allclose(values.sum(-1), 1, atol=1e-4)):
        return "classification"
    if set(np.unique(values)) == {0.0, 1.0}:
        return "" if rows else "classification"
    return "regression"


def of_model(structure: Structure, parameters: Sequence[ParameterInfo]) -> str:
    """The kind of loss that the model itself gives away, "" if it does not.

    A head with one output per row of an embedding gives logits, as language models do. A single output, or as
    many outputs as the model has inputs, as autoencoders have, are numbers to be met.
    """
    sizes = {info.name: _sizes(info) for info in parameters}
    rows = {info.shape[0] for info in parameters if info.role == "embedding" and info.shape}
    outputs = _outputs(structure, sizes)
    inputs = {sizes[facts.name][1] for facts in structure if facts.role == "stem" and facts.name in sizes}
    if rows & outputs:
        return "classification"
    return "regression" if outputs == {1} or (outputs & inputs and max(outputs) > 4) else ""


def _outputs(structure: Structure, sizes: Mapping[str, tuple[int, int]]) -> set[int]:
    """Numbers of outputs of the model's heads."""
    heads = [facts for facts in structure if facts.role == "head" or facts.tied]
    return {sizes[facts.name][0] for facts in heads if facts.name in sizes} - {0}


def _sizes(info: ParameterInfo) -> tuple[int, int]:
    """Outputs and inputs of a weight; zeros for whatever has none."""
    if info.layout is None or not {"o", "i"} <= set(info.layout.axes):
        return 0, 0
    return info.layout.size(info.shape, "o"), info.layout.size(info.shape, "i")
