"""Growth: which law a positive quantity follows over depth, and how sure that is.

A layer's luck is passed on to all layers after it, so what strays from a law are the steps from one
depth to the next, not the values: the logarithm is a random walk around its law. Laws are fitted to
the steps and compared by Schwarz's criterion (1978, doi:10.1214/aos/1176344136).
Derivations: docs/notes/trends.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LAWS = (
    "flat",
    "linear",  # the second moment gains the same amount at every step: q = q₀·(1 + l/s)
    "power",  # q = q₀·(1 + l/s)^p
    "exponential",  # the same factor at every step
    "levels off",  # exponential towards a value that is not zero: q = q∞ + (q₀ - q∞)·r^l
)
NOISE = 0.01
"""Steps of the logarithm of a second moment are told apart down to this: half a per cent of rms."""
LEAST, RICH = 4, 8
"""Fewer steps than these tell no law from another; no law with two numbers to fit."""
LEVEL = 0.2
"""ln q that has changed less from first to last (10 % of rms) is flat, whatever law it follows."""
NEAREST, FARTHEST = 0.02, 3.0
"""The offset s of a power law is at least so many steps: before, all happens in the first. And at most
so many times the depth: beyond, no bend is left."""
NEARLY = 0.15
"""A power law's exponent as near to 1 as this is linear."""
SLOWEST, FASTEST = 4.0, 60.0
"""What levels off has come so near, in e-folds, at the last depth: slower has not levelled yet."""
LOWEST, HIGHEST = 1e-6, 1e12
"""|q₀ - q∞|/q∞ of what levels off: rising from nearly nothing, falling from far above."""
GRID = 60
BREAK = math.log(10)
"""A single step that changes ln q by less (rms by a factor of 3.2) is no break."""
EVIDENCE, PARTS = 10.0, 3
"""By so much Schwarz's criterion has to improve for breaks, odds of 150 to 1; so many are looked for."""
MOST = 256
"""Of longer sequences so many steps are looked at."""


@dataclass(frozen=True)
class Fit:
    """One law and what it leaves unexplained.

    Attributes:
        law: one of `LAWS`.
        exponent: p; 1 where linear; NaN for laws without one.
        offset: s in steps, NaN for laws without one.
        rate: change of ln q per step where exponential; NaN otherwise.
        level: q∞/q₀ of what levels off; NaN otherwise.
        change: of ln q, from the first depth to the last.
        rest: mean square of what the steps stray by.
        numbers: how many were fitted.
    """

    law: str
    exponent: float = math.nan
    offset: float = math.nan
    rate: float = math.nan
    level: float = math.nan
    change: float = 0.0
    rest: float = 0.0
    numbers: int = 0

    def criterion(self, steps: int) -> float:
        """Schwarz's: smaller is better; half of the difference is the logarithm of the odds."""
        return steps * math.log(self.rest + NOISE**2) + self.numbers * math.log(steps)

    def reaches(self, factor: float) -> float:
        """At how many steps q has changed by `factor` (> 1) up or down; inf for never."""
        wanted = math.log(factor)
        if self.law == "exponential":
            return abs(wanted / self.rate)
        if self.law in ("linear", "power"):
            return _bounded(lambda: self.offset * math.expm1(wanted / abs(self.exponent)))
        if self.law == "levels off" and abs(math.log(self.level)) > wanted:
            target = math.exp(math.copysign(wanted, math.log(self.level)))
            return math.log((target - self.level) / (1 - self.level)) / self.rate
        return math.inf


def _bounded(number: Callable[[], float]) -> float:
    try:
        return number()
    except OverflowError:
        return math.inf


def breaks(depths: Sequence[float], logs: Sequence[float]) -> list[int]:
    """Places whose values no law of the others leads to: each begins a part that goes on from elsewhere.

    A break takes two numbers, where it is and how large: it has to be worth them.
    """
    tried = [_largest(depths, logs, count) for count in range(1, PARTS + 1)]
    known = [places for places in tried if places and len(depths) - len(places) > LEAST]
    scores = [(_evidence(depths, logs, places), places) for places in known]
    best, places = max(scores, default=(0.0, []))
    return sorted(places) if best >= EVIDENCE else []


def _largest(depths: Sequence[float], logs: Sequence[float], count: int) -> list[int]:
    """The places with the `count` steps that stray farthest from the middling one; [] if one is no break."""
    steps = np.diff(np.asarray(logs, dtype=float)) / np.sqrt(np.diff(depths))
    if len(steps) <= count:
        return []
    strays = np.abs(steps - np.median(steps))
    order = np.argsort(-strays)[:count]
    return [] if strays[order[-1]] < BREAK else [int(step) + 1 for step in order]


def joined(logs: Sequence[float], broken: Sequence[int]) -> list[float]:
    """`logs` with middling steps to the places `broken` in place of their own."""
    steps = np.diff(np.asarray(logs, dtype=float))
    taken = [place - 1 for place in broken]
    steps[taken] = np.median(np.delete(steps, taken)) if len(steps) > len(taken) else 0.0
    return [float(value) for value in logs[0] + np.concatenate([[0.0], np.cumsum(steps)])]


def _evidence(depths: Sequence[float], logs: Sequence[float], broken: list[int]) -> float:
    """By how much the best law's criterion is smaller with the breaks than without any."""
    steps = len(_places(depths)) - 1
    without, with_them = (
        min(fit.criterion(steps) for fit in _candidates(depths, values))
        for values in (logs, joined(logs, broken))
    )
    return without - with_them - 2 * len(broken) * math.log(steps)


def fits(depths: Sequence[float], logs: Sequence[float]) -> list[tuple[Fit, float]]:
    """All laws with their probabilities, the likeliest first; empty with fewer than `LEAST` steps.

    Args:
        depths: increasing; the law's l counts from the first.
        logs: of the second moment there.
    """
    if len(depths) <= LEAST:
        return []
    found = _candidates(depths, logs)
    scores = np.array([fit.criterion(len(_places(depths)) - 1) for fit in found])
    odds = np.exp(-(scores - scores.min()) / 2)
    return _by_law(found, (odds / odds.sum()).tolist())


def _places(depths: Sequence[float]) -> npt.NDArray[np.intp]:
    """Which values are looked at."""
    return np.unique(np.linspace(0, len(depths) - 1, MOST + 1).round().astype(int))


def _candidates(depths: Sequence[float], logs: Sequence[float]) -> list[Fit]:
    """The best fit of each law."""
    places = _places(depths)
    depth = np.asarray(depths, dtype=float)[places] - depths[0]
    walk = _Walk(depth, np.asarray(logs, dtype=float)[places])
    found = [walk.flat(), walk.exponential(), walk.linear(), walk.harmonic()]
    return [*found, walk.power(), walk.levelling()] if len(places) > RICH else found


def _by_law(found: Sequence[Fit], shares: Sequence[float]) -> list[tuple[Fit, float]]:
    """One fit per law, the likeliest of it, with the law's whole probability."""
    totals: dict[str, float] = {}
    best: dict[str, tuple[bool, float, Fit]] = {}
    for fit, share in zip(found, shares, strict=True):
        law = _told(fit)
        totals[law] = totals.get(law, 0.0) + share
        # what bears the name itself goes before what was renamed
        best[law] = max(best.get(law, (False, -1.0, fit)), (fit.law == law, share, fit), key=lambda x: x[:2])
    pairs = [(replace(fit, law=law), totals[law]) for law, (_, _, fit) in best.items()]
    return sorted(pairs, key=lambda pair: -pair[1])


def _told(fit: Fit) -> str:
    """The law's name: a richer law whose fit says what a simpler one does goes by that one's name."""
    if abs(fit.change) < LEVEL:
        return "flat"
    if fit.law == "power" and abs(fit.exponent - 1) < NEARLY:
        return "linear"
    # above twice, or below half of, the value it would level off at it has not begun to
    if fit.law == "levels off" and abs(math.log(fit.level) - fit.change) > math.log(2):
        return "exponential"
    return fit.law


class _Walk:
    """The steps of a logarithm; over a gap of k depths a step strays √k times as far."""

    def __init__(self, depth: Array, logs: Array) -> None:
        self.depth = depth
        self.scale = 1 / np.sqrt(np.diff(depth))
        self.taken = np.diff(logs) * self.scale

    def steps(self, law: Array) -> Array:
        """The steps of laws given at the depths, along the last axis."""
        return np.diff(law, axis=-1) * self.scale

    def rest(self, steps: Array) -> Array:
        """Mean square of what is left, along the last axis."""
        left: Array = ((self.taken - steps) ** 2).mean(axis=-1)
        return left

    def flat(self) -> Fit:
        return Fit("flat", rest=float(self.rest(np.zeros_like(self.taken))))

    def exponential(self) -> Fit:
        line = self.steps(self.depth)
        rate = float(self.taken @ line / (line @ line))
        rest = float(self.rest(rate * line))
        return Fit("exponential", rate=rate, change=rate * self.depth[-1], rest=rest, numbers=1)

    def linear(self) -> Fit:
        return self._power("linear", 1.0)

    def harmonic(self) -> Fit:
        return self._power("power", -1.0)

    def power(self) -> Fit:
        return self._power("power", None)

    def _power(self, law: str, exponent: float | None) -> Fit:
        """q ∝ (1 + l/s)^p, with p given or the best for each s."""
        far = self.depth[-1] * (FARTHEST if exponent is not None else 1.0)
        offsets = np.geomspace(NEAREST, far, 4 * GRID)
        for _ in range(2):
            laws = np.log1p(self.depth / offsets[:, None])
            shapes = self.steps(laws)
            powers = (shapes @ self.taken) / (shapes**2).sum(axis=1)
            if exponent is not None:
                powers = np.full(len(shapes), exponent)
            rests = self.rest(powers[:, None] * shapes)
            i = int(rests.argmin())
            found = Fit(law, float(powers[i]), float(offsets[i]), change=float(powers[i] * laws[i, -1]))
            offsets = _closer(offsets, i)
        return replace(found, rest=float(rests[i]), numbers=1 if exponent is not None else 2)

    def levelling(self) -> Fit:
        """q = q∞·(1 + u·r^l), falling (u > 0) or rising (-1 < u < 0)."""
        return min((self._levelling(sign) for sign in (1.0, -1.0)), key=lambda fit: fit.rest)

    def _levelling(self, sign: float) -> Fit:
        paces = np.geomspace(SLOWEST, FASTEST, GRID) / self.depth[-1]
        # from far above, or from nearly nothing: 1 + u itself is on a grid
        starts = np.geomspace(1 + NOISE, HIGHEST, GRID) if sign > 0 else np.geomspace(LOWEST, 1 - NOISE, GRID)
        for _ in range(3):
            decays = np.exp(-paces[:, None, None] * self.depth)
            laws = np.log1p((starts[:, None] - 1) * decays)
            rests = self.rest(self.steps(laws))
            i, j = (int(place) for place in np.unravel_index(int(rests.argmin()), rests.shape))
            change = float(laws[i, j, -1] - laws[i, j, 0])
            found = Fit("levels off", rate=-float(paces[i]), level=float(1 / starts[j]), change=change)
            found = replace(found, rest=float(rests[i, j]), numbers=2)
            paces, starts = _closer(paces, i), _closer(starts, j)
        return found


def _closer(grid: Array, place: int) -> Array:
    """A finer grid around one place of a geometric grid."""
    return np.geomspace(grid[max(place - 1, 0)], grid[min(place + 1, len(grid) - 1)], len(grid) // 2)
