"""Naming an elementwise function by its values."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .samples import Sample

PLAIN = frozenset({"identity", "linear"})


def named(samples: tuple[Sample, Sample]) -> str:
    """The registered activation whose values these are, or "".

    Only where the inputs tell functions apart: both signs, several of each, some beyond ±0.5.
    """
    x, y, tolerance = samples[0].values, samples[1].values, samples[0].tolerance
    if min((x > 0).sum(), (x < 0).sum()) < 8 or not np.abs(x).max() > 0.5 or not np.isfinite(y).all():
        return ""
    gaps = {name: _gap(function, x, y) for name, function in _functions().items()}
    best = min(gaps.values(), default=np.inf)
    if best > tolerance:
        return _leaky(x, y, tolerance)
    # functions that agree on these inputs: the one with the shortest name is the plainest
    alike = [name for name, gap in gaps.items() if gap <= max(10 * best, tolerance / 100)]
    return "" if PLAIN & set(alike) else min(alike, key=lambda name: (len(name), name))


def _leaky(x: NDArray[np.float64], y: NDArray[np.float64], tolerance: float) -> str:
    """A ReLU with a slope of its own for negative inputs."""
    slope = float(np.median(y[x < 0] / x[x < 0]))
    gap = np.abs(np.where(x > 0, x, slope * x) - y).max()
    return f"leaky_relu({slope:.6g})" if gap <= tolerance * np.abs(y).max() and slope < 1 else ""


def canonical(label: str) -> str:
    """The registered name, with its parameters, of an activation; "" if there is no such one."""
    from ...activations.base import activation, registry

    return activation(label).name if label.partition("(")[0] in registry else ""


def _gap(function: Callable[[Any], Any], x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Largest difference, relative to the largest value."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = np.asarray(function(x), dtype=np.float64)
    except Exception:
        return np.inf
    if found.shape != y.shape or not np.isfinite(found).all():
        return np.inf
    return float(np.abs(found - y).max() / max(float(np.abs(y).max()), 1e-12))


@functools.cache
def _functions() -> dict[str, Callable[[Any], Any]]:
    from ...activations import activation, activations

    return {row.name: activation(row.name).numpy for row in activations() if not row.gated}
