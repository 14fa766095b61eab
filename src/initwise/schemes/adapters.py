"""Low-rank adapters, W + s·B·A with A (r, in) and B (out, r): laws of A, and exact starts from W itself.

What needs W's values is no law of numbers drawn, so no Fill can hold it: `pissa`, `olora`, `mica` and
`orthogonal_pair` take arrays and give arrays, in float64. Those that need data too are in `adapters_data.py`;
the rows by which `init_` knows them all in `from_values.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import FillError
from ..core.fill import Fill
from ..core.layout import Fans
from .base import Known, SchemeRow, registry
from .needs import positive
from .scaling import fan

F64 = NDArray[np.float64]
RECIPES = {"lora_a": ("lora", "default"), "lora_a_gaussian": ("lora", "gaussian")}
"""Laws of A alone: as the plan of a whole model each is this recipe, which starts B and keeps the rest."""
PEFT = "peft, tuners/lora/layer.py"


@dataclass(frozen=True)
class Adapter:
    """Matrices to start from: a (r, in), b (out, r), and the base weight that goes with them, (out, in).

    Attributes:
        exact: base + s·b·a = W. Of a quantized base it is not: there b·a only makes up for what it can.
    """

    a: F64
    b: F64
    base: F64
    exact: bool = True


def matrix_of(weight: ArrayLike, rank: int) -> F64:
    """The weight in float64. Raises FillError unless it is a finite matrix that can have this rank."""
    matrix = np.asarray(weight, np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise FillError(f"a weight of shape {matrix.shape}", expected="a matrix (out, in) of finite numbers")
    if not 1 <= rank <= min(matrix.shape):
        raise FillError(f"rank {rank} of a {matrix.shape} matrix", expected=f"1 ≤ rank ≤ {min(matrix.shape)}")
    return matrix


def pissa(weight: ArrayLike, rank: int, *, scale: float = 1.0) -> Adapter:
    """W's leading singular directions: a = √(S/s)·Vᵀ, b = U·√(S/s) (Meng et al. 2024, arXiv:2404.02948).

    Args:
        weight: (out, in). scale: s, α/r or α/√r.

    Raises:
        FillError: no matrix, or a rank it cannot have.
    """
    matrix, s = matrix_of(weight, rank), positive("pissa", scale=scale)
    u, sigma, vt = np.linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(sigma[:rank] / s)
    a, b = root[:, None] * vt[:rank], u[:, :rank] * root
    return Adapter(a, b, matrix - s * b @ a)


def olora(weight: ArrayLike, rank: int, *, scale: float = 1.0) -> Adapter:
    """W = QR: b = Q[:, :r], a = R[:r] (Büyükakyüz 2024, arXiv:2406.01775). Raises as `pissa`."""
    matrix, s = matrix_of(weight, rank), positive("olora", scale=scale)
    q, r = np.linalg.qr(matrix)
    return Adapter(r[:rank], q[:, :rank], matrix - s * q[:, :rank] @ r[:rank])


def mica(weight: ArrayLike, rank: int) -> Adapter:
    """b the last left singular vectors, frozen; a = 0; W unchanged. Raises as `pissa`."""
    matrix = matrix_of(weight, rank)
    u, _, _ = np.linalg.svd(matrix, full_matrices=False)
    return Adapter(np.zeros((rank, matrix.shape[1])), u[:, u.shape[1] - rank :], matrix)


def orthogonal_pair(square: ArrayLike, rows: ArrayLike, columns: ArrayLike) -> tuple[F64, F64]:
    """(a, b) with b·a = 0 and neither of them 0, from normal draws.

    Args:
        square: (r, r), r even. rows: (in, r/2). columns: (out, r/2).

    Raises:
        FillError: shapes that do not fit.
    """
    x, at, bt = (np.asarray(value, np.float64) for value in (square, rows, columns))
    r = x.shape[0] if x.ndim == 2 else 0
    if (
        x.shape != (r, r)
        or r % 2
        or r == 0
        or at.ndim != 2
        or bt.ndim != 2
        or {at.shape[1], bt.shape[1]} != {r // 2}
    ):
        raise FillError(
            f"shapes {x.shape}, {at.shape}, {bt.shape}", expected="(r, r), (in, r/2), (out, r/2), r even"
        )
    q, _ = np.linalg.qr(x)
    return (at @ q[0::2]).T / 10, bt @ q[1::2] / 10


def lora_a(fans: Fans) -> Fill:
    """U(±1/√in): kaiming_uniform with a = √5."""
    bound = fan(fans, "fan_in") ** -0.5
    return Fill.uniform(
        -bound, bound, reason=f"A: ±1/√{fans.fan_in:g}; B starts at 0, so the adapter is nothing"
    )


def lora_a_gaussian(fans: Fans) -> Fill:
    """N(0, 1/r), r A's rows."""
    rank = fan(fans, "fan_out")
    return Fill.normal(0.0, 1 / rank, reason=f"A: std 1/{rank:g}, by the rank; B starts at 0")


def rs_lora_scale(alpha: float, rank: int, *, stabilized: bool = True) -> float:
    """s: α/√r of rsLoRA (Kalajdzievski 2023, arXiv:2312.03732), or α/r.

    >>> rs_lora_scale(16, 64), rs_lora_scale(16, 64, stabilized=False)
    (2.0, 0.25)
    """
    return alpha / math.sqrt(rank) if stabilized else alpha / rank


registry.add(
    SchemeRow(
        name="lora_a",
        aliases=("lora_kaiming",),
        law=lora_a,
        summary="A of a LoRA adapter; B is zeros. The recipe lora fills both.",
        formula="U(±1/√in)",
        citation=f"Hu et al. 2021, arXiv:2106.09685; loralib, layers.py; {PEFT}",
        evidence="verified in source",
        differences=("The paper says a random Gaussian; both codes have kaiming_uniform(a=√5).",),
        avoid="B: with A and B both random the base model is no longer what it was.",
        use="LoRA adapters by default: the adapter adds exactly nothing at the start and leaves the "
        "base weight alone.",
        suits=("adapter", "fine-tuning", "bounded"),
        see=("lora_a_gaussian", "pissa", "orthogonal_lora"),
        known=(Known((8, 64), "oi", "high", 0.125, source="1/√64"),),
    )
)
registry.add(
    SchemeRow(
        name="lora_a_gaussian",
        law=lora_a_gaussian,
        summary="A of a LoRA adapter, normal by its rank; B is zeros.",
        formula="N(0, 1/r)",
        citation=f'{PEFT}, init_lora_weights="gaussian"',
        evidence="verified in source",
        differences=("The std is 1/r, not 1/√r.",),
        avoid="B.",
        use="LoRA adapters that were tuned with the Gaussian start, as diffusion fine-tuning does.",
        suits=("adapter", "diffusion", "fine-tuning"),
        see=("lora_a",),
        known=(Known((8, 64), "oi", "std", 0.125, source="1/8"),),
    )
)
