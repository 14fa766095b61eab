"""Trend: how the signal grows with depth on its way forward, and the gradient on its way back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .codec import LATER, JsonMixin
from .growth import LEAST, Fit, breaks, fits, joined
from .paths import Path, Row, paths
from .rendering import Rendered

CLEAR, LIKELY = 0.95, 0.75
"""Probability of a law: odds of 20 to 1 are strong evidence, 3 to 1 positive (Kass, Raftery 1995,
doi:10.1080/01621459.1995.10476572)."""
CONFIDENCES = ("clear", "likely", "open")


@dataclass(frozen=True)
class Growth(JsonMixin):
    """How one quantity changes along one path.

    Attributes:
        direction: "forward" (the outputs' rms) or "backward" (the gradient's, times the root of its
            number of elements where shapes differ).
        path: "stream" (the residual adds) or "chain" (layers with weights, one after another).
        name: the blocks' name with "*" for their number, or the first and the last layer's.
        step: what depth counts: "block", "layer" or "add".
        steps: how many steps lie between the first and the last value.
        first, last: the values in the direction of travel: backward, `first` is the deepest layer's.
        law: "flat", "linear", "power", "exponential", "levels off"; "" if there are too few steps.
            It is the law of the second moment over forward depth: linear gains the same amount at every
            step, exponential the same factor; a power law goes as (1 + l/offset)^exponent.
        probability: of that law among all, given the values.
        rival: the next law, unless the probability is above 0.95.
        factor: of rms per step in the direction of travel; the mean one unless the law is exponential.
        exponent, offset: p and s (in steps) of linear and power laws, NaN otherwise.
        tenfold: the number of steps over which rms changes tenfold; inf if it never does.
        remark: why no law is told, or what was left out.
        breaks: (layer's name, factor of rms in the direction of travel) of single layers that change the
            signal or the gradient in a way that no law of the others does; law and factor are without them.
    """

    direction: str
    path: str
    name: str
    step: str
    steps: int
    first: float = math.nan
    last: float = math.nan
    law: str = ""
    probability: float = math.nan
    rival: str = ""
    factor: float = math.nan
    exponent: float = math.nan
    offset: float = math.nan
    tenfold: float = math.nan
    remark: str = ""
    breaks: tuple[tuple[str, float], ...] = field(default=(), metadata=LATER)

    @property
    def confidence(self) -> str:
        """One of `CONFIDENCES`."""
        return "clear" if self.probability > CLEAR else "likely" if self.probability > LIKELY else "open"


@dataclass(frozen=True)
class Trend(JsonMixin, Rendered):
    """How signal and gradient grow with depth, one Growth per path and direction.

    Attributes:
        mode: of the signals: "measure" or "predict".
        growths: in the order in which the paths begin, forward before backward.
        note: why there are none.
    """

    mode: str
    growths: tuple[Growth, ...] = ()
    note: str = ""


def trend_of(rows: Sequence[Row], mode: str) -> Trend:
    """The trend of a model's rows."""
    growths = tuple(growth(path, way) for path in paths(rows) for way in ("forward", "backward"))
    note = "" if growths else "no two layers lie behind each other, so there is no depth to speak of"
    return Trend(mode, growths, note)


def growth(path: Path, direction: str) -> Growth:
    """How the signal or the gradient changes along `path`."""
    forward = direction == "forward"
    values = [row.forward_rms for row in path.rows] if forward else _norms(path.rows)
    known = [(depth, value) for depth, value in enumerate(values) if 0 < value < math.inf]
    steps = known[-1][0] - known[0][0] if known else 0
    found = Growth(direction, path.kind, path.name, path.step, steps, remark=_remark(path, values))
    if not steps:
        return found
    ends = (known[0][1], known[-1][1]) if forward else (known[-1][1], known[0][1])
    depths, logs = [depth for depth, _ in known], [2 * math.log(value) for _, value in known]
    sign = 1 if forward else -1
    broken = breaks(depths, logs)
    jumps = tuple(
        (path.rows[depths[place]].name, math.exp(sign * (logs[place] - logs[place - 1]) / 2))
        for place in broken[::sign]
    )
    logs = joined(logs, broken)
    factor = math.exp(sign * (logs[-1] - logs[0]) / 2 / steps)
    found = replace(found, first=ends[0], last=ends[1], factor=factor, breaks=jumps)
    laws = fits(depths, logs)
    return _told(found, laws) if laws else found


def _norms(rows: Sequence[Row]) -> list[float]:
    """Gradients' rms, each as if its tensor had as many elements as the last: what a map that keeps
    gradients keeps is the norm."""
    sizes = [math.sqrt(math.prod(row.shape)) for row in rows]
    return [row.gradient_rms * (size / sizes[-1]) for row, size in zip(rows, sizes, strict=True)]


def _told(found: Growth, laws: Sequence[tuple[Fit, float]]) -> Growth:
    fit, probability = laws[0]
    rival = laws[1][0].law if len(laws) > 1 and probability <= CLEAR else ""
    found = replace(found, law=fit.law, probability=probability, rival=rival, tenfold=fit.reaches(100.0))
    bent = fit.law in ("linear", "power")
    return replace(found, exponent=fit.exponent, offset=fit.offset) if bent else found


def _remark(path: Path, values: Sequence[float]) -> str:
    zeros = sum(value == 0 for value in values)
    missing = sum(not value < math.inf for value in values)
    known = len(values) - zeros - missing
    told = [f"{known} {path.step}s are too few to tell one law from another ({LEAST + 1} needed)"]
    told = told if known <= LEAST else []
    told += [f"{zeros} of {len(values)} are exactly zero"] if zeros else []
    told += [f"{missing} of {len(values)} are not known"] if missing else []
    return "; ".join(told)
