"""A table with new rows at its end: those rows filled from the law of the rows that were trained."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import numpy as np

from ..core.errors import FillError, OutputError
from ..core.fill import Fill
from ..core.storage import overlaps
from ..random import fill_array
from ..schemes.vocabulary import F64, extended_rows

T = TypeVar("T")


def new_rows(table: Any, count: int, *, name: str, seed: int = 0, spread: float = 1.0) -> F64:
    """`count` rows from N(mean, spread²·Σ) of the table's rows: (count, d) in float64.

    The draws are the stream's of (seed, name#new) at the new rows' own numbers in the longer table: a row
    does not depend on how many are added with it, nor on any random state.

    Args:
        table: (rows, d), an array or tensor of any floating type, left as it is.
        name: the table's full name; another name gives other rows.
        spread: see `initwise.schemes.vocabulary.extended_rows`.

    Raises:
        FillError: no table, a count below 0, a spread below 0. StreamError: a seed or name that is none.
    """
    known = _float64(table)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise FillError(f"{count!r} new rows", expected="a whole number ≥ 0")
    if known.ndim != 2:
        raise FillError(f"a table of shape {known.shape}", expected="(rows, d)")
    old, width = known.shape
    draws = np.zeros((count, width))
    whole = (old + count, width)
    if count:
        fill_array(draws, Fill.normal(), name=f"{name}#new", seed=seed, shape=whole, offset=(old, 0))
    return extended_rows(known, draws, spread=spread)


def extend_table_(table: T, old_rows: int, *, name: str, seed: int = 0, spread: float = 1.0) -> T:
    """Fill rows `old_rows` … of `table` in place, by the law of the rows before them.

    For a table just made longer (transformers: `model.resize_token_embeddings(n, mean_resizing=False)`). A
    head that is tied to the table has the same rows and needs no second call; one that is not is extended by
    itself, under its own name.

    Args:
        table: (rows, d), a writable array or a tensor (an `nn.Embedding`'s or `nn.Linear`'s weight).
        old_rows: how many rows are trained, at least 1. name, seed, spread: as for `new_rows`.

    Returns:
        `table`. Values are rounded once to its dtype; its gradient and requires_grad stay.

    Raises:
        FillError, StreamError: as `new_rows`; nothing is written then. OutputError: memory that is none.
    """
    shape = tuple(getattr(table, "shape", ()))
    whole = isinstance(old_rows, int) and not isinstance(old_rows, bool)
    if len(shape) != 2 or not whole or not 0 < old_rows <= shape[0]:
        raise FillError(
            f"{old_rows!r} trained rows of a table of shape {shape}",
            where=str(name),
            expected="a table (rows, d) of which at least 1 row and at most all are trained",
        )
    strides = _strides(table)
    if len(strides) == 2 and overlaps(shape, strides):
        raise OutputError(
            f"a table of shape {shape} and strides {strides}, whose elements share memory",
            where=str(name),
            expected="a table of which each element has memory of its own",
            cause="it was expanded (broadcast)",
            fix="Pass a copy: table.clone() or table.copy().",
        )
    rows = new_rows(table[:old_rows], shape[0] - old_rows, name=name, seed=seed, spread=spread)  # type: ignore[index]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(table, torch.Tensor):
        with torch.no_grad():
            table[old_rows:].copy_(torch.from_numpy(rows))
        return table
    if not isinstance(table, np.ndarray) or not table.flags.writeable:
        raise OutputError(
            f"a {type(table).__name__}", where=name, expected="a writable NumPy array or a torch tensor"
        )
    table[old_rows:] = rows.astype(table.dtype)
    return table


def _strides(table: Any) -> tuple[int, ...]:
    """In elements, or any common unit of them."""
    strides = table.stride() if callable(getattr(table, "stride", None)) else getattr(table, "strides", ())
    unit = getattr(table, "itemsize", 1) if isinstance(table, np.ndarray) else 1
    return tuple(step // unit for step in strides)


def _float64(table: Any) -> F64:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(table, torch.Tensor):
        if table.device.type == "meta":
            raise OutputError("a tensor on the meta device, which has no values", where="table")
        found: F64 = table.detach().double().cpu().numpy()
        return found
    return np.asarray(table, np.float64)
