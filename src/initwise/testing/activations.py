"""check_activation: an activation is elementwise, finite, and its moments are what summing gives."""

from __future__ import annotations

import math

import numpy as np

from ..activations import ActivationRow, activation, registry
from ..core.errors import InitwiseError, OptionError
from .claims import Claim, about, check_found, check_words

WORDS = ("name", "formula", "citation")
REACH, STEPS = 12.0, 400_001


def check_activation(row: ActivationRow) -> None:
    """Hold an activation to what every activation promises.

    - It says what it is (formula, citation), and is found by its name and aliases.
    - It maps each number on its own, the same each time, to finite numbers.
    - Its E[φ] and E[φ²] by quadrature are those of a plain sum over 400 000 points, so no kink
      or jump was missed; unknown parameters are refused.

    Raises:
        AssertionError: naming the row and what does not hold.

    >>> check_activation(registry["tanh"])
    """
    claim = about("activation", row)
    check_words(claim, row, WORDS)
    check_found(claim, row, registry)
    chosen = row.bind({})
    _check_function(claim, chosen.elementwise)
    try:
        activation(row.name, no_such_parameter=1.0)
    except InitwiseError:
        pass
    else:
        claim(False, "an unknown parameter is taken without a word")
    _check_moments(claim, row)


def _check_function(claim: Claim, function) -> None:  # type: ignore[no-untyped-def]
    x = np.array([-3.0, 2.5, -0.2, 0.0, 0.7, 11.0, -11.0])
    with np.errstate(all="ignore"):
        once, again = np.asarray(function(x.copy())), np.asarray(function(x.copy()))
        alone = np.concatenate([np.asarray(function(x[:3].copy())), np.asarray(function(x[3:].copy()))])
    claim(once.shape == x.shape, f"an array of shape {x.shape} becomes one of shape {once.shape}")
    claim(once.dtype == np.float64, f"float64 becomes {once.dtype}")
    claim(np.array_equal(once, again, equal_nan=True), "the same numbers give others the second time")
    together = bool(np.allclose(once, alone, rtol=1e-12, atol=0, equal_nan=True))
    claim(together, "its values depend on each other")
    claim(bool(np.isfinite(once).all()), f"it is not finite at {x[~np.isfinite(once)]}")


def _check_moments(claim: Claim, row: ActivationRow) -> None:
    if row.gated or row.spread is not None:
        return
    try:
        found = row.bind({}).moments()
    except OptionError as refusal:
        claim(False, f"it has no moments: {refusal}")
    z = np.linspace(-REACH, REACH, STEPS)
    density = np.exp(-z * z / 2) * (z[1] - z[0]) / math.sqrt(2 * math.pi)
    values = row.bind({}).elementwise(z)
    # a jump lies anywhere within one step of the sum
    error = 1e-4 * max(1.0, found.second)
    for name, sum_, value in (
        ("E[φ]", values @ density, found.mean),
        ("E[φ²]", values**2 @ density, found.second),
    ):
        claim(
            abs(sum_ - value) <= error,
            f"{name} is {value:.9g} by quadrature, {sum_:.9g} by summing: declare its kinks",
        )
