"""Who climbs on, and which rates are added: decisions between rungs.

They go by the loss reached. How fast it falls was tried too, and did harm on short rungs: what starts high
falls fast. On the last rung it counts (see `Results.expected`).
"""

from __future__ import annotations

from .ladder import Rung
from .rates import beyond
from .results import Curve, Results


def climbing(
    results: Results, before: Rung, rung: Rung, rates: int, incumbent: str = ""
) -> tuple[Curve, ...]:
    """The `rung.arms` curves that go on from rung `before`, best first.

    Args:
        incumbent: a scheme whose best curve goes on whatever its place.
        rates: learning rates of one scheme that may climb while another scheme's best waits for a
            place; the race is between schemes.
    """
    first: list[Curve] = []
    later: list[Curve] = []
    for curve in results.ranked(before):
        same = sum(other.scheme == curve.scheme for other in first)
        (first if same < rates else later).append(curve)
    order = [*first, *later]
    safe = next((curve for curve in order if curve.scheme == incumbent), None)
    chosen = order[: rung.arms]
    return tuple(chosen if safe is None or safe in chosen else [*chosen[:-1], safe])


def widening(results: Results, rung: Rung) -> list[Curve]:
    """The next rate beyond the edge for every scheme that does best at an edge of what it tried, best first.

    Where every rate of a scheme diverged, the next lower one.
    """
    tried: dict[str, list[Curve]] = {}
    for curve in sorted({curve for curve, _ in results.ends}):
        tried.setdefault(curve.scheme, []).append(curve)
    found = []
    for curves in tried.values():
        if all(results.failed(curve) for curve in curves):
            continue  # a lower rate mends no error
        best = min(curves, key=lambda curve: (results.loss(curve, rung), curve.rate))
        rate = beyond(best.rate, [curve.rate for curve in curves])
        if rate is not None:
            found.append((results.loss(best, rung), Curve(best.order, best.scheme, rate)))
    return [curve for _, curve in sorted(found)]
