"""Quantization of a weight and back: what a quantized base holds, as float64 values."""

from __future__ import annotations

import functools
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import FillError

F64 = NDArray[np.float64]
OFFSET = 0.9677083
"""Probability at which NF4's outermost levels lie before they are scaled to ±1 (QLoRA's code)."""
BLOCK = 64
QUANTIZERS = ("nf4", "int8")


@functools.cache
def nf4_levels() -> tuple[float, ...]:
    """NormalFloat-4's 16 levels in [−1, 1]: 7 quantiles below 0, 0 itself, 8 above.

    Dettmers et al. 2023, QLoRA, arXiv:2305.14314, app. E.

    >>> [round(level, 6) for level in nf4_levels()[-3:]]
    [0.562617, 0.722957, 1.0]
    """
    quantile = NormalDist().inv_cdf
    above = [quantile(p) for p in np.linspace(OFFSET, 0.5, 9)[:-1]]
    below = [-quantile(p) for p in np.linspace(OFFSET, 0.5, 8)[:-1]]
    return tuple(float(level) for level in np.sort([*above, 0.0, *below]) / max(above))


def nf4(weight: ArrayLike, *, block: int = BLOCK) -> F64:
    """Each block of `block` elements in storage order to the nearest of 16 levels times its largest size.

    The last block may be shorter. Raises FillError for a weight that is not finite, or block < 1.
    """
    w = _finite(weight)
    if block < 1:
        raise FillError(f"block {block!r}", expected="a whole number ≥ 1")
    levels = np.array(nf4_levels())
    padded = np.zeros(-(-w.size // block) * block)
    padded[: w.size] = w.reshape(-1)
    rows = padded.reshape(-1, block)
    size = np.abs(rows).max(1, keepdims=True)
    share = rows / np.where(size > 0, size, 1.0)
    nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, share)]
    found: F64 = (nearest * size).reshape(-1)[: w.size].reshape(w.shape)
    return found


def int8(weight: ArrayLike) -> F64:
    """Each row to 255 equal steps of its largest size: round(127·w/max)·max/127, as bitsandbytes stores it.

    Raises FillError for a weight that is not finite.
    """
    w = _finite(weight)
    size = np.abs(w).max(-1, keepdims=True, initial=0.0)
    found: F64 = np.rint(127 * w / np.where(size > 0, size, 1.0)) * size / 127
    return found


def quantized(weight: ArrayLike, quantizer: str) -> F64:
    """`weight` through the quantizer called so. Raises FillError for a name that is none."""
    if quantizer not in QUANTIZERS:
        raise FillError(f"quantizer {quantizer!r}", legal=QUANTIZERS, given=str(quantizer))
    return nf4(weight) if quantizer == "nf4" else int8(weight)


def _finite(weight: ArrayLike) -> F64:
    w = np.asarray(weight, np.float64)
    if not np.isfinite(w).all():
        raise FillError("a weight with NaN or infinities", expected="finite numbers")
    return w
