"""Stand-ins for characters that a terminal's encoding does not have."""

from __future__ import annotations

_SAME_WIDTH = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    **dict(zip("░▒▓", "-+%", strict=True)),
    **dict(zip("─│┼┴╶•…", "-|++--~", strict=True)),
    **dict(zip("·−–—’‘“”", ".---''\"\"", strict=True)),
    **dict(zip("₀₁₂₃₄⁰¹²³⁴⁵⁶⁷⁸⁹", "012340123456789", strict=True)),
    **dict(zip("σφχγωαβμπλθδρεΔΣ", "sfxywabuplhdreDS", strict=True)),
    "′": "'",
    "⁻": "-",
    "Φ": "F",
    "∥": "p",
}
"""One character for one, so that pictures and tables keep their columns."""
_IN_WORDS = {
    "√": "sqrt",
    "×": "x",
    "±": "+-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "∈": "in",
    "≈": "~=",
    "∞": "inf",
}
BRAILLE, FEW, SOME = 0x2800, 2, 4
"""A cell of up to so many dots is "." and ":", of more "#"."""


def readable(text: str, encoding: str | None) -> str:
    """`text` as `encoding` can show it; characters without a stand-in stay as they are."""
    known = encoding or "utf-8"
    if _has(known, text):
        return text
    return "".join(character if _has(known, character) else _instead(character) for character in text)


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _instead(character: str) -> str:
    code = ord(character) - BRAILLE
    if 0 <= code < 256:
        dots = code.bit_count()
        return " " if not dots else "." if dots <= FEW else ":" if dots <= SOME else "#"
    return _SAME_WIDTH.get(character) or _IN_WORDS.get(character, character)
