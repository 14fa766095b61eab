"""Stream v1's constants. Frozen: to change one is to make a stream v2.

The polynomials are made by `exact.py` from exact arithmetic; a test makes them again. All are
rounded to double and then to single.
"""

from __future__ import annotations

from typing import Final

# Philox-4x32 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", §3.3)
ROUNDS: Final = 10
MULTIPLIER_0: Final = 0xD2511F53
MULTIPLIER_1: Final = 0xCD9E8D57
WEYL_0: Final = 0x9E3779B9
WEYL_1: Final = 0xBB67AE85

# elements e = 64g + 16j + l come from word j of block 16g + l
GROUP: Final = 64
LANES: Final = 16

LOGARITHM: Final = (
    2.0,
    0.9999874830245972,
    0.6673240065574646,
    0.48687487840652466,
    0.5290951728820801,
    -0.36314329504966736,
    2.4100277423858643,
    -3.260423421859741,
    2.815913438796997,
)
"""−2·ln(1 − x) ≈ x·P(x) on [0, 1/2], lowest power first."""

SINE: Final = (
    0.7853981852531433,
    -0.08074543625116348,
    0.0024900068528950214,
    -3.595429006963968e-05,
)
"""sin(π/4·t) ≈ t·P(t²) on [−1, 1]."""

COSINE: Final = (
    1.0,
    -0.3084242641925812,
    0.01584991067647934,
    -0.0003188774862792343,
)
"""cos(π/4·t) ≈ P(t²) on [−1, 1]."""

TWICE_LN2: Final = 1.3862943649291992
"""2·ln 2."""

HALF_NORMAL: Final = (
    1.0,
    0.6831362843513489,
    -1.3614447116851807,
    0.24040907621383667,
    2.6260085105895996,
    -4.356037139892578,
    0.7562089562416077,
    7.2743000984191895,
    -11.87231731414795,
    8.328055381774902,
    -2.328705310821533,
)
"""t/y in s = y/(y + 3) for the half-normal's quantile t, see `exact.quantile_coefficients`(0)."""
