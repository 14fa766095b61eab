"""Failing: what it means when a model cannot run on tensors without numbers, and what to do."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator
from typing import NoReturn

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)

from ..core.errors import ForwardError

MEASURE = 'Measure it on real numbers: check(model, example, mode="measure").'
NUMBERS = "it asks for numbers, and a prediction has none"
ON_VALUES = (DataDependentOutputException, DynamicOutputShapeException, UnsupportedFakeTensorException)
WITHOUT_NUMBERS = (
    ".numpy() is not supported",
    "Cannot access data pointer",
    "doesn't have storage",
    "FakeTensor",
    "fake tensor",
    "Pointer argument",
    "active drivers",
)
"""What torch, NumPy and Triton say of tensors that hold no numbers."""
DISPATCH = (f"{__package__}.interpreter", "__torch_dispatch__")
"""Where every operation on fake tensors comes by."""
KERNEL = "it is a kernel of its own, of which torch does not know what shape it gives"
REGISTER = "Tell torch: torch.library.register_fake({name!r}, …), a function that gives an empty result. Or: "


def refused(error: ForwardError) -> NoReturn:
    """Raise a pass's error again; where a prediction brought it about, with the operation, cause and fix."""
    origin = error.__cause__
    cause, fix = advice(origin)
    if not cause:
        raise error
    operation = operation_of(origin)
    named = not operation or operation in error.got
    got = error.got if named else f"{error.got}, in the operation {operation}"
    raise ForwardError(got, where=error.where, cause=cause, fix=f"{fix}\n  {error.fix}") from origin


def advice(error: BaseException | None) -> tuple[str, str]:
    """(the cause, what to do) of an error that only tensors without numbers bring about; "" for others."""
    text = str(error)
    if isinstance(error, UnsupportedOperatorException) or "no fake impl" in text or "register_fake" in text:
        name = _kernel(error)
        return KERNEL, (REGISTER.format(name=name) if name else "") + MEASURE
    if isinstance(error, ON_VALUES) or any(sign in text for sign in WITHOUT_NUMBERS):
        return NUMBERS, f"Compute it with torch's own operations. Or: {MEASURE}"
    return "", ""


def _kernel(error: BaseException | None) -> str:
    """The name of a kernel that torch has no shapes for: "namespace::name", or "" if it does not say."""
    if isinstance(error, UnsupportedOperatorException):
        return str(getattr(error.func, "_schema", error.func)).partition("(")[0]
    _, found, rest = str(error).partition("CustomOpDef(")
    return rest.partition(")")[0] if found else ""


def operation_of(error: BaseException | None) -> str:
    """The innermost operation that was running on fake tensors, or ""."""
    frames = [] if error is None else list(traceback.walk_tb(error.__traceback__))
    for frame, _ in reversed(frames):
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == DISPATCH:
            return str(frame.f_locals.get("func", "")).removesuffix(".default")
    return ""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without torch's own report of a failed operation on stderr: the error tells it."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")

    def refuse(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)


def check_operands(name: str, given: tuple[object, ...]) -> None:
    """Raise what torch would for operands that fake kernels let pass: unlike dtypes, ids out of a table.

    Raises:
        RuntimeError, IndexError: as torch itself does.
    """
    tensors = [one for one in given if isinstance(one, torch.Tensor)]
    if name == "embedding":
        _check_ids(*tensors[:2])
    elif name in PRODUCTS and len({tensor.dtype for tensor in tensors}) > 1:
        if any(isinstance(one, torch.dtype) for one in given):  # accumulated in another dtype
            return
        kinds = ", ".join(str(tensor.dtype).removeprefix("torch.") for tensor in tensors)
        raise RuntimeError(f"{name} of tensors of one dtype, not {kinds}")


PRODUCTS = frozenset({"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "convolution", "linear"})
CHECKED = PRODUCTS | {"embedding"}


def _check_ids(table: torch.Tensor, ids: torch.Tensor) -> None:
    if type(ids) is not torch.Tensor or not ids.numel():
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= table.shape[0]:
        raise IndexError(f"indices from {low} to {high} into a table of {table.shape[0]} rows")
