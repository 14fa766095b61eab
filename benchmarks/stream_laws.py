"""The laws on 10⁹ draws each: Kolmogorov–Smirnov, Anderson–Darling, χ², moments to order 8, tails.

    python benchmarks/stream_laws.py            4 GiB of memory, six minutes on one core
    python benchmarks/stream_laws.py --law normal --draws 1e8
    python benchmarks/stream_laws.py --tails 3e10

All draws are sorted, so D and A² are those of the whole sample. Prints Markdown. A p-value is that of
the exact law: the half unit that float32 leaves shifts A² by less than 10⁻³.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

import stream_grain
from initwise.core.fill import Fill
from initwise.random import fill_array

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
PART = 1 << 15
BINS = (4096, 65536)


@dataclass(frozen=True)
class Law:
    """A fill, its exact CDF, and its even moments."""

    fill: Fill
    cdf: Callable[[F64], F64]
    even_moment: Callable[[int], float]

    def edges(self, bins: int) -> F32:
        """Inner edges of bins of equal probability: float32 x lies below iff x < edge."""
        share = np.arange(1, bins) / bins
        if self.fill.law == "truncated_normal":
            return stream_grain.edges(bins)
        ideal = special.ndtri(share) if self.fill.law == "normal" else 2 * share - 1
        near = ideal.astype(np.float32)
        return np.asarray(np.where(near < ideal, np.nextafter(near, np.float32(np.inf)), near), np.float32)

    def moment(self, order: int) -> float:
        return 0.0 if order % 2 else self.even_moment(order)


def _truncated_moment(order: int) -> float:
    """E xᵏ = (k − 1)·E xᵏ⁻² − 2·bᵏ⁻¹·φ(b)/P(|x| < b)."""
    b = stream_grain.BOUND
    lost = 2 * math.exp(-b * b / 2) / math.sqrt(2 * math.pi) / math.erf(b / math.sqrt(2))
    moment = 1.0
    for k in range(2, order + 1, 2):
        moment = (k - 1) * moment - b ** (k - 1) * lost
    return moment


LAWS = {
    "normal": Law(Fill.normal(), special.ndtr, lambda k: float(math.prod(range(1, k, 2)))),
    "truncated ±2σ": Law(stream_grain.LAW, stream_grain.cdf, _truncated_moment),
    "uniform": Law(Fill.uniform(-1, 1), lambda x: (x + 1) / 2, lambda k: 1 / (k + 1)),
}


def parts(values: F32) -> Iterator[tuple[int, F64]]:
    for begin in range(0, values.size, PART):
        yield begin, values[begin : begin + PART].astype(np.float64)


def moment_errors(values: F32, law: Law) -> list[float]:
    """Each raw moment of order 1 … 8 less the exact one, in standard errors."""
    sums = np.zeros(8)
    for _, x in parts(values):
        power = x.copy()
        for k in range(8):
            sums[k] += power.sum()
            power *= x
    exact = [law.moment(order) for order in range(1, 17)]
    errors = []
    for k in range(8):
        spread = math.sqrt((exact[2 * k + 1] - exact[k] ** 2) / values.size)
        errors.append((sums[k] / values.size - exact[k]) / spread)
    return errors


def distances(ordered: F32, law: Law) -> tuple[float, float]:
    """√n·D and A² of the sorted draws."""
    n, worst, total = ordered.size, 0.0, []
    for begin, x in parts(ordered):
        share, rank = law.cdf(x), np.arange(begin, begin + x.size, dtype=np.float64)
        worst = max(worst, float((share - rank / n).max()), float(((rank + 1) / n - share).max()))
        terms = (2 * rank + 1) * np.log(share) + (2 * n - 2 * rank - 1) * np.log1p(-share)
        total.append(float(terms.sum()) / n)
    return math.sqrt(n) * worst, -n - math.fsum(total)


def anderson_darling_tail(x: float) -> float:
    """P(A² > x) for many draws of a known law (Marsaglia and Marsaglia, J. Stat. Software 9(2), 2004)."""
    if x < 2:
        series = (2.00012, 0.247105, -0.0649821, 0.0347962, -0.011672, 0.00168691)
        return 1 - math.exp(-1.2337141 / x) / math.sqrt(x) * float(np.polyval(series[::-1], x))
    series = (1.0776, -2.30695, 0.43424, -0.082433, 0.008056, -0.0003146)
    return 1 - math.exp(-math.exp(float(np.polyval(series[::-1], x))))


def bin_test(ordered: F32, law: Law, bins: int, share: F64 | None = None) -> float:
    """χ² test's p of equal bins, or of bins of probability `share`."""
    below = np.searchsorted(ordered, law.edges(bins))
    counts = np.diff(below, prepend=0, append=ordered.size)
    expected = ordered.size * (np.full(bins, 1 / bins) if share is None else share)
    return float(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), bins - 1))


def tails(ordered: F32) -> list[str]:
    rows = []
    for sigma in (3, 4, 5, 5.5, 6):
        found = int(np.searchsorted(ordered, np.float32(-sigma), "right"))
        found += ordered.size - int(np.searchsorted(ordered, np.float32(sigma)))
        expected = ordered.size * 2 * float(special.ndtr(-sigma))
        p = two_sided(found, expected)
        rows.append(f"| beyond ±{sigma} σ: {expected:.1f} expected | {found} | {p:.2g} |")
    return rows


def far_tails(count: int) -> Iterator[str]:
    """Normal draws beyond 5 … 6.6 σ, of so many that only these are kept."""
    values, far = np.empty(1 << 18, np.float32), []
    count -= count % values.size
    for begin in range(0, count, values.size):
        fill_array(values, LAWS["normal"].fill, name="tails", shape=(count,), offset=(begin,))
        np.abs(values, out=values)
        far.append(values[values > 5])
    size = np.concatenate(far)
    yield "| normal beyond | draws | expected | of 32-bit words | p |\n|---|---|---|---|---|"
    for sigma in (5, 5.5, 6, 6.2, 6.4, 6.6):
        found, ideal = int((size > sigma).sum()), count * 2 * float(special.ndtr(-sigma))
        expected = count * tail_of_words(sigma)
        p = two_sided(found, expected)
        yield f"| ±{sigma} σ | {found} | {ideal:.1f} | {expected:.1f} | {p:.2g} |"


def tail_of_words(sigma: float) -> float:
    """P(|x| > sigma) of Box and Muller's x = r·cos θ when r has 32 bits: a sum over r's largest values."""
    k = np.arange(1 << 16)
    r = np.sqrt(-2 * np.log((k + 0.5) / 2**32))
    return float((2 / np.pi * np.arccos(np.minimum(1, sigma / r))).sum()) / 2**32


def two_sided(found: int, expected: float) -> float:
    low, high = stats.poisson.cdf(found, expected), stats.poisson.sf(found - 1, expected)
    return float(min(1.0, 2 * min(low, high)))


def measured(title: str, law: Law, count: int) -> Iterator[str]:
    """The rows of one law's table."""
    values = np.empty(count, np.float32)
    fill_array(values, law.fill, name=law.fill.law)
    errors = moment_errors(values, law)
    values.sort()
    yield f"**{title}, {count:.0e} draws.**\n\n| measured | | p |\n|---|---|---|"
    d, a = distances(values, law)
    yield f"| Kolmogorov–Smirnov, √n·D | {d:.3f} | {special.kolmogorov(d):.2g} |"
    yield f"| Anderson–Darling, A² | {a:.3f} | {anderson_darling_tail(a):.2g} |"
    for bins in BINS:
        yield f"| χ², {bins} bins of equal probability | | {bin_test(values, law, bins):.2g} |"
        if law.fill is stream_grain.LAW:
            p = bin_test(values, law, bins, stream_grain.exact_probabilities(bins))
            yield f"| χ², the same bins, probabilities of float32 | | {p:.2g} |"
    if law.fill.law == "normal":
        yield from tails(values)
    for order, error in enumerate(errors, 1):
        yield f"| moment of order {order}, standard errors from exact | {error:.2f} | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=float, default=1e9)
    parser.add_argument("--law", choices=LAWS, action="append", help="one law only; may be repeated")
    parser.add_argument("--tails", type=float, help="instead, the normal's tails on so many draws")
    given = parser.parse_args()
    if given.tails:
        print("\n".join(far_tails(int(given.tails))))
        return
    for title in given.law or LAWS:
        for line in measured(title, LAWS[title], int(given.draws)):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
