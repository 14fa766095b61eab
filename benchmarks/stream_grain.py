"""The truncated normal as float32 numbers: how far its law is from the ideal one, and the exact
probability of each bin.

    python benchmarks/stream_grain.py

An element is a function of one 32-bit word, so a bin's probability is a number of words over 2³². The
words below an edge are counted: by bisection of the ideal law up to the largest error of the CDF, and
word by word within that. The largest error is over all words: those that float32 cannot tell apart
are taken as one. The same for exact quantiles rounded to float32 tells representation from arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from initwise.core.fill import Fill
from initwise.random import reference
from initwise.random.draw import Truncation, draw_of

LAW, BOUND = Fill.truncated_normal(0, 1, -2, 2), 2.0
WORDS, HALF = 2**32, 2**31
WINDOW = 2048
"""Words to either side of an edge that are looked at; the law's error is less than half of it."""

F64 = NDArray[np.float64]


def cdf(x: F64) -> F64:
    """The ideal law's, by the half-mass from the mode, which keeps its precision."""
    x = np.asarray(x, np.float64)
    share: F64 = 0.5 + special.erf(x / math.sqrt(2)) / (2 * math.erf(BOUND / math.sqrt(2)))
    return share


def edges(bins: int) -> NDArray[np.float32]:
    """The inner edges of bins of equal ideal probability: float32 x lies below iff x < edge."""
    share = np.arange(1, bins) / bins
    ideal = special.ndtri(special.ndtr(-BOUND) + share * (1 - 2 * special.ndtr(-BOUND)))
    near = ideal.astype(np.float32)
    return np.asarray(np.where(near < ideal, np.nextafter(near, np.float32(np.inf)), near), np.float32)


def truncation() -> Truncation:
    law = draw_of(LAW).truncation
    assert law is not None
    assert law.split == HALF
    return law


def values(word: NDArray[np.uint32]) -> NDArray[np.float32]:
    return reference.truncated(word.ravel(), truncation()).reshape(word.shape)


def words_below(edge: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many of the 2³² words give a value below each edge."""
    return np.concatenate([_words_below(part) for part in np.array_split(edge, max(1, edge.size // 16))])


def _words_below(edge: NDArray[np.float32]) -> NDArray[np.int64]:
    guess = np.rint(cdf(edge.astype(np.float64)) * WORDS).astype(np.int64)
    begin = np.clip(guess - WINDOW, 0, WORDS - 2 * WINDOW)
    near = begin[:, None] + np.arange(2 * WINDOW)
    below = values(near.astype(np.uint32)) < edge[:, None]
    quarter = WINDOW // 2
    # the window holds every word that could lie on the wrong side
    assert below[begin > 0, :quarter].all()
    assert not below[begin < WORDS - 2 * WINDOW, -quarter:].any()
    return np.asarray(begin + below.sum(axis=1), np.int64)


def exact_probabilities(bins: int) -> F64:
    """Each bin's probability as float32 numbers have it. The lower half mirrors the upper one: ¬word has
    the opposite value, and mirrored edges lie between the same two numbers."""
    upper = words_below(edges(bins)[bins // 2 :])
    below = np.concatenate([WORDS - upper[::-1], [HALF], upper])
    count = np.diff(below, prepend=0, append=WORDS)
    assert count.min() > 0
    return count / WORDS


def grains() -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """(representative, first, last) of the runs of k that are one float32 k + ½, for k up to 2³¹."""
    exact = np.arange(1 << 24, dtype=np.int64)
    yield from ((part, part, part) for part in np.split(exact, 256))
    for octave in range(24, 31):
        step = 1 << (octave - 23)
        middle = (1 << octave) + step * np.arange(1 << 23, dtype=np.int64)
        for part in np.split(middle, 128):
            yield part, part - step // 2, np.minimum(part + step // 2, HALF - 1)


def largest_error() -> tuple[float, float]:
    """max |F(value) − (word + ½)/2³²| over the words above the mode (the others mirror them), and where."""
    law = truncation()
    side, found = law.major, (0.0, 0.0)
    for middle, first, last in grains():
        for counted_from_mode in (True, False):
            # k counts from the mode up to `near`, from the bound beyond it
            fits = middle <= side.near if counted_from_mode else side.last - middle > side.near
            k, low, high = middle[fits], first[fits], last[fits]
            if not k.size:
                continue
            out = k if counted_from_mode else side.last - k
            x = values((HALF + out).astype(np.uint32)).astype(np.float64)
            ends = (low, high) if counted_from_mode else (side.last - low, side.last - high)
            error = np.maximum(*(np.abs(cdf(x) - (HALF + end + 0.5) / WORDS) for end in ends))
            at = int(error.argmax())
            found = max(found, (float(error[at]), float(x[at])))
    return found


def rounded_probabilities(bins: int) -> F64:
    """Each bin's, if every element were the exact quantile of its word, rounded to float32."""
    edge = edges(bins)
    middle = (edge.astype(np.float64) + np.nextafter(edge, np.float32(-np.inf))) / 2
    return np.diff(cdf(middle), prepend=0, append=1)


def units_off() -> F64:
    """Distance of the element from the exact quantile, in units of its last place, for 2²² words."""
    word = HALF + 511 * np.arange(1 << 22, dtype=np.int64)
    share, x = (word + 0.5) / WORDS, values(word.astype(np.uint32))
    exact = special.ndtri(special.ndtr(-BOUND) + share * (1 - 2 * special.ndtr(-BOUND)))
    return np.asarray((x - exact) / np.spacing(x), np.float64)


def main() -> None:
    error, where = largest_error()
    off = np.abs(units_off())
    print(f"largest error of the CDF over all words: {error:.2e}, at {where:.4f} sigma")
    print(f"from the exact quantile, in units of the last place: mean {off.mean():.2f}, most {off.max():.1f}")
    print("\n| bins | elements | largest error of a bin | Σ (p − p₀)²/p₀ | added to χ² of 10⁹ draws, sd |")
    print("|---|---|---|---|---|")
    for bins in (4096, 65536):
        for title, share in (
            ("as they are", exact_probabilities(bins)),
            ("exact quantiles, rounded", rounded_probabilities(bins)),
        ):
            relative = share * bins - 1
            added = float((relative**2).sum() / bins)
            columns = f"{np.abs(relative).max():.1e} | {added:.1e} | {added * 1e9 / math.sqrt(2 * bins):.2f}"
            print(f"| {bins} | {title} | {columns} |")


if __name__ == "__main__":
    main()
