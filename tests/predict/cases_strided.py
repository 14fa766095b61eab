"""Views by strides."""

from __future__ import annotations

from conformance import case, normal

X = normal(4, 6, mean=0.5)
ROWS = normal(4, 1, mean=0.5)

CASES = [
    case("as_strided, a box", lambda r, x: (r + x).as_strided((2, 4), (1, 6), 2), ROWS, X),
    case("as_strided, every second", lambda r, x: (r + x).as_strided((4, 3), (6, 2), 1), ROWS, X),
    case(
        "as_strided, windows",
        lambda r, x: (r + x).as_strided((4, 2, 4), (6, 2, 1)),
        ROWS,
        X,
        backward=False,
    ),
]
