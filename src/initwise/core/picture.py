"""Picture: what a small drawing shows, as data; `initwise.report` draws it as text or SVG."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import JsonMixin

KINDS = ("bars", "curves", "density", "grid")


@dataclass(frozen=True)
class Picture(JsonMixin):
    """Numbers over an axis.

    Attributes:
        kind: "density": one series, the area under it is 1. "bars": probabilities of single values.
            "curves": functions, each drawn for itself. "grid": a matrix, one series per row.
        title: what is drawn.
        x: the axis: values, or column numbers of a grid.
        series: (name, values), each as long as `x`.
        marks: (label, x) of what to point at: bounds, standard deviations.
        note: what else must be known to read it.
    """

    kind: str
    title: str
    x: tuple[float, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]
    marks: tuple[tuple[str, float], ...] = ()
    note: str = ""
