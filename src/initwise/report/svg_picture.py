"""Picture → an inline SVG with linear axes; its colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ..core.picture import Picture
from .cells import number

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 28, 44
CELL = 18


def drawing(picture: Picture) -> str:
    """The picture as one `<svg>` element."""
    if picture.kind == "grid":
        return _grid(picture)
    if picture.kind == "bars":
        return _bars(picture)
    return _curves(picture)


def _open(picture: Picture, width: int, height: int) -> str:
    title = escape(picture.title, quote=True)
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{title}">'


def _curves(picture: Picture) -> str:
    values = [value for _, series in picture.series for value in series]
    low, high = min(*values, 0.0), max(values)
    lines = [_open(picture, WIDTH, HEIGHT), *_frame(low, high), *_marks(picture)]
    for index, (name, series) in enumerate(picture.series):
        points = " L".join(
            f"{_x(at, picture.x):.1f},{_y(value, low, high):.1f}"
            for at, value in zip(picture.x, series, strict=True)
            if math.isfinite(value)
        )
        style = f"s{index % 2}"
        lines.append(f'<text class="{style}" x="{LEFT + 160 * index}" y="{TOP - 12}">— {escape(name)}</text>')
        lines.append(f'<path class="{style}" d="M{points}"/>')
    return "\n".join([*lines, "</svg>"])


def _frame(low: float, high: float) -> list[str]:
    """Lines at the least and the greatest value, and at 0."""
    lines = []
    for value in sorted({low, 0.0 if low < 0 < high else low, high}):
        y = _y(value, low, high)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    return lines


def _marks(picture: Picture) -> list[str]:
    ends = (("", picture.x[0]), ("", picture.x[-1]))
    lines = []
    for label, at in picture.marks or ends:
        x, y = _x(at, picture.x), HEIGHT - BOTTOM
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{y}"/>')
        lines.append(f'<text x="{x:.1f}" y="{y + 18}" text-anchor="middle">{escape(label)}</text>')
        lines.append(f'<text x="{x:.1f}" y="{y + 34}" text-anchor="middle">{at:.3g}</text>')
    return lines


def _x(at: float, x: Sequence[float]) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (at - x[0]) / ((x[-1] - x[0]) or 1.0)


def _y(value: float, low: float, high: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / ((high - low) or 1.0)


def _bars(picture: Picture) -> str:
    height = CELL * (len(picture.x) + 1)
    lines = [_open(picture, WIDTH, height)]
    for index, (value, share) in enumerate(zip(picture.x, picture.series[0][1], strict=True)):
        y = CELL * index + 4
        lines.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{value:.3g}</text>')
        lines.append(f'<rect class="s0" x="{LEFT}" y="{y}" width="{400 * share:.1f}" height="{CELL - 6}"/>')
    return "\n".join([*lines, "</svg>"])


def _grid(picture: Picture) -> str:
    """A square per entry: the first colour for positive ones, the second for negative, fainter near 0."""
    values = [value for _, row in picture.series for value in row]
    most = max(abs(value) for value in values) or 1.0
    lines = [_open(picture, CELL * len(picture.x) + 2, CELL * len(picture.series) + 2)]
    for row, (_, series) in enumerate(picture.series):
        for column, value in enumerate(series):
            style, share = ("s0" if value >= 0 else "s1"), abs(value) / most
            lines.append(
                f'<rect class="{style}" x="{CELL * column + 1}" y="{CELL * row + 1}" width="{CELL - 2}" '
                f'height="{CELL - 2}" fill-opacity="{share:.2f}"><title>{value:.4g}</title></rect>'
            )
    return "\n".join([*lines, "</svg>"])
