"""Pictures as characters and as SVG: within their width, in their place, readable without Unicode."""

from __future__ import annotations

import pytest

from initwise.core.picture import Picture
from initwise.report.ascii import readable
from initwise.report.sketch import HEIGHT, axis, sketch
from initwise.report.svg_picture import drawing

X = tuple(i / 10 for i in range(-10, 11))
TRIANGLE = Picture("density", "A triangle", X, (("density", tuple(1 - abs(x) for x in X)),), (("0", 0.0),))
LINE = Picture("curves", "Two lines", X, (("up", X), ("down", tuple(-x for x in X))))
POINT = Picture("bars", "A point", (0.5,), (("probability", (1.0,)),))
MATRIX = Picture("grid", "A matrix", (0.0, 1.0), (("0", (1.0, 0.0)), ("1", (-1.0, 0.2))), note="Signs.")
PICTURES = (TRIANGLE, LINE, POINT, MATRIX)
each = pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.kind)


@each
@pytest.mark.parametrize("columns", [30, 60, 100, 300])
def test_a_picture_fits_the_terminal(picture, columns):
    lines = sketch(picture, columns).splitlines()
    assert lines[0] == picture.title
    assert max(map(len, lines)) <= min(columns, 74)
    assert all(line == line.rstrip() for line in lines)


def test_a_density_is_highest_at_its_mode_and_the_mark_stands_under_it():
    lines = sketch(TRIANGLE).splitlines()
    body, ticks = lines[1 : HEIGHT + 1], lines[HEIGHT + 1]
    middle = ticks.index("┴")
    assert body[0][middle] in "▇█"
    assert body[0].strip(" ▁▂▃▄▅▆▇█") == ""
    assert [len(line.strip()) for line in body] == sorted(len(line.strip()) for line in body)
    assert lines[HEIGHT + 2].index("0") == middle


def test_labels_that_would_touch_are_left_out():
    line, labels, values = axis((("low", 0.0), ("near", 0.01), ("high", 1.0)), 0.0, 1.0, 40)
    assert line.count("┴") == 2
    assert labels.split() == ["low", "high"]
    assert values.split() == ["0", "1"]


def test_curves_stand_side_by_side_and_under_each_other_where_there_is_no_room():
    assert len(sketch(LINE, 100).splitlines()) == HEIGHT + 3
    assert len(sketch(LINE, 50).splitlines()) == 2 * (HEIGHT + 2) + 1
    assert "up from −1.00 to 1.00" in sketch(LINE)


def test_a_rising_line_rises():
    body = sketch(Picture("curves", "t", X, (("up", X),))).splitlines()[2:-1]
    first = [min(i for i, c in enumerate(line) if 0x2800 < ord(c) < 0x2900) for line in body]
    assert first == sorted(first, reverse=True)


def test_a_matrix_tells_signs_apart():
    lines = sketch(MATRIX).splitlines()
    assert lines[1:] == ["  ██··", "  ░░▓▓", "  ░ −1  · 0  █ 1", "  Signs."]


@each
def test_without_unicode_every_line_keeps_its_length(picture):
    text = sketch(picture)
    plain = readable(text, "ascii")
    assert plain.isascii()
    assert [len(line) for line in plain.splitlines()] == [len(line) for line in text.splitlines()]
    assert readable(text, "utf-8") == text
    assert readable("⠀⠁⠇⣿", "ascii") == " .:#"


@each
def test_on_a_page_it_is_one_svg_with_its_title(picture):
    import xml.etree.ElementTree as ET

    root = ET.fromstring(drawing(picture))
    assert root.get("aria-label") == picture.title
    assert list(root)


def test_what_is_between_the_axes_stays_there():
    import re

    rising, falling = re.findall(r'd="M([^"]+)"', drawing(LINE))
    up, down = ([float(point.split(",")[1]) for point in path.split(" L")] for path in (rising, falling))
    assert (up[0], up[-1]) == (176.0, 28.0)
    assert up == sorted(up, reverse=True)
    assert down == up[::-1]
