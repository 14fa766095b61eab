"""New rows of a table that has been trained: drawn from the normal law of the rows it has."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import FillError

F64 = NDArray[np.float64]

TRANSFORMERS_SPREAD = 1e-9**0.5
"""The spread of transformers' `resize_token_embeddings`, which takes 1e-9 of the covariance."""


def row_law(table: ArrayLike) -> tuple[F64, F64]:
    """Mean (d) of a table's rows, and the symmetric root (d, d) of their covariance Σ (n in the denominator).

    Args:
        table: (rows, d), finite, at least one row.

    Raises:
        FillError: no such table.
    """
    rows = np.asarray(table, np.float64)
    if rows.ndim != 2 or 0 in rows.shape or not np.isfinite(rows).all():
        raise FillError(
            f"a table of shape {rows.shape}", expected="(rows, d), at least one row, all numbers finite"
        )
    mean = rows.mean(0)
    centred = rows - mean
    sigma, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    return mean, (axes * np.sqrt(np.maximum(sigma, 0.0))) @ axes.T


def extended_rows(table: ArrayLike, draws: ArrayLike, *, spread: float = 1.0) -> F64:
    """Rows from N(mean, spread²·Σ) of the table's rows, in float64: (new, d).

    The symmetric root of Σ is unique, so equal draws give equal rows whatever signs an eigensolver chooses;
    a Σ without full rank is no obstacle.

    Args:
        table: (rows, d), the trained rows. draws: (new, d), standard normal.
        spread: factor on the rows' distance from the mean; 0 gives the mean itself.
            transformers has `TRANSFORMERS_SPREAD`: almost the mean.

    Raises:
        FillError: a table or draws of another shape, a spread below 0.

    Source: transformers, modeling_utils.py, resize_token_embeddings(mean_resizing=True); Hewitt 2021,
    Initializing new word embeddings for pretrained language models.
    """
    mean, root = row_law(table)
    z = np.asarray(draws, np.float64)
    if z.ndim != 2 or z.shape[1] != len(mean):
        raise FillError(f"draws of shape {z.shape}", expected=f"(new rows, {len(mean)})")
    if not 0 <= spread < np.inf:
        raise FillError(f"spread {spread!r}", expected="a finite number ≥ 0")
    return mean + spread * (z @ root)
