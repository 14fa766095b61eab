"""Low-rank adapters that start from data: a quantized base, the layer's inputs, the weight's gradient.

Functions from arrays to arrays, all in float64 with exact decompositions; PEFT's are float32, and of the
gradient randomised. Of singular vectors the signs are free, and of equal singular values the directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import FillError
from .adapters import F64, Adapter, matrix_of
from .needs import positive
from .quantizers import quantized

DIRECTIONS = ("ArB2r", "A2rBr", "ArBr", "random")
SCALINGS = ("stable", "weight_svd", "gd_scale", "unit")


def loftq(
    weight: ArrayLike, rank: int, *, scale: float = 1.0, quantizer: str = "nf4", iterations: int = 1
) -> Adapter:
    """In turn Q = quant(W − s·b·a) and s·b·a = the first r singular directions of W − Q (Li et al. 2023).

    The Adapter's base is Q, as float64 values; `exact` is False. What is lost is less than with quant(W)
    alone; more turns usually lose less still, but nothing promises that.

    Args:
        weight: (out, in). scale: s; PEFT leaves it out, and is right for α = r alone.
        quantizer: "nf4", in blocks of 64, or "int8", by rows. iterations: how often, ≥ 1.

    Raises:
        FillError: no matrix, a rank it cannot have, no such quantizer, iterations < 1.
    """
    matrix, s = matrix_of(weight, rank), positive("loftq", scale=scale)
    if iterations < 1:
        raise FillError(f"iterations {iterations!r}", where="loftq", expected="a whole number ≥ 1")
    a, b = np.zeros((rank, matrix.shape[1])), np.zeros((matrix.shape[0], rank))
    base = matrix
    for _ in range(int(iterations)):
        base = quantized(matrix - s * b @ a, quantizer)
        u, sigma, vt = np.linalg.svd(matrix - base, full_matrices=False)
        root = np.sqrt(sigma[:rank] / s)
        a, b = root[:, None] * vt[:rank], u[:, :rank] * root
    return Adapter(a, b, base, exact=False)


def input_covariance(batches: ArrayLike | Sequence[ArrayLike]) -> F64:
    """Mean over batches of XᵀX, X divided by its largest number: (in, in), as CorDA's code takes it.

    Args:
        batches: one (samples, in) array, or several.

    Raises:
        FillError: inputs that are no finite matrix, or all 0.
    """
    several: Any = batches if isinstance(batches, (list, tuple)) and np.ndim(batches[0]) == 2 else [batches]
    return np.asarray(np.mean([_scaled_square(x) for x in several], axis=0))


def _scaled_square(inputs: ArrayLike) -> F64:
    x = samples_of(inputs)
    largest = abs(float(x.max()))
    if not largest:
        raise FillError("inputs whose largest number is 0", expected="inputs of a layer on real data")
    x = x / largest
    return np.asarray(x.T @ x)


def corda(
    weight: ArrayLike, covariance: ArrayLike, rank: int, *, scale: float = 1.0, method: str = "ipm"
) -> Adapter:
    """W·C = USVᵀ: a = √(S/s)·Vᵀ·C⁻¹, b = U·√(S/s) (Yang et al. 2024, arXiv:2406.05223).

    C's diagonal is raised by 1 % of its mean, and by more until its inverse is one, as in PEFT.

    Args:
        covariance: of the layer's inputs, (in, in); see `input_covariance`.
        method: "ipm" takes the first r directions, to learn what the data show; "kpm" the last, to keep it.

    Raises:
        FillError: no matrix, a rank it cannot have, a covariance of another size or not finite, a method
            that is none.
    """
    matrix, s = matrix_of(weight, rank), positive("corda", scale=scale)
    if method not in ("ipm", "kpm"):
        raise FillError(f"method {method!r}", where="corda", legal=("ipm", "kpm"), given=str(method))
    raised, inverse = _inverted(np.asarray(covariance, np.float64), matrix.shape[1])
    u, sigma, vt = np.linalg.svd(matrix @ raised, full_matrices=False)
    kept = slice(0, rank) if method == "ipm" else slice(len(sigma) - rank, None)
    root = np.sqrt(sigma[kept] / s)
    a, b = root[:, None] * (vt[kept] @ inverse), u[:, kept] * root
    return Adapter(a, b, matrix - s * b @ a)


def _inverted(covariance: F64, size: int) -> tuple[F64, F64]:
    """The covariance with a raised diagonal, and its inverse."""
    if covariance.shape != (size, size) or not np.isfinite(covariance).all():
        raise FillError(
            f"a covariance of shape {covariance.shape}", where="corda", expected=f"({size}, {size}), finite"
        )
    mean = float(np.diag(covariance).mean())
    if not mean > 0:
        raise FillError("a covariance of zeros", where="corda", expected="inputs of a layer on real data")
    damp = 0.01
    while True:
        raised = covariance + damp * mean * np.eye(size)
        inverse = np.asarray(np.linalg.inv(raised), np.float64)
        if np.linalg.norm(raised @ inverse - np.eye(size)) < 0.05:
            return raised, inverse
        damp *= 2


def eva(
    inputs: ArrayLike, rank: int, weight: ArrayLike, *, whiten: bool = False, centered: bool = True
) -> Adapter:
    """a = the first r right singular vectors of the layer's inputs, b = 0 (Paischer et al. 2024).

    Args:
        inputs: (samples, in), at least as many as the rank (and one more if centered).
        whiten: divide each row of a by the root of its singular value.
        centered: subtract the inputs' mean first, as PEFT does; the paper's text does not.

    Raises:
        FillError: inputs that are no finite matrix, of another width, or that span less than the rank.
    """
    matrix = matrix_of(weight, rank)
    x = samples_of(inputs, matrix.shape[1])
    _, sigma, vt = np.linalg.svd(x - x.mean(0) if centered else x, full_matrices=False)
    spanned = int((sigma > sigma.max(initial=0.0) * max(x.shape) * np.finfo(np.float64).eps).sum())
    if spanned < rank:
        raise FillError(
            f"inputs {x.shape} that span {spanned} directions",
            where="eva",
            expected=f"at least the rank, {rank}",
            cause="too few samples, or all alike",
        )
    a = vt[:rank] / (np.sqrt(sigma[:rank])[:, None] if whiten else 1.0)
    return Adapter(a, np.zeros((matrix.shape[0], rank)), matrix)


def explained(inputs: ArrayLike, *, centered: bool = True) -> F64:
    """Share of the inputs' variance along each of their singular directions, largest first.

    Raises:
        FillError: inputs that are no finite matrix.
    """
    x = samples_of(inputs)
    energy = np.linalg.svd(x - x.mean(0) if centered else x, compute_uv=False) ** 2
    return np.asarray(energy / max(float(energy.sum()), np.finfo(np.float64).tiny))


def eva_ranks(shares: Mapping[str, ArrayLike], rank: int, *, rho: float = 2.0) -> dict[str, int]:
    """The ranks that EVA gives layers: as many in all, where the inputs' variance is explained best.

    `init_` fills the adapters that there are; make them with these ranks first (0: none at all).

    Args:
        shares: layer → `explained(inputs)`. rank: r of each layer before.
        rho: no layer gets more than ρ·r; 1 leaves the ranks as they are.

    Raises:
        FillError: a rank or rho below 1.

    >>> eva_ranks({"a": [0.9, 0.05, 0.05], "b": [0.4, 0.3, 0.3]}, 2, rho=1.5)
    {'a': 1, 'b': 3}
    """
    if rank < 1 or not rho >= 1:
        raise FillError(f"rank {rank!r}, rho {rho!r}", where="eva_ranks", expected="rank ≥ 1, rho ≥ 1")
    most = round(rank * rho)
    every = [(-float(share), name) for name, own in shares.items() for share in np.asarray(own)[:most]]
    # sorted is stable: among equal shares the first layer's comes first
    chosen = [name for _, name in sorted(every, key=lambda pair: pair[0])[: rank * len(shares)]]
    return {name: chosen.count(name) for name in shares}


def lora_ga(
    gradient: ArrayLike,
    weight: ArrayLike,
    rank: int,
    *,
    scale: float = 1.0,
    direction: str = "ArB2r",
    scaling: str = "stable",
    gamma: float = 16.0,
    weighted: bool = True,
    order: Sequence[int] | None = None,
) -> Adapter:
    """G = USVᵀ the gradient on one batch: a and b from its first 2r singular directions (Wang et al. 2024).

    With weighted=False and scaling="unit" the first step of gradient descent moves W + s·b·a by −η·s² times
    G's best approximation of rank 2r: the direction of full fine-tuning.

    Args:
        gradient, weight: (out, in); 2·rank ≤ min(out, in).
        direction: "ArB2r": a = Vᵀ[:r], b = U[:, r:2r]. "A2rBr": the other way round. "ArBr": odd and even
            ones. "random": both the same r of the 2r, told by `order`.
        scaling: "stable": b times ⁴√out/√γ. "weight_svd": b times W's largest singular value over that
            of b's first column. "gd_scale": both over s. "unit": neither.
        weighted: b's columns times their singular values, as PEFT does.
        order: for "random", a permutation of 0 … 2r − 1; its first r are taken.

    Raises:
        FillError: no matrix, a rank it cannot have, a direction or scaling that is none, no order.
    """
    matrix, s = matrix_of(weight, rank), positive("lora_ga", scale=scale)
    positive("lora_ga", gamma=gamma)
    _legal("direction", direction, DIRECTIONS)
    _legal("scaling", scaling, SCALINGS)
    g = _gradient(gradient, matrix.shape, rank)
    u, sigma, vt = np.linalg.svd(g, full_matrices=False)
    rows, columns = _directions(direction, rank, order)
    a, b = vt[rows], u[:, columns] * (sigma[columns] if weighted else 1.0)
    if scaling == "stable":
        b = b * matrix.shape[0] ** 0.25 / gamma**0.5
    elif scaling == "weight_svd" and sigma[columns[0]] > 0:
        b = b * np.linalg.norm(matrix, 2) / (sigma[columns[0]] if weighted else 1.0)
    elif scaling == "gd_scale":
        a, b = a / s, b / s
    return Adapter(a, b, matrix - s * b @ a)


def _directions(direction: str, rank: int, order: Sequence[int] | None) -> tuple[list[int], list[int]]:
    """Which singular directions a's rows and b's columns are."""
    first, second = list(range(rank)), list(range(rank, 2 * rank))
    if direction == "random":
        if order is None or sorted(order) != first + second:
            raise FillError(
                f"order {order!r}", where="lora_ga", expected=f"a permutation of 0 … {2 * rank - 1}"
            )
        return list(order[:rank]), list(order[:rank])
    if direction == "ArBr":
        return list(range(1, 2 * rank, 2)), list(range(0, 2 * rank, 2))
    return (first, second) if direction == "ArB2r" else (second, first)


def _gradient(gradient: ArrayLike, shape: tuple[int, ...], rank: int) -> F64:
    g = np.asarray(gradient, np.float64)
    if g.shape != shape or not np.isfinite(g).all():
        raise FillError(f"a gradient of shape {g.shape}", where="lora_ga", expected=f"{shape}, finite")
    if 2 * rank > min(shape):
        raise FillError(
            f"rank {rank} of a {shape} gradient", where="lora_ga", expected=f"2·rank ≤ {min(shape)}"
        )
    if not g.any():
        raise FillError(
            "a gradient of zeros",
            where="lora_ga",
            expected="a loss that depends on the weight",
            cause="a layer of zeros after it, or one that the example does not reach",
        )
    return g


def samples_of(inputs: ArrayLike, width: int | None = None) -> F64:
    """The inputs in float64. Raises FillError unless they are a finite matrix (samples, width)."""
    x = np.asarray(inputs, np.float64)
    if x.ndim != 2 or 0 in x.shape or not np.isfinite(x).all() or width not in (None, x.shape[-1]):
        raise FillError(
            f"inputs of shape {x.shape}", expected=f"(samples, {width or 'in'}), all numbers finite"
        )
    return x


def _legal(what: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise FillError(f"{what} {value!r}", where="lora_ga", legal=legal, given=str(value))
