"""Mimetic attention: products of weights that look like those of trained vision transformers.

W_Q·W_Kᵀ and W_V·W_proj are prescribed, not the four matrices: a law of several tensors at once, which no
Fill can hold. `mimetic_attention` takes normal draws and gives the arrays, as torch stores them; by the row,
`init_(model, "mimetic_attention")` writes them into every attention of a model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import FillError
from ..core.layout import Fans
from .base import SchemeRow, registry
from .needs import Site

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Attention:
    """Weights (out, in), as torch's Linear stores them: each (d, d)."""

    query: F64
    key: F64
    value: F64
    output: F64


def mimetic_attention(
    heads: ArrayLike,
    joint: ArrayLike,
    *,
    alpha: float = 0.7,
    beta: float = 0.7,
    value_alpha: float = 0.4,
    value_beta: float = 0.4,
) -> Attention:
    """Q·Kᵀ ≈ αZ + βI per head, V·proj = α′Z − β′I (Trockman and Kolter 2023, arXiv:2305.09828).

    Args:
        heads: N(0, 1) draws, (h, d, d), h dividing d. joint: N(0, 1) draws, (d, d).
        alpha, beta: of queries and keys. value_alpha, value_beta: of values and output.

    Raises:
        FillError: shapes that do not fit.

    In row vectors, x·W: W_Q·W_Kᵀ is the best rank-d/h approximation of αZ/√d + βI, and W_V·W_proj is
    α′Z/√d − β′I exactly. torch stores transposes; two public ports do not transpose (second-hand).
    """
    z, joint_z = np.asarray(heads, np.float64), np.asarray(joint, np.float64)
    h, d = (z.shape[0], z.shape[-1]) if z.ndim == 3 else (0, 0)
    if h == 0 or z.shape != (h, d, d) or d % h or joint_z.shape != (d, d):
        raise FillError(
            f"shapes {z.shape} and {joint_z.shape}", expected="(h, d, d) and (d, d), h dividing d"
        )
    size, eye = d // h, np.eye(d)
    query, key = np.empty((d, d)), np.empty((d, d))
    for head, draw in enumerate(z):
        u, sigma, vt = np.linalg.svd(alpha * draw / math.sqrt(d) + beta * eye)
        root, rows = np.sqrt(sigma[:size]), slice(head * size, (head + 1) * size)
        query[rows], key[rows] = (u[:, :size] * root).T, root[:, None] * vt[:size]
    u, sigma, vt = np.linalg.svd(value_alpha * joint_z / math.sqrt(d) - value_beta * eye)
    root = np.sqrt(sigma)
    return Attention(query, key, (u * root).T, (root[:, None] * vt).T)


def started(
    fans: Fans | None,
    at: Site,
    *,
    alpha: Annotated[float, "α, of the noise in queries times keys"] = 0.7,
    beta: Annotated[float, "β, of the identity in it"] = 0.7,
    value_alpha: Annotated[float, "α′, of the noise in values times output"] = 0.4,
    value_beta: Annotated[float, "β′, of the identity taken off it"] = 0.4,
) -> Attention:
    """See `mimetic_attention`; at.width and at.heads are its sizes, at.given its source of draws."""
    d, h, draws = at.d, at.h, at.given
    if d % h:
        raise FillError(f"{h} heads and width {d}", expected="a number of heads that divides the width")
    if draws is None:
        raise FillError("no source of draws", expected="at=Site(width=…, heads=…, given=Given(rank, draw=…))")
    return mimetic_attention(
        draws.normal("heads", h, d, d),
        draws.normal("joint", d, d),
        alpha=alpha,
        beta=beta,
        value_alpha=value_alpha,
        value_beta=value_beta,
    )


registry.add(
    SchemeRow(
        name="mimetic_attention",
        aliases=("mimetic",),
        law=started,
        needs=("part", "packing", "heads"),
        arrays=True,
        summary="Attention that looks like a trained vision transformer's: products of weights near the "
        "identity.",
        formula="W_Q·W_Kᵀ ≈ αZ + βI per head, W_V·W_proj = α′Z − β′I, Z of entries N(0, 1/d)",
        citation="Trockman and Kolter 2023, Mimetic initialization of self-attention layers, "
        "arXiv:2305.09828",
        evidence="second-hand",
        differences=(
            "Two public ports store W_V and W_proj untransposed: another matrix of the same spectrum.",
            "Only the four matrices of every attention are written; biases and all other layers stay as they "
            "are, positions too: fill them by a call before.",
        ),
        avoid="language models: they need other signs.",
        use="vision transformers trained on little data, with fixed sine-cosine positions.",
        suits=("small data", "vit", "transformer"),
        unsuited=("language model",),
        see=("identity", "zero_query"),
    )
)
