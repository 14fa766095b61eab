"""Plot → an inline SVG line chart: layers to the right, decades upwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .cells import number, shorten
from .document import Plot

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 28, 34
TICKS = 6


def chart(plot: Plot) -> str:
    """The chart as one `<svg>` element; its colours come from the page's style sheet."""
    decades = _decades([value for _, values in plot.series for value in values])
    title = escape(plot.title, quote=True)
    lines = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{title}">']
    lines += _grid(decades)
    lines += _axis(plot.labels)
    for index, (name, values) in enumerate(plot.series):
        lines += _series(index, name, values, plot.labels, decades)
    return "\n".join([*lines, "</svg>"])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The whole decades that hold all positive finite values; at least two."""
    logs = [math.log10(value) for value in values if math.isfinite(value) and value > 0]
    if not logs:
        return -1, 1
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    while high - low < 2:
        low, high = (low - 1, high) if (high - low) % 2 else (low, high + 1)
    return low, high


def _grid(decades: tuple[int, int]) -> list[str]:
    low, high = decades
    step = max(1, math.ceil((high - low) / TICKS))
    lines = []
    for power in range(low, high + 1, step):
        y = _y(10.0**power, decades)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = f"{10.0**power:g}"
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    return lines


def _axis(labels: Sequence[str]) -> list[str]:
    y = HEIGHT - BOTTOM + 20
    first, last = escape(shorten(labels[0], 40)), escape(shorten(labels[-1], 40))
    return [
        f'<text x="{LEFT}" y="{y}">{first}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{y}" text-anchor="end">{last}</text>',
    ]


def _series(
    index: int, name: str, values: Sequence[float], labels: Sequence[str], decades: tuple[int, int]
) -> list[str]:
    style = f"s{index % 2}"
    points = [
        (_x(place, len(values)), _y(value, decades), label, value)
        for place, (value, label) in enumerate(zip(values, labels, strict=True))
        if math.isfinite(value) and value > 0
    ]
    lines = [f'<text class="{style}" x="{LEFT + 160 * index}" y="{TOP - 12}">— {escape(name)}</text>']
    if points:
        path = " L".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in points)
        lines.append(f'<path class="{style}" d="M{path}"/>')
    for x, y, label, value in points:
        tip = escape(f"{label}: {name} {number(value)}")
        lines.append(f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{tip}</title></circle>')
    return lines


def _x(place: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * place / max(1, count - 1)


def _y(value: float, decades: tuple[int, int]) -> float:
    low, high = decades
    return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(value)) / (high - low)
