"""The verdict: which of the finalists are worse than the leader, beyond noise.

Finalists ran the same seeds on the same batches and are judged on the same validation batches, so their
losses are compared in pairs. Two things make a difference noise:

- *seeds*: the variance of a loss from seed to seed, pooled over all curves that ran several; a difference of
  two means over n seeds has the standard error s·√(2/n), and Student's t the pooled degrees of freedom. Two
  seeds alone would give a spread that may be small by chance.
- *validation batches*: the differences' own spread over the batches, a paired t test. There may be as few as
  two, so the spread of the n·m differences of single seeds and batches is looked at too; the larger counts,
  with n·m − 1 degrees.

A scheme has to be behind in both respects: its p is the larger of the two (an intersection-union test),
two-sided, because the leader was picked after looking. All the p values of a race are then adjusted for
their number by Holm's method (Holm 1979, Scandinavian Journal of Statistics 6; from statsmodels): the
chance that any scheme is called behind that is not stays below 5 %. Who is not behind, ties.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from ..core.errors import MissingError

LEVEL = 0.05
"""The chance of calling anything behind that is not."""

Losses = NDArray[np.float64]
"""Validation losses of shape (seeds, batches)."""


@dataclass(frozen=True)
class Noise:
    """How much losses vary from seed to seed: standard deviation, and the degrees of freedom it rests on."""

    deviation: float = 0.0
    degrees: int = 0


def pooled(curves: Iterable[Sequence[float]]) -> Noise:
    """The noise in losses of several seeds each, pooled; none known without a curve of several seeds."""
    several = [values for values in curves if len(values) > 1]
    degrees = sum(len(values) - 1 for values in several)
    if not degrees:
        return Noise()
    squares = sum(float(np.var(values, ddof=1)) * (len(values) - 1) for values in several)
    return Noise(math.sqrt(squares / degrees), degrees)


@dataclass(frozen=True)
class Gap:
    """One scheme behind another: the mean difference, its standard error, and p, not adjusted."""

    difference: float
    error: float
    p: float


def gap(theirs: Losses, ours: Losses, noise: Noise) -> Gap:
    """How far `theirs` is behind `ours`, on the same seeds and validation batches."""
    differences = theirs - ours
    seeds, batches = differences.shape
    mean = float(differences.mean())
    tests = []
    if noise.degrees:
        tests.append((noise.deviation * math.sqrt(2 / seeds), noise.degrees))
    if batches > 1:
        tests.append((_over_batches(differences), differences.size - 1))
    if not tests:  # one seed, one batch: nothing tells noise from a difference
        return Gap(mean, math.nan, 1.0)
    return Gap(mean, max(error for error, _ in tests), max(_p(mean, *test) for test in tests))


def _over_batches(differences: Losses) -> float:
    """The standard error: over the batches' means, or over all cells where those few agree by chance."""
    means = differences.mean(0)
    cells = float(differences.std(ddof=1)) / math.sqrt(differences.size)
    return max(float(means.std(ddof=1)) / math.sqrt(len(means)), cells)


def _p(mean: float, error: float, degrees: int) -> float:
    """Two-sided p of Student's t."""
    from scipy.stats import t

    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(abs(mean) / error, degrees))


def adjusted(values: Sequence[float]) -> list[float]:
    """p values, adjusted for their number."""
    if not values:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(values, alpha=LEVEL, method="holm")[1]]


def require_statistics() -> None:
    """Raise MissingError, before anything runs, where the verdict could not be given."""
    missing = [name for name in ("scipy", "statsmodels") if find_spec(name) is None]
    if missing:
        raise MissingError(
            f"{missing[0]} is not installed",
            where="race",
            cause="the verdict of a race is a statistical test",
            fix='Install it with: pip install "initwise[race]"',
        )
