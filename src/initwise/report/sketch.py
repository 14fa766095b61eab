"""Picture → characters: a density in blocks, curves in braille, a matrix in shades.

Every character has a stand-in of the same width for terminals that know only ASCII (`ascii.py`).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence

from ..core.picture import Picture
from .cells import number

INDENT = "  "
WIDEST, NARROWEST = 72, 24
"""Columns of a picture."""
WIDTH = 100
"""Of its title at most."""
HEIGHT = 7
BLOCKS = " ▁▂▃▄▅▆▇█"
SHADES = "·░▒▓█"
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Braille's dots: column, then row from the top."""


def sketch(picture: Picture, columns: int = 100) -> str:
    """`picture` in at most `columns` characters a line."""
    width = max(NARROWEST, min(WIDEST, columns - len(INDENT) - 2))
    title = textwrap.wrap(picture.title, max(width, 40, min(WIDTH, columns)))
    lines = [*title, *(INDENT + line for line in _FORMS[picture.kind](picture, width))]
    note = textwrap.wrap(picture.note, max(width, 40), initial_indent=INDENT, subsequent_indent=INDENT)
    return "\n".join(line.rstrip() for line in [*lines, *note])


def _density(picture: Picture, width: int) -> list[str]:
    values = _resampled(picture.x, picture.series[0][1], width)
    top = max(values) or 1.0
    rows = []
    for row in range(HEIGHT, 0, -1):
        eighths = [min(8, max(0, round(8 * (value / top * HEIGHT - (row - 1))))) for value in values]
        rows.append("".join(BLOCKS[level] for level in eighths))
    return [*rows, *axis(picture.marks, picture.x[0], picture.x[-1], width)]


def _resampled(x: Sequence[float], y: Sequence[float], width: int) -> list[float]:
    """y at `width` places evenly over x, between its points linearly."""
    found, right = [], 1
    for place in range(width):
        at = x[0] + (x[-1] - x[0]) * (place + 0.5) / width
        while right < len(x) - 1 and x[right] < at:
            right += 1
        share = (at - x[right - 1]) / (x[right] - x[right - 1] or 1.0)
        found.append(y[right - 1] + (y[right] - y[right - 1]) * share)
    return found


def axis(marks: Sequence[tuple[str, float]], low: float, high: float, width: int) -> list[str]:
    """A line with ticks, the marks' labels under it, and their values under these."""
    places = [(min(width - 1, int((at - low) / (high - low) * width)), label, at) for label, at in marks]
    line = "".join("┴" if any(place == column for place, _, _ in places) else "─" for column in range(width))
    labels = _placed([(place, label) for place, label, _ in places], width)
    values = _placed([(place, _short(at)) for place, label, at in places if label != _short(at)], width)
    return [line, labels, values]


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _placed(texts: Sequence[tuple[int, str]], width: int) -> str:
    """Each text centred at its place; one that would touch another written before is left out."""
    line = [" "] * width
    for place, text in texts:
        start = min(max(0, place - (len(text) - 1) // 2), width - len(text))
        around = line[max(0, start - 1) : start + len(text) + 1]
        if start >= 0 and not "".join(around).strip():
            line[start : start + len(text)] = text
    return "".join(line)


def _bars(picture: Picture, width: int) -> list[str]:
    names = [_short(value) for value in picture.x]
    wide = max(map(len, names))
    room = max(8, min(40, width - wide - 8))
    return [
        f"{name.rjust(wide)} {'█' * max(1, round(room * share))} {share:.3g}"
        for name, share in zip(names, picture.series[0][1], strict=True)
    ]


def _curves(picture: Picture, width: int) -> list[str]:
    """Every series in a panel of its own, side by side if there is room."""
    count = len(picture.series) if width >= 60 else 1
    room = (width - 3 * (count - 1)) // count
    panels = [_panel(name, picture.x, values, room) for name, values in picture.series]
    if count > 1:
        return ["   ".join(lines) for lines in zip(*panels, strict=True)]
    return [line for panel in panels for line in panel]


def _panel(name: str, x: Sequence[float], y: Sequence[float], width: int) -> list[str]:
    """One curve in braille: its name, its least and greatest value, and the axes where they are in sight."""
    low, high = min(y), max(y)
    if high - low < 1e-12:
        low, high = low - 1, high + 1
    cells = _braille(_resampled(x, y, 2 * width), low, high, width)
    across = _row_of(0.0, low, high)
    down = int((0.0 - x[0]) / (x[-1] - x[0]) * width) if x[0] <= 0 <= x[-1] else None
    rows = []
    for row, dots in enumerate(cells):
        ground = ["─" if row == across else " "] * width
        if down is not None and down < width:
            ground[down] = "┼" if row == across else "│"
        rows.append("".join(chr(0x2800 + dot) if dot else ground[column] for column, dot in enumerate(dots)))
    spread = f"{name} from {number_of(low)} to {number_of(high)}"
    foot = _placed([(0, _short(x[0])), (width - 1, _short(x[-1])), ((down or 0), "0")], width)
    return [line.ljust(width) for line in (spread[:width], *rows, foot)]


def number_of(value: float) -> str:
    """Three digits, as tables have them, with a true minus."""
    return number(0.0 if abs(value) < 1e-12 else value).replace("-", "−")


def _row_of(value: float, low: float, high: float) -> int | None:
    """The row of text in which `value` is, None if out of sight."""
    if not low <= value <= high:
        return None
    return _level(value, low, high) // 4


def _level(value: float, low: float, high: float) -> int:
    """The dot's row from the top."""
    return round((high - value) / (high - low) * (4 * HEIGHT - 1))


def _braille(values: Sequence[float], low: float, high: float, width: int) -> list[list[int]]:
    """Dots of a curve of 2·width points, joined where it is steep, as HEIGHT rows of cells."""
    cells = [[0] * width for _ in range(HEIGHT)]
    before = _level(values[0], low, high)
    for place, value in enumerate(values):
        level = _level(value, low, high)
        step = 1 if level > before else -1
        for dot in range(before + step if level != before else level, level + step, step):
            cells[dot // 4][place // 2] |= DOTS[place % 2][dot % 4]
        before = level
    return cells


def _grid(picture: Picture, width: int) -> list[str]:
    """A matrix: full for its greatest value, a dot for zero, lighter shades for what is between or below."""
    values = [value for _, row in picture.series for value in row]
    low, high = min(*values, 0.0), max(*values, 0.0)
    wide = max(1, min(2, width // max(1, len(picture.x))))
    lines = [
        "".join(_shade(value, low, high) * wide for value in row[: width // wide])
        for _, row in picture.series
    ]
    return [*lines, _legend(low, high)]


def _shade(value: float, low: float, high: float) -> str:
    if value == 0:
        return SHADES[0]
    if low == 0 or high == 0:
        share = abs(value) / max(abs(low), abs(high))
        return SHADES[max(1, math.ceil(share * 4 - 1e-9))]
    share = (value - low) / (high - low)
    return SHADES[1 + min(3, int(share * 4))]


def _legend(low: float, high: float) -> str:
    said = [f"{SHADES[0]} 0"]
    if low < 0:
        said.insert(0, f"{SHADES[1 if high > 0 else 4]} {_short(low)}")
    if high > 0:
        said.append(f"{SHADES[4]} {_short(high)}")
    return "  ".join(said)


_FORMS: Mapping[str, Callable[[Picture, int], list[str]]] = {
    "bars": _bars,
    "curves": _curves,
    "density": _density,
    "grid": _grid,
}
